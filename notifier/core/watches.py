"""When a member of staff is told, because something that should have happened has not."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from notifier.core import gate
from notifier.core.drafting import UNTOLD
from notifier.core.journey import Anchor, Draft, Journey, PlanFacts, Watch, WatchStep
from notifier.core.moments import Moment, event_question, watch_moments
from notifier.core.states import EventState, PlanState
from notifier.core.vocabulary import Role, Urgency

QUIET_STATES = (PlanState.RECEIVED, PlanState.PAUSED, PlanState.ENDED, PlanState.DECEASED)


def watches(step: WatchStep, facts: PlanFacts, journey: Journey, now: datetime) -> Iterator[Watch]:
    if (facts.state in QUIET_STATES) is not (step.anchor is Anchor.PAUSED) and not (
        step.gate and facts.state is PlanState.RECEIVED
    ):
        return
    if (step.storages and facts.storage not in step.storages) or (step.lines and facts.line not in step.lines):
        return
    if step.unless and any(e.kind is step.unless and e.state is not EventState.CANCELLED for e in facts.events):
        return
    for moment in watch_moments(step, facts, journey, now):
        due, says, not_after = moment.at, step.says, moment.at + step.lasts
        if step.gate:
            dose = moment.event
            assert dose
            if dose.state not in gate.AHEAD:
                continue
            shut = gate.shuts(facts, dose, max(due, (dose.booked_at or due) + journey.settling), journey)
            if shut is None:
                continue
            due, not_after = shut, dose.starts_at
            says = says.replace("{missing}", ", ".join(gate.missing(facts, dose, shut, journey)))
        if step.until_answered and moment.event:
            question = event_question(moment.event, step.until_answered)
            if question in facts.answered or (due < now and question not in facts.asked):
                continue
        if moment.day:
            says = says.replace("{day}", f"{moment.day:%a %b %d}")
        event_id = moment.event.id if moment.event else None
        yield Watch(moment.why, step.key, step.role, step.urgency, step.kind, says, due, not_after, event_id)


def untold(draft: Draft, moment: Moment) -> Watch:
    """What matters and cannot be said by day in time is said by a person."""
    at = draft.held_from or moment.at
    return Watch(
        f"watch:{draft.key}",
        draft.step,
        Role.COORDINATOR,
        Urgency.SAME_DAY,
        "NOT_TOLD",
        f"{draft.template} could not be sent: {UNTOLD}. Please call in person.",
        at,
        at + timedelta(hours=12),
        draft.event_id,
    )
