"""Every RQ job. A job takes ids as text, returns nothing, may run twice, and reads as a sentence."""

import functools
import logging
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from rq.timeouts import BaseTimeoutException
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session

from jobs.queue import BULK, ring
from notifier import clock, enrolment, import_runs, inbox, paging, reconcile, sending, tickets
from notifier.core.states import ImportState
from notifier.core.vocabulary import Channel
from notifier.provider import Accepted, Order, Outcome, Seen, Unavailable, Unreachable
from notifier.runtime import current, reading, rehearsing, transaction

THREADS = 32
# The time is up, the database is away or busy, or Twilio is away: no row is at fault.
NOT_NOW = (BaseTimeoutException, OperationalError, InterfaceError, NoConnection, Unreachable)
DRAIN_SECONDS = 5.0  # then a job rings for another and ends: with the last calls it is over before a stop is forced
log = logging.getLogger(__name__)


class JobFailed(Exception):
    """What went wrong and where, without a word of anybody's: RQ keeps this in Redis."""


def where(error: BaseException) -> str:
    """The kind of an error and the line that raised it; its message may quote a patient and is left out."""
    if isinstance(error, JobFailed):
        return str(error)
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


def each(do: Callable[[Any], object], rows: Iterable[object]) -> None:
    """Do it for every row. One that fails stands in nobody's way: the others are done first, then the job fails."""
    faults = []
    for row in rows:
        try:
            do(row)
        except NOT_NOW:
            raise
        except Exception as error:  # noqa: BLE001  raised below, stripped
            faults.append(where(error))
            log.error("passed over by %s: %s %s", do.__name__, row if isinstance(row, UUID) else "", faults[-1])
    if faults:
        raise JobFailed("; ".join(faults))


@job
def attend(inbound_id: str) -> None:
    """Read one text and act on it, and send at once what it planted."""
    _attend(UUID(inbound_id))
    drain_urgent()


@job
def dispatch() -> None:
    """All that cannot wait: texts nobody has read, tickets whose next rung is due, urgent messages."""
    each(_do, (attend_waiting, lapse, escalate, drain_urgent))


def _do(part: Callable[[], object]) -> None:
    part()


def attend_waiting() -> None:
    """Read every text that nobody has read yet."""
    with reading() as session:
        waiting = inbox.waiting(session)
    each(_attend, waiting)


def _attend(inbound_id: UUID, *, readable: bool = True) -> None:
    try:
        with transaction() as session:
            inbox.attend(session, inbound_id, catalog=current().catalog, now=clock.now(), readable=readable)
    except NOT_NOW:
        raise  # the database is away or busy: the row stays as it is, and the next tick tries again
    except Exception as error:  # noqa: BLE001  a fault of ours must not stand between a patient and a nurse
        log.error("could not read inbound %s: %s", inbound_id, where(error))
        with transaction() as session:
            enough = inbox.failed_to_read(session, inbound_id)
        if enough and readable:
            _attend(inbound_id, readable=False)


def lapse() -> None:
    """Open again what was acknowledged and then left."""
    with transaction() as session:
        tickets.lapse(session, catalog=current().catalog, now=clock.now())


def escalate() -> None:
    """Climb what is overdue."""
    with reading() as session:
        due = [ticket.id for ticket in paging.due_to_escalate(session, clock.now())]
    each(_escalate, due)


def _escalate(ticket_id: UUID) -> None:
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
    """Send until nothing is due (True) or the time is up (False). Threads call Twilio; this one keeps the books.

    One call that hangs holds one thread, and nobody else.
    """
    end = time.monotonic() + DRAIN_SECONDS
    calls: dict[Future[Outcome], Order] = {}
    with ThreadPoolExecutor(THREADS) as threads:
        while True:
            free, orders = THREADS - len(calls), None
            if free >= THREADS // 4 and time.monotonic() < end:
                lease_ends = time.monotonic() + current().settings.send_lease_seconds
                orders = _claim(urgent=urgent, limit=free)
                calls |= {threads.submit(_send, order, lease_ends): order for order in orders or ()}
            if not calls:
                if orders is None:
                    return time.monotonic() < end
                continue
            done, _ = wait(calls, timeout=1, return_when=FIRST_COMPLETED)
            _record({UUID(calls.pop(call).attempt_id): call.result() for call in done})


def _send(order: Order, lease_ends: float) -> Outcome:
    if time.monotonic() > lease_ends:  # this process was frozen: others may have settled this one since
        return Unavailable("held too long")
    return current().twilio.send(order)  # no transaction is open here


def _record(outcomes: Mapping[UUID, Outcome]) -> None:
    """What was taken in one transaction; the rest, from which tickets may follow, each in its own."""
    taken = {attempt: outcome for attempt, outcome in outcomes.items() if isinstance(outcome, Accepted)}
    _record_together(taken)
    with suppress(JobFailed):  # logged; its lease runs out, and it is settled as a doubt
        each(_record_together, [{attempt: outcome} for attempt, outcome in outcomes.items() if attempt not in taken])


def _record_together(outcomes: Mapping[UUID, Outcome]) -> None:
    if outcomes:
        with transaction() as session:
            sending.record_outcomes(
                session,
                outcomes,
                catalog=current().catalog,
                now=clock.now(),
                real_now=clock.real(),
                pace=clock.speed(),
            )


def _claim(*, urgent: bool, limit: int) -> list[Order] | None:
    """A batch of orders, claimed in a committed transaction. None: nothing is due."""
    ids: Sequence[UUID] = ()
    try:
        with transaction() as session:
            ids = sending.due(session, urgent=urgent, now=clock.now(), limit=limit)
            orders = _claim_all(session, ids)
    except NOT_NOW:
        raise
    except Exception as error:  # noqa: BLE001  one of them is at fault: each by itself, so that the others leave
        log.error("a batch could not be claimed: %s", where(error))
        orders = [order for message_id in ids for order in _claim_apart(message_id)]
    return orders if ids else None


def _claim_all(session: Session, ids: Sequence[UUID]) -> list[Order]:
    settings = current().settings
    return sending.claim_all(
        session,
        ids,
        catalog=current().catalog,
        public_base_url=settings.public_base_url,
        now=clock.now(),
        real_now=clock.real(),
        lease=timedelta(seconds=settings.send_lease_seconds),
    )


def _claim_apart(message_id: UUID) -> list[Order]:
    """One message alone; one that we cannot make ready is put off, and expires in the end as any other would."""
    try:
        with transaction() as session:
            return _claim_all(session, [message_id])
    except NOT_NOW:
        raise
    except Exception as error:  # noqa: BLE001  logged and journalled, stripped
        log.error("message %s could not be made ready: %s", message_id, where(error))
        with transaction() as session:
            sending.put_off(session, message_id, where(error), now=clock.now(), pace=clock.speed())
        return []


@job
def settle() -> None:
    """Expired leases become doubts; doubts whose next look is due are looked up at Twilio."""
    with transaction() as session:
        sending.reap(session, now=clock.now(), real_now=clock.real())
    with reading() as session:
        doubts = reconcile.doubts(session, looks=current().settings.uncertain_looks, real_now=clock.real())
    _while_twilio_answers(_look, doubts)


def _while_twilio_answers(ask: Callable[[Any], object], rows: Iterable[object]) -> None:
    try:
        each(ask, rows)
    except Unreachable as error:
        log.warning("Twilio could not be asked: %s", error)


def _look(doubt: reconcile.Doubt) -> None:
    runtime = current()
    listed = runtime.twilio.outbound(doubt.channel, doubt.to)
    with transaction() as session:
        found = reconcile.match(doubt, listed, reconcile.known_sids(session, listed))
        looks = runtime.settings.uncertain_looks
        reconcile.settle(session, doubt, found, looks=looks, catalog=runtime.catalog, now=clock.now())


def fetch_receipts() -> None:
    """Ask Twilio about what it took long ago and told nothing more about."""
    with reading() as session:
        silent = reconcile.without_receipt(session, real_now=clock.real())
    _while_twilio_answers(_fetch_receipt, silent)


def _fetch_receipt(silent: tuple[UUID, Channel, str]) -> None:
    attempt_id, channel, sid = silent
    seen = current().twilio.fetch(channel, sid)
    with transaction() as session:
        reconcile.record_look(session, attempt_id, seen, catalog=current().catalog, now=clock.now())


def catch_up(hours: str = "") -> None:
    """Fetch the texts that came in while we could not take them. `hours`: so far back at least."""
    now = clock.now()
    with reading() as session:
        numbers = reconcile.numbers_to_read(session)
        since = reconcile.read_since(session, now)
    if hours:
        since = min(since, now - timedelta(hours=float(hours)))
    try:
        listed = [seen for number in numbers for seen in current().twilio.inbound(number, since)]
    except Unreachable as error:
        log.warning("Twilio could not be asked for inbound texts: %s", error)
        return
    with reading() as session:
        missing = reconcile.unknown(session, listed)
    each(_take_in, missing)  # one that fails keeps the mark where it is, so that it is fetched again
    with transaction() as session:
        reconcile.mark_read(session, now)


def _take_in(seen: Seen) -> None:
    with transaction() as session:
        inbound_id = reconcile.take_in(session, seen, now=clock.now())
    if inbound_id:
        ring("attend", str(inbound_id))


@job
def reconcile_all(hours: str = "") -> None:
    """Everything that makes our books agree with Twilio's; the texts first."""
    each(_do, (functools.partial(catch_up, hours), settle, fetch_receipts))


@job
def roll_forward() -> None:
    """Plan what has come within the horizon."""
    with transaction() as session:
        enrolment.roll_forward(session, catalog=current().catalog, now=clock.now())


IMPORT_SECONDS = 40.0  # then a job rings for another and ends


@job
def load_files() -> None:
    """Rehearse the files that were dropped in the console, and load those that somebody wants loaded."""
    with reading() as session:
        waiting = import_runs.waiting(session, real_now=clock.real())
    each(_work_on_file, waiting)
    with transaction() as session:
        import_runs.forget(session, now=clock.now())


def _work_on_file(run_id: UUID) -> None:
    end, catalog = time.monotonic() + IMPORT_SECONDS, current().catalog
    with transaction() as session:
        run = import_runs.claim(session, run_id, real_now=clock.real())
        found = import_runs.checked(session, run, catalog=catalog, now=clock.now()) if run else None
        portions = list(import_runs.portions(run, found)) if run and found else []
    if run is None or found is None:
        return
    loading = run.state is ImportState.LOADING
    for rows in portions:
        if not loading:
            with rehearsing() as session:
                done = import_runs.work(session, rows, found, catalog=catalog, now=clock.now(), by=run.by)
        with transaction() as session:
            if loading:
                done = import_runs.work(session, rows, found, catalog=catalog, now=clock.now(), by=run.by)
            import_runs.note_progress(session, run_id, done, real_now=clock.real())
        if time.monotonic() > end:
            with transaction() as session:
                import_runs.let_go(session, run_id)
            ring("load_files", queue=BULK)
            return
    with transaction() as session:
        import_runs.finish(session, run_id, now=clock.now())
