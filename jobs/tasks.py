"""Every RQ job. A job takes ids as text, returns nothing, may run twice, and reads as a sentence."""

import functools
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from jobs import drain, links, singing
from jobs.drain import drain_urgent
from jobs.faults import NOT_NOW, JobFailed, each, job, where
from jobs.queue import BULK, ring
from notifier import (
    auditor,
    calling,
    canary,
    clock,
    enrolment,
    import_runs,
    inbox,
    noticing,
    pages,
    paging,
    phone_lines,
    promises,
    reconcile,
    sending,
    tickets,
    voicemail,
    watching,
)
from notifier.core.states import ImportState
from notifier.core.vocabulary import Channel
from notifier.enrolment import landlines
from notifier.models import Recording
from notifier.provider import Seen, Unreachable
from notifier.runtime import current, reading, rehearsing, transaction
from notifier.sending import backlog, receipts

__all__ = ["JobFailed", "each", "where"]
BATCH = 500
PLANS = 200  # rolled forward in one transaction
TOGETHER = 24  # texts that are read before what they planted is sent
log = logging.getLogger(__name__)


@job
def attend(inbound_id: str) -> None:
    """Read one text and act on it, and send at once what it planted.

    With it go others that came while we spoke to Twilio, red flags first: else each would wait for the answers about
    the one before.
    """
    attend_waiting(limit=TOGETHER)
    _attend(UUID(inbound_id))
    drain_urgent()


@job
def dispatch() -> None:
    """All that cannot wait: texts nobody has read, watches and rungs that are due, broken promises, urgent messages."""
    each(_do, (hush, attend_waiting, notice, lapse, escalate, keep_promises, drain_urgent))


def _do(part: Callable[[], object]) -> None:
    part()


def attend_waiting(*, limit: int = 200) -> None:
    """Read every text that nobody has read yet."""
    with reading() as session:
        waiting = inbox.waiting(session, limit=limit)
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


def notice() -> None:
    """Tell staff what has not happened."""
    with reading() as session:
        due = noticing.due(session, clock.now())
    each(_tell, due)


def _tell(watch_id: UUID) -> None:
    with transaction() as session:
        noticing.tell(session, watch_id, catalog=current().catalog, now=clock.now())


def hush() -> None:
    """Hang up on staff whose phones still ring for what somebody has by now."""
    with reading() as session:
        calls = pages.ringing(session, clock.now())
    _while_twilio_answers(lambda call: current().twilio.stop_ringing(call.sid), calls)


def lapse() -> None:
    """Open again what was acknowledged and then left."""
    with reading() as session:
        left = tickets.lapsed(session, clock.now())
    each(_lapse, left)


def _lapse(ticket_id: UUID) -> None:
    with transaction() as session:
        tickets.lapse(session, tickets.get(session, ticket_id), catalog=current().catalog, now=clock.now())


def escalate() -> None:
    """Climb what is overdue."""
    with reading() as session:
        due = paging.due_to_escalate(session, clock.now())
    each(_escalate, due)


def _escalate(ticket_id: UUID) -> None:
    with transaction() as session:
        ticket = tickets.get(session, ticket_id)
        paging.escalate(session, ticket, catalog=current().catalog, now=clock.now())


def keep_promises() -> None:
    """Follow up what was promised and did not come."""
    with reading() as session:
        due = promises.due(session, clock.now())
    each(_keep_promise, due)


def _keep_promise(ticket_id: UUID) -> None:
    with transaction() as session:
        promises.follow(session, ticket_id, catalog=current().catalog, now=clock.now())


def watch() -> None:
    """Each minute: was the canary heard, and has all that was due happened?"""
    each(_do, (_watch_canary, _audit))


@job
def mind_shifts() -> None:
    """Hand over to whoever has come on call, and tell the supervisor daily of holes in the rota."""
    with transaction() as session:
        watching.shifts(session, now=clock.now())
    with reading() as session:
        sites = watching.to_lint(session, clock.now())
    each(_lint, sites)


def _lint(site_key: str) -> None:
    with transaction() as session:
        watching.lint(session, site_key, now=clock.now())


def _watch_canary() -> None:
    with transaction() as session:
        canary.listen(session, catalog=current().catalog, now=clock.now())


def _audit() -> None:
    with transaction() as session:
        wrong = watching.breaches(session, current().settings, now=clock.now(), pace=clock.speed())
        auditor.tell_operations(session, wrong, now=clock.now())


@job
def sing() -> None:
    """Send the canary: an invented patient's text, posted to our own address as Twilio would post it."""
    settings = current().settings
    if not settings.canary_sings:
        return
    now = clock.now()
    with transaction() as session:
        song = canary.set_up(session, settings.canary_number, now=now)
        canary.sang(session, now)
    singing.post(song, settings)


@job
def drain_bulk() -> None:
    """Send every other message that is due, for a while; then ring for another to go on."""
    if not drain.drain_bulk():
        ring("drain_bulk", queue=BULK)


@job
def settle_receipts() -> None:
    """What Twilio told of messages since: those that only move forward together, the others each by itself."""
    while True:
        with transaction() as session:
            batch = receipts.settle(session, now=clock.now(), real_now=clock.real(), limit=BATCH)
        each(_settle_receipt, batch.apart)
        if batch.apart:
            ring("dispatch")  # a call may have taken a text's place, or a ticket been opened
        if batch.looked_at < BATCH:
            return


def _settle_receipt(receipt_id: int) -> None:
    try:
        with transaction() as session:
            receipts.settle_one(session, receipt_id, catalog=current().catalog, now=clock.now(), pace=clock.speed())
    except NOT_NOW:
        raise
    except Exception:
        with transaction() as session:
            receipts.put_off(session, receipt_id, real_now=clock.real())
        raise


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
        reconcile.settle(
            session, doubt, found, looks=looks, catalog=runtime.catalog, now=clock.now(), pace=clock.speed()
        )


def fetch_receipts() -> None:
    """Ask Twilio about what it took long ago and told nothing more about."""
    with reading() as session:
        silent = reconcile.without_receipt(session, real_now=clock.real())
    _while_twilio_answers(_fetch_receipt, silent)


def compare(hours: str) -> None:
    """Ask Twilio about everything of the last hours whose end we do not know."""
    with reading() as session:
        open_ends = reconcile.on_their_way(session, since=clock.real() - timedelta(hours=float(hours)))
    _while_twilio_answers(_compare_one, open_ends)


def _compare_one(open_end: tuple[UUID, Channel, str]) -> None:
    attempt_id, channel, sid = open_end
    seen = current().twilio.fetch(channel, sid)
    with transaction() as session:
        reconcile.record_answer(session, attempt_id, seen, catalog=current().catalog, now=clock.now())


def _fetch_receipt(silent: tuple[UUID, Channel, str]) -> None:
    attempt_id, channel, sid = silent
    seen = current().twilio.fetch(channel, sid)
    with transaction() as session:
        reconcile.record_look(session, attempt_id, seen, catalog=current().catalog, now=clock.now())


def find_owners() -> None:
    """Receipts of texts that we did not know, and do by now, are settled after all."""
    with transaction() as session:
        found = receipts.find_owners(session, real_now=clock.real())
    if found:
        settle_receipts()


def catch_up(hours: str = "") -> None:
    """Fetch the texts that came in while we could not take them. `hours`: so far back at least."""
    now = clock.now()
    with reading() as session:
        numbers, services = reconcile.numbers_to_read(session)
        since = reconcile.read_since(session, now)
    if hours:
        since = min(since, now - timedelta(hours=float(hours)))
    try:
        twilio = current().twilio
        numbers += [number for service in services for number in twilio.numbers_of(service)]
        listed = [seen for number in sorted(set(numbers)) for seen in twilio.inbound(number, since)]
    except Unreachable as error:
        log.warning("Twilio could not be asked for inbound texts: %s", error)
        return
    with reading() as session:
        missing = reconcile.unknown(session, listed)
    stops = [seen for seen in missing if reconcile.wants_no_more(seen, current().catalog)]
    each(_take_in_at_once, stops)
    each(_take_in, [seen for seen in missing if seen not in stops])  # one that fails keeps the mark where it is
    with transaction() as session:
        reconcile.mark_read(session, now)


def _take_in_at_once(seen: Seen) -> None:
    with transaction() as session:
        inbound_id = reconcile.take_in(session, seen, catalog=current().catalog, now=clock.now())
    if inbound_id:
        _attend(inbound_id)


def _take_in(seen: Seen) -> None:
    with transaction() as session:
        inbound_id = reconcile.take_in(session, seen, catalog=current().catalog, now=clock.now())
    if inbound_id:
        ring("attend", str(inbound_id))


@job
def reconcile_all(hours: str = "") -> None:
    """Everything that makes our books agree with Twilio's; the texts first."""
    parts = [functools.partial(catch_up, hours), settle, fetch_receipts, find_owners]
    each(_do, [*parts, functools.partial(compare, hours)] if hours else parts)


@job
def look_for_pages() -> None:
    """Look whether the pages that our texts name are there."""
    links.look_for_pages()


@job
def watch_backlog() -> None:
    """Tell a person of what matters and cannot leave in time."""
    with transaction() as session:
        backlog.tell(session, catalog=current().catalog, now=clock.now(), pace=clock.speed())


@job
def roll_forward() -> None:
    """Plan what has come within the horizon, some plans at a time."""
    with reading() as session:
        ids = enrolment.to_roll_forward(session, now=clock.now())
    each(_roll_forward, [ids[n : n + PLANS] for n in range(0, len(ids), PLANS)])


def _roll_forward(ids: Sequence[UUID]) -> None:
    with transaction() as session:
        enrolment.roll_forward(session, catalog=current().catalog, now=clock.now(), ids=ids)


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


LOOKUP_SECONDS, LOOKUP_PAUSE = 2.0, 0.02  # a job asks so long, and leaves so much between two numbers


@job
def look_up_phones() -> None:
    """Ask Twilio what kind of line new numbers are, one after the other; those who have a landline are called."""
    end = time.monotonic() + LOOKUP_SECONDS
    while current().settings.looks_up_phones and time.monotonic() < end:
        with transaction() as session:
            number = phone_lines.take(session, now=clock.now(), real_now=clock.real(), pace=clock.speed())
        if number is None:
            return
        try:
            kind = current().twilio.line_type(number.phone)  # no transaction is open here
        except Unreachable as error:
            log.warning("Twilio Lookup did not answer: %s", error)
            with transaction() as session:
                phone_lines.put_off(session, number, real_now=clock.real())
            return
        with transaction() as session:
            landlines.learn(session, number.phone, kind, catalog=current().catalog, by="twilio", now=clock.now())
            phone_lines.release(session, number.phone_hash, phone_lines.HOLD * clock.speed(), now=clock.now())
        time.sleep(LOOKUP_PAUSE)


# --- calls ----------------------------------------------------------------------------------------------------------


@job
def look_after_calls() -> None:
    """What was said and not confirmed is taken as heard; calls without an end are asked about; recordings fetched."""
    each(_do, (take_as_heard, ask_about_calls, miss_words, fetch_recordings))


def take_as_heard() -> None:
    """They hung up while we read back to them."""
    with reading() as session:
        calls = calling.unconfirmed(session, clock.now())
    each(_take_as_heard, calls)


def _take_as_heard(call_id: UUID) -> None:
    with transaction() as session:
        inbound_id = calling.take_as_heard(session, call_id, now=clock.now())
    if inbound_id:
        ring("attend", str(inbound_id))


def ask_about_calls() -> None:
    """Ask Twilio about calls that began long ago and of whose end nobody has told."""
    with reading() as session:
        endless = calling.without_end(session, real_now=clock.real())
    _while_twilio_answers(_ask_about_call, endless)


def _ask_about_call(endless: tuple[UUID, str]) -> None:
    call_id, sid = endless
    seen = current().twilio.fetch(Channel.VOICE, sid)
    is_over = seen is None or seen.status in receipts.FINAL
    with transaction() as session:
        attempt_id = calling.record_look(session, call_id, is_over, catalog=current().catalog, now=clock.now())
        if attempt_id and seen and is_over:
            reconcile.record_look(session, attempt_id, seen, catalog=current().catalog, now=clock.now())


def miss_words() -> None:
    """Have a nurse listen to messages whose words should have come by now."""
    with reading() as session:
        late = voicemail.without_words(session, real_now=clock.real())
    each(_miss_words, late)


def _miss_words(recording_id: UUID) -> None:
    with transaction() as session:
        row = session.get_one(Recording, recording_id, with_for_update=True)
        voicemail.no_words(session, row, catalog=current().catalog, now=clock.now())
    ring("dispatch")


def fetch_recordings() -> None:
    """Fetch the messages that callers left, keep them sealed, and have Twilio forget them."""
    with reading() as session:
        rows = voicemail.to_handle(session, real_now=clock.real())
        waiting = [(row.id, row.provider_sid, row.fetched_at is None) for row in rows]
    each(_fetch_recording, waiting)


def _fetch_recording(waiting: tuple[UUID, str, bool]) -> None:
    recording_id, sid, is_new = waiting
    try:
        if is_new:
            sound = current().twilio.recording(sid)
            with transaction() as session:
                voicemail.fetched(session, recording_id, sound, now=clock.now())
        current().twilio.forget_recording(sid)
    except Unreachable as error:
        log.warning("a recording could not be fetched: %s", error)
        with transaction() as session:
            voicemail.put_off(session, recording_id, real_now=clock.real())
        return
    with transaction() as session:
        voicemail.forgotten(session, recording_id, now=clock.now())
