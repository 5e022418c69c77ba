"""`make bench`: how fast what is due leaves, beside the naive program; and what understanding one reply costs."""

import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from datetime import timedelta

from redis import Redis as Line
from rq import Queue, Worker
from sqlalchemy import func, select

from jobs import queue, tasks
from notifier import clock, migrations, pharmacy, runtime, sealing
from notifier.catalog import load
from notifier.config import Settings
from notifier.core import triage
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel
from notifier.models import Message
from tests.clinic import PHARMACY
from tests.servers import Postgres, Redis, free_port, wait_until
from tests.world import settings_for

DELAY_MS = 100
OURS, NAIVE = 2000, 60
REPLIES = ["FEVER", "no fever but my arm is swollen", "me falta una jeringa", "thanks so much!", "pump is beeping 102"]


def plan_messages(count: int) -> None:
    """So many messages to staff, due now: the whole path with sealing and journal, without a patient's consent."""
    now = clock.now()
    with runtime.transaction() as session:
        for number in range(count):
            to = f"+1212{5550000 + number % 9999:07}"
            session.add(
                Message(
                    key=f"bench:{number}",
                    site_key="newyork",
                    to=to,
                    to_hash=sealing.lookup(to),
                    channel=Channel.SMS,
                    template="verbatim",
                    language="en",
                    values={"text": f"Pharmko: reminder {number}"},
                    any_hour=True,
                    due_at=now,
                    not_after=now + timedelta(hours=1),
                    created_at=now,
                )
            )


def ours() -> tuple[float, float]:
    """Messages a second and CPU milliseconds a message of one worker process that drains the ledger."""
    plan_messages(OURS)
    began, used = time.perf_counter(), time.process_time()
    while True:
        tasks.drain_bulk()
        with runtime.reading() as session:
            left = session.scalar(
                select(func.count()).select_from(Message).where(Message.state == MessageState.PLANNED)
            )
        if not left:
            break
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    return OURS / seconds, cpu * 1000 / OURS


def naive(redis_url: str) -> tuple[float, float]:
    """The same of one preloaded forking RQ worker with a job a message."""
    line = Line.from_url(redis_url)
    line.flushall()
    jobs = Queue("naive", connection=line)
    for number in range(NAIVE):
        jobs.enqueue("tests.bench.naive.send", f"+1212555{number:04}", f"reminder {number}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began, used = time.perf_counter(), time.process_time()
    Worker([jobs], connection=line).work(burst=True, logging_level="ERROR")
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() - used + after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return NAIVE / seconds, cpu * 1000 / NAIVE


def understanding() -> float:
    """Milliseconds of CPU to understand one reply, the median of many."""
    rules = load().rules
    spent = []
    for _ in range(200):
        for text in REPLIES:
            began = time.process_time()
            triage.read(text, rules)
            spent.append(time.process_time() - began)
    return statistics.median(spent) * 1000


def main() -> None:
    """Start what is needed, measure, print, leave nothing behind."""
    postgres, redis, port = Postgres(), Redis(), free_port()
    stub = subprocess.Popen([sys.executable, "-m", "tests.bench.stub", str(port), str(DELAY_MS)])
    try:
        env = settings_for(postgres.database(), redis.url, "http://127.0.0.1:1", f"http://127.0.0.1:{port}")
        os.environ.update(env)
        parts = runtime.configure(Settings.from_env(env))
        migrations.upgrade(parts.engine)
        with runtime.transaction() as session:
            pharmacy.apply(session, PHARMACY, now=clock.now(), by="bench")
        wait_until(lambda: _listens(port), "the stub listens")
        slow_rate, slow_cpu = naive(redis.url)
        rate, cpu = ours()
        print(f"Twilio answers after {DELAY_MS} ms; PostgreSQL, Redis and it run on this machine.")
        print(f"  one job a message, one forking worker: {slow_rate:8.1f} messages/s  {slow_cpu:6.2f} ms CPU each")
        print(f"  notifier, one worker process:          {rate:8.1f} messages/s  {cpu:6.2f} ms CPU each")
        print(f"  ratio:                                 {rate / slow_rate:8.1f} times")
        print(f"Understanding one reply: {understanding():.2f} ms CPU")
    finally:
        stub.kill()
        stub.wait()
        runtime.current().engine.dispose()
        queue.connection.cache_clear()
        redis.remove()
        postgres.remove()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    if sys.argv[1:] == ["console"]:
        from tests.bench import console

        console.main()
    else:
        main()
