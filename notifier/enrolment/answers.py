"""What a reply does to the question that it answers."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from notifier import journal
from notifier.catalog import Catalog
from notifier.core.vocabulary import Prompt
from notifier.enrolment.replanning import replan
from notifier.models import CareEvent, Message, TherapyPlan

# Which replies answer these questions; to the others anything that we understand is an answer.
_ANSWERS = {
    Prompt.DELIVERY_CONFIRM: {"DELIVERY_CONFIRM", "DELIVERY_CHANGE", "DELIVERY_CANCEL"},
    Prompt.DELIVERED_CHECK: {
        *("DELIVERY_RECEIVED", "DELIVERY_LOST", "DELIVERY_LATE", "OK_FINE", "MISSING", "MISSING_MED", "DAMAGED"),
        *("WRONG_ITEM", "TEMP_WARM", "MED_FROZEN"),
    },
}
_NO_ANSWER = {"UNKNOWN", "TAPBACK", "AUTO_REPLY", "SPAM_ABUSE", "STOP", "START", "HELP"}


def answer(
    session: Session,
    message: Message,
    kinds: Sequence[str],
    *,
    count: int | None = None,
    by: str,
    catalog: Catalog,
    now: datetime,
) -> bool:
    """A question of ours met a reply, read as `kinds`. False: that was no answer to it, or it was answered before.

    `count`: the number told, where one was asked for. A yes confirms the delivery, an OK says that all is there; what
    only waited for the answer is cancelled.
    """
    if message.prompt is None or message.answered_at is not None:
        return False
    said = set(kinds)
    if not said & _ANSWERS.get(message.prompt, said - _NO_ANSWER):
        return False
    message.answered_at = now
    journal.note(session, message, "message.answered", now=now, by=by)
    event = session.get(CareEvent, message.event_id) if message.event_id else None
    if event is not None and message.prompt is Prompt.DELIVERY_CONFIRM and "DELIVERY_CONFIRM" in said:
        event.confirmed_at = now
        journal.note(session, event, "care_event.confirmed", now=now, by=by)
    if event is not None and message.prompt is Prompt.DELIVERED_CHECK and said & {"DELIVERY_RECEIVED", "OK_FINE"}:
        event.received_at = now
        journal.note(session, event, "care_event.received", now=now, by=by)
        if message.speaks.endswith(".cold"):  # the question was whether it is cold too
            event.cold_ok, event.cold_at = True, now
            journal.note(session, event, "care_event.cold", now=now, by=by, detail="yes")
    plan = session.get(TherapyPlan, message.plan_id) if message.plan_id else None
    if plan and message.prompt is Prompt.SUPPLY_COUNT and count is not None:
        plan.doses_left, plan.counted_at = count, now
        journal.note(session, plan, "therapy_plan.counted", now=now, by=by, detail=str(count))
    if plan and message.prompt is Prompt.SURVEY and count is not None:
        journal.note(session, plan, "therapy_plan.rated", now=now, by=by, detail=str(count))
    if plan:
        replan(session, plan, catalog=catalog, now=now, by=by)
    return True
