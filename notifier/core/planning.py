"""When to speak: a plan's facts and the journey decide what should exist, for whom, when, and until when."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from notifier.core import gate
from notifier.core.drafting import draft, hears, place
from notifier.core.hours import in_quiet_hours, next_quiet_end, resolve_local
from notifier.core.journey import Draft, EventFacts, Journey, Layout, PlanFacts, Recipient, Step, Watch
from notifier.core.moments import MIDNIGHT, Moment, ended, moments
from notifier.core.silence import ladders
from notifier.core.states import MOVES, EventState, PlanState
from notifier.core.vocabulary import Channel, EventKind
from notifier.core.watches import QUIET_STATES, untold, watches

__all__ = [  # the journey's values and hours too: whoever plans needs them
    "SILENT",
    "Draft",
    "EventFacts",
    "Journey",
    "PlanFacts",
    "Recipient",
    "Step",
    "fallback",
    "in_quiet_hours",
    "journey_state",
    "lay_out",
    "next_quiet_end",
    "plan",
    "resolve_local",
    "unwanted_because",
    "welcome",
]

HORIZON = timedelta(days=14)  # how far ahead a plan's repeating messages are written down
LADDERS_AHEAD = timedelta(days=2)  # how far ahead the rungs of a silence ladder are
ENDING = timedelta(days=2)  # before its last day a plan begins to end
WEEK = timedelta(days=7)
AHEAD = gate.AHEAD
_Spoken = tuple[Step, Moment, Draft]
SILENT = QUIET_STATES  # which say nothing but a few last words

# --- the plan -----------------------------------------------------------------------------------------------------


def plan(facts: PlanFacts, journey: Journey, now: datetime, horizon: timedelta = HORIZON) -> list[Draft]:
    """The messages that should stand, the first due first; of those that repeat, the ones due before the horizon.

    One whose moment is past stays in until its `not_after`, because it may be on its way; never plant it anew then.
    """
    return list(lay_out(facts, journey, now, horizon).messages)


def lay_out(facts: PlanFacts, journey: Journey, now: datetime, horizon: timedelta = HORIZON) -> Layout:
    """All that a plan's facts ask for: its messages, those left out and why, and when staff are told instead."""
    if facts.state is PlanState.DECEASED:
        return Layout()
    alarms = [watch for step in journey.watches for watch in watches(step, facts, journey, now)]
    if facts.verified_at is None or (facts.state in SILENT and facts.state is not PlanState.ENDED):
        return Layout(watches=_in_order(alarms, now))
    spoken = _within_budget(_uncovered(_spoken(facts, journey, now, horizon), facts), facts, journey)
    rungs = ladders(spoken, facts, journey, now, max(LADDERS_AHEAD, horizon - HORIZON))
    messages = [said for _, _, said in spoken] + [rung for rung in rungs if isinstance(rung, Draft)]
    alarms += [rung for rung in rungs if isinstance(rung, Watch)]
    alarms += [untold(said, moment) for _, moment, said in spoken if said.left_out and said.matters]
    standing = sorted((said for said in messages if said.not_after > now), key=_order)
    return Layout(
        tuple(said for said in standing if not said.left_out),
        tuple(said for said in standing if said.left_out),
        _in_order(alarms, now),
    )


def _spoken(facts: PlanFacts, journey: Journey, now: datetime, horizon: timedelta) -> list[_Spoken]:
    """What each step of the journey says to each person who hears it."""
    return [
        (step, moment, said)
        for step in journey.steps
        if _applies(step, facts)
        for moment in moments(step, facts, journey, now, horizon)
        for person in facts.recipients
        if hears(person, step, moment) and (said := draft(step, moment, person, facts, journey))
    ]


def _order(draft: Draft | Watch) -> tuple[datetime, str]:
    return draft.due_at, draft.key


def _in_order(alarms: Iterable[Watch], now: datetime) -> tuple[Watch, ...]:
    return tuple(sorted((watch for watch in alarms if watch.not_after > now), key=_order))


def _applies(step: Step, facts: PlanFacts) -> bool:
    """Whether a plan of this kind hears the step at all."""
    begun = facts.ended_at is not None and facts.ended_at > facts.first_dose_at
    return (
        (facts.state is not PlanState.ENDED or (step.after_end and (begun or step.about is not None)))
        and (not step.therapies or facts.therapy in step.therapies)
        and (not step.storages or facts.storage in step.storages)
        and (not step.lines or facts.line in step.lines)
    )


def welcome(person: Recipient, consent_at: datetime, journey: Journey, quiet: str) -> Draft | None:
    """The text that follows a person's consent, before any therapy is planned; None without consent."""
    if not person.consented:
        return None
    step = journey.welcome
    due = next_quiet_end(consent_at, person.zone, quiet)
    return Draft(
        key=f"welcome:{person.contact_id}",
        step=step.key,
        template=step.template,
        contact_id=person.contact_id,
        channel=person.channel,
        language=person.language,
        due_at=due,
        not_after=min(due + limit for limit in step.not_after if isinstance(limit, timedelta)),
        values=place(person),
        prompt=step.asks,
        matters=step.matters,
        held_from=consent_at if due != consent_at else None,
    )


def fallback(
    failed: Draft, message_id: UUID, *, may_call: bool, quiet: str, zone: ZoneInfo, now: datetime
) -> Draft | None:
    """The call that takes the place of a text which matters and did not arrive; None when there is no such way left."""
    if failed.channel is not Channel.SMS or not failed.matters or not may_call:
        return None
    due = now if failed.any_hour else next_quiet_end(now, zone, quiet)
    if due >= failed.not_after:
        return None
    return replace(failed, key=f"fallback:{message_id}", channel=Channel.VOICE, due_at=due)


def unwanted_because(
    facts: PlanFacts, contact_id: UUID | None, event_id: UUID | None, question: str | None = None
) -> str:
    """Why a message that was planned is wanted no more, in words for a coordinator."""
    if facts.state in SILENT:
        return "the patient died" if facts.state is PlanState.DECEASED else f"the plan is {facts.state}"
    person = next((person for person in facts.recipients if person.contact_id == contact_id), None)
    if person is None:
        return "this person is no longer told"
    if not person.consented:
        return f"no consent to {person.channel}"
    event = next((event for event in facts.events if event.id == event_id), None)
    if question in facts.answered:
        return "it was answered"
    if event is None:
        return "the plan changed"
    if event.state is EventState.CANCELLED:
        return f"the {event.kind} was cancelled"
    return f"the {event.kind} moved" if event.state in AHEAD else f"the {event.kind} is over"


def journey_state(facts: PlanFacts, journey: Journey, now: datetime) -> PlanState:
    """How far along its journey the facts say that a plan is; never a step back from where it stands."""
    if facts.state in SILENT:
        return facts.state
    reached = PlanState.SUPPLIES_READY if facts.supplies_ready_at else PlanState.VERIFIED
    deliveries = [event for event in facts.events if event.kind is EventKind.DELIVERY]
    if any(event.state in AHEAD for event in deliveries):
        reached = PlanState.DELIVERY_SET
    if any(event.state is EventState.DONE for event in deliveries):
        reached = PlanState.DELIVERED
        if any(event.kind is EventKind.EDUCATION and event.state is EventState.DONE for event in facts.events):
            reached = PlanState.TAUGHT
    for dose in (event for event in facts.events if event.kind is EventKind.FIRST_DOSE):
        over = ended(dose, facts, journey)
        if dose.state is EventState.DONE or (reached is PlanState.TAUGHT and dose.state in AHEAD and over <= now):
            reached = PlanState.ACTIVE if now >= over + timedelta(days=1) else PlanState.FIRST_DOSE
    begun = PlanState.ACTIVE in (reached, facts.state) or facts.state is PlanState.ENDING
    if begun and now >= resolve_local(facts.ends_on, MIDNIGHT, facts.zone) - ENDING:
        reached = PlanState.ENDED if facts.state is PlanState.ENDING and _is_over(facts, now) else PlanState.ENDING
    return reached if reached in MOVES[PlanState][facts.state] else facts.state


def _is_over(facts: PlanFacts, now: datetime) -> bool:
    """The last day has passed, and the last visit was made."""
    visits = [event for event in facts.events if event.kind is EventKind.LAST_VISIT]
    made = any(event.state is EventState.DONE for event in visits)
    return made and now >= resolve_local(facts.ends_on + timedelta(days=1), MIDNIGHT, facts.zone)


# --- which of them stay --------------------------------------------------------------------------------------------


def _uncovered(spoken: list[_Spoken], facts: PlanFacts) -> list[_Spoken]:
    """Those that nothing else says to the same person on the same day."""
    zones = {person.contact_id: person.zone for person in facts.recipients}
    days = [said.due_at.astimezone(zones[said.contact_id]).date() for _, _, said in spoken]
    told = {(said.step, said.contact_id, day) for (_, _, said), day in zip(spoken, days, strict=True)}
    return [
        each
        for each, day in zip(spoken, days, strict=True)
        if not any((other, each[2].contact_id, day) in told for other in each[0].covered_by)
    ]


def _within_budget(spoken: list[_Spoken], facts: PlanFacts, journey: Journey) -> list[_Spoken]:
    """What is spare is left out where the seven days before it have had enough care texts."""
    care = {step.key for step in journey.steps if step.care or step.spare}
    heard = {key: (contact_id, at) for key, contact_id, at, step in facts.history if step in care}
    kept = []
    for step, moment, said in sorted(spoken, key=lambda each: _order(each[2])):
        if step.spare and not said.left_out:
            since, mine = said.due_at - WEEK, said.contact_id
            texts = [at for key, (who, at) in heard.items() if who == mine and key != said.key]
            if sum(since < at <= said.due_at for at in texts) >= journey.weekly_care:
                said = replace(said, left_out=f"{journey.weekly_care} care texts this week already")
        if (step.care or step.spare) and not said.left_out:
            heard[said.key] = (said.contact_id, said.due_at)
        kept.append((step, moment, said))
    return kept
