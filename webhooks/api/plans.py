"""Therapy plans: received, verified, paused, resumed, ended."""

from dataclasses import replace
from datetime import time
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from notifier import enrolment, models, queries
from notifier.core.states import PlanState
from notifier.core.vocabulary import Administration, Flag, Line, Scope, Storage, Therapy
from notifier.details import Item as OrderedItem
from notifier.details import PlanDetails
from notifier.errors import Invalid, Refused
from webhooks.api import pages
from webhooks.api.calls import Answer, Ask, call
from webhooks.api.fields import (
    Asked,
    Day,
    ExternalId,
    Instant,
    LocalTime,
    Name,
    Nothing,
    Text,
    Told,
    When,
    absent,
)
from webhooks.api.problems import in_body, invalid
from webhooks.api.same import must_equal

TAG = "Plans"
Reason = Annotated[Text, StringConstraints(max_length=200)]


class Item(Asked):
    """So many of something."""

    name: Name = Field(examples=["Saline flush 10 mL"])
    quantity: int = Field(ge=1, le=100_000)

    def details(self) -> OrderedItem:
        """As enrolment takes it."""
        return OrderedItem(self.name, self.quantity)


class NewPlan(Asked):
    """A course of therapy. The therapy is never named in a message."""

    external_id: ExternalId = Field(description="your own id of the plan, unique in the site")
    therapy: Therapy
    line: Line
    storage: Storage
    administration: Administration
    first_dose_at: When
    doses_per_day: int = Field(ge=1, le=24)
    ends_on: Day
    supplies: list[Item] = Field(default_factory=list, max_length=200)
    infusion_minutes: int | None = Field(None, ge=1, le=7 * 24 * 60)
    reminders: list[LocalTime] = Field(
        default_factory=list,
        max_length=24,
        description="local times at which the patient wants to be reminded: `20:00`",
    )
    flags: list[Flag] = Field(default_factory=list, max_length=len(Flag), description="what makes the plan dangerous")
    prescriber: Name | None = None
    cover_ends_on: Day | None = Field(None, description="the last day that the insurer has agreed to pay for")

    def details(self) -> PlanDetails:
        """As enrolment takes it."""
        return PlanDetails(
            external_id=self.external_id,
            therapy=self.therapy,
            line=self.line,
            storage=self.storage,
            administration=self.administration,
            first_dose_at=self.first_dose_at,
            doses_per_day=self.doses_per_day,
            ends_on=self.ends_on,
            supplies=tuple(item.details() for item in self.supplies),
            infusion_minutes=self.infusion_minutes,
            reminders=tuple(time.fromisoformat(hour) for hour in self.reminders),
            flags=tuple(self.flags),
            prescriber=self.prescriber,
            cover_ends_on=self.cover_ends_on,
        )


class PlanChange(Asked):
    """What is to change of an order; what is left out stays. Reminders count in the time zone where the patient is."""

    storage: Storage = absent()
    administration: Administration = absent()
    doses_per_day: Annotated[int, Field(ge=1, le=24)] = absent()
    ends_on: Day = absent()
    supplies: list[Item] = absent()
    infusion_minutes: int | None = Field(None, ge=1, le=7 * 24 * 60)
    reminders: list[LocalTime] = absent()
    flags: list[Flag] = absent()
    prescriber: Name | None = None
    cover_ends_on: Day | None = None

    def changes(self) -> dict[str, Any]:
        """Only what the caller named, as a PlanDetails holds it."""
        given = self.given()
        if "supplies" in given:
            given["supplies"] = tuple(item.details() for item in self.supplies)
        if "reminders" in given:
            given["reminders"] = tuple(time.fromisoformat(hour) for hour in self.reminders)
        if "flags" in given:
            given["flags"] = tuple(self.flags)
        return given


class Count(Asked):
    """How many doses are left at the patient's home."""

    left: int = Field(ge=0, le=10_000)


class Checklist(Asked):
    """What a pharmacist or a nurse has checked: each of the five must be true."""

    medication: bool = False
    dosing_schedule: bool = False
    duration: bool = False
    supplies: bool = False
    storage: bool = False


class Verification(Asked):
    """The checklist."""

    checklist: Checklist


class Pause(Asked):
    """Why, and until when: without an end it lasts until it is resumed."""

    reason: Reason
    until: When | None = None


class End(Asked):
    """Why it ends."""

    reason: Reason
    deceased: bool = Field(False, description="true: the patient died; nothing at all is sent any more")


class Plan(Told):
    """A course of therapy as it stands."""

    id: UUID
    patient: UUID
    site: str
    external_id: str
    therapy: Therapy
    line: Line
    storage: Storage
    administration: Administration
    first_dose_at: Instant
    doses_per_day: int
    ends_on: Day
    supplies: list[Item]
    infusion_minutes: int | None
    reminders: list[str]
    flags: list[Flag]
    prescriber: str | None
    cover_ends_on: Day | None
    state: PlanState
    why: str | None = Field(description="why it is paused or ended")
    paused_until: Instant | None
    verified_at: Instant | None
    checklist: dict[str, bool]
    supplies_ready_at: Instant | None
    doses_left: int | None = Field(description="by the last count")
    counted_at: Instant | None
    created_at: Instant


class Plans(Told):
    """A page of a patient's plans, the oldest first."""

    items: list[Plan]
    next: str | None


def told(row: models.TherapyPlan) -> Plan:
    """A plan as the API tells it."""
    same = (
        "id external_id therapy line storage administration first_dose_at doses_per_day ends_on infusion_minutes "
        "reminders prescriber cover_ends_on state why paused_until verified_at checklist supplies_ready_at "
        "doses_left counted_at created_at"
    )
    return Plan(
        **{name: getattr(row, name) for name in same.split()},
        patient=row.patient_id,
        site=row.site_key,
        supplies=[Item(**item) for item in row.supplies],
        flags=[Flag(flag) for flag in row.flags],
    )


# --- reading ------------------------------------------------------------------------------------------------------


@call("GET", "/patients/<uuid:patient_id>/plans", Scope.READ, tag=TAG, answers=Plans, query=pages.Page, journalled=True)
def of_patient(ask: Ask, patient_id: UUID, query: pages.Page) -> Plans:
    """List a patient's plans"""
    patient = queries.patient(ask.session, patient_id)
    ask.reads(patient)
    rows = [row for row in patient.plans if query.cursor is None or (row.created_at, row.id) > query.cursor]
    shown, following = pages.cut(rows, query.limit, lambda row: (row.created_at, row.id))
    return Plans(items=[told(row) for row in shown], next=following)


@call("GET", "/plans/<uuid:plan_id>", Scope.READ, tag=TAG, answers=Plan, journalled=True)
def get(ask: Ask, plan_id: UUID) -> Plan:
    """Read one plan"""
    plan = queries.plan(ask.session, plan_id)
    ask.reads(plan.patient)
    return told(plan)


# --- changing -----------------------------------------------------------------------------------------------------


@call(
    "POST",
    "/patients/<uuid:patient_id>/plans",
    Scope.WRITE,
    tag=TAG,
    body=NewPlan,
    answers=Plan,
    status=201,
    also={200: "The same plan was received before."},
)
def add(ask: Ask, patient_id: UUID, body: NewPlan) -> Answer:
    """Receive a plan; nothing about the therapy is said before it is verified"""
    patient = queries.patient(ask.session, patient_id)
    standing = enrolment.find_plan(ask.session, patient.site_key, body.external_id)
    if standing is not None:
        if standing.patient_id != patient.id:
            raise Refused("This external_id is the plan of another patient of the site.")
        must_equal(told(standing), body.model_dump())
        return Answer(told(standing), 200)
    plan = enrolment.add_plan(ask.session, patient, body.details(), **ask.doing)
    return Answer(told(plan), 201)


@call(
    "POST",
    "/plans/<uuid:plan_id>/verify",
    Scope.WRITE,
    tag=TAG,
    body=Verification,
    answers=Plan,
    also={422: "Not all five are true (a ticket for the coordinator lists what is missing), or fields are wrong."},
)
def verify(ask: Ask, plan_id: UUID, body: Verification) -> Plan | Answer:
    """Mark the order as checked: from now on messages about the therapy are planned"""
    plan = queries.plan(ask.session, plan_id)
    missing = enrolment.verify(ask.session, plan, body.checklist.model_dump(), **ask.doing)
    if missing:
        errors = in_body({f"checklist.{name}": "must be true" for name in missing})
        return Answer(invalid(errors, "The order is not complete; a coordinator has a ticket."), 422)
    return told(plan)


@call("POST", "/plans/<uuid:plan_id>/pause", Scope.WRITE, tag=TAG, body=Pause, answers=Plan)
def pause(ask: Ask, plan_id: UUID, body: Pause) -> Plan:
    """Say nothing but answers for a while"""
    if body.until is not None and body.until <= ask.now:
        raise Invalid({"until": "must lie in the future"})
    plan = queries.plan(ask.session, plan_id)
    enrolment.pause(ask.session, plan, body.reason, until=body.until, **ask.doing)
    return told(plan)


@call("POST", "/plans/<uuid:plan_id>/resume", Scope.WRITE, tag=TAG, body=Nothing, answers=Plan)
def resume(ask: Ask, plan_id: UUID, body: Nothing) -> Plan:
    """Go on; what has gone stale is not sent"""
    plan = queries.plan(ask.session, plan_id)
    enrolment.resume(ask.session, plan, **ask.doing)
    return told(plan)


@call("POST", "/plans/<uuid:plan_id>/end", Scope.WRITE, tag=TAG, body=End, answers=Plan)
def end(ask: Ask, plan_id: UUID, body: End) -> Plan:
    """End the therapy: nothing more is said about it"""
    plan = queries.plan(ask.session, plan_id)
    enrolment.end(ask.session, plan, body.reason, deceased=body.deceased, **ask.doing)
    return told(plan)


@call("PATCH", "/plans/<uuid:plan_id>", Scope.WRITE, tag=TAG, body=PlanChange, answers=Plan)
def change(ask: Ask, plan_id: UUID, body: PlanChange) -> Plan:
    """Change an order; where a dose is given another way, the patient is asked to wait for a call"""
    plan = queries.plan(ask.session, plan_id)
    enrolment.change_plan(ask.session, plan, replace(enrolment.details_of(plan), **body.changes()), **ask.doing)
    return told(plan)


@call("POST", "/plans/<uuid:plan_id>/supplies_ready", Scope.WRITE, tag=TAG, body=Nothing, answers=Plan)
def supplies_ready(ask: Ask, plan_id: UUID, body: Nothing) -> Plan:
    """Say that what the plan needs is being packed"""
    plan = queries.plan(ask.session, plan_id)
    enrolment.supplies_ready(ask.session, plan, **ask.doing)
    return told(plan)


@call("POST", "/plans/<uuid:plan_id>/doses", Scope.WRITE, tag=TAG, body=Count, answers=Plan)
def count_doses(ask: Ask, plan_id: UUID, body: Count) -> Plan:
    """Tell how many doses are left: when they run out follows from it"""
    plan = queries.plan(ask.session, plan_id)
    enrolment.count_doses(ask.session, plan, body.left, **ask.doing)
    return told(plan)
