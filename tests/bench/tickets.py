"""How soon a nurse is paged while the house is busy, and what a tick costs with 100,000 open tickets.

`python -m tests.bench.tickets`, or as a part of `make bench`.
"""

import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from sqlalchemy import func, insert, select, text
from twilio.request_validator import RequestValidator
from urllib3.util import Retry

from jobs import clock as ticking
from jobs import queue, tasks
from notifier import clock, migrations, runtime, sealing
from notifier.config import Settings
from notifier.core.states import MessageState, TicketState
from notifier.core.vocabulary import Channel, Consent, Role, Source, Urgency
from notifier.models import Contact, Inbound, Message, OnCallShift, Patient, Site, Staff, Ticket
from tests.servers import Postgres, Redis, free_port, wait_until
from tests.world import TOKEN, settings_for

SITES, SECONDS, A_SECOND, REMINDERS, TICKETS = 60, 20, 50, 10_000, 100_000
MIX = ["FEVER"] * 5 + ["can't breathe"] * 5 + ["OK"] * 60 + ["yes"] * 20 + ["please pick up the empty sharps box"] * 10
NUMBER = re.compile(r"#(\d+)")


def pharmacy(sites: int) -> None:
    """So many sites, each with a nurse and a backup of its own."""
    with runtime.transaction() as session:
        for n in range(sites):
            site = Site(
                key=f"s{n}",
                name=f"Site {n}",
                brand="Pharmko",
                timezone="America/New_York",
                sms_from=f"+1212555{n:04}",
                voice_from=f"+1212555{n:04}",
                phone="+18005550100",
                languages=["en"],
            )
            session.add(site)
            session.flush()
            for rung in (0, 1):
                phone = f"+1646555{2 * n + rung:04}"
                nurse = Staff(key=f"n{n}-{rung}", name=f"Nurse {n}-{rung}", roles=["nurse"], sites=[site.key])
                nurse.phone, nurse.phone_hash, nurse.languages = phone, sealing.lookup(phone), ["en"]
                session.add(nurse)
                session.flush()
                session.add(OnCallShift(site=site.key, role=Role.NURSE, rung=rung, staff_id=nurse.id, days=[]))


def patients(count: int) -> list[tuple[str, str]]:
    """So many patients who agreed to texts: (their phone, the number that they text)."""
    now, found = clock.now(), []
    with runtime.transaction() as session:
        for n in range(count):
            phone = f"+1917{2_000_000 + n:07}"
            patient = Patient(
                id=uuid.uuid4(),
                site_key=f"s{n % SITES}",
                external_id=f"P{n}",
                given_name="Ivy",
                family_name=f"Mock{n}",
                timezone="America/New_York",
                welcomed=True,
                created_at=now,
            )
            session.add(patient)
            session.add(
                Contact(
                    patient_id=patient.id,
                    name="Ivy",
                    phone=phone,
                    phone_hash=sealing.lookup(phone),
                    language="en",
                    channel=Channel.SMS,
                    sms_consent=Consent.GIVEN,
                    created_at=now,
                )
            )
            found.append((phone, f"+1212555{n % SITES:04}"))
    return found


def reminders(count: int) -> None:
    """So many bulk messages, due now."""
    now = clock.now()
    with runtime.transaction() as session:
        for n in range(count):
            to = f"+1718{1_000_000 + n:07}"
            session.add(
                Message(
                    key=f"bench:{n}",
                    site_key=f"s{n % SITES}",
                    to=to,
                    to_hash=sealing.lookup(to),
                    channel=Channel.SMS,
                    template="verbatim",
                    language="en",
                    values={"text": f"Pharmko: reminder {n}"},
                    any_hour=True,
                    due_at=now,
                    not_after=now + timedelta(hours=1),
                    created_at=now,
                )
            )


# --- a reply becomes a page ---------------------------------------------------------------------------------------


def reply(url: str, sid: str, sender: str, to: str, body: str, session: requests.Session) -> float:
    """Twilio posts one text. Returns when it began (Unix time)."""
    form = {"MessageSid": sid, "From": sender, "To": to, "Body": body, "NumMedia": "0"}
    signature = RequestValidator(TOKEN).compute_signature(url, form)
    began = time.time()
    session.post(url, data=form, headers={"X-Twilio-Signature": signature}, timeout=30).raise_for_status()
    return began


def _line() -> requests.Session:
    """A connection that tries again when an idle one was closed, as Twilio does where `#rc` asks for it."""
    line = requests.Session()
    line.mount("http://", HTTPAdapter(max_retries=Retry(total=3, allowed_methods=None, backoff_factor=0.1)))
    return line


def storm(url: str, people: list[tuple[str, str]]) -> dict[str, tuple[float, str]]:
    """Fifty replies a second, each at its moment: sid -> (when it was posted, what it said)."""
    pick, lines = random.Random(7), [requests.Session() for _ in range(32)]
    plan = [(n / A_SECOND, f"SM{n:032x}", *person, pick.choice(MIX)) for n, person in enumerate(people)]
    start = time.time() + 0.5

    def post(n: int) -> tuple[str, float, str]:
        at, sid, sender, to, body = plan[n]
        time.sleep(max(0.0, start + at - time.time()))
        return sid, reply(url, sid, sender, to, body, lines[n % len(lines)]), body

    with ThreadPoolExecutor(32) as threads:
        return {sid: (began, body) for sid, began, body in threads.map(post, range(len(plan)))}


def waits(sent: dict[str, tuple[float, str]], book: Path) -> tuple[list[float], list[float], list[float], int]:
    """Seconds from the webhook to the first page that covers the ticket: those at once, those bundled; to the answer.

    And how many red flags were never paged.
    """
    first_page: dict[int, float] = {}
    first_answer: dict[str, float] = {}
    last_page: dict[str, float] = {}
    bundled: set[int] = set()
    for line in book.read_text(encoding="utf-8").splitlines():
        at, to, body = line.split("\t", 2)
        if "Reply A" in body:
            waited = float(at) - last_page.get(to, 0.0) < 65 and "EMERGENCY" not in body
            for number in map(int, NUMBER.findall(body)):
                if number not in first_page:
                    first_page[number] = float(at)
                    bundled |= {number} if waited else set()
            last_page[to] = float(at)
        else:
            first_answer.setdefault(to, float(at))
    at_once, later, missing = [], [], 0
    with runtime.reading() as session:
        red = select(Inbound.provider_sid, Ticket.number).join(Ticket, Ticket.id == Inbound.ticket_id)
        red = red.where(Ticket.urgency.in_((Urgency.EMERGENCY, Urgency.URGENT)))
        for sid, number in session.execute(red):
            if number not in first_page:
                missing += 1
                continue
            (later if number in bundled else at_once).append(first_page[number] - sent[sid][0])
        senders = {row.provider_sid: row.sender for row in session.scalars(select(Inbound))}
    answers = [first_answer[senders[sid]] - began for sid, (began, _) in sent.items() if senders[sid] in first_answer]
    return at_once, later, answers, missing


def p(values: list[float], part: float) -> float:
    """A percentile; of nothing nothing."""
    return statistics.quantiles(values, n=1000)[round(part * 10) - 1] if len(values) > 1 else (values or [0.0])[0]


def under_load() -> None:
    """Fifty replies a second beside ten thousand reminders, through the real web, workers and clock."""
    postgres, redis, web, ear = Postgres(), Redis(), free_port(), free_port()
    folder = tempfile.TemporaryDirectory()
    book = Path(folder.name) / "book"
    book.touch()
    processes: list[subprocess.Popen[bytes]] = []
    try:
        env = settings_for(postgres.database(), redis.url, f"http://127.0.0.1:{web}", f"http://127.0.0.1:{ear}")
        env |= {"SEND_LEASE_SECONDS": "60", "CANARY_MODE": "off"}
        os.environ.update(env)
        os.environ.pop("NOTIFIER_CLOCK", None)
        queue.connection.cache_clear()
        migrations.upgrade(runtime.configure(Settings.from_env(env)).engine)
        pharmacy(SITES)
        people = patients(SECONDS * A_SECOND)

        def start(*command: str) -> None:
            processes.append(subprocess.Popen([sys.executable, "-m", *command], stderr=subprocess.DEVNULL))

        start("tests.bench.ear", str(ear), "100", str(book))
        start("notifier", "web", "--bind", f"127.0.0.1:{web}")
        start("notifier", "worker", "--processes", "1")
        start("notifier", "clock")
        wait_until(lambda: _answers(f"http://127.0.0.1:{web}/healthz"), "the web answers", 60)
        wait_until(lambda: queue.waiting(queue.URGENT) == 0, "the workers work", 60)
        time.sleep(5)  # until every process has imported what it needs
        reminders(REMINDERS)
        sent = storm(f"http://127.0.0.1:{web}/twilio/sms", people)
        left = _left()
        wait_until(_all_read, "every text was read", 120)
        time.sleep(65)  # until the last bundle has left
        at_once, later, answers, missing = waits(sent, book)
        print(f"{A_SECOND} replies/s for {SECONDS} s beside {REMINDERS} reminders ({left} of them left after it):")
        for what, found in (("first page, at once", at_once), ("page in a bundle", later), ("safe answer", answers)):
            print(f"  webhook -> {what:20} p50 {p(found, 50):6.2f} s  p99 {p(found, 99):6.2f} s  ({len(found)})")
        print(f"  red flags without a page: {missing}")
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
        _close(postgres, redis)
        folder.cleanup()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _left() -> int:
    with runtime.reading() as session:
        planned = select(func.count()).select_from(Message).where(Message.state == MessageState.PLANNED)
        return session.scalar(planned.where(Message.urgent.is_(False))) or 0


def _all_read() -> bool:
    with runtime.reading() as session:
        return not session.scalar(select(func.count()).select_from(Inbound).where(Inbound.state == "received"))


# --- a hundred thousand open tickets ------------------------------------------------------------------------------


def many_tickets(count: int) -> None:
    """So many unresolved tickets, of which none is due: three open ones to one that somebody has."""
    now = clock.now()
    later = now + timedelta(days=1)
    rows = []
    for n in range(count):
        taken = n % 4 == 0
        rows.append(
            {
                "id": uuid.uuid4(),
                "number": 1_000 + n,
                "site_key": f"s{n % SITES}",
                "subject": f"sender:{n}",
                "role": Role.NURSE,
                "kinds": ["UNKNOWN"],
                "urgency": Urgency.ROUTINE,
                "source": Source.SMS,
                "text": "please call me",
                "state": TicketState.ACKNOWLEDGED if taken else TicketState.OPEN,
                "step": 1,
                "rung": 1,
                "ladder_from": now,
                "escalate_at": None if taken else later + timedelta(seconds=n),
                "respond_by": later,
                "opened_at": now,
                "news_at": now,
                "counts_from": now,
                "owner": "Nurse" if taken else None,
                "ack_expires_at": later if taken else None,
                "promise_due_at": later,
                "promise_step": "late",
            }
        )
    for at in range(0, count, 5_000):
        with runtime.transaction() as session:
            session.execute(insert(Ticket), rows[at : at + 5_000])
    with runtime.current().engine.connect().execution_options(isolation_level="AUTOCOMMIT") as line:
        line.execute(text("VACUUM ANALYZE ticket"))


def spent(do, times: int) -> list[float]:  # type: ignore[no-untyped-def]
    """Milliseconds of each turn."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        do()
        found.append((time.perf_counter() - began) * 1000)
    return found


def make_due(count: int) -> None:
    """So many open tickets' next rung is due now."""
    with runtime.transaction() as session:
        some = session.scalars(select(Ticket.id).where(Ticket.state == TicketState.OPEN).limit(count)).all()
        for ticket in session.scalars(select(Ticket).where(Ticket.id.in_(some))):
            ticket.escalate_at = clock.now()


def with_many_tickets() -> None:
    """What one tick costs, and one that climbs; beside the same look without our indexes."""
    postgres, redis = Postgres(), Redis()
    try:
        env = settings_for(postgres.database(), redis.url, "http://127.0.0.1:1", "http://127.0.0.1:1")
        os.environ.update(env)
        queue.connection.cache_clear()
        migrations.upgrade(runtime.configure(Settings.from_env(env)).engine)
        pharmacy(SITES)
        many_tickets(TICKETS)
        ticking.tick()
        idle = spent(ticking.tick, 50)

        def climb() -> None:
            make_due(1)
            began = time.perf_counter()
            ticking.tick()
            tasks.lapse()
            tasks.escalate()
            tasks.keep_promises()
            climbs.append((time.perf_counter() - began) * 1000)

        climbs: list[float] = []
        for _ in range(30):
            climb()
        watch = spent(tasks.watch, 5)
        with runtime.transaction() as session:
            for name in ("ticket_climbing", "ticket_lapsing", "ticket_promised"):
                session.execute(text(f"DROP INDEX {name}"))
        naive = spent(ticking.tick, 20)
        print(f"{TICKETS} unresolved tickets:")
        print(f"  one tick, nothing due:          p50 {p(idle, 50):7.1f} ms  p99 {p(idle, 99):7.1f} ms")
        print(f"  one tick that climbs a rung:    p50 {p(climbs, 50):7.1f} ms  p99 {p(climbs, 99):7.1f} ms")
        print(f"  the auditor:                    p50 {p(watch, 50):7.1f} ms")
        print(f"  one tick without the indexes:   p50 {p(naive, 50):7.1f} ms")
        print(f"  ratio:                              {p(naive, 50) / p(idle, 50):7.1f} times")
    finally:
        _close(postgres, redis)


def _close(postgres: Postgres, redis: Redis) -> None:
    runtime.current().engine.dispose()
    queue.connection.cache_clear()
    redis.remove()
    postgres.remove()


def main() -> None:
    """Both, one after the other."""
    with_many_tickets()
    under_load()


if __name__ == "__main__":
    main()
