"""Loads a pharmacy's export: every row is checked first, then each good one enrolled or brought up to date."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import enrolment
from notifier.catalog import Catalog
from notifier.core.states import EventState
from notifier.core.vocabulary import EventKind
from notifier.details import CaregiverDetails, PlanDetails
from notifier.errors import Invalid, Refused
from notifier.models import CareEvent, Site, TherapyPlan
from notifier.patients_file import OPTIONAL, REQUIRED, Row, SiteFacts, check
from notifier.sheet import Fault, read

BY = "import"
TOGETHER = 200  # rows whose plans are planned at once
# What the verbs call a thing, and the column that told it.
_COLUMNS = {"caregivers": "caregiver_phone", "window_end": "delivery_to", "external_id": "plan_id"}


@dataclass(frozen=True)
class Result:
    """What came of a file: rows loaded (new or changed), refused, unchanged; the faults by line."""

    loaded: int
    refused: int
    unchanged: int
    faults: tuple[Fault, ...] = ()
    ignored_columns: tuple[str, ...] = ()


class Fate(StrEnum):
    """What becomes of a row."""

    NEW = "new"  # a patient whom we did not know
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True)
class Checked:
    """A file after it was read: its good rows, the faults of the others, and who helps whom."""

    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]
    ignored_columns: tuple[str, ...]
    helpers: Mapping[tuple[str, str], tuple[CaregiverDetails, ...]]

    def by_patient(self) -> list[list[Row]]:
        """The rows of each patient together, in the order of the file: what one says the next may build on."""
        found: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            found.setdefault((row.patient.site, row.patient.external_id), []).append(row)
        return list(found.values())


def check_file(session: Session, data: bytes, *, catalog: Catalog) -> Checked:
    """Read and check a CSV file as a whole; nothing is loaded. Raises Invalid: it is no such file."""
    sheet = read(data, REQUIRED, REQUIRED + OPTIONAL)
    sites = {site.key: SiteFacts(site.timezone, site.languages) for site in session.scalars(select(Site))}
    rows, faults = check(sheet, sites, catalog.languages)
    return Checked(tuple(rows), tuple(faults), sheet.ignored_columns, _helpers(rows))


def load_row(
    session: Session, row: Row, checked: Checked, *, catalog: Catalog, now: datetime, by: str = BY
) -> tuple[Fate, list[Fault]]:
    """Load one good row, whole or not at all."""
    helpers = checked.helpers[row.patient.site, row.patient.external_id]
    try:
        with session.begin_nested():  # a row never loads in part
            return _load(session, row, helpers, catalog, by, now), []
    except (Invalid, Refused) as error:
        return Fate.REFUSED, _faults(row, error)


def load(session: Session, data: bytes, *, catalog: Catalog, now: datetime, by: str = BY) -> Result:
    """Load what is good in a CSV file. The same file twice changes nothing. Raises Invalid: it is no such file."""
    checked = check_file(session, data, catalog=catalog)
    faults, fates = list(checked.faults), Counter[Fate]()
    for start in range(0, len(checked.rows), TOGETHER):
        with enrolment.together(session, catalog=catalog, now=now, by=by) as waiting:
            for row in checked.rows[start : start + TOGETHER]:
                others = dict(waiting)
                fate, wrong = load_row(session, row, checked, catalog=catalog, now=now, by=by)
                fates[fate] += 1
                faults += wrong
                if fate is Fate.REFUSED:
                    waiting.clear()
                    waiting.update(others)
    faults.sort(key=lambda fault: fault.line)
    refused = len({fault.line for fault in faults})
    loaded = fates[Fate.NEW] + fates[Fate.CHANGED]
    return Result(loaded, refused, fates[Fate.UNCHANGED], tuple(faults), checked.ignored_columns)


def _faults(row: Row, error: Invalid | Refused) -> list[Fault]:
    if isinstance(error, Refused):
        return [Fault(row.line, "plan_id", str(error))]
    return [Fault(row.line, _COLUMNS.get(name, name), reason) for name, reason in error.fields.items()]


def _helpers(rows: Sequence[Row]) -> dict[tuple[str, str], tuple[CaregiverDetails, ...]]:
    """Every helper that the file names for a patient: rows with the same patient_id are one patient."""
    found: dict[tuple[str, str], dict[str, CaregiverDetails]] = {}
    for row in rows:
        named = found.setdefault((row.patient.site, row.patient.external_id), {})
        named |= {caregiver.phone: caregiver for caregiver in row.patient.caregivers}
    return {key: tuple(named.values()) for key, named in found.items()}


class _Context(TypedDict):
    catalog: Catalog
    by: str
    now: datetime


def _load(
    session: Session, row: Row, helpers: tuple[CaregiverDetails, ...], catalog: Catalog, by: str, now: datetime
) -> Fate:
    """One row into the books."""
    context = _Context(catalog=catalog, by=by, now=now)
    patient = enrolment.find_patient(session, row.patient.site, row.patient.external_id)
    new = patient is None
    if patient is None:
        patient, changed = enrolment.enrol(session, replace(row.patient, caregivers=helpers), **context), True
    else:
        changed = enrolment.amend(session, patient, _given(row, helpers), **context)
    plan = enrolment.find_plan(session, row.patient.site, row.plan.external_id)
    if plan is None:
        plan, changed = enrolment.add_plan(session, patient, row.plan, **context), True
    elif plan.patient_id != patient.id:
        raise Invalid({"plan_id": "is another patient's"})
    else:
        changed |= enrolment.change_plan(session, plan, _carried(row, plan), **context)
    changed |= _deliver(session, row, plan, context)
    changed |= _teach(session, row, plan, context)
    changed |= _dose(session, row, plan, context)
    if row.verified and plan.verified_at is None:  # last, so that its messages are planned once, from all the facts
        enrolment.verify(session, plan, dict.fromkeys(enrolment.CHECKLIST, True), **context)
        changed = True
    return Fate.NEW if new else Fate.CHANGED if changed else Fate.UNCHANGED


def _given(row: Row, helpers: tuple[CaregiverDetails, ...]) -> dict[str, Any]:
    """What the row says of its patient; an empty cell says nothing."""
    details = row.patient
    given: dict[str, Any] = {
        "given_name": details.given_name,
        "family_name": details.family_name,
        "phone": details.phone,
        "consents": details.consents,
    }
    given |= {
        name: getattr(details, name) for name in ("language", "timezone", "channel", "welcomed") if row.cells.get(name)
    }
    return given | ({"caregivers": helpers} if helpers else {})


def _carried(row: Row, plan: TherapyPlan) -> PlanDetails:
    """The row's order, with what a file has no columns for as it stands."""
    kept = enrolment.details_of(plan)
    names = ["infusion_minutes", "reminders", "flags", "prescriber", "cover_ends_on"]
    names += [] if row.cells.get("supplies") else ["supplies"]
    return replace(row.plan, **{name: getattr(kept, name) for name in names})


def _teach(session: Session, row: Row, plan: TherapyPlan, context: _Context) -> bool:
    if not (row.education_at or row.education_done):
        return False
    now = context["now"]
    visit = _event(session, plan, EventKind.EDUCATION)
    changed = False
    if row.education_at and visit is None:
        visit, changed = enrolment.schedule_education(session, plan, row.education_at, "visit", **context), True
    elif row.education_at and visit and visit.state is EventState.SCHEDULED and visit.starts_at != row.education_at:
        enrolment.set_education(session, visit, at=row.education_at, **context)
        changed = True
    if row.education_done is None or (visit and visit.state is EventState.DONE):
        return changed
    at = row.education_done.at or min(visit.starts_at if visit else now, now)
    if at > now:
        raise Invalid({"education_done": "in the future"})
    visit = visit or enrolment.schedule_education(session, plan, at, "visit", **context)
    enrolment.set_education(session, visit, status=EventState.DONE, done_at=at, **context)
    return True


def _dose(session: Session, row: Row, plan: TherapyPlan, context: _Context) -> bool:
    dose = _event(session, plan, EventKind.FIRST_DOSE) if row.first_dose_done else None
    if row.first_dose_done is None or dose is None or dose.state is EventState.DONE:
        return False
    at = row.first_dose_done.at or dose.ends_at or dose.starts_at
    if at > context["now"]:
        raise Invalid({"first_dose_done": "in the future"})
    enrolment.set_event(session, dose, status=EventState.DONE, done_at=at, **context)
    return True


def _deliver(session: Session, row: Row, plan: TherapyPlan, context: _Context) -> bool:
    if row.delivery is None:
        return False
    delivery = enrolment.find_event(session, plan, EventKind.DELIVERY, row.delivery.external_id)
    if delivery is None:
        enrolment.schedule_delivery(session, plan, row.delivery, **context)
        return True
    changed = False
    if row.cells.get("items"):
        changed = enrolment.change_items(session, delivery, row.delivery.items, by=context["by"], now=context["now"])
    try:
        window = row.delivery.window_start, row.delivery.window_end
        return enrolment.move_delivery(session, delivery, *window, **context) or changed
    except Refused as error:
        raise Invalid({"delivery_from": str(error)}) from error


def _event(session: Session, plan: TherapyPlan, kind: EventKind) -> CareEvent | None:
    """The plan's first event of a kind, unless it was cancelled."""
    wanted = select(CareEvent).where(
        CareEvent.plan_id == plan.id, CareEvent.kind == kind, CareEvent.state != EventState.CANCELLED
    )
    return session.scalars(wanted.order_by(CareEvent.starts_at)).first()
