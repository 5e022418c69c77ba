"""What makes due things happen: every second the leading clock process looks at the ledger and rings."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from jobs import drain, tasks
from jobs.queue import BULK, ring, waiting
from notifier import (
    calling,
    canary,
    clock,
    inbox,
    noticing,
    pages,
    paging,
    phone_lines,
    promises,
    sending,
    tickets,
    voicemail,
)
from notifier.db import add_once
from notifier.models import Leader
from notifier.runtime import current, reading, transaction
from notifier.sending import receipts

TICK = 1.0
RECONCILE = 2  # its place among what is done regularly
LEASE = timedelta(seconds=10)  # another takes over within 15 s
log = logging.getLogger(__name__)


def leads(session: Session, holder: str) -> bool:
    """Whether this process leads now; if nobody does, it takes the lead."""
    now = clock.real()
    result = session.execute(
        update(Leader)
        .where(Leader.name == "clock", (Leader.holder == holder) | (Leader.until < now))
        .values(holder=holder, until=now + LEASE)
        .returning(Leader.name)
        .execution_options(synchronize_session=False)
    )
    if result.first() is not None:
        return True
    if session.get(Leader, "clock") is not None:
        return False
    return add_once(session, Leader(name="clock", holder=holder, until=now + LEASE), Leader.name)[1]


def step_down(holder: str) -> None:
    """Leave the lead at once, so that another need not wait."""
    with transaction() as session:
        session.execute(
            update(Leader).where(Leader.name == "clock", Leader.holder == holder).values(until=clock.real())
        )


def tick() -> None:
    """Ring for what is due. With Redis away, do here what cannot wait."""
    now = clock.now()
    with reading() as session:
        unread = bool(inbox.waiting(session, limit=1))
        looks = (paging.due_to_escalate, tickets.lapsed, promises.due, noticing.due)
        climbing = any(look(session, now, limit=1) for look in looks)
        climbing = climbing or bool(pages.ringing(session, now))
        urgent = sending.any_urgent(session, now=now)
        bulk = bool(sending.lanes(session, now=now))
        told = receipts.waiting(session, real_now=clock.real())
        calls = calling.wants_a_look(session, now=now, real_now=clock.real())
        calls = calls or bool(voicemail.to_handle(session, real_now=clock.real(), limit=1))
        calls = calls or bool(voicemail.without_words(session, real_now=clock.real(), limit=1))
        numbers = current().settings.looks_up_phones and phone_lines.waiting(
            session, now=now, real_now=clock.real(), pace=clock.speed()
        )
    if told and not ring("settle_receipts", queue=BULK):
        tasks.settle_receipts()
    if (unread or climbing or urgent) and not ring("dispatch"):
        tasks.dispatch()
    wanted = {"look_up_phones": numbers, "drain_bulk": bulk, "look_after_calls": calls}  # numbers first: texts wait
    if any(wanted.values()) and waiting(BULK) == 0:
        for task in (task for task, is_wanted in wanted.items() if is_wanted):
            ring(task, queue=BULK)


def settle() -> bool:
    """Have doubts looked up; with Redis away, here: a page may be among them."""
    if not ring("settle", queue=BULK):
        tasks.settle()
    return True


class Every:
    """Something done again and again, each `seconds` by a clock; at once when `sooner()` was called.

    What could not be done (False) is tried at the next turn.
    """

    def __init__(self, seconds: float, do: Callable[[], bool], time_of: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self.do, self.time_of, self.next = seconds, do, time_of, 0.0

    def sooner(self) -> None:
        """Do it at the next turn."""
        self.next = 0.0

    def turn(self) -> None:
        """Do it if its time has come."""
        if self.time_of() >= self.next:
            self.next = self.time_of() + self.seconds if self.do() else 0.0


def watch() -> bool:
    """Look after the service itself, here: it must not wait behind any queue."""
    try:
        tasks.watch()
    except tasks.JobFailed as fault:
        log.error("the watch failed: %s", fault)
    return True


def run() -> None:
    """Lead or stand by, until told to stop."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    holder = f"{socket.gethostname()}:{os.getpid()}"
    reconciling = Every(300, lambda: ring("reconcile_all", queue=BULK))
    regular = [
        Every(60, watch, lambda: clock.now().timestamp()),
        Every(60, lambda: ring("mind_shifts", queue=BULK), lambda: clock.now().timestamp()),
        Every(canary.EVERY.total_seconds(), lambda: ring("sing", queue=BULK), lambda: clock.now().timestamp()),
        Every(2, settle),
        Every(60, lambda: ring("watch_backlog", queue=BULK)),
        Every(60, lambda: ring("load_files", queue=BULK)),  # a ring that was lost, a worker that died
        reconciling,
        Every(3600, lambda: ring("look_for_pages", queue=BULK)),
        Every(
            3600, lambda: ring("roll_forward", queue=BULK), lambda: clock.now().timestamp()
        ),  # plans live by our clock
    ]
    was_away = False
    while not stop.is_set():
        began = time.monotonic()
        try:
            with transaction() as session:
                leading = leads(session, holder)
            if leading:
                if was_away:  # texts that could not be stored meanwhile are at Twilio: fetch them now
                    reconciling.sooner()
                    was_away = False
                    log.info("the database is back")
                tick()
                for each in regular:
                    each.turn()
        except SQLAlchemyError as error:
            if not was_away:
                log.error("the database is away: %s", type(error).__name__)
            was_away = True
        except Exception as error:  # noqa: BLE001  a fault about one row must not stop the clock for all the others
            log.error("a tick failed: %s", tasks.where(error))
        stop.wait(max(0.0, TICK - (time.monotonic() - began)))
    drain.calls.end()
    try:
        step_down(holder)
    except SQLAlchemyError as error:
        log.warning("the lead could not be left: %s", type(error).__name__)
