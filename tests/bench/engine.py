"""The engine: how fast what is due leaves, what one message costs, how late it is, and what an urgent one waits."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from jobs import queue, tasks
from notifier import clock, migrations, pharmacy, runtime, sealing
from notifier.config import Settings
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel
from notifier.models import Attempt, Message
from tests.clinic import PHARMACY
from tests.servers import Postgres, Redis, free_port, wait_until
from tests.world import settings_for

DELAY_MS = 100

FAST = PHARMACY.replace("sender_rate = 1000", "sender_rate = 100000")


@dataclass
class Place:
    """PostgreSQL, Redis and a Twilio that says yes, for one measurement; the product's settings for all of them."""

    postgres: Postgres
    redis: Redis
    stub: int
    web: str
    env: dict[str, str]

    def run(self, *command: str) -> subprocess.Popen[bytes]:
        """One process of the product."""
        return subprocess.Popen(
            [sys.executable, "-m", "notifier", *command],
            env={**os.environ, **self.env, "LOG_FORMAT": "text"},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )


@contextmanager
def place(delay_ms: float = DELAY_MS) -> Iterator[Place]:
    """Everything started, and nothing left behind."""
    postgres, redis, port, web = Postgres(), Redis(), free_port(), free_port()
    stub = subprocess.Popen([sys.executable, "-m", "tests.bench.stub", str(port), str(delay_ms)])
    try:
        url = f"http://127.0.0.1:{web}"
        env = settings_for(postgres.database(), redis.url, url, f"http://127.0.0.1:{port}")
        env["SEND_LEASE_SECONDS"] = "60"
        os.environ.update(env)
        queue.connection.cache_clear()
        parts = runtime.configure(Settings.from_env(env))
        migrations.upgrade(parts.engine)
        with runtime.transaction() as session:
            pharmacy.apply(session, FAST, now=clock.now(), by="bench")
        wait_until(lambda: listens(port), "the stub listens")
        yield Place(postgres, redis, port, url, env)
    finally:
        tasks.drain.calls.end()
        stub.kill()
        stub.wait()
        runtime.current().engine.dispose()
        queue.connection.cache_clear()
        redis.remove()
        postgres.remove()


def listens(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def plan_messages(count: int, *, name: str = "bench", urgent: bool = False, ahead: float = 0.0) -> None:
    """So many messages to staff, due now: the whole path with sealing and journal, without a patient's consent."""
    now = clock.now() + timedelta(seconds=ahead)
    rows = []
    for number in range(count):
        to = f"+1212{5550000 + number % 9999:07}"
        rows.append(
            {
                "key": f"{name}:{number}",
                "site_key": "newyork",
                "to": to,
                "to_hash": sealing.lookup(to),
                "channel": Channel.SMS,
                "template": "verbatim",
                "language": "en",
                "values": {"text": f"Pharmko: reminder {number}"},
                "urgent": urgent,
                "any_hour": True,
                "due_at": now,
                "not_after": now + timedelta(hours=1),
                "created_at": now,
            }
        )
    with runtime.transaction() as session:
        session.execute(
            Message.__table__.insert(),
            [
                row
                | {
                    "id": sealing_id(),
                    "matters": False,
                    "after_opt_out": False,
                    "attempts": 0,
                    "state": MessageState.PLANNED,
                }
                for row in rows
            ],
        )


def sealing_id():
    import uuid

    return uuid.uuid4()


def unsent() -> int:
    """How many messages are not written down as sent."""
    with runtime.reading() as session:
        not_yet = Message.state.in_((MessageState.PLANNED, MessageState.SENDING))
        return session.scalar(select(func.count()).select_from(Message).where(not_yet)) or 0


def cpu_of(pids: list[int]) -> float:
    """Seconds of CPU that these processes have used."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / tick
    return total


def workers_of(root: subprocess.Popen[bytes]) -> list[int]:
    """The processes that a supervisor has started."""
    found = Path(f"/proc/{root.pid}/task/{root.pid}/children").read_text().split()
    return [int(pid) for pid in found]


def throughput(p: Place, count: int = 10_000, processes: int = 2) -> tuple[float, float]:
    """Messages a second and CPU milliseconds a message of the workers: claim to written outcome, with the clock."""
    worker, ticking = p.run("worker", "--processes", str(processes)), p.run("clock")
    try:
        wait_until(lambda: len(workers_of(worker)) == processes + 1, "the workers start")
        plan_messages(1, name="first")
        wait_until(lambda: not unsent(), "the first has left")
        pids = workers_of(worker)
        plan_messages(count, ahead=3)
        used = cpu_of(pids)
        wait_until(lambda: unsent() == 0, "all have left", 300)
        used = cpu_of(pids) - used
        with runtime.reading() as session:
            mine = (
                select(func.min(Attempt.began), func.max(Message.sent_at))
                .join(Message)
                .where(Message.key.like("bench:%"))
            )
            began, ended = session.execute(mine).one()
    finally:
        for child in (worker, ticking):
            child.send_signal(signal.SIGTERM)
        for child in (worker, ticking):
            child.wait(30)
    return count / (ended - began).total_seconds(), used * 1000 / count


if __name__ == "__main__":
    with place() as p:
        n = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
        if "procs" in sys.argv:
            pg = [int(x) for x in os.popen(f"pgrep -P {p.postgres.process.pid}").read().split()]
            print(throughput(p, n), os.getloadavg())
        else:
            plan_messages(n)
            if "profile" in sys.argv:
                import cProfile
                import pstats

                prof = cProfile.Profile()
            began, used = time.perf_counter(), time.process_time()
            while unsent():
                if "profile" in sys.argv:
                    prof.runcall(tasks.drain.drain_bulk)
                else:
                    tasks.drain.drain_bulk()
            tasks.drain.calls.wait(10)
            s, c = time.perf_counter() - began, time.process_time() - used
            print(f"{n / s:.0f}/s {c * 1000 / n:.3f} ms CPU", os.getloadavg())
            if "profile" in sys.argv:
                pstats.Stats(prof).sort_stats("tottime").print_stats(25)
