"""Import: drop a file, see every row's fate, load what is good, and take the rest home with the reasons."""

import csv
import io
from collections import Counter
from http import HTTPStatus
from uuid import UUID

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from jobs import queue
from notifier import clock, import_runs, runtime
from notifier.access import Right
from notifier.errors import Refused
from notifier.importing import Fate
from notifier.models import ImportRun
from notifier.patients_file import OPTIONAL, REQUIRED
from webhooks.console import bp
from webhooks.console.door import needs, person
from webhooks.console.telling import told
from webhooks.console.tongue import _

SHOWN = 200


@bp.get("/import")
@needs(Right.IMPORT)
def imports() -> ResponseReturnValue:
    """Where a file is dropped, and one's last files."""
    return _page("")


def _page(problem: str) -> ResponseReturnValue:
    viewer, now = person(), clock.now()
    with runtime.reading() as session:
        page = render_template(
            "console/imports.html",
            runs=import_runs.runs_of(session, viewer.staff.id),
            problem=problem,
            required=REQUIRED,
            optional=OPTIONAL,
            now=now,
            zone=viewer.zone,
        )
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK


@bp.post("/import")
@needs(Right.IMPORT)
def take_file() -> ResponseReturnValue:
    """Take a file in; a worker rehearses its rows."""
    viewer, file = person(), request.files.get("file")
    data = file.read() if file else b""
    if file is None or not data:
        return _page(_("Choose a file first."))
    try:
        with runtime.transaction() as session:
            run = import_runs.begin(session, file.filename or "", data, viewer.staff, now=clock.now())
    except Refused as refusal:
        return _page(told(str(refusal)))
    queue.ring("load_files", queue=queue.BULK)
    return redirect(url_for(".import_run", run_id=run.id))


def _own(session: Session, run_id: UUID) -> ImportRun:
    found = import_runs.find(session, run_id, person().staff.id)
    return found if found is not None else abort(404)


@bp.get("/import/<uuid:run_id>")
@needs(Right.IMPORT)
def import_run(run_id: UUID) -> ResponseReturnValue:
    """How far it is, and what becomes of each row."""
    viewer, now = person(), clock.now()
    show = request.args.get("show", "")
    with runtime.reading() as session:
        run = _own(session, run_id)
        fates = import_runs.fates(run)
        counts = Counter(each.fate for each in fates)
        chosen = [each for each in fates if show in ("", each.fate.value)]
        chosen.sort(key=lambda each: (each.fate is not Fate.REFUSED, each.line))
        return render_template(
            "console/import_run.html",
            run=run,
            counts=counts,
            rows=chosen[:SHOWN],
            more=len(chosen) - SHOWN,
            show=show,
            fate_names=tuple(Fate),
            at_work=run.state in import_runs.AT_WORK,
            token=f"{run.state}|{run.done}",
            now=now,
            zone=viewer.zone,
        )


@bp.post("/import/<uuid:run_id>/<any(load, drop):what>")
@needs(Right.IMPORT)
def decide_import(run_id: UUID, what: str) -> ResponseReturnValue:
    """Load what is good, or forget the file."""
    viewer, now = person(), clock.now()
    with runtime.transaction() as session:
        run = _own(session, run_id)
        verb = import_runs.load if what == "load" else import_runs.drop
        verb(session, run, now=now, by=viewer.name)
    if what == "drop":
        flash(_("The file is forgotten; nothing was loaded"))
        return redirect(url_for(".imports"))
    queue.ring("load_files", queue=queue.BULK)
    return redirect(url_for(".import_run", run_id=run_id))


@bp.get("/import/<uuid:run_id>/refused.csv")
@needs(Right.IMPORT)
def refused_rows(run_id: UUID) -> ResponseReturnValue:
    """The refused rows as they came, each with its line and its reasons."""
    out = io.StringIO()
    with runtime.reading() as session:
        csv.writer(out).writerows(import_runs.refused_rows(_own(session, run_id)))
    headers = {"Content-Disposition": "attachment; filename=refused.csv"}
    return Response("\ufeff" + out.getvalue(), mimetype="text/csv; charset=utf-8", headers=headers)
