"""The nouns of the product as enums: one word for one thing, in code, console, API and speech."""

from enum import StrEnum


class Channel(StrEnum):
    """How a person is reached."""

    SMS = "sms"
    VOICE = "voice"


class Urgency(StrEnum):
    """How soon a human must act. Compare with `rank`: 0 is the most urgent."""

    EMERGENCY = "emergency"
    URGENT = "urgent"
    SAME_DAY = "same_day"
    ROUTINE = "routine"
    NONE = "none"

    @property
    def rank(self) -> int:
        """0 for an emergency to 4 for nothing to do: smaller is more urgent."""
        return list(Urgency).index(self)

    @property
    def is_red(self) -> bool:
        """A red flag: somebody is paged whatever the hour."""
        return self in (Urgency.EMERGENCY, Urgency.URGENT)


def most_urgent(*urgencies: Urgency) -> Urgency:
    """The most urgent of them; NONE of nothing."""
    return min(urgencies, key=lambda urgency: urgency.rank, default=Urgency.NONE)


class Role(StrEnum):
    """What a member of staff does. The first five are teams that own tickets."""

    NURSE = "nurse"
    PHARMACIST = "pharmacist"
    DELIVERY = "delivery"
    COORDINATOR = "coordinator"
    BILLING = "billing"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


TEAMS = (Role.NURSE, Role.PHARMACIST, Role.DELIVERY, Role.COORDINATOR, Role.BILLING)

CANARY = "canary"  # the key of the site, the member of staff and the patient by which the service tests itself


class Therapy(StrEnum):
    """The therapy profile of a plan. Never named in a message."""

    IV_ANTIBIOTIC = "iv_antibiotic"
    TPN = "tpn"
    IVIG = "ivig"
    SCIG = "scig"
    HYDRATION = "hydration"
    INOTROPE = "inotrope"
    CHEMOTHERAPY = "chemotherapy"
    BIOLOGIC = "biologic"
    PAIN = "pain"
    OTHER = "other"


class Line(StrEnum):
    """The vascular (or subcutaneous) access device."""

    PICC = "picc"
    MIDLINE = "midline"
    PORT = "port"
    TUNNELED = "tunneled"
    PERIPHERAL = "peripheral"
    SUBCUTANEOUS = "subcutaneous"


class Storage(StrEnum):
    """Where the drug is kept at home."""

    ROOM = "room"
    REFRIGERATED = "refrigerated"
    FROZEN = "frozen"


class Administration(StrEnum):
    """How the dose is given."""

    GRAVITY = "gravity"
    PUMP = "pump"
    ELASTOMERIC = "elastomeric"
    PUSH = "push"


class Flag(StrEnum):
    """What makes a plan more dangerous. Flags only raise urgency, never lower it."""

    CHILD = "child"
    IMMUNE = "immune"
    CRITICAL_CONTINUOUS = "critical_continuous"
    CHEMO = "chemo"
    TPN = "tpn"


# The flag that a therapy carries by itself, whatever else the order says.
THERAPY_FLAGS = {Therapy.CHEMOTHERAPY: Flag.CHEMO, Therapy.TPN: Flag.TPN, Therapy.INOTROPE: Flag.CRITICAL_CONTINUOUS}


class Topic(StrEnum):
    """What a caregiver agreed to hear about."""

    DELIVERY = "delivery"
    EDUCATION = "education"
    FIRST_DOSE = "first_dose"
    CHECK_IN = "check_in"


class EventKind(StrEnum):
    """The dated things that we speak about."""

    DELIVERY = "delivery"
    EDUCATION = "education"
    FIRST_DOSE = "first_dose"
    VISIT = "visit"
    LAB = "lab"
    LINE_CARE = "line_care"
    PICKUP = "pickup"
    LAST_VISIT = "last_visit"


class Consent(StrEnum):
    """Whether a person agreed to be reached on one number by one channel."""

    UNKNOWN = "unknown"
    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class Prompt(StrEnum):
    """The question that a message asks, kept so that a bare YES, 5 or 101.4 is understood."""

    DELIVERY_CONFIRM = "delivery_confirm"
    DELIVERED_CHECK = "delivered_check"
    FIRST_DOSE_READY = "first_dose_ready"
    CHECK_IN = "check_in"
    TEMPERATURE = "temperature"
    SUPPLY_COUNT = "supply_count"
    DOSE_DONE = "dose_done"
    MISSING_ITEMS = "missing_items"
    PUMP_CHECK = "pump_check"
    FIXED = "fixed"
    SURVEY = "survey"


class Intent(StrEnum):
    """What a reply does, beside what it tells."""

    REPORT = "report"
    QUESTION = "question"
    ANSWER = "answer"
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"
    THANKS = "thanks"
    OTHER = "other"


class Source(StrEnum):
    """Where a ticket or an inbound came from."""

    SMS = "sms"
    VOICE = "voice"
    MANUAL = "manual"
    SYSTEM = "system"


class Pages(StrEnum):
    """How a member of staff wants to be paged."""

    SMS = "sms"
    VOICE = "voice"
    BOTH = "both"


class Rung(StrEnum):
    """Whom a rung of the ladder pages."""

    PRIMARY = "primary"
    BACKUP = "backup"
    BOTH = "both"
    SUPERVISOR = "supervisor"
    LAST_RESORT = "last_resort"


class PromiseStep(StrEnum):
    """What comes next when a promised call does not."""

    LATE = "late"  # the promise is broken: it escalates, and the patient hears an honest word
    HARD_STOP = "hard_stop"  # half an hour: the patient is asked to call
    NEXT_CONTACT = "next_contact"  # a caregiver with consent is asked to call
    WELFARE = "welfare"  # the supervisor decides about a welfare check


class Scope(StrEnum):
    """What an API token may do."""

    READ = "read"
    WRITE = "write"
    TICKETS = "tickets"
    ADMIN = "admin"
