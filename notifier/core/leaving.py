"""Whether a due message may leave now: wanted still, consented to, not at night, not too late. Pure."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from notifier.core import planning
from notifier.core.states import PlanState
from notifier.core.vocabulary import Consent


@dataclass(frozen=True)
class Facts:
    """All that decides whether one message leaves. Without a contact it goes to staff or to a stranger."""

    template: str
    is_step: bool  # of a journey, not an answer, a page or a reply
    not_after: datetime
    quiet: str
    after_end: bool = False  # one of the few that belong to a plan that has ended
    any_hour: bool = False
    after_opt_out: bool = False
    page_is_wanted: bool = True
    plan: PlanState | None = None
    has_contact: bool = False
    active: bool = True
    consent: Consent | None = None
    zone: str = "UTC"
    held_until: datetime | None = None  # nothing that can wait is said to this patient before
    line_by: datetime | None = None  # when we know at the latest whether this phone takes texts at all


@dataclass(frozen=True)
class Leave:
    """Now."""


@dataclass(frozen=True)
class Wait:
    """It is night there, or not known yet what kind of phone it is."""

    until: datetime


@dataclass(frozen=True)
class Drop:
    """Not wanted any more."""

    why: str


@dataclass(frozen=True)
class TooLate:
    """Its time has passed, or will have when the night is over."""


Verdict = Leave | Wait | Drop | TooLate


def verdict(facts: Facts, now: datetime) -> Verdict:
    """What becomes of a message that is due."""
    if now > facts.not_after:
        return TooLate()
    if why := unwanted(facts):
        return Drop(why)
    if facts.line_by and now < facts.line_by <= facts.not_after:
        return Wait(facts.line_by)
    if facts.any_hour or not facts.has_contact:
        return Leave()
    free = max(now, facts.held_until or now)
    later = planning.next_quiet_end(free, ZoneInfo(facts.zone), facts.quiet)
    if later == now:
        return Leave()
    return Wait(later) if later <= facts.not_after else TooLate()


def unwanted(facts: Facts) -> str:
    """Why this message must not leave any more; empty when it may."""
    if not facts.page_is_wanted:
        return "acknowledged"
    over = facts.plan is PlanState.ENDED and facts.after_end
    if facts.is_step and facts.plan in planning.SILENT and not over:
        return f"the plan is {facts.plan}"
    if not facts.has_contact:
        return ""
    if not facts.active:
        return "this phone is no longer used"
    if facts.consent is Consent.WITHDRAWN and not facts.after_opt_out:
        return "consent withdrawn"
    if facts.is_step and facts.consent is not Consent.GIVEN:
        return "no consent"
    return ""
