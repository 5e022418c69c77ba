"""What follows when a question stays without an answer: once more, another way, somebody else, a person."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from notifier.core.drafting import behind, values
from notifier.core.hours import next_quiet_end
from notifier.core.journey import Draft, Journey, PlanFacts, Recipient, Rung, Step, Watch, Who
from notifier.core.moments import Moment
from notifier.core.vocabulary import Channel, Topic

PROFILE = "profile"  # in place of a ladder's name: the one that the therapy's profile names
RUNG_LIVES = timedelta(hours=6)
TICKET_LIVES = timedelta(days=2)


def ladders(
    spoken: Sequence[tuple[Step, Moment, Draft]], facts: PlanFacts, journey: Journey, now: datetime, ahead: timedelta
) -> list[Draft | Watch]:
    """The rungs that are climbed while a question stays without an answer: once for each question, whoever heard it."""
    asked: dict[str, tuple[Step, Moment, datetime]] = {}
    for step, moment, draft in spoken:
        if step.silence and not draft.left_out and moment.question not in asked and draft.due_at <= now + ahead:
            asked[moment.question] = step, moment, draft.due_at
    return [rung for each in asked.values() for rung in _rungs(*each, facts, journey, now)]


def _rungs(
    step: Step, moment: Moment, due: datetime, facts: PlanFacts, journey: Journey, now: datetime
) -> Iterator[Draft | Watch]:
    if moment.question in facts.answered or (due < now and moment.question not in facts.asked):
        return
    name = journey.profile(facts.therapy).silence if step.silence == PROFILE else step.silence
    ladder = journey.ladders[name or ""]
    for number, rung in enumerate(ladder, start=1):
        at = due + rung.after
        if rung.who is None:
            yield _silent_watch(rung, moment, f"{moment.why}:silence{number}", step, at)
            continue
        for person in facts.recipients:
            draft = _rung(rung, number, step, moment, person, facts, at + behind(person, journey))
            if draft and draft.due_at <= due + ladder[-1].after:  # the night held it until a person was told
                yield draft


def _rung(
    rung: Rung, number: int, step: Step, moment: Moment, person: Recipient, facts: PlanFacts, at: datetime
) -> Draft | None:
    by_call = rung.by is Channel.VOICE
    if (rung.who is Who.PATIENT) is not person.is_patient or not (person.may_call if by_call else person.consented):
        return None
    if not person.is_patient and Topic.CHECK_IN not in person.topics:
        return None
    if by_call and person.channel is Channel.VOICE:
        return None  # it was a call already, and the rung before this one another
    due = next_quiet_end(at, person.zone, facts.quiet)
    return Draft(
        f"{moment.why}:silence{number}:{person.contact_id}",
        f"{step.key}.silence{number}",
        rung.template or step.template,
        person.contact_id,
        Channel.VOICE if by_call else person.channel,
        person.language,
        due,
        due + RUNG_LIVES,
        values(moment, facts, person, None if rung.template else step.words),
        step.asks,
        False,
        False,
        False,
        moment.event.id if moment.event else None,
        moment.question,
        at if due != at else None,
    )


def _silent_watch(rung: Rung, moment: Moment, key: str, step: Step, at: datetime) -> Watch:
    assert rung.role
    assert rung.urgency
    event_id = moment.event.id if moment.event else None
    lives = at + TICKET_LIVES
    return Watch(f"watch:{key}", step.key, rung.role, rung.urgency, rung.kind, rung.says, at, lives, event_id)
