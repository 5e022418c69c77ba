"""The engine: how fast what is due leaves beside the naive program, how late, and what it costs with many rows."""

import io
import json
import os
import random
import resource
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import requests
from redis import Redis as Line
from rq import Queue, Worker
from sqlalchemy import func, insert, select, text
from twilio.request_validator import RequestValidator

from jobs import drain, queue
from notifier import clock, migrations, pharmacy, runtime, sealing, sending
from notifier.config import Settings
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel
from notifier.models import Attempt, Inbound, Message, Receipt, Site
from tests.clinic import OUR_NUMBER, PHARMACY
from tests.servers import Postgres, Redis, free_port, wait_until
from tests.world import TOKEN, settings_for

DELAY_MS = 100
DUE, NAIVE = 10_000, 40
FAST = PHARMACY.replace("sender_rate = 1000", "sender_rate = 100000")
NOT_YET = (MessageState.PLANNED, MessageState.SENDING)


@dataclass
class Place:
    """PostgreSQL, Redis and a Twilio that says yes, for one measurement, and the product's settings for all of them."""

    postgres: Postgres
    redis: Redis
    stub: str
    web: str
    env: dict[str, str]

    @contextmanager
    def running(self, *commands: tuple[str, ...]) -> Iterator[list[subprocess.Popen[bytes]]]:
        """These processes of the product, until the end of the block."""
        children = [
            subprocess.Popen(
                [sys.executable, "-m", "notifier", *command],
                env={**os.environ, **self.env, "LOG_FORMAT": "text"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            for command in commands
        ]
        try:
            yield children
        finally:
            for child in children:
                child.send_signal(signal.SIGTERM)
            for child in children:
                child.wait(40)

    def arrivals(self) -> dict[str, float]:
        """When (Unix time) each message reached Twilio since this was asked last, by its words."""
        lines = requests.get(self.stub, timeout=10).text.splitlines()
        return {words: float(at) for at, _, words in (line.partition(" ") for line in lines)}


@contextmanager
def place(delay_ms: float = DELAY_MS) -> Iterator[Place]:
    """Everything started, and nothing left behind."""
    postgres, redis, port, web = Postgres(), Redis(), free_port(), free_port()
    stub = subprocess.Popen([sys.executable, "-m", "tests.bench.stub", str(port), str(delay_ms)])
    try:
        urls = f"http://127.0.0.1:{web}", f"http://127.0.0.1:{port}"
        env = settings_for(postgres.database(), redis.url, *urls) | {"SEND_LEASE_SECONDS": "60"}
        os.environ.update(env)
        queue.connection.cache_clear()
        parts = runtime.configure(Settings.from_env(env))
        migrations.upgrade(parts.engine)
        with runtime.transaction() as session:
            pharmacy.apply(session, FAST, now=clock.now(), by="bench")
        wait_until(lambda: _listens(port), "the stub listens")
        yield Place(postgres, redis, urls[1], urls[0], env)
    finally:
        drain.calls.end()
        stub.kill()
        stub.wait()
        runtime.current().engine.dispose()
        queue.connection.cache_clear()
        redis.remove()
        postgres.remove()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def plan_messages(
    count: int, name: str, *, urgent: bool = False, ahead: float = 0.0, site: str = "newyork"
) -> datetime:
    """So many messages to staff, due in `ahead` seconds: the whole path with sealing and journal. Returns when due."""
    now = clock.now()
    due = now + timedelta(seconds=ahead)
    common = {"site_key": site, "channel": Channel.SMS, "template": "verbatim", "language": "en"}
    facts = {"urgent": urgent, "any_hour": True, "due_at": due, "not_after": due + timedelta(hours=1)}
    rows = [
        {
            "key": f"{name}:{number}",
            "to": (to := f"+1212{5550000 + number % 9999:07}"),
            "to_hash": sealing.lookup(to),
            "values": {"text": f"{name} {number}"},
            "created_at": now,
            **common,
            **facts,
        }
        for number in range(count)
    ]
    with runtime.transaction() as session:
        session.execute(insert(Message), rows)
    return due


def unsent(name: str) -> int:
    """How many of these messages are not written down as sent."""
    with runtime.reading() as session:
        left = (
            select(func.count()).select_from(Message).where(Message.state.in_(NOT_YET), Message.key.like(f"{name}:%"))
        )
        return session.scalar(left) or 0


def wait_for(name: str, timeout: float = 300) -> None:
    """Until all of these messages are written down as sent; asked so seldom that it costs nothing."""
    end = time.monotonic() + timeout
    while unsent(name):
        assert time.monotonic() < end, f"{name} do not leave"
        time.sleep(0.25)


def cpu_of(pids: list[int]) -> float:
    """Seconds of CPU that these processes have used."""
    tick = os.sysconf("SC_CLK_TCK")
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(each[11]) + int(each[12]) for each in fields) / tick


def children_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes that it has started."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def load() -> str:
    """What else the machine does."""
    return f"(load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"


# --- throughput ---------------------------------------------------------------------------------------------------


def naive(place: Place) -> tuple[float, float]:
    """Messages a second and CPU milliseconds a message of one preloaded forking RQ worker with a job a message."""
    line = Line.from_url(place.redis.url)
    line.flushall()
    jobs = Queue("naive", connection=line)
    due = datetime.now(UTC)
    for number in range(NAIVE):
        jobs.enqueue_at(due, "tests.bench.naive.send", f"+1212555{number:04}", f"naive {number}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began, used = time.perf_counter(), time.process_time()
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    Worker([jobs], connection=line).work(burst=True, with_scheduler=True, logging_level="ERROR")
    for each, handler in handlers.items():
        signal.signal(each, handler)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() - used + after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert len(place.arrivals()) == NAIVE
    return NAIVE / seconds, cpu * 1000 / NAIVE


def throughput(place: Place, processes: int = 2) -> tuple[float, float, float]:
    """The same of the product's own processes, from the first claim to the last outcome; and PostgreSQL's CPU."""
    name = f"due{random.randrange(10**6)}"
    with place.running(("worker", "--processes", str(processes)), ("clock",)) as (worker, _):
        wait_until(lambda: len(children_of(worker)) == processes + 1, "the workers start")
        plan_messages(1, f"first-{name}")
        wait_for(f"first-{name}")
        pids = children_of(worker)
        plan_messages(DUE, name, ahead=4)
        used, beside = cpu_of(pids), cpu_of(children_of(place.postgres.process))
        wait_for(name)
        used, beside = cpu_of(pids) - used, cpu_of(children_of(place.postgres.process)) - beside
    with runtime.reading() as session:
        ours = Message.key.like(f"{name}:%")
        span = select(func.min(Attempt.began), func.max(Message.sent_at)).join(
            Message, Message.id == Attempt.message_id
        )
        began, ended = session.execute(span.where(ours)).one()
        assert session.scalar(select(func.count()).select_from(Attempt).join(Message).where(ours)) == DUE
    return DUE / (ended - began).total_seconds(), used * 1000 / DUE, beside * 1000 / DUE


# --- pace ---------------------------------------------------------------------------------------------------------


def paced(place: Place, senders: int, rate: float, seconds: int) -> tuple[list[float], float]:
    """How much of its rate each sender used while it had more to send, the least first; and the most in any 5 s.

    Both as shares of the rate: two worker processes share the senders.
    """
    with runtime.transaction() as session:
        known = session.get_one(Site, "newyork")
        facts = {column.key: getattr(known, column.key) for column in Site.__table__.columns}
        for n in range(senders):
            own = {"key": f"pace{senders}-{n}", "sms_from": f"+1212{5570000 + senders * 100 + n}", "sender_rate": rate}
            session.add(Site(**{**facts, **own, "messaging_service": None}))
    place.arrivals()
    with place.running(("worker", "--processes", "2"), ("clock",)) as (worker, _):
        wait_until(lambda: len(children_of(worker)) == 3, "the workers start")
        plan_messages(1, f"warm-pace{senders}")
        wait_for(f"warm-pace{senders}")
        for n in range(senders):
            plan_messages(int(rate * seconds), f"pace{senders}-{n}", site=f"pace{senders}-{n}", ahead=2)
        for n in range(senders):
            wait_for(f"pace{senders}-{n}")
    at: dict[str, list[float]] = {}
    for words, moment in place.arrivals().items():
        if words.startswith(f"pace{senders}-"):
            at.setdefault(words.split()[0], []).append(moment)
    shares = [(len(times) - 1) / (max(times) - min(times)) / rate for times in at.values()]
    most = max(sum(start <= each < start + 5 for each in times) for times in at.values() for start in times)
    return sorted(shares), most / 5 / rate


# --- lateness -----------------------------------------------------------------------------------------------------


def lateness(place: Place, count: int = 100) -> list[float]:
    """Seconds from due to Twilio, one message at a time, with workers that have nothing else to do."""
    place.arrivals()
    with place.running(("worker", "--processes", "1"), ("clock",)):
        plan_messages(1, "warm")
        wait_for("warm")
        due = {}
        for number in range(count):
            name = f"late{number}"
            due[f"{name} 0"] = plan_messages(1, name, ahead=0.3).timestamp()
            time.sleep(random.uniform(0.1, 0.4))
        wait_for(f"late{count - 1}")
    arrived = place.arrivals()
    return sorted(arrived[name] - at for name, at in due.items())


def overtaking(place: Place, count: int = 20) -> list[float]:
    """Seconds from due to Twilio of what is urgent, while a backlog of reminders is on its way out."""
    place.arrivals()
    with place.running(("worker", "--processes", "1"), ("clock",)):
        plan_messages(1, "again")
        wait_for("again")
        plan_messages(DUE, "backlog")
        wait_until(lambda: unsent("backlog") < DUE, "the backlog moves")
        due = {}
        for number in range(count):
            name = f"urgent{number}"
            due[f"{name} 0"] = plan_messages(1, name, urgent=True).timestamp()
            queue.ring()  # as whoever plants something urgent does
            time.sleep(0.2)
        behind = unsent("backlog")
        wait_for("urgent")
        wait_for(f"urgent{count - 1}")
    assert behind, "the backlog was gone before"
    arrived = place.arrivals()
    return sorted(arrived[name] - at for name, at in due.items())


def of(sizes: list[float], share: float) -> float:
    """The value below which so large a share lies."""
    return sizes[min(int(len(sizes) * share), len(sizes) - 1)]


# --- receipts -----------------------------------------------------------------------------------------------------


def receipts(place: Place, rate: int = 300, seconds: int = 10) -> tuple[float, list[float], float]:
    """Receipts a second that the web side took, the seconds that replies took meanwhile, and its CPU milliseconds."""
    with runtime.reading() as session:
        attempts = session.execute(select(Attempt.id, Attempt.provider_sid).limit(rate * seconds)).all()
    signer, took = RequestValidator(TOKEN), []
    done = [0]
    web = ("web", "--bind", place.web.removeprefix("http://"))
    with place.running(web, ("worker", "--processes", "1"), ("clock",)) as (serving, *_):
        wait_until(lambda: _listens(int(place.web.rsplit(":", 1)[1])), "the web side listens")
        posts = [
            (url := f"{place.web}/twilio/status/{attempt}", form := {"MessageSid": sid, "MessageStatus": "delivered"},
             signer.compute_signature(url, form))
            for attempt, sid in attempts
        ]  # fmt: skip
        pids = children_of(serving)
        used, start = cpu_of(pids), time.monotonic() + 0.5

        def post(mine: list[Any], first: int, step: int) -> None:
            with requests.Session() as line:
                for place_in_line, (url, form, signature) in enumerate(mine):
                    wait = start + (first + place_in_line * step) / rate - time.monotonic()
                    time.sleep(max(wait, 0))
                    assert line.post(url, form, headers={"X-Twilio-Signature": signature}, timeout=20).ok
                    done[0] += 1

        threads = [threading.Thread(target=post, args=(posts[each::8], each, 8)) for each in range(8)]
        for thread in threads:
            thread.start()
        url = f"{place.web}/twilio/sms"
        with requests.Session() as line:
            number = 0
            while any(thread.is_alive() for thread in threads):
                number += 1
                form = {"MessageSid": f"SM{uuid.uuid4().hex}", "From": f"+12125558{number:03}", "To": OUR_NUMBER}
                form |= {"Body": "thank you", "NumMedia": "0"}
                signature = signer.compute_signature(url, form)
                began = time.monotonic()
                assert line.post(url, form, headers={"X-Twilio-Signature": signature}, timeout=20).ok
                took.append(time.monotonic() - began)
                time.sleep(0.05)
        spent, used = time.monotonic() - start, cpu_of(pids) - used
        wait_until(lambda: not _count(Receipt), "all are settled", 60)
    assert _count(Inbound) >= len(took)
    return done[0] / spent, sorted(took), used * 1000 / (done[0] + len(took))


def _count(table: Any) -> int:
    with runtime.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


# --- many rows ----------------------------------------------------------------------------------------------------

COLUMNS = (
    'id, key, site_key, "to", to_hash, channel, template, language, "values", matters, urgent, any_hour, '
    "after_opt_out, state, due_at, not_after, attempts, created_at"
)


def fill(place: Place, rows: int) -> None:
    """So many messages planned for the months to come, by COPY."""
    seal = sealing.keyring().seal
    to, values = (f"\\x{seal(words).hex()}" for words in ("+12125551000", json.dumps({"text": "later"})))
    hashed, now = sealing.lookup("+12125551000"), clock.now()
    with psycopg.connect(place.env["DATABASE_URL"].replace("+psycopg", "")) as line, line.cursor() as cursor:
        with cursor.copy(f"COPY message ({COLUMNS}) FROM STDIN") as copy:
            for start in range(0, rows, 10_000):
                lines = io.StringIO()
                for number in range(start, min(start + 10_000, rows)):
                    due = now + timedelta(days=1, seconds=number % 7_776_000)
                    lines.write(
                        f"{uuid.uuid4()}\tlater:{rows}:{number}\tnewyork\t\\{to}\t{hashed}\tsms\tverbatim\ten\t\\{values}\t"
                        f"f\tf\tt\tf\tplanned\t{due.isoformat()}\t{due.isoformat()}\t0\t{now.isoformat()}\n"
                    )
                copy.write(lines.getvalue())
        line.commit()
        line.autocommit = True
        line.execute("VACUUM ANALYZE message")


def cost(place: Place, name: str, count: int = 3000) -> float:
    """Milliseconds of CPU, ours and PostgreSQL's, that claiming one message takes."""
    plan_messages(count, name)
    spent, claimed, server = time.process_time(), 0, children_of(place.postgres.process)
    beside = cpu_of(server)
    with runtime.reading() as session:
        [lane] = sending.lanes(session, now=clock.now())
    while claimed < count:
        claimed += len(drain._claim({lane: drain.CLAIM}) or ())
    return (time.process_time() - spent + cpu_of(server) - beside) * 1000 / count


def plan_of_the_claim() -> str:
    """How PostgreSQL finds what is due."""
    statement = (
        "EXPLAIN SELECT id FROM message WHERE state = 'planned' AND NOT urgent AND channel = 'sms' "
        "AND site_key IN ('newyork') AND due_at <= now() ORDER BY due_at, template LIMIT 128 FOR UPDATE SKIP LOCKED"
    )
    with runtime.reading() as session:
        return " ".join(line.strip() for line in session.scalars(text(statement)))


# --- all of it ----------------------------------------------------------------------------------------------------


def run() -> None:
    """Measure everything but the cost of many rows, and print it."""
    with place() as one:
        slow_rate, slow_cpu = naive(one)
        runs = [throughput(one) for _ in range(3)]
        rate, (_, cpu, beside) = max(runs)[0], statistics.median_low(runs)
        print(f"Twilio answers after {DELAY_MS} ms; PostgreSQL, Redis and it run on this machine. {load()}")
        print(f"  one job a message, one forking worker:  {slow_rate:8.1f} messages/s  {slow_cpu:6.2f} ms CPU each")
        print(f"  notifier, two worker processes, {DUE}:  {rate:8.1f} messages/s  {cpu:6.2f} ms CPU each")
        print(f"    and PostgreSQL {beside:.2f} ms; {rate / slow_rate:.0f} times as fast;", end=" ")
        print("its runs:", ", ".join(f"{each[0]:.0f}/s" for each in runs))
        for senders, a_second, seconds in ((1, 20.0, 15), (40, 1.0, 20)):
            shares, most = paced(one, senders, a_second, seconds)
            each = "one sender" if senders == 1 else f"{senders} senders"
            print(f"Pace of {each} at {a_second:.0f}/s: {statistics.median(shares):.1%} of it used", end=" ")
            print(f"(the least {shares[0]:.1%}), at most {most:.2f} times it in any five seconds {load()}")
        late = lateness(one)
        print(f"From due to Twilio, idle: p50 {of(late, 0.5):.2f} s, p99 {of(late, 0.99):.2f} s {load()}")
        ahead = overtaking(one)
        print(f"Urgent ahead of a backlog of {DUE}: p50 {of(ahead, 0.5):.2f} s, worst {ahead[-1]:.2f} s {load()}")
        taken, took, each_cpu = receipts(one)
        print(f"Receipts: {taken:.0f}/s taken at {each_cpu:.2f} ms CPU each; replies meanwhile", end=" ")
        print(f"p50 {of(took, 0.5) * 1000:.0f} ms, p99 {of(took, 0.99) * 1000:.0f} ms {load()}")


def many_rows(rows: int = 1_000_000) -> None:
    """What claiming costs with ten thousand planned rows and with many."""
    with place() as one:
        cost(one, "warm-up", 500)
        found = {}
        for size in (10_000, rows):
            fill(one, size)
            found[size] = statistics.median(cost(one, f"claim-{size}-{turn}") for turn in range(3))
        for size, ms in found.items():
            print(f"Claiming one message with {size} rows planned: {ms:.2f} ms CPU, ours and PostgreSQL's {load()}")
        print(f"  {plan_of_the_claim()}")
