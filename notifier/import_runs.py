"""A file dropped in the console: every row is rehearsed first, then loaded when a person says so, a few at a time.

While it loads, a few rows and the word that they are loaded are one transaction: a worker that dies repeats none.
"""

import csv
import io
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from notifier import importing, journal
from notifier.catalog import Catalog
from notifier.core.states import ImportState
from notifier.errors import Invalid, Refused
from notifier.importing import Checked, Fate
from notifier.models import ImportRun, Staff
from notifier.patients_file import Row
from notifier.sheet import Fault

AT_WORK = (ImportState.CHECKING, ImportState.LOADING)
TOGETHER = 25  # rows in one transaction
LEASE = timedelta(seconds=60)
KEPT = timedelta(days=7)


@dataclass(frozen=True)
class RowFate:
    """What became, or would become, of one row."""

    line: int
    fate: Fate
    faults: tuple[tuple[str, str], ...]  # (column, reason)


def begin(session: Session, name: str, data: bytes, staff: Staff, *, now: datetime) -> ImportRun:
    """Take a file in, to be rehearsed. Raises Refused for one that is no text."""
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("The file is not UTF-8; please save it as CSV UTF-8.") from None
    run = ImportRun(
        name=name[:100], content=content, by=staff.name, staff_id=staff.id, sites=list(staff.sites), created_at=now
    )
    session.add(run)
    session.flush()
    journal.note(session, run, "import_run.began", now=now, by=staff.name)
    return run


def find(session: Session, run_id: uuid.UUID, staff_id: uuid.UUID) -> ImportRun | None:
    """Somebody's own run."""
    run = session.get(ImportRun, run_id)
    return run if run is not None and run.staff_id == staff_id else None


def runs_of(session: Session, staff_id: uuid.UUID) -> Sequence[ImportRun]:
    """Somebody's last runs, the newest first."""
    found = select(ImportRun).where(ImportRun.staff_id == staff_id).order_by(ImportRun.created_at.desc())
    return session.scalars(found.limit(10)).all()


def load(session: Session, run: ImportRun, *, now: datetime, by: str) -> None:
    """Somebody has seen what would become of each row, and wants it. Raises Refused."""
    if not journal.advance(session, run, ImportState.LOADING, now=now, by=by, done=0, fates=[], lease_until=None):
        raise Refused("This file is loaded already, or not checked yet.")


def drop(session: Session, run: ImportRun, *, now: datetime, by: str) -> None:
    """Nobody wants it: what it held is forgotten. Raises Refused."""
    if not journal.advance(session, run, ImportState.DROPPED, now=now, by=by, content=None, fates=[], ended_at=now):
        raise Refused("This file is being loaded already.")


def fates(run: ImportRun) -> list[RowFate]:
    """What is known of its rows so far, by line."""
    return [
        RowFate(line, Fate(fate), tuple((column, reason) for column, reason in faults))
        for line, fate, faults in sorted(run.fates, key=lambda each: each[0])
    ]


def refused_rows(run: ImportRun) -> Iterator[list[str]]:
    """The rows that were refused as they came, with line and reasons in front; the header first."""
    wrong = {each.line: each for each in fates(run) if each.fate is Fate.REFUSED}
    if run.content is None:
        return
    reader = csv.reader(io.StringIO(run.content, newline=""), delimiter=_delimiter(run.content))
    line = 1
    for cells in reader:
        if line == 1:
            yield ["line", "reasons", *cells]
        elif line in wrong:
            yield [str(line), "; ".join(f"{column}: {reason}" for column, reason in wrong[line].faults), *cells]
        line = reader.line_num + 1


def _delimiter(content: str) -> str:
    first = content.split("\n", 1)[0]
    return max(",;\t", key=first.count)


# --- the work -------------------------------------------------------------------------------------------------------


def waiting(session: Session, *, real_now: datetime) -> Sequence[uuid.UUID]:
    """Runs that have work and nobody at it."""
    free = or_(ImportRun.lease_until.is_(None), ImportRun.lease_until < real_now)
    found = select(ImportRun.id).where(ImportRun.state.in_(AT_WORK), free).order_by(ImportRun.created_at)
    return session.scalars(found).all()


def claim(session: Session, run_id: uuid.UUID, *, real_now: datetime) -> ImportRun | None:
    """Take a run for a while; None: another has it, or it has no work."""
    free = or_(ImportRun.lease_until.is_(None), ImportRun.lease_until < real_now)
    return session.scalars(
        update(ImportRun)
        .where(ImportRun.id == run_id, ImportRun.state.in_(AT_WORK), free)
        .values(lease_until=real_now + LEASE)
        .returning(ImportRun)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).one_or_none()


def checked(session: Session, run: ImportRun, *, catalog: Catalog, now: datetime) -> Checked | None:
    """The file of a run, read and checked as a whole; its faulty rows have their fate. None: it is no such file."""
    content = (run.content or "").encode()
    try:
        found = importing.check_file(session, content, catalog=catalog)
    except Invalid as error:
        journal.advance(
            session, run, ImportState.REFUSED, now=now, by=run.by, why=str(error), content=None, ended_at=now
        )
        return None
    elsewhere = [row for row in found.rows if run.sites and row.patient.site not in run.sites]
    faults = [*found.faults, *(Fault(row.line, "site", "you do not serve this site") for row in elsewhere)]
    if not run.fates:
        by_line: dict[int, list[tuple[str, str]]] = {}
        for fault in faults:
            by_line.setdefault(fault.line, []).append((fault.column, fault.reason))
        run.fates = [[line, Fate.REFUSED.value, wrong] for line, wrong in by_line.items()]
        run.total, run.done = len(found.rows) - len(elsewhere) + len(by_line), len(by_line)
    there = tuple(row for row in found.rows if row not in elsewhere)
    return Checked(there, tuple(faults), found.ignored_columns, found.helpers)


def portions(run: ImportRun, found: Checked) -> Iterator[list[Row]]:
    """What is still to be done, a few rows at a time; the rows of one patient are never torn apart."""
    known = {line for line, *_ in run.fates}
    portion: list[Row] = []
    for rows in found.by_patient():
        portion += [row for row in rows if row.line not in known]
        if len(portion) >= TOGETHER:
            yield portion
            portion = []
    if portion:
        yield portion


def work(
    session: Session, rows: Sequence[Row], found: Checked, *, catalog: Catalog, now: datetime, by: str
) -> list[RowFate]:
    """Load these rows. Whether they stay loaded is the caller's, who commits or rolls back."""
    done = []
    for row in rows:
        fate, faults = importing.load_row(session, row, found, catalog=catalog, now=now, by=by)
        done.append(RowFate(row.line, fate, tuple((fault.column, fault.reason) for fault in faults)))
    return done


def note_progress(session: Session, run_id: uuid.UUID, done: Sequence[RowFate], *, real_now: datetime) -> ImportRun:
    """Write down what became of some rows, and go on holding the run."""
    run = session.get_one(ImportRun, run_id)
    run.fates = [*run.fates, *([each.line, each.fate.value, [list(pair) for pair in each.faults]] for each in done)]
    run.done = len(run.fates)
    run.lease_until = real_now + LEASE
    return run


def finish(session: Session, run_id: uuid.UUID, *, now: datetime) -> None:
    """All rows have their fate: a person looks now, or it is done. What was loaded need not be kept twice."""
    run = session.get_one(ImportRun, run_id)
    to = ImportState.CHECKED if run.state is ImportState.CHECKING else ImportState.LOADED
    refused = any(each.fate is Fate.REFUSED for each in fates(run))
    content = None if to is ImportState.LOADED and not refused else run.content
    journal.advance(session, run, to, now=now, by=run.by, lease_until=None, ended_at=now, content=content)


def let_go(session: Session, run_id: uuid.UUID) -> None:
    """Another may go on with it at once."""
    session.get_one(ImportRun, run_id).lease_until = None


def forget(session: Session, *, now: datetime) -> None:
    """Let go of what old runs hold: names and phones are not kept twice for longer than a week."""
    session.execute(
        update(ImportRun)
        .where(ImportRun.created_at < now - KEPT, ImportRun.state.not_in(AT_WORK), ImportRun.content.is_not(None))
        .values(content=None)
        .execution_options(synchronize_session=False)
    )
