"""What must stand before a first dose: supplies that came, and came cold; teaching that was signed.

What is booked and still to come before the dose is not missing yet; it is from the moment at which it should be over.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from notifier.core.journey import EventFacts, Journey, PlanFacts
from notifier.core.states import EventState
from notifier.core.vocabulary import EventKind, Storage

AHEAD = (EventState.SCHEDULED, EventState.OUT_FOR_DELIVERY)
COLD = (Storage.REFRIGERATED, Storage.FROZEN)
NEEDED = (EventKind.DELIVERY, EventKind.EDUCATION)
Span = tuple[datetime, datetime | None]  # from, until before; none: for good


def opens(
    facts: PlanFacts, dose: EventFacts, since: datetime, journey: Journey, *, done_only: bool = False
) -> datetime | None:
    """The first instant from `since` at which nothing is missing, as far as is known; None: something stays so.

    `done_only`: what is still awaited is missing too.
    """
    spans = [list(_spans(kind, facts, dose, journey, done_only=done_only)) for kind in NEEDED]
    starts = sorted({since, *(start for kind in spans for start, _ in kind if start > since)})
    return next((at for at in starts if all(_covers(kind, at) for kind in spans)), None)


def shuts(facts: PlanFacts, dose: EventFacts, since: datetime, journey: Journey) -> datetime | None:
    """The first instant from `since`, before the dose, at which something is missing; None: nothing will be."""
    if facts.verified_at is None:
        return since if since < dose.starts_at else None
    spans = [list(_spans(kind, facts, dose, journey)) for kind in NEEDED]
    ends = sorted({since, *(end for kind in spans for _, end in kind if end and end > since)})
    return next((at for at in ends if at < dose.starts_at and not all(_covers(kind, at) for kind in spans)), None)


def missing(facts: PlanFacts, dose: EventFacts, at: datetime, journey: Journey) -> tuple[str, ...]:
    """What is missing then, in words for staff."""
    found = [] if facts.verified_at else ["the five checks of the order"]
    if not _covers(list(_spans(EventKind.DELIVERY, facts, dose, journey)), at):
        came = [event for event in facts.events if event.kind is EventKind.DELIVERY and event.state is EventState.DONE]
        if any(event.cold_ok is False for event in came):
            found.append("supplies that came cold (the last box was warm)")
        else:
            found.append("the word that the box came cold" if came else "the delivery")
    if not _covers(list(_spans(EventKind.EDUCATION, facts, dose, journey)), at):
        found.append("signed teaching")
    return tuple(found)


def _covers(spans: list[Span], at: datetime) -> bool:
    return any(start <= at and (end is None or at < end) for start, end in spans)


def _spans(
    kind: EventKind, facts: PlanFacts, dose: EventFacts, journey: Journey, *, done_only: bool = False
) -> Iterator[Span]:
    """When an event of this kind stands in nobody's way: while it is awaited in time, and once it is done."""
    for event in facts.events:
        if event.kind is kind and event.state in (*AHEAD, EventState.DONE) and event.cold_ok is not False:
            yield from _serves(event, facts, dose, journey, done_only=done_only)


def _serves(
    event: EventFacts, facts: PlanFacts, dose: EventFacts, journey: Journey, *, done_only: bool
) -> Iterator[Span]:
    known = event.booked_at or event.starts_at - timedelta(days=365)
    if event.starts_at < dose.starts_at and not done_only:
        ends = event.ends_at or event.starts_at
        if event.kind is EventKind.EDUCATION and event.ends_at is None:
            ends += timedelta(minutes=journey.teaching_minutes)
        if known < ends:
            yield known, ends
    if event.state is not EventState.DONE or event.done_at is None:
        return
    if event.kind is EventKind.DELIVERY and facts.storage in COLD and event.cold_ok is None:
        yield event.done_at, event.done_at + journey.cold_answer
    elif event.kind is EventKind.DELIVERY and facts.storage in COLD:
        yield event.done_at, event.done_at + journey.cold_answer
        yield max(event.done_at, event.cold_at or event.done_at), None
    else:
        yield event.done_at, None
