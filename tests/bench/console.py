"""The console with a big pharmacy in it: each page's p95, and what fifty open boards cost."""

import os
import random
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import requests
from sqlalchemy import Table, select, text

from notifier import access, clock, migrations, pharmacy, runtime, sealing
from notifier.config import Settings
from notifier.core import names
from notifier.core.vocabulary import Role
from notifier.db import Sealed, SealedJSON
from notifier.models import AuditEvent, CareEvent, Contact, Message, Patient, Site, Staff, TherapyPlan, Ticket
from tests.clinic import PHARMACY
from tests.servers import Postgres, Redis, free_port, wait_until
from tests.world import settings_for

PATIENTS = int(os.environ.get("BENCH_PATIENTS", 100_000))
MESSAGES, TICKETS, UNRESOLVED, EVENTS = PATIENTS * 10, PATIENTS // 5, 250, PATIENTS * 2
ROUNDS, PROMISED_MS = 40, 150
BOARDS, WATCHED, CHANGE_EVERY, REDRAWN_EVERY = 50, 60.0, 30.0, 30.0
PASSWORD = "correct horse battery"
GIVEN = ["Ana", "Otis", "Ida", "Hugo", "Greta", "Linus", "Marisol", "Percy", "Ramon", "Edith"]
Row = dict[str, Any]


class Copier:
    """Rows of a model into its table by COPY, sealed as the product seals them; the same words are sealed once."""

    def __init__(self, url: str) -> None:
        self.line = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        self.sealed: dict[str, bytes] = {}

    def seal(self, words: str) -> bytes:
        if words not in self.sealed:
            self.sealed[words] = sealing.keyring().seal(words)
        return self.sealed[words]

    def copy(self, model: Any, rows: Iterator[Row]) -> None:
        """All rows; each must name the same columns."""
        table: Table = model.__table__
        first = next(rows)
        columns = [table.c[name] for name in first]
        sealed = {column.name for column in columns if isinstance(column.type, Sealed | SealedJSON)}
        quoted = ", ".join(f'"{column.name}"' for column in columns)
        with self.line.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({quoted}) FROM STDIN') as out:
            for row in _chain(first, rows):
                out.write_row(
                    [self.seal(value) if name in sealed and value is not None else value for name, value in row.items()]
                )


def _chain(first: Row, rows: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rows


def fill(url: str, now: datetime) -> None:
    """A big pharmacy: a year of it."""
    copier, chance = Copier(url), random.Random(7)
    ids = [uuid.UUID(int=chance.getrandbits(128), version=4) for _ in range(PATIENTS)]
    plans = [uuid.UUID(int=chance.getrandbits(128), version=4) for _ in range(PATIENTS)]
    contacts = [uuid.UUID(int=chance.getrandbits(128), version=4) for _ in range(PATIENTS)]
    age = [now - timedelta(minutes=chance.randrange(365 * 1440)) for _ in range(PATIENTS)]
    family = [f"Sample{n % 5000}" for n in range(PATIENTS)]
    lookup = sealing.lookup
    hashes = {name: lookup(names.folded(name)) for name in set(family)}

    def whole(n: int) -> str:
        return lookup(names.folded(f"{GIVEN[n % 10]} {family[n]}"))

    copier.copy(
        Patient,
        (
            {
                "id": ids[n],
                "site_key": "newyork",
                "external_id": f"P-{n}",
                "given_name": GIVEN[n % 10],
                "family_name": family[n],
                "name_hash": whole(n),
                "family_hash": hashes[family[n]],
                "timezone": "America/New_York",
                "welcomed": True,
                "created_at": age[n],
            }
            for n in range(PATIENTS)
        ),
    )
    copier.copy(
        Contact,
        (
            {
                "id": contacts[n],
                "patient_id": ids[n],
                "relation": "self",
                "name": f"{GIVEN[n % 10]} {family[n]}",
                "phone": f"+1212{n % 5000:07}",
                "phone_hash": lookup(f"+1212{n:07}"),
                "language": "en",
                "channel": "sms",
                "receives": "[]",
                "sms_consent": "given",
                "voice_consent": "unknown",
                "active": True,
                "created_at": age[n],
            }
            for n in range(PATIENTS)
        ),
    )
    copier.copy(
        TherapyPlan,
        (
            {
                "id": plans[n],
                "patient_id": ids[n],
                "site_key": "newyork",
                "external_id": f"RX-{n}",
                "therapy": "iv_antibiotic",
                "line": "picc",
                "storage": "refrigerated",
                "administration": "elastomeric",
                "first_dose_at": age[n],
                "doses_per_day": 2,
                "ends_on": (age[n] + timedelta(days=42)).date(),
                "supplies": "[]",
                "reminders": "[]",
                "flags": "[]",
                "state": "active" if age[n] > now - timedelta(days=42) else "ended",
                "verified_at": age[n],
                "checklist": "{}",
                "created_at": age[n],
            }
            for n in range(PATIENTS)
        ),
    )
    copier.copy(
        CareEvent,
        (
            {
                "id": uuid.UUID(int=chance.getrandbits(128), version=4),
                "plan_id": plans[n % PATIENTS],
                "kind": "delivery" if n % 2 else "education",
                "external_id": f"D-{n}",
                "starts_at": (starts := age[n % PATIENTS] + timedelta(days=n // PATIENTS)),
                "ends_at": starts + timedelta(hours=2),
                "items": '[{"name": "Saline flush 10 mL", "quantity": 28}]',
                "state": "done" if starts < now else "scheduled",
                "done_at": starts if starts < now else None,
                "booked_at": age[n % PATIENTS],
            }
            for n in range(EVENTS)
        ),
    )

    def messages() -> Iterator[Row]:
        for n in range(MESSAGES):
            of = n % PATIENTS
            due = age[of] + timedelta(days=4 * (n // PATIENTS), minutes=n % 600)
            came = due < now
            state = "planned" if not came else "failed" if n % 500 == 0 else "delivered"
            yield {
                "id": uuid.UUID(int=chance.getrandbits(128), version=4),
                "key": f"bench:{n}",
                "site_key": "newyork",
                "patient_id": ids[of],
                "plan_id": plans[of],
                "contact_id": contacts[of],
                "to": f"+1212{of % 5000:07}",
                "to_hash": "h",
                "channel": "sms",
                "step": "check_in",
                "template": "M16",
                "language": "en",
                "values": "{}",
                "body": "Pharmko: Checking in. How are you today? Reply OK or NOT OK." if came else None,
                "segments": 1 if came else None,
                "prompt": "check_in",
                "matters": False,
                "urgent": False,
                "any_hour": False,
                "after_opt_out": False,
                "state": state,
                "due_at": due,
                "not_after": due + timedelta(hours=4),
                "attempts": 1 if came else 0,
                "created_at": age[of],
                "sent_at": due if came else None,
                "ended_at": due if came else None,
                "answered_at": due if came and n % 3 else None,
            }

    copier.copy(Message, messages())

    def tickets() -> Iterator[Row]:
        for n in range(TICKETS):
            opened = now - timedelta(minutes=(n + 1) * 365 * 1440 // TICKETS)
            done = n >= UNRESOLVED
            urgency = ("urgent", "same_day", "routine", "routine", "emergency")[n % 5 if n % 50 else 4]
            yield {
                "id": uuid.UUID(int=chance.getrandbits(128), version=4),
                "number": TICKETS - n,
                "site_key": "newyork",
                "subject": f"patient:{ids[n]}",
                "patient_id": ids[n],
                "contact_id": contacts[n],
                "plan_id": plans[n],
                "role": ("nurse", "delivery", "coordinator")[n % 3],
                "kinds": '["FEVER"]' if n % 3 == 0 else '["MISSING"]',
                "urgency": urgency,
                "source": "sms",
                "text": "FEVER 101.5 since last night",
                "state": "resolved" if done else "acknowledged",
                "step": 1,
                "rung": 1,
                "ladder_from": opened,
                "respond_by": opened + timedelta(minutes=15),
                "opened_at": opened,
                "owner": "Nia Nurse",
                "acknowledged_at": opened + timedelta(minutes=3),
                "ack_expires_at": now + timedelta(hours=3),
                "contacted_at": opened + timedelta(minutes=9) if done else None,
                "news_at": opened,
                "resolved_at": opened + timedelta(minutes=40) if done else None,
                "outcome": "reached_advised" if done else None,
            }

    copier.copy(Ticket, tickets())
    copier.copy(
        AuditEvent,
        (
            {
                "at": age[n % PATIENTS] + timedelta(days=n // PATIENTS),
                "actor": "notifier",
                "verb": "message.sent",
                "subject_type": "message",
                "subject_id": "m",
                "patient_id": ids[n % PATIENTS],
            }
            for n in range(MESSAGES // 2)
        ),
    )
    with runtime.current().engine.begin() as connection:
        connection.execute(text("UPDATE counter SET value = :n"), {"n": TICKETS})
    copier.line.execute("VACUUM ANALYZE")
    copier.line.close()


def asked(do: Callable[[], requests.Response], rounds: int = ROUNDS) -> tuple[float, float]:
    """The median and the p95 of a page, in milliseconds, once it is warm."""
    spent = []
    for turn in range(rounds + 3):
        began = time.perf_counter()
        answer = do()
        assert answer.status_code == 200, answer.status_code
        if turn >= 3:
            spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent), sorted(spent)[int(0.95 * len(spent))]


def signed_in(url: str, email: str = "sue@example.com") -> requests.Session:
    """A browser of a supervisor."""
    browser = requests.Session()
    page = browser.get(f"{url}/signin").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    answer = browser.post(f"{url}/signin", data={"csrf_token": token, "email": email, "password": PASSWORD})
    assert "Board" in answer.text
    browser.headers["token"] = answer.text.split('name="csrf_token" value="')[1].split('"')[0]
    return browser


def pages(url: str) -> None:
    """Each page's time over HTTP, through gunicorn, one visitor."""
    browser = signed_in(url)
    with runtime.reading() as session:
        ticket = session.scalars(select(Ticket).order_by(Ticket.number.desc()).limit(1)).one()
        event = session.scalars(
            select(CareEvent).where(CareEvent.plan_id == ticket.plan_id, CareEvent.kind == "delivery")
        ).first()
    patient, plan = ticket.patient_id, ticket.plan_id
    paths = {
        "board": "/",
        "board, resolved": "/?state=resolved",
        "ticket": f"/tickets/{ticket.number}",
        "patients": "/patients",
        "patients, far": "/patients?from=50000",
        "patient": f"/patients/{patient}",
        "enrol": "/patients/new",
        "rehearsal": f"/patients/{patient}/rehearsal",
        "order": f"/patients/{patient}/plans/{plan}/order",
        "calendar": "/calendar",
        "schedule": "/schedule",
        "messages": "/messages",
        "catalogue": "/messages/catalogue",
        "roster": "/roster",
        "reports, 4 weeks": "/reports",
        "accreditation, 13 weeks": "/reports/accreditation?weeks=13",
        "account": "/account",
        "staff": "/staff",
        "import": "/import",
    }
    if event:
        paths["delivery"] = f"/patients/{patient}/deliveries/{event.id}"
    nothing = asked(lambda: browser.get(f"{url}/healthz"))
    print(f"  {'(health, the least there is)':28} median {nothing[0]:7.1f} ms   p95 {nothing[1]:7.1f} ms")
    slow = []
    for name, path in paths.items():
        median, late = asked(lambda path=path: browser.get(url + path))
        slow += [name] if late > PROMISED_MS else []
        print(f"  {name:28} median {median:7.1f} ms   p95 {late:7.1f} ms{'   SLOW' if late > PROMISED_MS else ''}")
    for name, words in {"search by name": "Otis Sample4711", "search by family": "Sample12"}.items():
        form = {"csrf_token": browser.headers["token"], "q": words}
        median, late = asked(lambda form=form: browser.post(f"{url}/search", data=form))
        slow += [name] if late > PROMISED_MS else []
        print(f"  {name:28} median {median:7.1f} ms   p95 {late:7.1f} ms{'   SLOW' if late > PROMISED_MS else ''}")
    print(f"  over {PROMISED_MS} ms: {', '.join(slow) or 'none'}")


def cpu(pid: int) -> float:
    """Seconds of CPU that a process and its children have used."""
    total = 0.0
    for each in [pid, *children(pid)]:
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def children(pid: int) -> list[int]:
    """The processes that it started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def boards(url: str, server: int) -> None:
    """Fifty browsers on the board, each with its stream; each asks anew on a change, and each half minute."""
    stop, seen, streams = threading.Event(), [0], [0]

    def redraw(browser: requests.Session) -> None:
        """As the page does it each half minute, whatever happens: the time left is told anew."""
        while not stop.wait(REDRAWN_EVERY):
            browser.get(url, headers={"X-Live": "1"})

    def watch() -> None:
        browser = signed_in(url)
        threading.Thread(target=redraw, args=(browser,), daemon=True).start()
        page = browser.get(url).text
        path = page.split('data-asks="')[1].split('"')[0].replace("&amp;", "&")
        while not stop.is_set():
            with browser.get(url + path, stream=True, timeout=90) as lines:
                if lines.status_code == 200:
                    streams[0] += 1
                for line in lines.iter_lines():
                    if stop.is_set():
                        return
                    if line.startswith(b"event: change"):
                        browser.get(url, headers={"X-Live": "1"})
                        seen[0] += 1

    threads = [threading.Thread(target=watch, daemon=True) for _ in range(BOARDS)]
    for thread in threads:
        thread.start()
        time.sleep(0.15)
    wait_until(lambda: streams[0] >= BOARDS, "all boards listen")
    seen[0] = 0
    time.sleep(5)
    began, used = time.perf_counter(), cpu(server)
    quiet = WATCHED / 2
    time.sleep(quiet)
    still = (cpu(server) - used) / (time.perf_counter() - began)
    began, used, changes = time.perf_counter(), cpu(server), 0
    while time.perf_counter() - began < WATCHED:
        with runtime.transaction() as session:
            ticket = session.scalars(select(Ticket).where(Ticket.state != "resolved").limit(1)).one()
            ticket.news_at = clock.now() + timedelta(seconds=changes)
        changes += 1
        time.sleep(CHANGE_EVERY)
    spent = (cpu(server) - used) / (time.perf_counter() - began)
    stop.set()
    print(f"{BOARDS} open boards, nothing new:                       {still * 100:5.1f} % of a core")
    print(
        f"{BOARDS} open boards, a change each {CHANGE_EVERY:.0f} s ({seen[0]} redrawn): {spent * 100:5.1f} % of a core"
    )


def main() -> None:
    """Start what is needed, fill it, measure, print, leave nothing behind."""
    postgres, redis, port = Postgres(), Redis(), free_port()
    url = f"http://127.0.0.1:{port}"
    server = None
    try:
        env = settings_for(postgres.database(), redis.url, url, "http://127.0.0.1:1")
        os.environ.update(env)
        parts = runtime.configure(Settings.from_env(env))
        migrations.upgrade(parts.engine)
        now = datetime.now(UTC)
        with runtime.transaction() as session:
            pharmacy.apply(session, PHARMACY, now=now, by="bench")
            access.create_user(session, "sue@example.com", Role.SUPERVISOR, PASSWORD, now=now)
            assert session.get(Site, "newyork")
            assert session.scalars(select(Staff)).first()
        began = time.perf_counter()
        fill(env["DATABASE_URL"], now)
        print(
            f"{PATIENTS:,} patients, {MESSAGES:,} messages, {TICKETS:,} tickets ({UNRESOLVED} unresolved), by COPY in"
        )
        print(f"{time.perf_counter() - began:.0f} s. PostgreSQL and gunicorn on this machine, {os.cpu_count()} cores.")
        server = subprocess.Popen([sys.executable, "-m", "notifier", "web", "--bind", f"127.0.0.1:{port}"])
        wait_until(lambda: _answers(url), "the server answers")
        pages(url)
        boards(url, server.pid)
    finally:
        if server:
            server.terminate()
            server.wait(20)
        runtime.current().engine.dispose()
        redis.remove()
        postgres.remove()


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=2).status_code == 200
    except requests.RequestException:
        return False


if __name__ == "__main__":
    main()
