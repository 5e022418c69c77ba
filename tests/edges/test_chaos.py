"""Hundreds of faults while thousands of messages flow; at the end, by the sandbox's own books: none lost, none twice.

`make test` runs it for a short while, `make chaos` for longer; CHAOS_SEED repeats a storm.
"""

import os
import random
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest
from redis import Redis as Line
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from notifier import clock as times
from notifier import runtime, sealing
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel
from notifier.models import Inbound, Message
from notifier.sandbox import Receipts
from tests.clinic import OUR_NUMBER
from tests.edges.test_outages import Running
from tests.servers import wait_until

SECONDS = float(os.environ.get("CHAOS_SECONDS", "25"))
MESSAGES = int(os.environ.get("CHAOS_MESSAGES", "2000"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.randrange(1, 10**6)
UNDER_WAY = (MessageState.PLANNED, MessageState.SENDING, MessageState.UNCERTAIN, MessageState.SENT)


class Storm:
    """Something breaks again and again, all of it drawn from one seed."""

    def __init__(self, running: Running, seed: int) -> None:
        self.running, self.dice = running, random.Random(seed)
        self.struck: Counter[str] = Counter()
        self.faults: list[tuple[int, Callable[[], None]]] = [
            (6, self.twilio_has_a_moment),
            (4, self.kill_a_worker),
            (2, self.kill_the_clock),
            (2, self.kill_a_web_worker),
            (2, self.cut_the_connections),
            (2, self.flush_redis),
            (1, self.restart_redis),
            (1, self.restart_postgres),
        ]

    def strike(self) -> None:
        """One fault."""
        weights, faults = zip(*self.faults, strict=True)
        fault = self.dice.choices(faults, weights)[0]
        self.struck[fault.__name__] += 1
        fault()

    def twilio_has_a_moment(self) -> None:
        """Refuses to listen, fails before or after, hangs up, answers half: for the next few."""
        kinds = ("429", "500", "500-after", "dropped", "dropped-after", "half-a-body", "half-a-body", "hang")
        kind = self.dice.choice(kinds)
        times_over = 1 if kind == "hang" else self.dice.randint(3, 15)
        self.struck[f"twilio: {kind}"] += times_over
        self.running.sandbox.fault(kind, times=times_over)

    def kill_a_worker(self) -> None:
        """In the middle of whatever it does."""
        workers = self.running.workers()
        if workers:
            _kill(self.dice.choice(workers))

    def kill_the_clock(self) -> None:
        """The one that leads or the one that waits."""
        clocks = self.running.processes(b"clock")
        if clocks:
            _kill(self.dice.choice(clocks))
        self.running.run("clock")

    def kill_a_web_worker(self) -> None:
        """gunicorn starts another."""
        webs = self.running.processes(b"web")[1:]
        if webs:
            _kill(self.dice.choice(webs))

    def cut_the_connections(self) -> None:
        """Every session of the database is ended."""
        everyone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        with suppress(psycopg.OperationalError), psycopg.connect(self.running.postgres._dsn("postgres")) as line:
            line.execute(everyone)  # unless it is away already

    def flush_redis(self) -> None:
        """All rings and all buckets are gone."""
        with suppress(RedisError), Line.from_url(self.running.redis.url, socket_timeout=1) as line:
            line.flushall()  # unless it is away already

    def restart_redis(self) -> None:
        """Killed, and empty when it is back."""
        self.running.redis.stop()
        time.sleep(self.dice.uniform(0.2, 2))
        self.running.redis.start()

    def restart_postgres(self) -> None:
        """Stopped at once, and recovered."""
        self.running.postgres.stop()
        time.sleep(self.dice.uniform(0.1, 1))
        self.running.postgres.start()


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it was on its way out
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def running() -> Iterator[Running]:
    """The product as its processes, with two clocks."""
    product = Running(SEND_LEASE_SECONDS="16")  # longer than any call, as it must be
    try:
        product.start()
        product.run("clock")
        yield product
    finally:
        product.stop()


def plan(count: int, start: int) -> None:
    """So many messages that are due now, each with words of its own; in ten one is urgent."""
    now = times.now()
    with runtime.transaction() as session:
        for number in range(start, start + count):
            to = f"+1212{5560000 + number % 400}"
            session.add(
                Message(
                    id=uuid.uuid4(),
                    key=f"chaos:{number}",
                    site_key="newyork",
                    to=to,
                    to_hash=sealing.lookup(to),
                    channel=Channel.SMS,
                    template="verbatim",
                    language="en",
                    values={"text": f"Pharmko: note {number}."},
                    urgent=number % 10 == 0,
                    any_hour=True,
                    due_at=now,
                    not_after=now + timedelta(hours=2),
                    created_at=now,
                )
            )


def again_until_it_works(do: Callable[[], object], timeout: float = 30) -> None:
    """The test itself meets the outages too."""
    end = time.monotonic() + timeout
    while True:
        try:
            do()
        except SQLAlchemyError:
            assert time.monotonic() < end
            time.sleep(0.2)  # it is away, and comes back
        else:
            return


def under_way() -> int:
    with runtime.reading() as session:
        found = select(func.count()).select_from(Message).where(Message.state.in_(UNDER_WAY))
        return session.scalar(found.where(Message.key.like("chaos:%"))) or 0


def settled() -> bool:
    try:
        return under_way() == 0
    except SQLAlchemyError:
        return False


def test_through_hundreds_of_faults_nothing_is_lost_sent_twice_or_stuck(running):
    print(f"CHAOS_SEED={SEED}")
    running.sandbox.receipts = Receipts(delay=0.2, duplicated=0.2, shuffled=0.2, lost=0.05)
    storm = Storm(running, SEED)
    stop = threading.Event()

    def rage() -> None:
        while not stop.wait(storm.dice.uniform(0.05, 0.6)):
            storm.strike()

    raging = threading.Thread(target=rage)
    raging.start()
    texted: list[str] = []
    try:
        parts = max(int(SECONDS), 1)
        for part in range(parts):
            again_until_it_works(lambda part=part: plan(MESSAGES // parts, part * (MESSAGES // parts)))
            phone = running.sandbox.phone(f"+1212557{part:04}")
            phone.texts(f"Is anybody there? {part}", to=OUR_NUMBER)
            texted.append(phone.number)
            time.sleep(SECONDS / parts)
    finally:
        stop.set()
        raging.join()
    running.sandbox.sky.clear()
    running.sandbox.receipts = Receipts(delay=0.2)
    _ask_about_lost_receipts()
    wait_until(settled, "everything has ended", 120)
    _check_the_books(running, texted)
    print(f"{sum(storm.struck.values())} faults: {dict(storm.struck)}")


def _ask_about_lost_receipts() -> None:
    """After half an hour it would be asked by itself; here on demand."""
    from jobs import tasks

    end = time.monotonic() + 90
    while under_way() and time.monotonic() < end:
        tasks.reconcile_all("1")
        time.sleep(1)


def _check_the_books(running: Running, texted: list[str]) -> None:
    total = MESSAGES // max(int(SECONDS), 1) * max(int(SECONDS), 1)
    sent = Counter(text.body for text in running.sandbox.sent if "Pharmko: note" in text.body)
    twice = {body: count for body, count in sent.items() if count > 1}
    assert twice == {}, f"sent twice: {twice}"
    missing = [number for number in range(total) if f"Pharmko: note {number}." not in sent]
    assert missing == [], f"lost: {missing}"
    with runtime.reading() as session:
        states = Counter(session.scalars(select(Message.state).where(Message.key.like("chaos:%"))))
        heard = {inbound.sender for inbound in session.scalars(select(Inbound))}
    assert states == {MessageState.DELIVERED: total}
    assert set(texted) <= heard, "a patient's text is lost"
