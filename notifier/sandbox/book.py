"""The sandbox's memory: tables of frozen records, kept in a file if one is given, and watched by whoever waits."""

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from notifier.sandbox.records import Call, Handset, Number, OptOut, Person, Record, Recording, Text

R = TypeVar("R", bound=Record)


class Shelf:
    """A file in which every record is one row of JSON, written as it changes."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = wal")
        self.db.execute("PRAGMA synchronous = normal")
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS record"
            " (line INTEGER PRIMARY KEY, kind TEXT, key TEXT, value TEXT, UNIQUE (kind, key))"
        )

    def read(self, kind: str) -> list[tuple[str]]:
        """The JSON of every record of this kind, oldest first."""
        return self.db.execute("SELECT value FROM record WHERE kind = ? ORDER BY line", (kind,)).fetchall()

    def write(self, kind: str, key: str, value: str | None) -> None:
        """Keeps the record; None forgets it."""
        if value is None:
            self.db.execute("DELETE FROM record WHERE kind = ? AND key = ?", (kind, key))
            return
        self.db.execute(
            "INSERT INTO record (kind, key, value) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
            (kind, key, value),
        )

    def close(self) -> None:
        """Lets go of the file."""
        self.db.close()


class Table(Generic[R]):
    """Records of one kind by key, in the order of their birth."""

    def __init__(self, kind: type[R], book: "Book") -> None:
        self.kind, self.book = kind, book
        self._rows: dict[str, R] = {}
        self._adapter: TypeAdapter[R] = TypeAdapter(kind)

    def load(self, shelf: Shelf) -> None:
        """Takes in what the file remembers."""
        for (value,) in shelf.read(self.kind.__name__):
            record = self._adapter.validate_json(value)
            self._rows[record.key] = record

    def put(self, record: R) -> R:
        """Keeps this record in place of the one with its key."""
        with self.book.changed:
            self._rows[record.key] = record
            self.book.tell(self.kind.__name__, record.key, lambda: self._adapter.dump_json(record).decode())
        return record

    def add(self, record: R) -> R:
        """Keeps this record unless one with its key stands; returns the one that stands."""
        with self.book.changed:
            return self._rows.get(record.key) or self.put(record)

    def change(self, key: str, **fields: Any) -> R:
        """Replaces some fields of one record; KeyError if there is none."""
        with self.book.changed:
            return self.put(replace(self._rows[key], **fields))

    def drop(self, key: str) -> bool:
        """Forgets the record; False if there was none."""
        with self.book.changed:
            found = self._rows.pop(key, None) is not None
            if found:
                self.book.tell(self.kind.__name__, key, None)
            return found

    def get(self, key: str) -> R | None:
        """The record, or None."""
        return self._rows.get(key)

    def __getitem__(self, key: str) -> R:
        return self._rows[key]

    def all(self) -> list[R]:
        """Every record, oldest first."""
        with self.book.changed:
            return list(self._rows.values())


class Book:
    """Every table, one lock and one bell: `changed` is notified and `version` grows with each change."""

    def __init__(self, file: Path | None = None) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.version = 0
        self.shelf = Shelf(file) if file else None
        self.texts = Table(Text, self)
        self.calls = Table(Call, self)
        self.numbers = Table(Number, self)
        self.recordings = Table(Recording, self)
        self.handsets = Table(Handset, self)
        self.people = Table(Person, self)
        self.opt_outs = Table(OptOut, self)
        if self.shelf:
            tables: list[Table[Any]] = [
                self.texts, self.calls, self.numbers, self.recordings, self.handsets, self.people, self.opt_outs,
            ]  # fmt: skip
            for table in tables:
                table.load(self.shelf)

    def tell(self, kind: str, key: str, value: Callable[[], str] | None) -> None:
        """Writes one change down and wakes whoever watches; the caller holds the lock."""
        if self.shelf:
            self.shelf.write(kind, key, value() if value else None)
        self.version += 1
        self.changed.notify_all()

    def close(self) -> None:
        """Lets go of the file."""
        with self.changed:
            if self.shelf:
                self.shelf.close()
                self.shelf = None

    def handset(self, number: str) -> Handset:
        """The phone with this number, which exists as soon as somebody speaks of it."""
        return self.handsets.get(number) or self.handsets.add(Handset(number))

    def last_number_of(self, phone: str) -> str | None:
        """The number of ours that this phone heard from last, else the only one we own."""
        with self.changed:
            for text in reversed(self.texts.all()):
                if text.recipient == phone and text.arrived_at:
                    return text.sender
            for call in reversed(self.calls.all()):
                if call.phone == phone:
                    return call.service
            owned = self.numbers.all()
        return owned[0].number if len(owned) == 1 else None
