"""What goes out: what is coming, and what failed or is in doubt and needs a hand."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask import render_template, request
from flask.typing import ResponseReturnValue

from notifier import clock, queries, runtime
from notifier.core.vocabulary import Channel
from notifier.models import Message
from notifier.rehearsal import spoken
from webhooks.console import bp
from webhooks.console.door import person
from webhooks.console.thread import how_it_went
from webhooks.console.tongue import _

AHEAD = timedelta(days=14)
PAGE = 100


class Coming(NamedTuple):
    """One planned message and its words as they would leave now."""

    message: Message
    zone: ZoneInfo
    words: str


@bp.get("/schedule")
def schedule() -> ResponseReturnValue:
    """What leaves in the next two weeks, the next first."""
    viewer, now, catalog = person(), clock.now(), runtime.current().catalog
    offset = max(0, request.args.get("from", 0, type=int))
    with runtime.reading() as session:
        found = queries.coming(session, viewer.sites, now + AHEAD, limit=PAGE + 1, offset=offset)
        coming = [Coming(message, _zone(message), spoken(message, catalog)) for message in found[:PAGE]]
        following = offset + PAGE if len(found) > PAGE else None
        return render_template("console/schedule.html", coming=coming, following=following, now=now)


class Troubled(NamedTuple):
    """One message that did not arrive, or nobody knows."""

    message: Message
    zone: ZoneInfo
    happened: str


class Hour(NamedTuple):
    """What left and what is to come within one local hour."""

    name: str
    short: str
    left: int
    to_come: int

    @property
    def sum_of(self) -> int:
        """All of it."""
        return self.left + self.to_come


class Sender(NamedTuple):
    """One sending number, its pace and what waits for it."""

    name: str
    rate: float
    waiting: int


@bp.get("/messages")
def messages() -> ResponseReturnValue:
    """Act now, today by hour, and the senders."""
    viewer, now = person(), clock.now()
    with runtime.reading() as session:
        found = queries.needing_a_hand(session, viewer.sites, now - queries.RECENT)
        tried = queries.attempts(session, found)
        troubled = [
            Troubled(message, zone, how_it_went(message, tried.get(message.id), zone, now))
            for message in found
            if (zone := _zone(message))
        ]
        start = datetime.combine(now.astimezone(viewer.zone).date(), time(), viewer.zone)
        today = queries.sent_by_hour(session, viewer.sites, start, start + timedelta(days=1))
        waiting = queries.backlog_by_sender(session, now)
        senders = [
            Sender(f"{site.name}, {name}", rate, waiting.get((site.key, channel), 0))
            for site in queries.sites(session, viewer.sites)
            for channel, name, rate in (
                (Channel.SMS, _("texts"), site.sender_rate),
                (Channel.VOICE, _("calls"), site.call_rate),
            )
        ]
        return render_template(
            "console/messages.html", troubled=troubled, hours=_by_hour(today, viewer.zone), senders=senders, now=now
        )


def _by_hour(sent: Sequence[tuple[datetime, bool]], zone: ZoneInfo) -> list[Hour]:
    count: Counter[tuple[int, bool]] = Counter()
    for due_at, left in sent:
        count[due_at.astimezone(zone).hour, left] += 1
    busy = [hour for hour, _left in count]
    span = range(min([8, *busy]), max([19, *busy]) + 1)
    return [Hour(_name(hour), _short(hour), count[hour, True], count[hour, False]) for hour in span]


def _name(hour: int) -> str:
    return f"{hour % 12 or 12} {'AM' if hour < 12 else 'PM'}"


def _short(hour: int) -> str:
    return f"{hour % 12 or 12}{'a' if hour < 12 else 'p'}"


def _zone(message: Message) -> ZoneInfo:
    """The reader's: the patient's, else the site's."""
    return ZoneInfo(message.contact.patient.timezone if message.contact else message.site.timezone)
