"""A plan of therapy in the console: the order, its five checks, and when it pauses, goes on and ends."""

from typing import Any
from uuid import UUID

from flask import abort
from flask.typing import ResponseReturnValue

from notifier import enrolment
from notifier.access import Right
from notifier.core.vocabulary import THERAPY_FLAGS, Administration, Flag, Line, Storage, Therapy
from notifier.details import PlanDetails
from notifier.models import Patient, TherapyPlan
from webhooks.console import bp
from webhooks.console.changing import Step, change
from webhooks.console.door import needs
from webhooks.console.fields import Fields
from webhooks.console.tongue import _

CHOICES: dict[str, Any] = {
    "therapies": tuple(Therapy),
    "lines": tuple(Line),
    "storages": tuple(Storage),
    "administrations": tuple(Administration),
    "flags": tuple(Flag),
    "therapy_flags": tuple(THERAPY_FLAGS.values()),
}


@bp.route("/patients/<uuid:patient_id>/plans/new", methods=["GET", "POST"])
@needs(Right.CARE)
def new_plan(patient_id: UUID) -> ResponseReturnValue:
    """An order for a patient."""

    def verb(step: Step) -> str:
        details = _details(step.fields)
        if details and enrolment.find_plan(step.session, step.patient.site_key, details.external_id):
            step.fields.faults["external_id"] = _("Another plan of this site has this number.")
        if details is None or step.fields.faults:
            return ""
        enrolment.add_plan(step.session, step.patient, details, **step.context)
        return _("The plan is there. No therapy message leaves before its five checks are done.")

    return change("console/plan_form.html", patient_id, verb, plan=None, **CHOICES)


@bp.route("/patients/<uuid:patient_id>/plans/<uuid:plan_id>/order", methods=["GET", "POST"])
@needs(Right.CARE)
def change_order(patient_id: UUID, plan_id: UUID) -> ResponseReturnValue:
    """Another rhythm, another end: the order as it stands now."""

    def verb(step: Step) -> str:
        plan = _plan(step.patient, plan_id)
        details = _details(step.fields, plan)
        if details is None or step.fields.faults:
            return ""
        changed = enrolment.change_plan(step.session, plan, details, **step.context)
        return _("The order is changed.") if changed else _("Nothing was changed.")

    return change("console/plan_form.html", patient_id, verb, plan=_of(plan_id), **CHOICES)


@bp.route("/patients/<uuid:patient_id>/plans/<uuid:plan_id>/verify", methods=["GET", "POST"])
@needs(Right.CARE)
def verify(patient_id: UUID, plan_id: UUID) -> ResponseReturnValue:
    """The five checks."""

    def verb(step: Step) -> str:
        checks = {name: name in step.fields.form for name in enrolment.CHECKLIST}
        missing = enrolment.verify(step.session, _plan(step.patient, plan_id), checks, **step.context)
        if missing:
            return _(
                "Not verified: %(what)s. Coordination gets a ticket.",
                what=", ".join(name.replace("_", " ") for name in missing),
            )
        return _("The plan is verified.")

    return change("console/verify.html", patient_id, verb, plan=_of(plan_id), checklist=enrolment.CHECKLIST)


@bp.route("/patients/<uuid:patient_id>/plans/<uuid:plan_id>/<any(pause, resume, end):what>", methods=["GET", "POST"])
@needs(Right.CARE)
def turn(patient_id: UUID, plan_id: UUID, what: str) -> ResponseReturnValue:
    """Pause, go on, or end."""

    def verb(step: Step) -> str:
        plan, fields = _plan(step.patient, plan_id), step.fields
        if what == "resume":
            enrolment.resume(step.session, plan, **step.context)
            return _("The plan goes on.")
        reason = fields.text("reason", 200)
        until = fields.moment("until", required=False) if what == "pause" else None
        if until and until <= step.now:
            fields.faults["until"] = _("This is past.")
        if fields.faults:
            return ""
        if what == "pause":
            enrolment.pause(step.session, plan, reason, until=until, **step.context)
            return _("The plan is paused: answers still leave, nothing else does.")
        deceased = "deceased" in fields.form
        enrolment.end(step.session, plan, reason, deceased=deceased, **step.context)
        return _("Everything is silent.") if deceased else _("The therapy is over.")

    return change("console/turn.html", patient_id, verb, plan=_of(plan_id), what=what)


def _of(plan_id: UUID) -> object:
    return lambda _session, patient: _plan(patient, plan_id)


def _plan(patient: Patient, plan_id: UUID) -> TherapyPlan:
    found = next((plan for plan in patient.plans if plan.id == plan_id), None)
    return found if found is not None else abort(404)


def _details(fields: Fields, plan: TherapyPlan | None = None) -> PlanDetails | None:
    """The order as it was typed; the therapy and the line of one that stands never change."""
    first, ends = fields.moment("first_dose_at"), fields.day("ends_on")
    infusion = fields.number("infusion_minutes", 1, 10_000) if fields.raw("infusion_minutes") else None
    therapy = plan.therapy if plan else fields.choice("therapy", Therapy)
    line = plan.line if plan else fields.choice("line", Line)
    facts: dict[str, Any] = {
        "external_id": plan.external_id if plan else fields.text("external_id"),
        "storage": fields.choice("storage", Storage),
        "administration": fields.choice("administration", Administration),
        "doses_per_day": fields.number("doses_per_day", 1, 24),
        "supplies": fields.items("supplies"),
        "reminders": tuple(moment.time() for moment in fields.times("reminders")),
        "flags": fields.choices("flag_", Flag),
        "prescriber": fields.text("prescriber", required=False) or None,
        "cover_ends_on": fields.day("cover_ends_on", required=False),
    }
    if first is None or ends is None:
        return None
    details = PlanDetails(
        therapy=therapy, line=line, first_dose_at=first, ends_on=ends, infusion_minutes=infusion, **facts
    )
    fields.faults |= {
        name: reason for name, reason in details.faults(str(fields.zone)).items() if name not in fields.faults
    }
    return details
