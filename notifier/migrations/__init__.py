"""The history of the models. `notifier migrate` calls upgrade(); nothing else changes a schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from notifier.runtime import ensure_lookup_key

LOCK = 7_410_221  # any number: the advisory lock that lets one host migrate while the others wait


def config() -> Config:
    """Alembic's settings; our migrations need no ini file."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    return settings


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to `revision` and draw the look-up key. Safe from several hosts at once."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, revision)
        with Session(bind=connection, join_transaction_mode="create_savepoint") as session, session.begin():
            ensure_lookup_key(session)


def head() -> str:
    """The newest revision that this code knows."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


def current(connection: Connection) -> str:
    """The revision that the database stands at; empty for a new one."""
    return MigrationContext.configure(connection).get_current_revision() or ""
