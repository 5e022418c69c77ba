"""pharmacy.toml as values: sites, staff, rotas, ladders. Checked whole, so that every fault is named at once."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from notifier import catalog
from notifier.core.business import DAYS, HOLIDAY, is_calendar
from notifier.core.phones import e164
from notifier.core.routing import Phone
from notifier.core.vocabulary import CANARY, Channel, Pages, Role, Urgency
from notifier.details import is_zone

LAST_RESORT = "last_resort"  # the answering service: a member of staff without a role
EVERY_SITE = "*"
Row = dict[str, Any]


@dataclass
class Pharmacy:
    """A file as rows of columns, and what is wrong with it: name of the setting -> why."""

    sites: dict[str, Row] = field(default_factory=dict)
    staff: dict[str, Row] = field(default_factory=dict)
    shifts: list[Row] = field(default_factory=list)  # `staff` by key
    ladders: dict[Urgency, list[Row]] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def read(text: str) -> Pharmacy:
    """The file, with every fault that it has. Touches nothing."""
    file = Pharmacy()
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Pharmacy(faults={"file": f"is not TOML: {error}"})
    if not data:
        return Pharmacy(faults={"file": "is empty: it would take everybody off the roster"})
    for name in data.keys() - {"site", "staff", "rota", "override", "ladder", LAST_RESORT}:
        file.faults[name] = "no such section"
    for key, table in _tables(file, data, "site").items():
        file.sites[key] = _row(file, f"site.{key}", table, _SITE, required=("name", "timezone", "phone"))
        file.sites[key].setdefault("brand", file.sites[key].get("name"))
        if key == CANARY:
            file.faults[f"site.{key}"] = "this name is the service's own; choose another"
        if isinstance(table, dict) and not (table.get("sms_from") or table.get("messaging_service")):
            file.faults[f"site.{key}"] = "needs sms_from or messaging_service"
    for key, table in _tables(file, data, "staff").items():
        file.staff[key] = _row(file, f"staff.{key}", table, _STAFF, required=("name", "roles", "phone"))
        for site in file.staff[key].get("sites", ()):
            if site not in file.sites:
                file.faults[f"staff.{key}.sites"] = f"no site {site}"
    if LAST_RESORT in data:
        phone = _row(file, LAST_RESORT, data[LAST_RESORT], {"phone": _phone}, required=("phone",))
        file.staff[LAST_RESORT] = {"name": "Answering service", "roles": [], "pages": Pages.VOICE, **phone}
    for section in ("rota", "override"):
        shifts = data.get(section, [])
        if not isinstance(shifts, list):
            file.faults[section] = f"must be [[{section}]], once for each"
            continue
        for number, table in enumerate(shifts, start=1):
            _shift(file, f"{section} {number}", table, is_override=section == "override")
    faults: list[str] = []
    for urgency, rungs in catalog.read_ladders(_tables(file, data, "ladder"), "ladder", faults).items():
        file.ladders[urgency] = [{"who": r.who.value, "by": r.by.value, "after": r.after} for r in rungs]
    for fault in faults:
        name, _, reason = fault.partition(": ")
        file.faults[name] = reason
    for key, row in file.staff.items():
        if any(step["phone"] == Phone.SECOND for step in row.get("reach", ())) and not row.get("second_phone"):
            file.faults.setdefault(f"staff.{key}.reach", "names a second phone, and second_phone is not given")
    for what in ("phone", "email"):
        _each_its_own(file, what)
    return file


def _tables(file: Pharmacy, data: Row, section: str) -> Row:
    """The tables of one section by key."""
    tables = data.get(section, {})
    if isinstance(tables, dict):
        return tables
    file.faults[section] = f"must be [{section}.KEY], once for each"
    return {}


def _row(
    file: Pharmacy, name: str, table: Any, known: Mapping[str, Callable[[Any], Any]], required: tuple[str, ...]
) -> Row:
    """The settings of one table, each checked; what is wrong goes to the file's faults."""
    row: Row = {}
    if not isinstance(table, dict):
        file.faults[name] = "must be a table"
        return row
    for setting in required:
        if table.get(setting) in (None, ""):
            file.faults[f"{name}.{setting}"] = "missing"
    for setting, value in table.items():
        if setting not in known:
            file.faults[f"{name}.{setting}"] = f"no such setting; one of {', '.join(sorted(known))}"
            continue
        try:
            row[setting] = known[setting](value)
        except (TypeError, ValueError) as error:
            file.faults.setdefault(f"{name}.{setting}", str(error))
    return row


def _shift(file: Pharmacy, name: str, table: Any, *, is_override: bool) -> None:
    row = _row(file, name, table, _SHIFT, required=("site", "role", "staff"))
    site, people = row.get("site"), row.pop("staff", [])
    if site and site != EVERY_SITE and site not in file.sites:
        file.faults[f"{name}.site"] = f"no site {site}"
    for staff in people:
        if staff not in file.staff or staff == LAST_RESORT:
            file.faults[f"{name}.staff"] = f"no staff {staff}"
    zone = file.sites.get(site or "", {}).get("timezone")
    for ours, theirs in (("starts_at", "from"), ("ends_at", "until")):
        at = row[ours] = row.pop(theirs, None)
        if at and at.tzinfo is None:
            row[ours] = at.replace(tzinfo=ZoneInfo(zone)) if zone else None
            if zone is None:
                file.faults[f"{name}.{theirs}"] = "needs an offset, such as 2026-12-24T07:00:00-08:00"
    if row["starts_at"] and row["ends_at"] and row["ends_at"] <= row["starts_at"]:
        file.faults[f"{name}.until"] = "must be after from"
    if is_override and isinstance(table, dict) and not {"from", "until"} <= table.keys():
        file.faults.setdefault(name, "an override needs from and until")
    rotates = row.pop("rotates", None)
    if rotates and row["starts_at"] is None:
        file.faults.setdefault(f"{name}.from", "needed: when the first one's turn begins")
    if rotates and len(people) < 2:
        file.faults.setdefault(f"{name}.staff", 'must be a list of those who take turns, such as ["nell", "rowan"]')
    turns = {"turns": len(people), "turn_days": TURNS[rotates]} if rotates else {"turns": 1, "turn_days": 7}
    known = {"rung": 0, "days": [], "hours": None, **row, "is_override": is_override, **turns}
    file.shifts += [{**known, "staff": who, "turn": turn if rotates else 0} for turn, who in enumerate(people)]


def _each_its_own(file: Pharmacy, what: str) -> None:
    """By a phone and by an e-mail address one person is known."""
    seen: dict[str, str] = {}
    for key, row in file.staff.items():
        for name in (what, "second_phone") if what == "phone" else (what,):
            if value := row.get(name):
                if value in seen:
                    file.faults[f"staff.{key}.{name}"] = f"is {seen[value]}'s too"
                seen.setdefault(value, key)


# --- settings, one by one -----------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text")
    return value.strip()


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError('must be a list, such as ["en"]')
    return [_text(each) for each in value]


def _phone(value: Any) -> str:
    return e164(_text(value))


def _sender(value: Any) -> str:
    return value if isinstance(value, str) and re.fullmatch(r"\d{5,6}", value) else _phone(value)


def _zone(value: Any) -> str:
    if not is_zone(_text(value)):
        raise ValueError("no such time zone")
    return _text(value)


def _hours(value: Any) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", _text(value)):
        raise ValueError('must look like "20:00-08:00"')
    return _text(value)


def _rate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError("must be a number above 0")
    return float(value)


def _email(value: Any) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", _text(value)):
        raise ValueError("must be an address such as nora@example.com")
    return _text(value)


def _one_of(words: type[StrEnum]) -> Callable[[Any], Any]:
    def read_word(value: Any) -> Any:
        if value not in list(words):
            raise ValueError(f"not one of {', '.join(words)}")
        return words(value)

    return read_word


def _roles(value: Any) -> list[str]:
    return [_one_of(Role)(each).value for each in _texts(value)]


def _sites(value: Any) -> list[str]:
    named = _texts(value)
    return [] if EVERY_SITE in named else named


def _rung(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("must be a whole number, 0 first")
    return value


def _days(value: Any) -> list[str]:
    days, known = _texts(value), (*DAYS, HOLIDAY)
    if not set(days) <= set(known):
        raise ValueError(f"not all of {', '.join(known)}")
    return sorted(days, key=known.index)


def _weekdays(value: Any) -> list[str]:
    days = _days(value)
    if HOLIDAY in days or not days:
        raise ValueError(f"must be some of {', '.join(DAYS)}")
    return days


def _people(value: Any) -> list[str]:
    """One member of staff, or a pool of them."""
    people = _texts(value) if isinstance(value, list) else [_text(value)]
    if not people or len(set(people)) < len(people):
        raise ValueError("must name people, each once")
    return people


TURNS = {"daily": 1, "weekly": 7, "fortnightly": 14}


def _rotates(value: Any) -> str:
    if value not in TURNS:
        raise ValueError(f"not one of {', '.join(TURNS)}")
    return str(value)


def _holidays(value: Any) -> str:
    if not is_calendar(_text(value)):
        raise ValueError('must be a country, or a country and a part of it, such as "US" or "US-OR"')
    return _text(value)


def _reach(value: Any) -> list[Row]:
    """How a person is paged, step by step: [{by, after (minutes), phone}], the first one at once."""
    steps = [_step(step) for step in value] if isinstance(value, list) else []
    waits = [step["after"] for step in steps]
    if not waits or waits[0] != 0 or waits != sorted(waits) or waits[-1] > 30:
        raise ValueError("must be steps, the first at once (after = 0), the others later within half an hour")
    return steps


def _step(value: Any) -> Row:
    try:
        phone = Phone(value.get("phone", Phone.FIRST))
        return {"by": Channel(value["by"]).value, "after": float(value.get("after", 0)), "phone": phone.value}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(
            'each step needs by ("sms", "voice"); after (minutes) and phone ("second") may be given'
        ) from None


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(_text(value))
    except ValueError:
        raise ValueError("must look like 2026-12-24T07:00:00-08:00") from None


_SITE: dict[str, Callable[[Any], Any]] = {
    "name": _text,
    "brand": _text,
    "timezone": _zone,
    "sms_from": _sender,
    "messaging_service": _text,
    "voice_from": _phone,
    "phone": _phone,
    "languages": _texts,
    "quiet_hours": _hours,
    "sender_rate": _rate,
    "call_rate": _rate,
    "business_hours": _hours,
    "business_days": _weekdays,
    "holidays": _holidays,
}
_STAFF: dict[str, Callable[[Any], Any]] = {
    "name": _text,
    "roles": _roles,
    "sites": _sites,
    "phone": _phone,
    "email": _email,
    "languages": _texts,
    "pages": _one_of(Pages),
    "second_phone": _phone,
    "reach": _reach,
}
_SHIFT: dict[str, Callable[[Any], Any]] = {
    "site": _text,
    "role": _one_of(Role),
    "rung": _rung,
    "staff": _people,
    "rotates": _rotates,
    "days": _days,
    "hours": _hours,
    "from": _instant,
    "until": _instant,
}
