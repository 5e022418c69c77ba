"""Parts go away and come back: nothing is lost, nothing is sent twice. Real processes, the real clock, PostgreSQL."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
from sqlalchemy import select

from notifier import clock as times
from notifier import runtime
from notifier.config import Settings
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel
from notifier.models import Contact, Message
from notifier.sandbox import Sandbox
from tests.clinic import OUR_NUMBER, Clinic
from tests.servers import Postgres, Redis, free_port, wait_until
from tests.world import ACCOUNT, TOKEN, settings_for


class Running:
    """The product as its processes, on servers that can be taken away."""

    def __init__(self, **given: str) -> None:
        self.postgres, self.redis = Postgres(), Redis()
        self.url = f"http://127.0.0.1:{free_port()}"
        self.sandbox = Sandbox(account_sid=ACCOUNT, auth_token=TOKEN, public_base_url=self.url)
        self.sandbox.start()
        self.env = settings_for(self.postgres.database(), self.redis.url, self.url, self.sandbox.url) | given
        os.environ.pop("NOTIFIER_CLOCK", None)
        self.clock = self
        runtime.configure(Settings.from_env(self.env))
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Migrate, fill and start every process."""
        self.run("migrate").wait(60)
        self.clinic = Clinic(self)  # type: ignore[arg-type]
        self.run("web", "--bind", self.url.removeprefix("http://"))
        self.run("worker", "--processes", "1")
        self.run("clock")
        wait_until(lambda: self.get("/readyz") == 200, "the web process is ready", 120)

    @property
    def now(self):
        """The present."""
        return times.now()

    def run(self, *command: str) -> subprocess.Popen[bytes]:
        """Start one process of the product."""
        child = subprocess.Popen(
            [sys.executable, "-m", "notifier", *command],
            env={**os.environ, **self.env, "LOG_FORMAT": "text"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.children.append(child)
        return child

    def settle(self) -> None:
        """Real processes need no pushing."""

    def get(self, path: str) -> int:
        """The status of a page; 0 when nobody answers."""
        try:
            return requests.get(self.url + path, timeout=10).status_code
        except requests.ConnectionError:
            return 0

    def workers(self) -> list[int]:
        """The process ids of the RQ workers."""
        return self.processes(b"--queue")

    def processes(self, word: bytes) -> list[int]:
        """The ids of our processes with this word on their command line."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                with open(f"/proc/{entry}/environ", "rb") as file:
                    mine = self.url.encode() in file.read()
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue
            if mine and word in words:
                found.append(int(entry))
        return found

    def stop(self) -> None:
        """Stop everything; leave nothing behind."""
        for child in self.children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        runtime.current().engine.dispose()
        self.sandbox.stop()
        self.redis.remove()
        self.postgres.remove()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """Started once: each story leaves it well."""
    product = Running()
    try:
        product.start()
        yield product
    finally:
        product.stop()


@pytest.fixture
def ivy(running, request):
    """A patient for each story."""
    number = 1000 + running.clinic._patients
    return running.clinic.patient(f"Ivy{number}", phone=f"+1212555{2000 + number}", welcomed=True)


def remind(ivy, words: str, *, urgent: bool = False) -> None:
    """A message to Ivy that is due now."""
    with runtime.transaction() as session:
        contact = session.scalars(select(Contact).where(Contact.patient_id == ivy.row.id)).one()
        now = times.now()
        session.add(
            Message(
                key=f"test:{words}",
                site_key="newyork",
                patient_id=contact.patient_id,
                contact_id=contact.id,
                to=contact.phone,
                to_hash=contact.phone_hash,
                channel=Channel.SMS,
                template="verbatim",
                language="en",
                values={"text": words},
                urgent=urgent,
                any_hour=True,
                due_at=now,
                not_after=now + timedelta(hours=2),
                created_at=now,
            )
        )


def state_of(words: str) -> MessageState:
    with runtime.reading() as session:
        return session.scalars(select(Message.state).where(Message.key == f"test:{words}")).one()


def sent(running: Running, words: str) -> int:
    return sum(text.body == words for text in running.sandbox.sent)


def test_a_text_that_is_due_leaves_by_itself_and_fever_is_answered_within_two_seconds(running, ivy):
    remind(ivy, "Pharmko: hello")
    wait_until(lambda: state_of("Pharmko: hello") is MessageState.DELIVERED, "the message is delivered", 15)
    assert sent(running, "Pharmko: hello") == 1
    began = times.real()
    ivy.phone.texts("FEVER", to=OUR_NUMBER)
    wait_until(lambda: any("911" in body for body in ivy.inbox), "the safe answer")
    wait_until(lambda: running.clinic.nia.pages, "the nurse's page")
    assert times.real() - began < timedelta(seconds=10)  # two, on a machine that does nothing else


@pytest.mark.parametrize(("weather", "words"), [("answer-lost", "Pharmko: after"), ("hang", "Pharmko: before")])
def test_a_worker_killed_in_the_middle_of_a_send_neither_loses_nor_doubles(running, ivy, weather, words):
    """Once Twilio had taken the text when the worker died, once it had not; only Twilio's list knows which."""
    running.sandbox.fault(weather, to=ivy.phone.number)
    remind(ivy, words)
    wait_until(lambda: state_of(words) is MessageState.SENDING, "a worker is sending")
    wait_until(lambda: weather == "hang" or sent(running, words) == 1, "Twilio took it")
    for worker in running.workers():
        os.kill(worker, signal.SIGKILL)
    running.sandbox.sky.clear()  # it may have died before its request met the fault
    wait_until(lambda: state_of(words) in (MessageState.SENT, MessageState.DELIVERED), "the doubt is settled", 120)
    assert sent(running, words) == 1
    wait_until(lambda: len(running.workers()) == 2, "the workers are respawned")


def test_with_redis_away_a_fever_still_wakes_the_nurse(running, ivy):
    pages = len(running.clinic.nia.pages)
    running.redis.stop()
    wait_until(lambda: running.get("/statusz") == 503, "the state page says so")
    assert running.get("/readyz") == 200  # texts can still be taken
    ivy.phone.texts("FEVER", to=OUR_NUMBER)
    wait_until(lambda: any("911" in body for body in ivy.inbox), "the safe answer")
    wait_until(lambda: len(running.clinic.nia.pages) > pages, "the nurse's page", 90)  # a minute after her last
    remind(ivy, "Pharmko: when redis is back")
    running.redis.start()
    wait_until(lambda: state_of("Pharmko: when redis is back") is MessageState.DELIVERED, "work goes on", 60)
    assert sent(running, "Pharmko: when redis is back") == 1
    wait_until(lambda: running.get("/statusz") == 200, "all is well again", 60)


def test_with_the_database_away_a_text_is_answered_and_found_again(running, ivy):
    before = len(ivy.inbox)
    running.postgres.stop()
    wait_until(lambda: running.get("/readyz") == 503, "the ready page says so")
    assert running.get("/statusz") == 503
    assert running.get("/healthz") == 200
    ivy.phone.texts("FEVER after the outage", to=OUR_NUMBER)
    wait_until(lambda: len(ivy.inbox) > before, "the fixed words")
    assert "We could not read your text. Nurse 24/7 800-555-0100. Emergency? Call 911." in ivy.last
    assert "No pudimos leer" in ivy.last
    running.postgres.start()
    wait_until(lambda: any("A nurse will call you" in body for body in ivy.inbox[before:]), "it is read after all", 60)
    assert [ticket.kinds for ticket in ivy.tickets] == [["FEVER"]]
    wait_until(lambda: running.get("/readyz") == 200, "ready again")
