"""What the journey is made of: its steps as the catalog tells them, the facts they meet, and the drafts they become."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from notifier.core.states import EventState, PlanState
from notifier.core.vocabulary import Channel, EventKind, Prompt, Storage, Therapy, Topic

# --- the journey, as the catalog tells it -------------------------------------------------------------------------


class Anchor(StrEnum):
    """The fact that a step is counted from."""

    CONSENT = "consent"  # the person said yes
    BOOKED = "booked"  # the event was given this time
    START = "start"
    END = "end"
    OUT = "out"  # the driver left
    DONE = "done"
    VERIFIED = "verified"  # the plan's order was checked
    FIRST_DOSE = "first_dose"  # the day of the first dose
    ENDS_ON = "ends_on"  # the therapy's last day
    REMINDERS = "reminders"  # the hours that the patient chose


Limit = timedelta | time | Anchor  # so long after it is due; that local hour of its day; that moment of the event


@dataclass(frozen=True)
class Step:
    """One message that an event or a plan deserves: when, until when, to whom, and on what condition."""

    key: str
    template: str
    anchor: Anchor
    not_after: tuple[Limit, ...]  # the earliest of them rules
    about: EventKind | None = None  # none: the plan itself
    offset: timedelta = timedelta()  # from the anchor, in real time
    days: tuple[int, ...] = ()  # from the anchor's day, by the calendar
    every: int | None = None  # and then each so many days, until the therapy ends
    at: time | None = None  # local; none: the anchor's own hour
    topic: Topic | None = None  # which caregivers hear it too; none: only the patient
    asks: Prompt | None = None
    until_answered: bool = False  # not wanted once its question was answered for this event
    gated: bool = False  # only when what must come before the first dose is done, or booked in time
    held: bool = False  # a gate that opens late lets it through; else it is left out
    covered_by: tuple[str, ...] = ()  # left out where one of these speaks to the same person on the same day
    therapies: frozenset[Therapy] = frozenset()  # empty: every one
    storages: frozenset[Storage] = frozenset()
    matters: bool = False
    urgent: bool = False
    any_hour: bool = False
    after_end: bool = False  # also when the plan has ended


@dataclass(frozen=True)
class Journey:
    """Every step, and how long a first dose takes when the order does not say."""

    steps: tuple[Step, ...]
    welcome: Step
    first_dose_minutes: int = 60


# --- the facts ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EventFacts:
    """What is known of a delivery, a teaching visit or another dated thing."""

    id: UUID
    kind: EventKind
    starts_at: datetime
    ends_at: datetime | None = None
    state: EventState = EventState.SCHEDULED
    booked_at: datetime | None = None
    out_at: datetime | None = None
    done_at: datetime | None = None
    cold_ok: bool | None = None
    answered: frozenset[Prompt] = frozenset()  # the questions about it that were answered


@dataclass(frozen=True)
class Recipient:
    """A person whom we may tell: the patient, or a caregiver with the topics agreed to."""

    contact_id: UUID
    language: str
    channel: Channel
    zone: ZoneInfo
    consented: bool  # on that channel
    topics: frozenset[Topic] = frozenset()
    is_patient: bool = True


@dataclass(frozen=True)
class PlanFacts:
    """All that decides what a plan's people are told."""

    id: UUID
    state: PlanState
    therapy: Therapy
    storage: Storage
    first_dose_at: datetime
    ends_on: date
    zone: ZoneInfo
    recipients: tuple[Recipient, ...]
    events: tuple[EventFacts, ...] = ()
    reminders: tuple[time, ...] = ()
    infusion_minutes: int | None = None
    verified_at: datetime | None = None
    quiet: str = "20:00-08:00"


@dataclass(frozen=True)
class Draft:
    """A message that should exist. Its key says why."""

    key: str
    step: str
    template: str
    contact_id: UUID
    channel: Channel
    language: str
    due_at: datetime
    not_after: datetime
    values: dict[str, str] = field(default_factory=dict)
    prompt: Prompt | None = None
    matters: bool = False
    urgent: bool = False
    any_hour: bool = False
    event_id: UUID | None = None
