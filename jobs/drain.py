"""The engine: what is due is claimed in batches, at its sender's pace, and called out many at a time."""

import logging
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from jobs import pacing
from jobs.calls import Again, Calls, Ends
from jobs.faults import NOT_NOW, JobFailed, each, where
from jobs.queue import ring
from notifier import clock, phone_lines, sending
from notifier.journal import Raced
from notifier.provider import Accepted, Order
from notifier.runtime import current, reading, transaction
from notifier.sending import Lane, quota, stops

CLAIM = 128  # messages in one transaction
PATIENCE = 1.0  # seconds that a job waits for the calls it began; one that hangs goes on without it
DRAIN_SECONDS = 5.0  # then a job rings for another and ends, so that others have their turn
PAUSE = 0.1  # seconds between two looks at senders whose pace is used up, so that one look serves several
NEXT_LOOK = 0.25  # seconds at most between two looks at senders that wait for their turn
log = logging.getLogger(__name__)


def drain_urgent() -> None:
    """Send every urgent message that is due, at once: its senders' pace is made up for by the others."""
    while room := calls.room():
        lease_ends = _lease_ends()
        if (orders := _claim({None: min(room, CLAIM)})) is None:
            break
        calls.begin(orders, lease_ends)
        pacing.settle({name: -segments for name, segments in _used(orders).items()})
    calls.wait(PATIENCE)


def drain_bulk() -> bool:
    """Send every other message that is due (True), or as many as leave in a while (False)."""
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end:
        with reading() as session:
            lanes = sending.lanes(session, now=clock.now())
        if not lanes:
            calls.wait(PATIENCE)
            return True
        time.sleep(min(_drain(lanes), NEXT_LOOK))
        calls.wait_for_room(PATIENCE)
    return False


def _drain(lanes: Sequence[Lane]) -> float:
    """Begin what these senders may send now, all in one claim. Returns the seconds until the next look; 0: at once."""
    room = calls.room()
    if room == 0:
        return 0.0
    some = random.sample(lanes, min(room, len(lanes)))  # where senders are more than lines, each has its turn
    wants = {lane: 1 if lane.on_trial else max(1, min(room // len(some), CLAIM)) for lane in some}
    granted = pacing.take(wants)
    shares = {lane: may for lane, (may, _) in granted.items() if may}
    lease_ends = _lease_ends()
    orders = (_claim(shares) or []) if shares else []
    calls.begin(orders, lease_ends)
    used = _used(orders)
    pacing.settle({lane.name: may - used[lane.name] for lane, may in shares.items()})
    if trials := {lane.name for lane in shares if lane.on_trial}:
        _on_trial.update(trials)
        calls.wait(PATIENCE)
        return NEXT_LOOK
    if any(used[lane.name] >= wants[lane] for lane in shares):
        return 0.0  # its pace allows more, and there may be more
    if orders and all(used[lane.name] < may for lane, (may, _) in granted.items()):
        return 0.0  # nobody's pace is used up: that was all
    return max(PAUSE, min((wait for _, wait in granted.values()), default=0.0))


def _used(orders: Sequence[Order]) -> Counter[str]:
    used: Counter[str] = Counter()
    for order in orders:
        used[order.lane] += order.segments
    return used


def _lease_ends() -> float:
    """By this process's own clock, asked before the claim, so that it never believes to hold longer than it does."""
    return time.monotonic() + current().settings.send_lease_seconds


# --- claiming -----------------------------------------------------------------------------------------------------


def _claim(shares: Mapping[Lane, int] | Mapping[None, int]) -> list[Order] | None:
    """A batch of orders, claimed in a committed transaction. None: nothing is due.

    `shares`: how many segments (calls) each sender may send now; for None: how many urgent messages, whosever they are.
    """
    ids: list[UUID] = []
    try:
        with transaction() as session:
            rooms: dict[str, float] = {}
            for lane, may in shares.items():
                room = quota.left(session, lane, may, cap=current().settings.tmobile_daily_cap, now=clock.now())
                ids += sending.due(session, lane, now=clock.now(), limit=may) if room else ()
                rooms |= {lane.name: room} if lane else {}
            orders = _claim_all(session, ids, rooms)
    except (*NOT_NOW, Raced):
        raise
    except Exception as error:  # noqa: BLE001  one of them is at fault: each by itself, so that the others leave
        log.error("a batch could not be claimed: %s", where(error))
        orders = [order for message_id in ids for order in _claim_apart(message_id)]
    return orders if ids else None


def _claim_all(session: Session, ids: Sequence[UUID], rooms: Mapping[str, float]) -> list[Order]:
    settings = current().settings
    orders = sending.claim_all(
        session,
        ids,
        catalog=current().catalog,
        public_base_url=settings.public_base_url,
        now=clock.now(),
        real_now=clock.real(),
        lease=timedelta(seconds=settings.send_lease_seconds),
        rooms=rooms,
        calls_at_once=settings.calls_at_once,
        line_hold=phone_lines.HOLD * clock.speed() if settings.looks_up_phones else timedelta(),
    )
    if settings.tmobile_daily_cap:
        quota.spend(session, _used(orders), now=clock.now())
    return orders


def _claim_apart(message_id: UUID) -> list[Order]:
    """One message alone; one that we cannot make ready is put off, and expires in the end as any other would."""
    try:
        with transaction() as session:
            return _claim_all(session, [message_id], {})
    except NOT_NOW:
        raise
    except Exception as error:  # noqa: BLE001  logged and journalled, stripped
        log.error("message %s could not be made ready: %s", message_id, where(error))
        with transaction() as session:
            sending.put_off(session, message_id, where(error), now=clock.now(), pace=clock.speed())
        return []


# --- how calls ended ----------------------------------------------------------------------------------------------


def _record(ends: Ends) -> None:
    """What was taken in one transaction; the rest, from which tickets may follow, each in its own."""
    taken = [end for end in ends if isinstance(end[1], Accepted)]
    others = [[end] for end in ends if not isinstance(end[1], Accepted)]
    try:
        try:
            _record_together(taken)
        except NOT_NOW:
            raise
        except Exception as error:  # noqa: BLE001  one of them is at fault: each by itself
            log.error("%d ends could not be written down together: %s", len(taken), where(error))
            others += [[end] for end in taken]
        each(_record_together, others)
    except NOT_NOW as error:
        raise Again(type(error).__name__) from None
    except JobFailed:
        log.warning("left to their leases: they are settled as doubts")
    if others:
        ring("dispatch")  # a call may have taken a text's place, or a ticket been opened


def _record_together(ends: Ends) -> None:
    if not ends:
        return
    mended = {order.lane for order, outcome in ends if isinstance(outcome, Accepted)} & _on_trial
    with transaction() as session:
        sending.record_outcomes(
            session,
            {UUID(order.attempt_id): outcome for order, outcome in ends},
            catalog=current().catalog,
            now=clock.now(),
            real_now=clock.real(),
            pace=clock.speed(),
        )
        lifted = stops.lift(session, mended, arrived=False)
    _on_trial.difference_update(mended)
    if lifted:
        log.warning("can send again: %s", ", ".join(lifted))


_on_trial: set[str] = set()  # senders that could not send, and of which one message is out
calls = Calls(_record)
