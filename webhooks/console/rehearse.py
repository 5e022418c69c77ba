"""The rehearsal: all that a patient will read, in their own time, and what would follow from an answer."""

from uuid import UUID
from zoneinfo import ZoneInfo

from flask import render_template, request
from flask.typing import ResponseReturnValue

from notifier import clock, queries, rehearsal, runtime
from notifier.access import Right
from notifier.core import wording
from webhooks.console import bp
from webhooks.console.door import needs, person

LONGEST = 1600  # as Twilio delivers it


@bp.route("/patients/<uuid:patient_id>/rehearsal", methods=["GET", "POST"])
@needs(Right.CLINICAL)
def rehearse(patient_id: UUID) -> ResponseReturnValue:
    """Nothing on this page leaves the building or stays in the books."""
    viewer, now, catalog = person(), clock.now(), runtime.current().catalog
    text = request.form.get("text", "").strip()[:LONGEST]
    with runtime.rehearsing() as session:
        patient = queries.patient(session, patient_id, viewer.sites)
        planned = list(rehearsal.planned(session, patient_id, catalog=catalog, now=now).values())
        people = [one for one in patient.contacts if one.active]
        who = next((one for one in people if str(one.id) == request.form.get("who")), patient.contact)
        heard = rehearsal.answered(session, who, text, catalog=catalog, now=now) if text else None
        return render_template(
            "console/rehearsal.html",
            patient=patient,
            planned=planned,
            people=people,
            who=who,
            text=text,
            heard=heard,
            zone=ZoneInfo(patient.timezone),
            now=now,
            segments=lambda words: wording.segments(words)[0],
        )
