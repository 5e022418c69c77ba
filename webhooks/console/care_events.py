"""Deliveries, teaching and visits: a calendar, and forms that show what a move says to the patient beforehand."""

import calendar
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import abort, render_template, request
from flask.typing import ResponseReturnValue

from notifier import clock, enrolment, queries, runtime
from notifier.access import Right
from notifier.core.planning import resolve_local
from notifier.core.states import EventState
from notifier.core.vocabulary import EventKind
from notifier.details import DeliveryDetails
from notifier.models import CareEvent, Patient, TherapyPlan
from webhooks.console import bp
from webhooks.console.changing import Step, change
from webhooks.console.door import needs, person
from webhooks.console.tongue import _

MODES = ("visit", "phone", "video")
OTHERS = tuple(kind for kind in EventKind if kind not in (EventKind.DELIVERY, EventKind.EDUCATION))
PER_DAY = 8  # shown of one day
MOVABLE = (EventState.SCHEDULED, EventState.OUT_FOR_DELIVERY, EventState.FAILED)


class Entry(NamedTuple):
    """One delivery or visit on a day of the calendar."""

    event: CareEvent
    patient: Patient
    local: datetime
    ends: datetime | None
    may_move: bool


class Day(NamedTuple):
    """One day of the calendar's month, or of the weeks that it begins and ends in."""

    date: date
    is_in_month: bool
    is_today: bool
    entries: list[Entry]  # the first of them
    total: int


@bp.get("/calendar")
def care_calendar() -> ResponseReturnValue:
    """A month of deliveries, or of teaching and visits."""
    viewer, now = person(), clock.now()
    today = now.astimezone(viewer.zone).date()
    month = _month(request.args.get("month", ""), today)
    show = request.args.get("show", "deliveries")
    kinds = (
        [EventKind.DELIVERY] if show == "deliveries" else [kind for kind in EventKind if kind is not EventKind.DELIVERY]
    )
    weeks = calendar.Calendar().monthdatescalendar(month.year, month.month)
    with runtime.reading() as session:
        days = queries.event_days(
            session,
            viewer.sites,
            kinds,
            datetime.combine(weeks[0][0], time(), viewer.zone),
            datetime.combine(weeks[-1][-1] + timedelta(days=1), time(), viewer.zone),
            first=PER_DAY,
        )
        total = {day.date: day.many for day in days}
        by_day = defaultdict(list)
        for event in queries.events_with_patients(session, (event_id for day in days for event_id in day.ids)):
            zone = ZoneInfo(event.plan.patient.timezone)
            local = event.starts_at.astimezone(zone)
            ends = event.ends_at.astimezone(zone) if event.ends_at else None
            by_day[local.date()].append(Entry(event, event.plan.patient, local, ends, event.state in MOVABLE))

        def as_day(day: date) -> Day:
            return Day(day, day.month == month.month, day == today, by_day[day], total.get(day, 0))

        return render_template(
            "console/calendar.html",
            weeks=[[as_day(day) for day in week] for week in weeks],
            month=month,
            before=(month - timedelta(days=1)).strftime("%Y-%m"),
            after=(month + timedelta(days=32)).strftime("%Y-%m"),
            show=show if show == "deliveries" else "visits",
            now=now,
        )


def _month(text: str, today: date) -> date:
    try:
        found = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007  a month has no zone
    except ValueError:
        found = today
    return found.replace(day=1) if 2000 <= found.year < 2100 else today.replace(day=1)


# --- deliveries -----------------------------------------------------------------------------------------------------


@bp.route("/patients/<uuid:patient_id>/plans/<uuid:plan_id>/deliveries/new", methods=["GET", "POST"])
@needs(Right.DELIVERIES)
def new_delivery(patient_id: UUID, plan_id: UUID) -> ResponseReturnValue:
    """A delivery is set."""

    def verb(step: Step) -> str:
        plan, fields = _plan(step.patient, plan_id), step.fields
        number = fields.text("external_id")
        window = _window(step)
        items = fields.items("items")
        if number and enrolment.find_event(step.session, plan, EventKind.DELIVERY, number):
            fields.faults["external_id"] = _("Another delivery of this plan has this number.")
        if window is None or fields.faults:
            return ""
        enrolment.schedule_delivery(step.session, plan, DeliveryDetails(number, *window, items), **step.context)
        return _("The delivery is set.")

    return change("console/delivery.html", patient_id, verb, event=None, items="", start="", end="")


@bp.route("/patients/<uuid:patient_id>/deliveries/<uuid:event_id>", methods=["GET", "POST"])
@needs(Right.DELIVERIES)
def delivery(patient_id: UUID, event_id: UUID) -> ResponseReturnValue:
    """Another window, another list, or how it goes."""

    def verb(step: Step) -> str:
        event, fields = _event(step.patient, event_id, deliveries=True), step.fields
        done = []
        if fields.raw("status"):
            status = fields.choice("status", EventState)
            cold = {"yes": True, "no": False}.get(fields.raw("cold_ok"))
            if fields.faults:
                return ""
            enrolment.set_delivery_status(step.session, event, status, cold_ok=cold, **step.context)
            return _("The delivery is marked.")
        window, items = _window(step), fields.items("items")
        if window is None or fields.faults:
            return ""
        done.append(enrolment.change_items(step.session, event, items, by=step.viewer.name, now=step.now))
        done.append(enrolment.move_delivery(step.session, event, *window, **step.context))
        return _("The delivery is changed.") if any(done) else _("Nothing was changed.")

    def start(_session: object, patient: Patient) -> datetime:
        return _at(patient, event_id)[0]

    def end(_session: object, patient: Patient) -> datetime | None:
        return _at(patient, event_id)[1]

    return change(
        "console/delivery.html",
        patient_id,
        verb,
        event=lambda _session, patient: _event(patient, event_id, deliveries=True),
        start=start,
        end=end,
        items=None,
    )


def _at(patient: Patient, event_id: UUID) -> tuple[datetime, datetime | None]:
    """The window that the form opens with: as it stands, or on the day where it was dropped in the calendar."""
    event, zone = _event(patient, event_id), ZoneInfo(patient.timezone)
    start, end = event.starts_at, event.ends_at
    try:
        day = date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        return start, end
    local = start.astimezone(zone)
    moved = resolve_local(day, local.time(), zone)
    return moved, moved + (end - start) if end else None


def _window(step: Step) -> tuple[datetime, datetime] | None:
    start, end = step.fields.moment("start"), step.fields.moment("end")
    if start and end and end <= start:
        step.fields.faults["end"] = _("After the beginning.")
    return (start, end) if start and end else None


# --- teaching and visits --------------------------------------------------------------------------------------------


@bp.route("/patients/<uuid:patient_id>/plans/<uuid:plan_id>/visits/new", methods=["GET", "POST"])
@needs(Right.CARE)
def new_visit(patient_id: UUID, plan_id: UUID) -> ResponseReturnValue:
    """Teaching, a dose, a visit or a draw is set."""

    def verb(step: Step) -> str:
        plan, fields = _plan(step.patient, plan_id), step.fields
        kind, at = fields.choice("kind", EventKind), fields.moment("start")
        if kind is EventKind.DELIVERY:
            fields.faults["kind"] = _("Choose one.")
        mode = fields.raw("mode") if fields.raw("mode") in MODES else MODES[0]
        if at is None or fields.faults:
            return ""
        if kind is EventKind.EDUCATION:
            enrolment.schedule_education(step.session, plan, at, mode, **step.context)
        else:
            enrolment.schedule_event(step.session, plan, kind, at, **step.context)
        return _("It is set.")

    return change("console/visit.html", patient_id, verb, event=None, kinds=(EventKind.EDUCATION, *OTHERS), modes=MODES)


@bp.route("/patients/<uuid:patient_id>/visits/<uuid:event_id>", methods=["GET", "POST"])
@needs(Right.CARE)
def visit(patient_id: UUID, event_id: UUID) -> ResponseReturnValue:
    """Another time or way, or how it went."""

    def verb(step: Step) -> str:
        event, fields = _event(step.patient, event_id), step.fields
        at = fields.moment("start")
        status = fields.choice("status", EventState) if fields.raw("status") else None
        mode = fields.raw("mode")
        if fields.faults:
            return ""
        when = at if at != event.starts_at else None
        if event.kind is EventKind.EDUCATION:
            enrolment.set_education(
                step.session, event, at=when, status=status, mode=mode if mode in MODES else None, **step.context
            )
        else:
            enrolment.set_event(step.session, event, at=when, status=status, **step.context)
        return _("It is changed.")

    return change(
        "console/visit.html",
        patient_id,
        verb,
        event=lambda _session, patient: _event(patient, event_id),
        kinds=(),
        modes=MODES,
    )


def _plan(patient: Patient, plan_id: UUID) -> TherapyPlan:
    found = next((plan for plan in patient.plans if plan.id == plan_id), None)
    return found if found is not None else abort(404)


def _event(patient: Patient, event_id: UUID, *, deliveries: bool | None = None) -> CareEvent:
    for plan in patient.plans:
        for event in plan.events:
            if event.id == event_id and (deliveries is None or (event.kind is EventKind.DELIVERY) == deliveries):
                return event
    return abort(404)
