"""Engine and sessions, the column types for instants and sealed text, and birth that happens once."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Dialect,
    Engine,
    LargeBinary,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session, sessionmaker
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from notifier import sealing


class Base(DeclarativeBase):
    """Every table."""


Row = TypeVar("Row", bound=Base)


class Instant(TypeDecorator[datetime]):
    """An aware instant, in UTC both ways. A naive datetime is a fault of ours and raises ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Sealed(TypeDecorator[str]):
    """Text that only the keyring can read."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else sealing.keyring().seal(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else sealing.keyring().open(bytes(value))


class SealedJSON(TypeDecorator[Any]):
    """A JSON value that only the keyring can read."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        return None if value is None else sealing.keyring().seal(json.dumps(value, ensure_ascii=False))

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(sealing.keyring().open(bytes(value)))


class written(FunctionElement[str]):
    """An id as Python writes it, in SQL: SQLite keeps it without its hyphens."""

    inherit_cache = True
    type = String()


@compiles(written)
def _written(element: Any, compiler: Any, **given: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **given)} AS VARCHAR)"


@compiles(written, "sqlite")
def _written_in_sqlite(element: Any, compiler: Any, **given: Any) -> str:
    column = compiler.process(element.clauses, **given)
    parts = (f"substr({column}, {start}, {size})" for start, size in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12)))
    return "(" + " || '-' || ".join(parts) + ")"


class local_day(FunctionElement[str]):
    """The day, as 2026-11-25, on which an instant falls in a zone, in SQL: local_day(instant, zone's name)."""

    inherit_cache = True
    type = String()


@compiles(local_day)
def _local_day(element: Any, compiler: Any, **given: Any) -> str:
    instant, zone = (compiler.process(each, **given) for each in element.clauses)
    return f"to_char({instant} AT TIME ZONE {zone}, 'YYYY-MM-DD')"


@compiles(local_day, "sqlite")
def _local_day_in_sqlite(element: Any, compiler: Any, **given: Any) -> str:
    return f"local_day({compiler.process(element.clauses, **given)})"


def _local_day_of(instant: str, zone: str) -> str:
    return datetime.fromisoformat(instant).replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date().isoformat()


class SealedBytes(TypeDecorator[bytes]):
    """Sound or another file that only the keyring can open."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else sealing.keyring().seal_bytes(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else sealing.keyring().open_bytes(bytes(value))


def connect(url: str) -> Engine:
    """The engine for a SQLAlchemy URL. Errors never quote what was being stored."""
    if url.startswith("sqlite"):
        engine = create_engine(url, hide_parameters=True, connect_args={"timeout": 10, "check_same_thread": False})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=20,
        max_overflow=20,
        pool_timeout=5,
        # A host that vanished without a word is noticed in seconds: Twilio waits 15 for an answer.
        connect_args={"connect_timeout": 3, "tcp_user_timeout": 5000, "keepalives_idle": 5, "keepalives_interval": 2},
    )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, below
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("local_day", 2, _local_day_of, deterministic=True)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that may write takes its place in the queue at once: one that reads first and
    # writes later would be refused without waiting if another had written in between.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def sessions(engine: Engine) -> sessionmaker[Session]:
    """Sessions whose rows stay readable after the commit."""
    return sessionmaker(engine, expire_on_commit=False)


def add_once(session: Session, row: Row, by: InstrumentedAttribute[Any]) -> tuple[Row, bool]:
    """Insert `row` unless one with the same `by` stands already. Returns (the row that stands, was it new)."""
    cls, value = type(row), getattr(row, by.key)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return session.scalars(select(cls).where(by == value)).one(), False
    return row, True


MANY = 50  # rows from which on COPY pays


def insert_many(session: Session, cls: type[Row], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns, by COPY where there are many of them and PostgreSQL takes them.

    Defaults that a row does not name are filled in. Raises IntegrityError.
    """
    if session.get_bind().dialect.name != "postgresql" or len(rows) < MANY:
        # One statement for all, whether or not a row has a value in each column.
        session.execute(insert(cls), rows, execution_options={"render_nulls": True})
        return
    table, dialect = cast(Table, cls.__table__), session.get_bind().dialect
    named = [column for column in table.columns if column.name in rows[0]]
    defaults = [column for column in table.columns if column.default is not None and column.name not in rows[0]]
    columns = [(column, column.type.bind_processor(dialect)) for column in (*named, *defaults)]
    quoted = ", ".join(f'"{column.name}"' for column, _ in columns)
    connection = session.connection().connection.driver_connection
    assert connection is not None
    try:
        with connection.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({quoted}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row([_bound(column, processor, row) for column, processor in columns])
    except psycopg.IntegrityError as error:
        raise IntegrityError(None, None, error) from None


def _bound(column: Column[Any], processor: Any, row: Mapping[str, Any]) -> Any:
    """A value as the driver takes it."""
    if column.name in row:
        value = row[column.name]
    else:
        default: Any = column.default
        value = default.arg(None) if default.is_callable else default.arg
    return processor(value) if processor and value is not None else value
