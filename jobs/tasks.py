"""Every RQ job. A job takes ids as text, returns nothing, may run twice, and reads as a sentence."""

import functools
import logging
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

from rq.timeouts import BaseTimeoutException
from sqlalchemy.exc import SQLAlchemyError

from jobs.queue import BULK, ring
from notifier import clock, enrolment, inbox, paging, reconcile, sending, tickets
from notifier.provider import Order, Unreachable
from notifier.runtime import current, reading, transaction

THREADS = 32
DRAIN_SECONDS = 20.0  # after this a job rings for another and ends, so that a worker never looks dead
log = logging.getLogger(__name__)


class JobFailed(Exception):
    """What went wrong and where, without a word of anybody's: RQ keeps this in Redis."""


def where(error: BaseException) -> str:
    """The kind of an error and the line that raised it; its message may quote a patient and is left out."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.name} ({last.filename.rsplit('/', 1)[-1]}:{last.lineno})"


def job(do: Callable[..., None]) -> Callable[..., None]:
    """A function as a job: its errors reach the log and Redis without their words."""

    @functools.wraps(do)
    def safely(*ids: str) -> None:
        try:
            do(*ids)
        except BaseTimeoutException:
            raise
        except Exception as error:  # noqa: BLE001  raised again, stripped
            raise JobFailed(where(error)) from None

    return safely


@job
def attend(inbound_id: str) -> None:
    """Read one text and act on it, and send at once what it planted."""
    _attend(UUID(inbound_id))
    drain_urgent()


@job
def dispatch() -> None:
    """All that cannot wait: texts nobody has read, tickets whose next rung is due, urgent messages."""
    with reading() as session:
        waiting = inbox.waiting(session)
    for inbound_id in waiting:
        _attend(inbound_id)
    escalate()
    drain_urgent()


def _attend(inbound_id: UUID, *, readable: bool = True) -> None:
    try:
        with transaction() as session:
            inbox.attend(session, inbound_id, catalog=current().catalog, now=clock.now(), readable=readable)
    except (BaseTimeoutException, SQLAlchemyError):
        raise  # the database is away or busy: the row stays as it is, and the next tick tries again
    except Exception as error:  # noqa: BLE001  a fault of ours must not stand between a patient and a nurse
        log.error("could not read inbound %s: %s", inbound_id, where(error))
        with transaction() as session:
            enough = inbox.failed_to_read(session, inbound_id)
        if enough and readable:
            _attend(inbound_id, readable=False)


def escalate() -> None:
    """Reopen what has lapsed and climb what is overdue."""
    with transaction() as session:
        tickets.lapse(session, catalog=current().catalog, now=clock.now())
    with reading() as session:
        due = [ticket.id for ticket in paging.due_to_escalate(session, clock.now())]
    for ticket_id in due:
        with transaction() as session:
            ticket = tickets.get(session, ticket_id)
            paging.escalate(session, ticket, catalog=current().catalog, now=clock.now())


def drain_urgent() -> None:
    """Send every urgent message that is due."""
    _drain(urgent=True)


@job
def drain_bulk() -> None:
    """Send every other message that is due, for a while; then ring for another to go on."""
    if not _drain(urgent=False):
        ring("drain_bulk", queue=BULK)


def _drain(*, urgent: bool) -> bool:
    """Send in batches until nothing is due (True) or the time is up (False)."""
    end = time.monotonic() + DRAIN_SECONDS
    with ThreadPoolExecutor(THREADS) as threads:
        while time.monotonic() < end:
            orders = _claim(urgent=urgent)
            if orders is None:
                return True
            for sent in [threads.submit(_send, order) for order in orders]:
                sent.result()
    return False


def _claim(*, urgent: bool) -> list[Order] | None:
    """A batch of orders, each claimed in a committed transaction. None: nothing is due."""
    settings = current().settings
    with transaction() as session:
        ids = sending.due(session, urgent=urgent, now=clock.now(), limit=THREADS)
        claimed = [
            sending.claim(
                session,
                message_id,
                catalog=current().catalog,
                public_base_url=settings.public_base_url,
                now=clock.now(),
                real_now=clock.real(),
                lease=timedelta(seconds=settings.send_lease_seconds),
            )
            for message_id in ids
        ]
    return [order for order in claimed if order] if ids else None


def _send(order: Order) -> None:
    outcome = current().twilio.send(order)  # no transaction is open here
    with transaction() as session:
        sending.record_outcome(
            session,
            UUID(order.attempt_id),
            outcome,
            catalog=current().catalog,
            now=clock.now(),
            real_now=clock.real(),
        )


@job
def settle() -> None:
    """Expired leases become doubts; doubts whose next look is due are looked up at Twilio."""
    runtime, looks = current(), current().settings.uncertain_looks
    with transaction() as session:
        sending.reap(session, now=clock.now(), real_now=clock.real())
    with reading() as session:
        doubts = reconcile.doubts(session, looks=looks, real_now=clock.real())
    for doubt in doubts:
        try:
            since = min(doubt.began, doubt.started_at) - timedelta(minutes=5)
            listed = runtime.twilio.outbound(doubt.channel, doubt.to, since)
        except Unreachable as error:
            log.warning("Twilio could not be asked about a doubt: %s", error)
            return
        with transaction() as session:
            found = reconcile.match(doubt, listed, reconcile.known_sids(session, listed))
            reconcile.settle(session, doubt, found, looks=looks, catalog=runtime.catalog, now=clock.now())


def fetch_receipts() -> None:
    """Ask Twilio about what it took long ago and told nothing more about."""
    with reading() as session:
        silent = reconcile.without_receipt(session, clock.now())
    for attempt_id, channel, sid in silent:
        try:
            seen = current().twilio.fetch(channel, sid)
        except Unreachable as error:
            log.warning("Twilio could not be asked for a receipt: %s", error)
            return
        if seen is not None:
            with transaction() as session:
                sending.record_receipt(
                    session,
                    attempt_id,
                    sid=sid,
                    status=seen.status,
                    error_code=seen.error_code,
                    catalog=current().catalog,
                    now=clock.now(),
                )


def catch_up(hours: str = "") -> None:
    """Fetch the texts that came in while we could not take them. `hours`: how far back; else since the last time."""
    now = clock.now()
    with reading() as session:
        numbers = reconcile.numbers_to_read(session)
        since = now - timedelta(hours=float(hours)) if hours else reconcile.read_since(session, now)
    for number in numbers:
        try:
            listed = list(current().twilio.inbound(number, since))
        except Unreachable as error:
            log.warning("Twilio could not be asked for inbound texts: %s", error)
            return
        with transaction() as session:
            new = reconcile.take_in(session, listed, now=now)
        for inbound_id in new:
            ring("attend", str(inbound_id))
    with transaction() as session:
        reconcile.mark_read(session, now)


@job
def reconcile_all(hours: str = "") -> None:
    """Everything that makes our books agree with Twilio's."""
    settle()
    fetch_receipts()
    catch_up(hours)


@job
def roll_forward() -> None:
    """Plan what has come within the horizon."""
    with transaction() as session:
        enrolment.roll_forward(session, catalog=current().catalog, now=clock.now())
