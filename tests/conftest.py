"""Fixtures: the servers, once a run; a world, a clock and a clinic for each story."""

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from notifier import db, migrations
from tests.clinic import Clinic
from tests.servers import Postgres, Redis
from tests.world import Clock, World, settings_for


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL cluster of our own."""
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """A Redis (Valkey) server of our own."""
    server = Redis()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """The name of a migrated, empty database to copy."""
    from notifier import runtime
    from notifier.config import Settings

    url = postgres.database()
    runtime.configure(Settings.from_env(settings_for(url, "redis://127.0.0.1:1/0", "http://x.test", "http://y.test")))
    engine = db.connect(url)
    migrations.upgrade(engine)
    engine.dispose()
    return url.rsplit("/", 1)[1]


@pytest.fixture
def database_url(postgres: Postgres, template: str) -> Iterator[str]:
    """A migrated, empty database for one test."""
    url = postgres.database(template)
    yield url
    admin = create_engine(postgres.url("postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {url.rsplit('/', 1)[1]} WITH (FORCE)")
    admin.dispose()


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Monday 2026-11-23, 09:00 in New York; it moves only when the story says so."""
    yield Clock()
    os.environ.pop("NOTIFIER_CLOCK", None)


@pytest.fixture
def world(database_url: str, redis: Redis, clock: Clock) -> Iterator[World]:
    """Everything running."""
    if not redis.answers():
        redis.start()
    world = World(database_url, redis.url, clock)
    yield world
    world.stop()


@pytest.fixture
def clinic(world: World) -> Clinic:
    """A pharmacy in New York with its staff on call."""
    return Clinic(world)
