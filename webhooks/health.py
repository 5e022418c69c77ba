"""For monitors: alive, able to take a text, late with anything, and the numbers."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from jobs import queue
from notifier import clock, migrations, queries, reconcile, runtime, watching
from notifier.sending import backlog, receipts, stops

PATIENCE = 120.0  # real seconds that anything may be late before the monitor outside is told
DOUBTFUL = 600.0  # the same for a lost answer, which takes Twilio's list some minutes by itself
LONGEST_BACK_OFF = timedelta(minutes=10)

bp = Blueprint("health", __name__)

registry = CollectorRegistry()
refused_signatures = Counter(
    "notifier_refused_signatures", "Requests under /twilio/ without a valid signature", registry=registry
)


@bp.get("/healthz")
def alive() -> Response:
    """This process answers."""
    return jsonify(status="alive")


@bp.get("/readyz")
def ready() -> tuple[Response, int]:
    """Whether this process can take a patient's text: the schema is at head and rows can be stored."""
    try:
        with runtime.transaction() as session:
            schema = migrations.current(session.connection())
            queries.try_to_store(session)
    except SQLAlchemyError:
        return jsonify(status="the database cannot be reached or written to"), 503
    if schema != migrations.head():
        return jsonify(status="the schema is not at head: please run `notifier migrate`"), 503
    return jsonify(status="ready"), 200


@bp.get("/statusz")
def status() -> tuple[Response, int]:
    """What is wrong just now, in words; 503 if anything is. The ledger itself knows that it is late."""
    wrong = []
    ages: dict[str, float] = {}
    try:
        with runtime.reading() as session:
            now, pace = clock.now(), clock.speed()
            late = queries.lateness(session, now)
            unheard = reconcile.waiting_for_twilio(session, until=now + LONGEST_BACK_OFF * pace)
            doubt = reconcile.oldest_doubt(session)
            broken = watching.breaches(session, runtime.current().settings, now=now, pace=pace)
        ages = {name: round(age.total_seconds() / pace, 1) for name, age in late.by_name().items()}
        wrong += [f"{what} is {ages[name]:.0f} s late" for name, what in LATE_WORDS.items() if ages[name] > PATIENCE]
        wrong += [breach.sentence for breach in broken]
        if unheard and (age := _seconds_since(unheard)) > PATIENCE:
            wrong.append(f"Twilio takes no messages: the oldest has tried to leave for {age:.0f} s")
        if doubt and (age := _seconds_since(doubt)) > DOUBTFUL:
            wrong.append(f"Twilio cannot be asked: whether it took a message is not known for {age:.0f} s")
    except SQLAlchemyError:
        wrong.append("the database is away: texts are answered with the fixed words and fetched when it is back")
    if queue.waiting(queue.URGENT) is None:
        wrong.append("Redis is away: urgent work goes on, reminders wait")
    body = jsonify(status="; ".join(wrong) or "all is well", wrong=wrong, late_seconds=ages)
    return body, 503 if wrong else 200


def _seconds_since(real: datetime) -> float:
    return (clock.real() - real).total_seconds()


LATE_WORDS = {
    "message": "the oldest overdue message",
    "escalation": "the oldest overdue escalation",
    "inbound": "the oldest text that nobody has read",
}


@bp.get("/metrics")
def metrics() -> Response:
    """Everything that Prometheus may know: counts and ages, never a person."""
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Ledger(Collector):
    """Gauges read from the database at each scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            with runtime.reading() as session:
                now = clock.now()
                figures = queries.figures(session, now)
                late = queries.lateness(session, now)
                behind = backlog.backlogs(session, now=now, pace=clock.speed())
                still = stops.standing(session)
                waiting = receipts.count(session)
        except SQLAlchemyError:
            yield _gauge("notifier_database_up", "Whether the database answers", 0)
            return
        yield _gauge("notifier_database_up", "Whether the database answers", 1)
        yield _gauge("notifier_receipts_waiting", "Receipts that are not settled yet", waiting)
        too_late = GaugeMetricFamily(
            "notifier_backlog_too_late", "Due messages that cannot leave before their time is over", labels=["sender"]
        )
        for each in behind:
            too_late.add_metric([each.lane.name], each.too_late)
        yield too_late
        stopped = GaugeMetricFamily("notifier_sender_stopped", "Twilio's code, while it stands", labels=["sender"])
        for name, code in still.items():
            stopped.add_metric([name], code)
        yield stopped
        yield _gauge("notifier_due_backlog", "Messages that are due and have not left", figures.backlog)
        yield _gauge("notifier_inbound_waiting", "Texts and key presses that nobody has read yet", figures.waiting)
        messages = GaugeMetricFamily("notifier_messages", "Messages by state", labels=["state"])
        for state, count in figures.messages.items():
            messages.add_metric([state], count)
        yield messages
        tickets = GaugeMetricFamily(
            "notifier_unresolved_tickets", "Unresolved tickets", labels=["urgency", "role", "state"]
        )
        for labels, count in figures.tickets.items():
            tickets.add_metric(list(labels), count)
        yield tickets
        lateness = GaugeMetricFamily("notifier_late_seconds", "Age of the oldest overdue thing", labels=["what"])
        for name, age in late.by_name().items():
            lateness.add_metric([name], age.total_seconds() / clock.speed())
        yield lateness


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)


registry.register(_Ledger())
