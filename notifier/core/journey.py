"""What the journey is made of: its steps as the catalog tells them, the facts they meet, and what they become."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from notifier.core.states import EventState, PlanState
from notifier.core.vocabulary import (
    Administration,
    Channel,
    EventKind,
    Flag,
    Line,
    Prompt,
    Role,
    Storage,
    Therapy,
    Topic,
    Urgency,
)

# --- the journey, as the catalog tells it -------------------------------------------------------------------------


class Anchor(StrEnum):
    """The fact that a step is counted from."""

    CONSENT = "consent"  # the person said yes
    BOOKED = "booked"  # the event was given this time
    START = "start"
    END = "end"
    OUT = "out"  # the driver left
    DONE = "done"
    FAILED = "failed"  # it was tried and did not come about
    CANCELLED = "cancelled"
    RUNNING = "running"  # each hour at which a running device is looked at, as the therapy's profile says
    VERIFIED = "verified"  # the plan's order was checked
    SUPPLIES_READY = "supplies_ready"  # what the plan needs is being packed
    CHANGED = "changed"  # the order became another one while it was under way
    PAUSED = "paused"
    FIRST_DOSE = "first_dose"  # the day of the first dose
    CHECK_INS = "check_ins"  # the days on which the profile asks how the patient is
    LINE_CARE = "line_care"  # the day on which the profile's line care is due, where no visit is booked for it
    SUPPLY_DAY = "supply_day"  # the profile's weekday for counting what is left
    REFILL = "refill"  # so long before that as the profile asks whether more is needed
    RUN_OUT = "run_out"  # when the counted doses are used up
    COVER_ENDS_ON = "cover_ends_on"  # the last day that is paid for, where the therapy lasts longer
    ENDS_ON = "ends_on"  # the therapy's last day
    ENDED = "ended"  # the plan was ended
    REMINDERS = "reminders"  # the hours that the patient chose


class Who(StrEnum):
    """To whom a step speaks."""

    ALL = "all"  # the patient, and the helpers who asked for its topic
    PATIENT = "patient"
    HELPERS = "helpers"


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
    who: Who = Who.ALL
    topic: Topic | None = None  # which caregivers hear it too; none: only the patient
    words: str | None = None  # the message whose words it speaks, where they are not the template's own
    cold_words: str | None = None  # the same for what must be kept cold
    monthly_words: str | None = None  # the same once in four weeks
    asks: Prompt | None = None
    until_answered: bool = False  # not wanted once its question was answered
    moved: bool | None = None  # only where another time was told before (true), or none was (false)
    announced: bool = False  # only where its present time was told
    unless: EventKind | None = None  # left out once such an event is booked
    gated: bool = False  # only when what must come before the first dose is done, or booked in time
    strict: bool = False  # and not before it is done
    held: bool = False  # a gate that opens late lets it through; else it is left out
    covered_by: tuple[str, ...] = ()  # left out where one of these speaks to the same person on the same day
    silence: str | None = None  # the ladder that is climbed while its question has no answer
    therapies: frozenset[Therapy] = frozenset()  # empty: every one
    storages: frozenset[Storage] = frozenset()
    lines: frozenset[Line] = frozenset()
    warm_up: bool = False  # so long before its anchor as what is kept cold needs to warm up
    care: bool = False  # counts towards the week's care texts
    spare: bool = False  # and is left out when the week has had enough of them
    matters: bool = False
    urgent: bool = False
    any_hour: bool = False
    same_day: bool = False  # not held in quiet hours on the event's own day
    after_end: bool = False  # also when the plan has ended


@dataclass(frozen=True)
class Rung:
    """One rung of a silence ladder: the question once more, another way, somebody else, or a ticket."""

    after: timedelta  # the question was due
    who: Who | None = None  # none: a ticket
    by: Channel | None = None  # none: each person's own way
    template: str | None = None  # none: the question's own words
    role: Role | None = None
    urgency: Urgency | None = None
    kind: str = ""
    says: str = ""


@dataclass(frozen=True)
class WatchStep:
    """A moment at which a member of staff is told, unless what it waits for happens first."""

    key: str
    anchor: Anchor
    role: Role
    urgency: Urgency
    kind: str  # what the ticket is about
    says: str  # what it says first; {missing}, {day} and {prescriber} are filled in
    about: EventKind | None = None
    offset: timedelta = timedelta()
    days: tuple[int, ...] = ()
    at: time | None = None
    every: timedelta | None = None  # and again each so long, while it lasts
    lasts: timedelta = timedelta(days=2)  # for which it still makes sense
    gate: bool = False  # while something that must come before the first dose is missing
    until_answered: Prompt | None = None
    unless: EventKind | None = None
    storages: frozenset[Storage] = frozenset()
    lines: frozenset[Line] = frozenset()


@dataclass(frozen=True)
class Supply:
    """Something that a therapy needs: the words by which a packing list names it."""

    words: tuple[str, ...]
    needed: bool = False  # no dose without it
    drug: bool = False


@dataclass(frozen=True)
class Profile:
    """How one therapy runs: as data that a pharmacist signs."""

    therapy: Therapy
    check_ins: tuple[int, ...] = (1, 3, 7)  # days after the first dose
    check_in_every: int | None = 7
    silence: str = "safety"  # the ladder of its check-ins
    warm_up: timedelta | None = None  # out of the fridge so long before
    warm_up_ball: timedelta | None = None  # an elastomeric ball
    line_care_every: int | None = 7
    labs_every: int | None = None
    supply_day: int | None = None  # 0: Monday
    refill_lead: timedelta = timedelta(days=7)  # asked so long before the doses run out
    pump_checks: tuple[time, ...] = ()
    supplies: tuple[Supply, ...] = ()


@dataclass(frozen=True)
class Journey:
    """Every step, watch, silence ladder and therapy profile."""

    steps: tuple[Step, ...]
    welcome: Step
    watches: tuple[WatchStep, ...] = ()
    ladders: Mapping[str, tuple[Rung, ...]] = field(default_factory=dict)
    profiles: Mapping[Therapy, Profile] = field(default_factory=dict)
    first_dose_minutes: int = 60
    teaching_minutes: int = 60
    cold_answer: timedelta = timedelta(hours=6)  # so long a box may wait for the word that it came cold
    settling: timedelta = timedelta(minutes=30)  # so long after a dose was booked nothing is called missing for it
    late_start: timedelta = timedelta(hours=2)  # a first dose later than this is told to the prescriber
    weekly_care: int = 3  # care texts a week, beyond which what is spare is left out
    apart: timedelta = timedelta(minutes=5)  # between the same words for two patients on one phone
    most_doses: int = 200  # a count above this cannot be right

    def speaks_after_end(self, step: str) -> bool:
        """Whether a step, or a rung of its silence ladder, still speaks when the plan has ended."""
        key = step.partition(".silence")[0]
        return any(each.key == key and each.after_end for each in self.steps)

    def profile(self, therapy: Therapy) -> Profile:
        """The therapy's own, else that of `other`."""
        return self.profiles.get(therapy) or self.profiles.get(Therapy.OTHER) or Profile(therapy)


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
    cold_at: datetime | None = None  # when that was said
    moves: int = 0  # how often it was given another time
    told: bool = False  # somebody was told another time than the present one
    announced: bool = False  # and the present one
    over_at: datetime | None = None  # when it failed or was cancelled


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
    may_call: bool = False  # consented to calls
    place: int = 0  # 1, 2 ... where several patients share this phone


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
    line: Line = Line.PICC
    administration: Administration = Administration.GRAVITY
    doses_per_day: int = 1
    flags: frozenset[Flag] = frozenset()
    reminders: tuple[time, ...] = ()
    reminders_zone: ZoneInfo | None = None  # where those hours count; none: where the patient is
    infusion_minutes: int | None = None
    verified_at: datetime | None = None
    supplies_ready_at: datetime | None = None
    changed_at: datetime | None = None
    paused_at: datetime | None = None
    ended_at: datetime | None = None
    cover_ends_on: date | None = None
    run_out_at: datetime | None = None  # when the counted doses are used up
    prescriber: bool = False  # whether we know who ordered it
    quiet: str = "20:00-08:00"
    asked: frozenset[str] = frozenset()  # the questions that have a message
    answered: frozenset[str] = frozenset()
    history: tuple[tuple[str, UUID, datetime, str], ...] = ()  # lately sent: (key, contact, when due, step)


# --- what they become ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
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
    question: str | None = None  # what it asks, whoever is asked and how often
    held_from: datetime | None = None  # when it would have left but for quiet hours
    left_out: str = ""  # why it is not sent; "": it is


@dataclass(frozen=True, slots=True)
class Watch:
    """A moment at which a member of staff is told. Its key says why."""

    key: str
    step: str
    role: Role
    urgency: Urgency
    kind: str
    says: str
    due_at: datetime
    not_after: datetime
    event_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What a plan's facts ask for: what is sent, what is left out and why, and when staff are told."""

    messages: tuple[Draft, ...] = ()
    left_out: tuple[Draft, ...] = ()
    watches: tuple[Watch, ...] = ()
