"""What callers bring to the verbs of enrolment: patients, helpers, plans and deliveries as values, checked in words."""

from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from notifier.core.vocabulary import Administration, Channel, Consent, Flag, Line, Storage, Therapy, Topic


@dataclass(frozen=True)
class ConsentDetails:
    """One word of consent to one channel: what was said, where it is written, and when."""

    channel: Channel
    source: str
    at: datetime
    consent: Consent = Consent.GIVEN
    wording: str | None = None  # the version of what the person read or heard before


@dataclass(frozen=True)
class CaregiverDetails:
    """A helper with a phone of their own. Without a language: the patient's."""

    name: str
    relationship: str
    phone: str
    language: str | None = None
    channel: Channel = Channel.SMS
    receives: tuple[Topic, ...] = ()
    consents: tuple[ConsentDetails, ...] = ()


@dataclass(frozen=True)
class PatientDetails:
    """A patient and the patient's phone (E.164). Without a language or a time zone: the site's."""

    external_id: str
    site: str
    given_name: str
    family_name: str
    phone: str
    language: str | None = None
    timezone: str | None = None
    channel: Channel = Channel.SMS
    consents: tuple[ConsentDetails, ...] = ()
    caregivers: tuple[CaregiverDetails, ...] = ()
    postal_code: str | None = None
    welcomed: bool = False


@dataclass(frozen=True)
class Item:
    """So many of something."""

    name: str
    quantity: int


@dataclass(frozen=True)
class PlanDetails:
    """A course of therapy as it was ordered."""

    external_id: str
    therapy: Therapy
    line: Line
    storage: Storage
    administration: Administration
    first_dose_at: datetime
    doses_per_day: int
    ends_on: date
    supplies: tuple[Item, ...] = ()
    infusion_minutes: int | None = None
    reminders: tuple[time, ...] = ()
    flags: tuple[Flag, ...] = ()
    prescriber: str | None = None
    cover_ends_on: date | None = None

    def faults(self, zone: str) -> dict[str, str]:
        """What cannot be, by field: {} where all is well."""
        found = {}
        if not 1 <= self.doses_per_day <= 24:
            found["doses_per_day"] = "not a whole number of 1 to 24"
        if self.ends_on < self.first_dose_at.astimezone(ZoneInfo(zone)).date():
            found["ends_on"] = "before the first dose"
        return found


@dataclass(frozen=True)
class DeliveryDetails:
    """A delivery: when it comes, and what is in the box."""

    external_id: str
    window_start: datetime
    window_end: datetime
    items: tuple[Item, ...] = ()


def is_zone(name: str) -> bool:
    """Whether the IANA time zone exists."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return bool(name)
