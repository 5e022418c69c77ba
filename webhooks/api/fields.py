"""The kinds of field that the API takes, and how each is checked: phones, zones, languages, instants, words."""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

E164 = r"^\+[1-9]\d{6,14}$"
# The parts of a tag that a phone or a browser really sends: language, script, region (RFC 5646).
BCP47 = r"^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|\d{3}))?$"
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Asked(BaseModel):
    """What a caller sends: nothing unknown, nothing guessed ("5" is not 5)."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)

    def given(self) -> dict[str, Any]:
        """Only the fields that the caller named."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Nothing(Asked):
    """No field at all: the call says everything."""


class Told(BaseModel):
    """What we answer."""

    model_config = ConfigDict(extra="forbid")


def absent() -> Any:
    """The default of a field that may be left out, but is never null."""
    return Field(default=None, json_schema_extra=_without_default)


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


def _phone(text: str) -> str:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        number = None
    # Possible, not valid: the numbers kept for fiction (555-01xx) are used in tests and demos.
    if number is None or not re.match(E164, text) or not phonenumbers.is_possible_number(number):
        raise ValueError("not a phone number in E.164, such as +15035550100")
    return text


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(text: str) -> str:
    if text not in _zones():
        raise ValueError("no such time zone: an IANA name, such as America/Los_Angeles, is needed")
    ZoneInfo(text)
    return text


def _language(text: str) -> str:
    if not re.match(BCP47, text):
        raise ValueError("not a language tag (BCP 47), such as en or es-MX")
    return text


def _instant(at: datetime) -> datetime:
    # Far instants overflow when a zone is added to them; nothing of ours happens there.
    if not EARLIEST < at < LATEST:
        raise ValueError("must lie between the years 2000 and 2100")
    return at.astimezone(UTC)


def _day(on: date) -> date:
    if not EARLIEST.date() < on < LATEST.date():
        raise ValueError("must lie between the years 2000 and 2100")
    return on


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line without control characters")
    return text


def _readable(text: str) -> str:
    if any(not sign.isprintable() and sign not in "\n\t\r" for sign in text):
        raise ValueError("must not hold control characters")
    return text


def _about(words: str) -> Any:
    return Field(description=words)


def _like(pattern: str, words: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "description": words})


Phone = Annotated[str, AfterValidator(_phone), _like(E164, "E.164: `+15035550123`")]
Zone = Annotated[str, AfterValidator(_zone), Field(max_length=64), _about("IANA: `America/Los_Angeles`")]
Language = Annotated[str, AfterValidator(_language), _like(BCP47, "BCP 47: `en`, `es-MX`")]
When = Annotated[AwareDatetime, AfterValidator(_instant), _about("ISO 8601 with an offset: `2026-12-02T10:00:00Z`")]
Day = Annotated[date, AfterValidator(_day), _about("ISO 8601: `2026-12-30`")]
LocalTime = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_printable)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_printable)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_printable)]
SiteKey = Annotated[Word, _about("the site's key, as in pharmacy.toml")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_readable)]
# Answers are always in UTC ("...Z"), so that they sort and compare as text does.
Instant = Annotated[datetime, _about("UTC: `2026-12-02T18:00:00Z`")]
