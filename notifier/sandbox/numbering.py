"""What a number is: its one true form, whether it can exist, where it lives, and Twilio's magic ones. Pure."""

from functools import lru_cache

import phonenumbers
from phonenumbers import timezone

MAGIC_SMS_TO = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
MAGIC_SMS_FROM = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}
MAGIC_CALL_TO = {"+15005550001": 21217, "+15005550002": 21214, "+15005550003": 21215, "+15005550004": 21216}
MAGIC_CALL_FROM = {"+15005550001": 21210}
MAGIC_SENDER = "+15005550006"


def is_magic(number: str) -> bool:
    """Whether Twilio's test table speaks of this number."""
    return number.startswith("+1500555000")


@lru_cache(maxsize=4096)
def e164(text: str) -> str | None:
    """The number in E.164, or None if no such number can exist. Without a country it is taken as American."""
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def national(number: str) -> str:
    """The number as its own country writes it: (503) 555-0100."""
    known = e164(number)
    if known is None:
        return number
    return phonenumbers.format_number(phonenumbers.parse(known), phonenumbers.PhoneNumberFormat.NATIONAL)


def for_people(number: str) -> str:
    """The number as a pharmacy prints it: 503-555-0100."""
    return f"{number[2:5]}-{number[5:8]}-{number[8:]}" if number.startswith("+1") and len(number) == 12 else number


@lru_cache(maxsize=1024)
def zone_of(number: str) -> str:
    """The IANA time zone of the number's area; UTC if it has none or many."""
    known = e164(number)
    zones = timezone.time_zones_for_number(phonenumbers.parse(known)) if known else ()
    return zones[0] if len(zones) == 1 and zones[0] != "Etc/Unknown" else "UTC"
