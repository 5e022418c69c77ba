"""A pharmacy with an API, for the tests of what other systems touch."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier import migrations, runtime
from notifier.config import Settings
from tests.edges.api_pharmacy import Pharmacy
from tests.servers import Redis
from tests.world import Clock, settings_for


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite database to copy."""
    path = tmp_path_factory.mktemp("template") / "notifier.db"
    env = settings_for(f"sqlite:///{path}", "redis://127.0.0.1:1/0", "http://x.test", "http://y.test")
    parts = runtime.configure(Settings.from_env(env))
    migrations.upgrade(parts.engine)
    parts.engine.dispose()
    return path


@pytest.fixture
def pharmacy(migrated_file: Path, tmp_path: Path, redis: Redis, clock: Clock) -> Iterator[Pharmacy]:
    """A pharmacy in Portland on SQLite; time stands still."""
    path = shutil.copy(migrated_file, tmp_path / "notifier.db")
    yield from _open(f"sqlite:///{path}", redis, clock)


@pytest.fixture
def busy_pharmacy(database_url: str, redis: Redis, clock: Clock) -> Iterator[Pharmacy]:
    """The same on PostgreSQL, where many may come at once and the database may go away."""
    yield from _open(database_url, redis, clock)


def _open(database_url: str, redis: Redis, clock: Clock) -> Iterator[Pharmacy]:
    if not redis.answers():
        redis.start()
    one = Pharmacy(database_url, redis, clock)
    yield one
    one.close()
