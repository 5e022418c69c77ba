"""Dated things of a plan: deliveries, teaching, doses, visits. Each takes its messages along when it moves."""

from collections.abc import Mapping
from typing import Any, Literal, cast
from uuid import UUID

from pydantic import Field

from notifier import enrolment, models, queries
from notifier.core.states import EventState
from notifier.core.vocabulary import EventKind, Scope
from notifier.details import DeliveryDetails
from notifier.errors import Refused
from webhooks.api.calls import Answer, Ask, call
from webhooks.api.fields import Asked, ExternalId, Instant, Told, When, absent
from webhooks.api.plans import Item
from webhooks.api.problems import problem
from webhooks.api.same import must_equal

DELIVERIES, EDUCATION, EVENTS = "Deliveries", "Education", "Events"
Mode = Literal["visit", "phone", "video"]
OtherKind = Literal["first_dose", "visit", "lab", "line_care", "pickup", "last_visit"]
OTHER_KINDS = tuple(kind for kind in EventKind if kind not in (EventKind.DELIVERY, EventKind.EDUCATION))

# What the states are called outside, where that is not our word.
DELIVERY_WORDS: Mapping[EventState, str] = {EventState.DONE: "delivered"}
EDUCATION_WORDS: Mapping[EventState, str] = {EventState.FAILED: "missed"}


def _word(state: EventState, words: Mapping[EventState, str]) -> Any:
    """What a state is called outside."""
    return words.get(state, state.value)


def _state(word: str | None, words: Mapping[EventState, str]) -> EventState | None:
    """The state that is called so outside; None when no word was given."""
    if word is None:
        return None
    return next((state for state, theirs in words.items() if theirs == word), None) or EventState(word)


# --- deliveries ---------------------------------------------------------------------------------------------------


class NewDelivery(Asked):
    """A delivery and the window in which it comes."""

    external_id: ExternalId = Field(description="your own id of the delivery, unique in the site")
    window_start: When
    window_end: When
    items: list[Item] = Field(default_factory=list, max_length=200)

    def details(self) -> DeliveryDetails:
        """As enrolment takes it."""
        items = tuple(item.details() for item in self.items)
        return DeliveryDetails(self.external_id, self.window_start, self.window_end, items)


class DeliveryChange(Asked):
    """A new window, a new status, or how cold it arrived; what is left out stays."""

    window_start: When = absent()
    window_end: When = absent()
    status: Literal["out_for_delivery", "delivered", "failed", "cancelled"] = absent()
    cold_ok: bool = absent()


class Delivery(Told):
    """A delivery as it stands."""

    id: UUID
    plan: UUID
    external_id: str
    window_start: Instant
    window_end: Instant
    items: list[Item]
    status: Literal["scheduled", "out_for_delivery", "delivered", "failed", "cancelled"]
    cold_ok: bool | None
    out_at: Instant | None
    delivered_at: Instant | None
    confirmed_at: Instant | None = Field(description="when the patient said yes to this window")
    received_at: Instant | None = Field(description="when the patient said that all is there")


def _delivery(row: models.CareEvent) -> Delivery:
    return Delivery(
        id=row.id,
        plan=row.plan_id,
        external_id=row.external_id,
        window_start=row.starts_at,
        window_end=row.ends_at or row.starts_at,
        items=[Item(**item) for item in row.items],
        status=_word(row.state, DELIVERY_WORDS),
        cold_ok=row.cold_ok,
        out_at=row.out_at,
        delivered_at=row.done_at,
        confirmed_at=row.confirmed_at,
        received_at=row.received_at,
    )


@call(
    "POST",
    "/plans/<uuid:plan_id>/deliveries",
    Scope.WRITE,
    tag=DELIVERIES,
    body=NewDelivery,
    answers=Delivery,
    status=201,
    also={200: "The same delivery was set before."},
)
def schedule_delivery(ask: Ask, plan_id: UUID, body: NewDelivery) -> Answer:
    """Set a delivery; the patient is told"""
    plan = queries.plan(ask.session, plan_id)
    standing = queries.delivery_by_external_id(ask.session, plan.site_key, body.external_id)
    if standing is not None:
        if standing.plan_id != plan.id:
            raise Refused("This external_id is a delivery of another plan of the site.")
        must_equal(_delivery(standing), body.model_dump())
        return Answer(_delivery(standing), 200)
    event = enrolment.schedule_delivery(ask.session, plan, body.details(), **ask.doing)
    return Answer(_delivery(event), 201)


@call("GET", "/deliveries/<uuid:delivery_id>", Scope.READ, tag=DELIVERIES, answers=Delivery)
def get_delivery(ask: Ask, delivery_id: UUID) -> Delivery:
    """Read one delivery"""
    return _delivery(queries.event(ask.session, delivery_id, [EventKind.DELIVERY]))


@call("PATCH", "/deliveries/<uuid:delivery_id>", Scope.WRITE, tag=DELIVERIES, body=DeliveryChange, answers=Delivery)
def change_delivery(ask: Ask, delivery_id: UUID, body: DeliveryChange) -> Delivery:
    """Move a delivery to another window, or tell how it goes"""
    event = queries.event(ask.session, delivery_id, [EventKind.DELIVERY])
    start, end = body.window_start or event.starts_at, body.window_end or event.ends_at or event.starts_at
    if body.window_start or body.window_end:
        enrolment.move_delivery(ask.session, event, start, end, **ask.doing)
    if body.status or body.cold_ok is not None:
        status = _state(body.status, DELIVERY_WORDS)
        enrolment.set_delivery_status(ask.session, event, status, cold_ok=body.cold_ok, **ask.doing)
    return _delivery(event)


# --- education ----------------------------------------------------------------------------------------------------


class NewEducation(Asked):
    """A teaching session."""

    at: When
    mode: Mode


class EducationChange(Asked):
    """Another time or way, or how it went; what is left out stays."""

    at: When = absent()
    mode: Mode = absent()
    status: Literal["done", "missed", "cancelled"] = absent()


class Education(Told):
    """A teaching session as it stands."""

    id: UUID
    plan: UUID
    at: Instant
    mode: Mode | None
    status: Literal["scheduled", "done", "missed", "cancelled"]
    done_at: Instant | None


def _education(row: models.CareEvent) -> Education:
    return Education(
        id=row.id,
        plan=row.plan_id,
        at=row.starts_at,
        mode=cast(Mode | None, row.mode),
        status=_word(row.state, EDUCATION_WORDS),
        done_at=row.done_at,
    )


@call(
    "POST",
    "/plans/<uuid:plan_id>/education",
    Scope.WRITE,
    tag=EDUCATION,
    body=NewEducation,
    answers=Education,
    status=201,
)
def schedule_education(ask: Ask, plan_id: UUID, body: NewEducation) -> Education:
    """Set a teaching session; the patient is told"""
    plan = queries.plan(ask.session, plan_id)
    event = enrolment.schedule_education(ask.session, plan, body.at, body.mode, **ask.doing)
    return _education(event)


@call("GET", "/education/<uuid:education_id>", Scope.READ, tag=EDUCATION, answers=Education)
def get_education(ask: Ask, education_id: UUID) -> Education:
    """Read one teaching session"""
    return _education(queries.event(ask.session, education_id, [EventKind.EDUCATION]))


@call("PATCH", "/education/<uuid:education_id>", Scope.WRITE, tag=EDUCATION, body=EducationChange, answers=Education)
def change_education(ask: Ask, education_id: UUID, body: EducationChange) -> Education:
    """Move a teaching session, or tell how it went"""
    event = queries.event(ask.session, education_id, [EventKind.EDUCATION])
    status = _state(body.status, EDUCATION_WORDS)
    enrolment.set_education(ask.session, event, status=status, at=body.at, mode=body.mode, **ask.doing)
    return _education(event)


# --- everything else that has a date ------------------------------------------------------------------------------


class NewEvent(Asked):
    """A dose, a visit, a draw, a pickup."""

    kind: OtherKind
    at: When
    ends_at: When | None = None


class EventChange(Asked):
    """Another time, or how it went; what is left out stays."""

    at: When = absent()
    ends_at: When = absent()
    status: Literal["done", "cancelled"] = absent()


class Event(Told):
    """A dated thing as it stands."""

    id: UUID
    plan: UUID
    kind: OtherKind
    at: Instant
    ends_at: Instant | None
    status: Literal["scheduled", "done", "failed", "cancelled"]
    done_at: Instant | None


def _event(row: models.CareEvent) -> Event:
    return Event(
        id=row.id,
        plan=row.plan_id,
        kind=cast(OtherKind, row.kind.value),
        at=row.starts_at,
        ends_at=row.ends_at,
        status=_word(row.state, {}),
        done_at=row.done_at,
    )


@call(
    "POST",
    "/plans/<uuid:plan_id>/events",
    Scope.WRITE,
    tag=EVENTS,
    body=NewEvent,
    answers=Event,
    status=201,
    also={409: "A first dose is not booked before the order is verified; a coordinator has a ticket."},
)
def schedule_event(ask: Ask, plan_id: UUID, body: NewEvent) -> Event | Answer:
    """Set a dose, a visit, a draw or a pickup; a plan has one first dose, which is moved"""
    plan = queries.plan(ask.session, plan_id)
    if EventKind(body.kind) is EventKind.FIRST_DOSE and plan.verified_at is None:
        missing = [name for name in enrolment.CHECKLIST if not plan.checklist.get(name)]
        enrolment.order_incomplete(ask.session, plan, missing, **ask.doing)
        return Answer(problem(409, "Verify the order first: a coordinator's ticket says what is missing."), 409)
    event = enrolment.schedule_event(ask.session, plan, EventKind(body.kind), body.at, body.ends_at, **ask.doing)
    return _event(event)


@call("GET", "/events/<uuid:event_id>", Scope.READ, tag=EVENTS, answers=Event)
def get_event(ask: Ask, event_id: UUID) -> Event:
    """Read one event"""
    return _event(queries.event(ask.session, event_id, OTHER_KINDS))


@call("PATCH", "/events/<uuid:event_id>", Scope.WRITE, tag=EVENTS, body=EventChange, answers=Event)
def change_event(ask: Ask, event_id: UUID, body: EventChange) -> Event:
    """Move an event, or tell how it went"""
    event = queries.event(ask.session, event_id, OTHER_KINDS)
    status = _state(body.status, {})
    enrolment.set_event(ask.session, event, at=body.at, ends_at=body.ends_at, status=status, **ask.doing)
    return _event(event)
