"""How long it takes to plan what an import brings, beside the plainest insert of rows of the same size."""

import os
import resource
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import MetaData, Table, delete, func, insert, select

from notifier import clock, enrolment, migrations, pharmacy, runtime
from notifier.config import Settings
from notifier.core.states import PlanState
from notifier.core.vocabulary import Administration, Channel, Consent, EventKind, Line, Storage, Therapy
from notifier.models import CareEvent, ConsentRecord, Contact, Message, Patient, TherapyPlan, Watch
from notifier.sealing import lookup
from tests.clinic import PHARMACY
from tests.servers import Postgres
from tests.world import settings_for

BATCH = 500


def run(patients: int = 5_000) -> None:
    """Plan `patients` therapies as an import does, then insert as many rows again without any thought."""
    postgres = Postgres()
    env = settings_for(postgres.database(), "redis://127.0.0.1:1/0", "http://127.0.0.1:1", "http://127.0.0.1:2")
    os.environ.update(env)
    parts = runtime.configure(Settings.from_env(env))
    try:
        migrations.upgrade(parts.engine)
        with runtime.transaction() as session:
            pharmacy.apply(session, PHARMACY, now=clock.now(), by="bench")
        _measure(patients)
    finally:
        parts.engine.dispose()
        postgres.remove()


def _measure(patients: int) -> None:
    ids = list(_patients(patients))
    began, used = time.perf_counter(), time.process_time()
    peaks = []
    for n in range(0, len(ids), BATCH):
        with runtime.transaction() as session:
            part = ids[n : n + BATCH]
            enrolment.roll_forward(session, catalog=runtime.current().catalog, now=clock.now(), ids=part)
        peaks.append(_peak())
    planning = time.perf_counter() - began
    cpu = time.process_time() - used
    with runtime.reading() as session:
        rows = session.scalar(select(func.count()).select_from(Message)) or 0
        table = Table("message", MetaData(), autoload_with=session.connection())  # plain columns: sealed text is bytes
        sample = [dict(row._mapping) for row in session.execute(select(table).limit(BATCH))]
    plain = _plain_insert(table, sample, rows)
    print(
        f"planning      {patients} patients, {rows} messages: {planning:.1f} s, {rows / planning:.0f}/s, "
        f"{cpu / rows * 1e6:.0f} us CPU a message"
    )
    print(f"plain insert  {rows} rows of the same size: {plain:.1f} s, {rows / plain:.0f}/s")
    print(f"ratio         {planning / plain:.2f} (planning / plain insert)")
    half = peaks[len(peaks) // 2]
    print(f"peak memory   {half:.0f} MB half-way, {peaks[-1]:.0f} MB at the end")


def _patients(count: int) -> Iterator[uuid.UUID]:
    """So many patients with a verified plan of which nothing is planned yet: what an import has just written."""
    now = clock.now()
    for start in range(0, count, BATCH):
        patients, contacts, consents, plans, events = [], [], [], [], []
        for n in range(start, min(start + BATCH, count)):
            ids = [uuid.uuid4() for _ in range(4)]
            phone = f"+1212{2000000 + n:07}"
            first = now + timedelta(days=3, minutes=n % 600)
            patients.append(
                {
                    "id": ids[0], "site_key": "newyork", "external_id": f"B-{n}", "given_name": "Ada",
                    "family_name": f"Bench{n}", "timezone": ("America/New_York", "America/Denver")[n % 2],
                    "welcomed": True, "created_at": now,
                }
            )  # fmt: skip
            contacts.append(
                {
                    "id": ids[1], "patient_id": ids[0], "relation": "self", "name": f"Ada Bench{n}", "phone": phone,
                    "phone_hash": lookup(phone), "language": ("en", "es")[n % 3 == 0], "channel": Channel.SMS,
                    "receives": [], "sms_consent": Consent.GIVEN, "voice_consent": Consent.GIVEN, "active": True,
                    "created_at": now,
                }
            )  # fmt: skip
            consents.append(
                {
                    "id": uuid.uuid4(), "contact_id": ids[1], "phone_hash": lookup(phone), "channel": Channel.SMS,
                    "consent": Consent.GIVEN, "source": "import", "at": now,
                }
            )  # fmt: skip
            plans.append(
                {
                    "id": ids[2], "patient_id": ids[0], "site_key": "newyork", "external_id": f"RX-{n}",
                    "therapy": Therapy.IV_ANTIBIOTIC, "line": Line.PICC, "storage": Storage.REFRIGERATED,
                    "administration": Administration.GRAVITY, "first_dose_at": first, "doses_per_day": 2,
                    "ends_on": (first + timedelta(days=30)).date(), "supplies": [], "reminders": ["08:00"],
                    "flags": [], "state": PlanState.VERIFIED, "verified_at": now, "checklist": {}, "created_at": now,
                }
            )  # fmt: skip
            for kind, at, ends in (
                (EventKind.FIRST_DOSE, first, None),
                (EventKind.DELIVERY, first - timedelta(days=1), first - timedelta(hours=22)),
                (EventKind.EDUCATION, first - timedelta(hours=3), None),
            ):
                events.append(
                    {
                        "id": uuid.uuid4(), "plan_id": ids[2], "kind": kind, "external_id": str(uuid.uuid4()),
                        "starts_at": at, "ends_at": ends, "items": [], "booked_at": now,
                    }
                )  # fmt: skip
            yield ids[2]
        with runtime.transaction() as session:
            for table, rows in (
                (Patient, patients), (Contact, contacts), (ConsentRecord, consents), (TherapyPlan, plans),
                (CareEvent, events),
            ):  # fmt: skip
                session.execute(insert(table), rows)


def _plain_insert(table: Table, sample: list[dict], rows: int) -> float:
    """Seconds that SQLAlchemy Core's executemany needs for as many rows of the same size and bytes."""
    with runtime.transaction() as session:
        session.execute(delete(Watch))
        session.execute(delete(Message))
    made = 0
    began = time.perf_counter()
    while made < rows:
        batch = [
            row | {"id": uuid.uuid4(), "key": f"plain:{made + n}", "state": "planned"}
            for n, row in enumerate(sample[: rows - made])
        ]
        with runtime.transaction() as session:
            session.execute(table.insert(), batch)
        made += len(batch)
    return time.perf_counter() - began


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
