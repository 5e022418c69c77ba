"""What people type into the console's forms, read into values; every fault in words, by the name of its field."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from notifier.core.phones import e164
from notifier.core.planning import resolve_local
from notifier.details import Item
from webhooks.console import words
from webhooks.console.tongue import _

Word = TypeVar("Word", bound=StrEnum)
_ITEM = re.compile(r"(?P<name>.+?)\s+[x×]\s*(?P<quantity>\d+)")
_COUNTED = re.compile(r"(?P<quantity>\d+)\s*[x×]?\s+(?P<name>.+)")
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)


class Fields:
    """A form being read. After all is read, `faults` tells what is wrong, and `tidy` how a value is better written."""

    def __init__(self, form: Mapping[str, str], zone: ZoneInfo) -> None:
        self.form, self.zone = form, zone
        self.faults: dict[str, str] = {}
        self.tidy: dict[str, str] = {}

    def raw(self, name: str) -> str:
        """As it was typed, without spaces around it."""
        return self.form.get(name, "").strip()

    def text(self, name: str, longest: int = 100, *, required: bool = True) -> str:
        """Some words."""
        value = self.raw(name)
        if required and not value:
            self.faults[name] = _("This is needed.")
        elif len(value) > longest:
            self.faults[name] = _("At most %(longest)s characters.", longest=longest)
        return value

    def phone(self, name: str, *, required: bool = True) -> str:
        """A phone as machines write it; shown to people as they do."""
        value = self.raw(name)
        if not value:
            if required:
                self.faults[name] = _("This is needed.")
            return ""
        try:
            number = e164(value)
        except ValueError:
            digits = len(re.sub(r"\D", "", value))
            self.faults[name] = _("%(digits)s digits: a US number has 10, another begins with +.", digits=digits)
            return ""
        self.tidy[name] = words.phone(number)
        return number

    def choice(self, name: str, among: type[Word], default: Word | None = None) -> Word:
        """One word of an enum."""
        value = self.raw(name)
        try:
            return among(value)
        except ValueError:
            if default is None or value:
                self.faults[name] = _("Choose one.")
            return default or next(iter(among))

    def choices(self, prefix: str, among: type[Word]) -> tuple[Word, ...]:
        """The boxes that were ticked, each named by the prefix and its word."""
        return tuple(word for word in among if self.form.get(f"{prefix}{word.value}"))

    def number(self, name: str, least: int, most: int) -> int:
        """A whole number."""
        value = self.raw(name)
        if not re.fullmatch(r"\d{1,6}", value, re.ASCII) or not least <= int(value) <= most:
            self.faults[name] = _("A whole number from %(least)s to %(most)s.", least=least, most=most)
            return least
        return int(value)

    def day(self, name: str, *, required: bool = True) -> date | None:
        """A date."""
        value = self.raw(name)
        if not value and not required:
            return None
        try:
            found = date.fromisoformat(value)
        except ValueError:
            found = None
        if found is None or not EARLIEST <= found <= LATEST:
            self.faults[name] = _("A date, such as 2026-11-30.")
            return None
        return found

    def moment(self, name: str, *, required: bool = True) -> datetime | None:
        """A local date and time, as an instant."""
        value = self.raw(name)
        if not value and not required:
            return None
        try:
            local = datetime.fromisoformat(value)
            if local.tzinfo is not None or not EARLIEST <= local.date() <= LATEST:
                raise ValueError
        except ValueError:
            self.faults[name] = _("A date and a time, such as 2026-11-30 14:00.")
            return None
        return resolve_local(local.date(), local.time(), self.zone)

    def items(self, name: str) -> tuple[Item, ...]:
        """One thing on each line: `Saline flush 10 mL x 28`, or `28 Saline flush 10 mL`."""
        found = []
        for line in filter(None, (line.strip() for line in self.raw(name).splitlines())):
            match = _ITEM.fullmatch(line) or _COUNTED.fullmatch(line)
            if match is None:
                self.faults[name] = _(
                    "“%(line)s”: write what and how many, such as Saline flush 10 mL x 28.", line=line
                )
                continue
            found.append(Item(match["name"].strip(), int(match["quantity"])))
        return tuple(found)

    def times(self, name: str) -> tuple[datetime, ...]:
        """Local times of day, such as `08:00, 20:00`; the dates mean nothing."""
        found = []
        for part in re.split(r"[,;\s]+", self.raw(name)) if self.raw(name) else ():
            try:
                found.append(datetime.strptime(part, "%H:%M").replace(tzinfo=UTC))
            except ValueError:
                self.faults[name] = _("Times such as 08:00, 20:00.")
        return tuple(found)


def local_text(instant: datetime | None, zone: ZoneInfo) -> str:
    """An instant as an input of date and time holds it."""
    return instant.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if instant else ""


def items_text(items: list[dict[str, object]]) -> str:
    """Things and how many, one on each line."""
    return "\n".join(f"{item['name']} x {item['quantity']}" for item in items)
