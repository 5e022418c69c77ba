"""A change to a patient's records in two steps: its effect on what we say is shown, and only then is it kept.

The first post of a form tries the change and undoes it; its answer shows the effect, with a seal over what was shown.
The second post brings the seal: if the effect is still the same the change is kept, else the new effect is shown.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from jobs import queue
from notifier import clock, queries, rehearsal, runtime
from notifier.errors import Invalid, Refused
from notifier.models import Patient
from notifier.rehearsal import Difference
from webhooks.console.door import Person, person
from webhooks.console.fields import Fields
from webhooks.console.telling import told

NEVER_SEALED = {"csrf_token", "seen"}


@dataclass
class Step:
    """One trial of a change: whoever does it, on whom, when, with which form."""

    session: Session
    patient: Patient
    viewer: Person
    now: datetime
    fields: Fields

    @property
    def context(self) -> dict[str, Any]:
        """What every verb of enrolment asks for."""
        return {"catalog": runtime.current().catalog, "by": self.viewer.name, "now": self.now}


@dataclass(frozen=True)
class Shown:
    """What a form's page shows beside the form."""

    effect: list[Difference] = field(default_factory=list)
    seal: str = ""  # of the effect that is shown; empty: nothing was tried yet
    faults: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""
    note: str = ""  # what else will happen, in a sentence


class _Undone(Exception):
    """The change was tried and is not to be kept."""


# Given the step, do it and say what was done; "" where the fields have faults.
Verb = Callable[[Step], str]


def change(template: str, patient_id: UUID, verb: Verb, *, to: str | None = None, **page: Any) -> ResponseReturnValue:
    """Answer a form about a patient. `page`: what its template shows besides `patient`, `shown` and `form`."""
    if request.method == "GET":
        return _draw(template, patient_id, Shown(), page)
    viewer, now = person(), clock.now()
    fields = Fields(request.form, ZoneInfo("UTC"))
    shown, said = Shown(), ""
    try:
        with runtime.transaction() as session:
            patient = queries.patient(session, patient_id, viewer.sites)
            fields.zone = ZoneInfo(patient.timezone)
            catalog = runtime.current().catalog
            before = rehearsal.planned(session, patient_id, catalog=catalog, now=now)
            said = verb(Step(session, patient, viewer, now, fields))
            if fields.faults:
                shown = Shown(faults=fields.faults)
                raise _Undone
            effect = rehearsal.differences(before, rehearsal.planned(session, patient_id, catalog=catalog, now=now))
            seal = _seal(effect)
            if request.form.get("seen") != seal or "X-Check" in request.headers:
                shown = Shown(effect, seal, note=said)
                raise _Undone
    except _Undone:
        pass
    except Invalid as fault:
        shown = Shown(faults={name: told(why) for name, why in fault.fields.items()})
    except Refused as refusal:
        shown = Shown(refusal=told(str(refusal)))
    else:
        queue.ring()
        flash(said)
        return redirect(to or url_for("console.patient", patient_id=patient_id))
    if "X-Check" in request.headers:
        return jsonify(faults=dict(shown.faults), tidy=fields.tidy)
    return _draw(template, patient_id, shown, page)


def _draw(template: str, patient_id: UUID, shown: Shown, page: Mapping[str, Any]) -> ResponseReturnValue:
    viewer, now = person(), clock.now()
    with runtime.reading() as session:
        patient = queries.patient(session, patient_id, viewer.sites)
        told = {name: value(session, patient) if callable(value) else value for name, value in page.items()}
        body = render_template(
            template,
            patient=patient,
            zone=ZoneInfo(patient.timezone),
            now=now,
            shown=shown,
            form=request.form if request.method == "POST" else {},
            **told,
        )
    bad = shown.faults or shown.refusal
    return body, HTTPStatus.UNPROCESSABLE_ENTITY if bad else HTTPStatus.OK


def _seal(effect: list[Difference]) -> str:
    """The same for the same form and the same effect; what leaves at once may do so a minute later."""
    form = sorted((name, value) for name, value in request.form.items() if name not in NEVER_SEALED)
    lines = [(one.change, one.told.title, one.told.to, one.told.channel) for one in effect]
    return hashlib.sha256(json.dumps([form, lines]).encode()).hexdigest()[:32]
