"""Reports: what was achieved in a period, as charts, tables and CSV; and the accreditation pack."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from notifier import clock, queries, reports, runtime
from notifier.access import Right
from notifier.queries import reports as selects
from notifier.reports import Table
from webhooks.console import bp
from webhooks.console.door import needs, person

WEEKS = (4, 8, 13, 52)
PER_SEGMENT, PER_CALL = 0.0083, 0.02  # dollars; a pharmacy gives its own in the address


class Period(NamedTuple):
    """What a report is about: sites, local days (the last included) and the instants that they begin and end with."""

    sites: tuple[str, ...]
    place: str
    zone: ZoneInfo
    first: date
    last: date

    @property
    def start(self) -> datetime:
        """When it begins."""
        return datetime.combine(self.first, time(), self.zone)

    @property
    def end(self) -> datetime:
        """When the day after it begins."""
        return datetime.combine(self.last + timedelta(days=1), time(), self.zone)


def _period(session: Session, now: datetime) -> Period:
    viewer = person()
    places = queries.sites(session, viewer.sites)
    chosen = next((place for place in places if place.key == request.args.get("site")), None)
    zone = ZoneInfo(chosen.timezone) if chosen else viewer.zone
    today = now.astimezone(zone).date()
    weeks = request.args.get("weeks", WEEKS[0], type=int)
    first, last = today - timedelta(weeks=weeks if weeks in WEEKS else WEEKS[0]) + timedelta(days=1), today
    try:
        first = date.fromisoformat(request.args.get("from", ""))
        last = max(first, date.fromisoformat(request.args.get("to", "")))
    except ValueError:
        pass  # no dates of one's own: the last weeks
    keys = (chosen.key,) if chosen else tuple(viewer.sites)
    return Period(keys, chosen.name if chosen else "", zone, first, min(last, first + timedelta(days=366)))


def _price(name: str, usual: float) -> float:
    return max(0.0, min(10.0, request.args.get(name, usual, type=float)))


def _tables(session: Session, period: Period, now: datetime) -> list[Table]:
    span = (session, period.sites, period.start, period.end)
    tickets, messages = selects.ticket_facts(*span), selects.message_counts(*span)
    paged = selects.pages(*span)
    names = selects.names(session, {staff_id for staff_id, _ in paged})
    return [
        *reports.time_to_human(tickets),
        reports.promises(tickets, now),
        reports.by_kind(tickets, red=True),
        reports.by_kind(tickets, red=False),
        reports.silence(messages),
        reports.outcomes(messages, _price("segment", PER_SEGMENT), _price("call", PER_CALL)),
        reports.page_load(paged, names, period.zone),
    ]


def _pack(session: Session, period: Period, now: datetime) -> list[Table]:
    span = (session, period.sites, period.start, period.end)
    tickets, events = selects.ticket_facts(*span), selects.event_counts(*span)
    return [
        reports.access_day_and_night(tickets, period.zone),
        *reports.time_to_human(tickets)[:2],
        reports.promises(tickets, now),
        reports.teaching(events, selects.taught_in_time(*span)),
        reports.deliveries(events, tickets),
    ]


@bp.get("/reports")
@needs(Right.REPORTS)
def report_page() -> ResponseReturnValue:
    """All charts, each beside its table."""
    return _page("console/reports.html", _tables)


@bp.get("/reports/accreditation")
@needs(Right.REPORTS)
def accreditation() -> ResponseReturnValue:
    """The pack for accreditation, made to be printed."""
    return _page("console/accreditation.html", _pack)


def _page(template: str, read: Callable[[Session, Period, datetime], list[Table]]) -> ResponseReturnValue:
    viewer, now = person(), clock.now()
    with runtime.reading() as session:
        period = _period(session, now)
        return render_template(
            template,
            tables=read(session, period, now),
            period=period,
            places=queries.sites(session, viewer.sites),
            patients=selects.patients_served(session, period.sites),
            weeks=WEEKS,
            asked=request.args,
            now=now,
        )


@bp.get("/reports/<any(reports, accreditation):what>.csv")
@needs(Right.REPORTS)
def report_file(what: str) -> ResponseReturnValue:
    """All tables under one another, as a spreadsheet reads them."""
    now = clock.now()
    with runtime.reading() as session:
        period = _period(session, now)
        tables = (_tables if what == "reports" else _pack)(session, period, now)
    name = f"{what}-{period.first}-{period.last}.csv"
    headers = {"Content-Disposition": f"attachment; filename={name}"}
    return Response("\ufeff" + _csv(tables, period), mimetype="text/csv; charset=utf-8", headers=headers)


def _csv(tables: Sequence[Table], period: Period) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["Period", period.first.isoformat(), period.last.isoformat(), period.place or "all sites"])
    for table in tables:
        writer.writerows([[], [table.title, table.note, table.unit], table.columns])
        writer.writerows([["" if cell is None else _safe(cell) for cell in row] for row in table.rows])
    return out.getvalue()


def _safe(cell: str | int | float) -> str | int | float:
    """A name that begins like a formula is none."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell
