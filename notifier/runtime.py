"""What a process is made of: its settings, database, keys, catalog and line to Twilio. Configured once, at start."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dotenv import load_dotenv
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from notifier import catalog, db, sealing
from notifier.config import Settings
from notifier.errors import NotifierError
from notifier.models import Secret
from notifier.provider import Twilio


@dataclass(frozen=True)
class Runtime:
    """The parts of one process."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    catalog: catalog.Catalog
    twilio: Twilio


_current: Runtime | None = None
_pid: int | None = None


def configure(settings: Settings) -> Runtime:
    """Make the parts from the settings. Opens no connection: the database may be away."""
    global _current, _pid
    engine = db.connect(settings.database_url)
    _current = Runtime(settings, engine, db.sessions(engine), catalog.load(settings.catalog), Twilio(settings))
    _pid = os.getpid()
    sealing.use(sealing.Keyring(settings.encryption_keys, _load_lookup_key))
    return _current


def current() -> Runtime:
    """The parts of this process, made from the environment (and `.env`) when it asks for the first time."""
    global _pid
    if _current is None:
        load_dotenv(".env")
        return configure(Settings.from_env())
    if _pid != os.getpid():
        # A forked child shares no connection with its parent.
        _pid = os.getpid()
        _current.engine.dispose(close=False)
    return _current


@contextmanager
def transaction() -> Iterator[Session]:
    """A session that commits at the end, or leaves no trace. The only place that commits."""
    with current().sessions() as session, session.begin():
        yield session


@contextmanager
def reading() -> Iterator[Session]:
    """A session for looking only: on SQLite it never waits for a writer."""
    with current().sessions() as session:
        session.connection(execution_options={"reading": True})
        yield session


@contextmanager
def rehearsing() -> Iterator[Session]:
    """A session in which anything may be tried: whatever was done in it is undone at the end."""
    with current().sessions() as session:
        yield session
        session.rollback()


def ensure_lookup_key(session: Session) -> None:
    """Draw the key for look-ups, once in the life of a database."""
    row = Secret(name="lookup", value=secrets.token_hex(32))
    db.add_once(session, row, Secret.name)


def _load_lookup_key() -> bytes:
    with reading() as session:
        found = session.scalars(select(Secret).where(Secret.name == "lookup")).one_or_none()
    if found is None:
        raise NotifierError("the database is not set up yet: please run `notifier migrate`")
    return bytes.fromhex(found.value)
