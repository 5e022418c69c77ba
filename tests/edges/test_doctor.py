"""`notifier doctor`: each thing that can be wrong is named with the way to mend it, and no secret with it."""

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
from cryptography.fernet import Fernet
from twilio.rest import Client

from notifier import clock, links, runtime
from notifier.catalog import load
from tests.clinic import OUR_NUMBER
from tests.servers import free_port
from tests.world import ACCOUNT, KEY, TOKEN


@dataclass
class Examination:
    """What the command said, by the name of what was looked at: (is it well, what was seen and how to mend it)."""

    status: int
    text: str
    errors: str

    def __post_init__(self) -> None:
        self.findings: dict[str, tuple[bool, str]] = {}
        for line in self.text.replace("\n      ", ". ").splitlines():
            name, said = line[6:].split(": ", 1)
            self.findings[name] = (line.startswith("ok"), said)

    @property
    def bad(self) -> list[str]:
        return [name for name, (ok, _) in self.findings.items() if not ok]

    def said(self, name: str) -> str:
        return self.findings[name][1]


@pytest.fixture
def examine(world, clinic, tmp_path):
    """Runs the doctor as an operator does, on this world with some settings changed."""

    def run(**changes: str) -> Examination:
        env = {**os.environ, **world.env, **changes}
        command = [sys.executable, "-m", "notifier", "doctor"]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        return Examination(done.returncode, done.stdout, done.stderr)

    return run


def test_all_is_well_and_no_secret_is_told(examine, clinic):
    ada = clinic.active("Ada Loveday")
    found = examine()
    assert found.bad == []
    assert found.status == 0
    assert list(found.findings) == [
        *("settings", "database", "schema", "keys", "Redis", "Twilio", "sites", OUR_NUMBER, "phone look-up"),
        *("on call, newyork", "rota of 30 days, newyork", "clock"),
    ]
    for secret in (TOKEN, KEY, "k" * 32, "Ada", "Loveday", ada.phone.number):
        assert secret not in found.text


def test_a_database_that_is_away(examine):
    found = examine(DATABASE_URL=f"postgresql+psycopg://nora:s3cret@127.0.0.1:{free_port()}/notifier")
    assert found.bad == ["database"]
    assert found.status == 1
    assert "nora:***@127.0.0.1" in found.said("database")
    assert "check DATABASE_URL" in found.said("database")


def test_a_database_that_was_never_set_up(examine, postgres, tmp_path):
    found = examine(DATABASE_URL=postgres.database())
    assert found.bad == ["schema", "keys"]
    assert "run `notifier migrate`" in found.said("schema")
    file = tmp_path / "new.db"
    found = examine(DATABASE_URL=f"sqlite:///{file}")
    assert found.bad == ["database"]
    assert "run `notifier migrate`" in found.said("database")
    assert not file.exists()


def test_a_database_that_was_sealed_under_another_key(examine):
    found = examine(ENCRYPTION_KEYS=Fernet.generate_key().decode())
    assert found.bad == ["keys"]
    assert "last in ENCRYPTION_KEYS" in found.said("keys")


def test_redis_that_is_away(examine):
    found = examine(REDIS_URL=f"redis://:s3cret@127.0.0.1:{free_port()}/0")
    assert found.bad == ["Redis"]
    assert "check REDIS_URL" in found.said("Redis")
    assert "s3cret" not in found.text


def test_twilio_that_refuses_the_token_or_is_away(examine):
    found = examine(TWILIO_AUTH_TOKEN="wrong")
    assert found.bad == ["Twilio"]
    assert "TWILIO_AUTH_TOKEN" in found.said("Twilio")
    assert examine(TWILIO_API_BASE_URL=f"http://127.0.0.1:{free_port()}").bad == ["Twilio"]


def test_a_number_whose_texts_go_elsewhere(examine, world):
    world.sandbox.own(OUR_NUMBER)
    client = Client(ACCOUNT, TOKEN)
    client.api.base_url = world.sandbox.url
    (number,) = client.incoming_phone_numbers.list(phone_number=OUR_NUMBER)
    ours = f"{world.url}/twilio/voice#rc=3&rp=5xx,ct,rt"
    client.incoming_phone_numbers(number.sid).update(sms_url="https://old.example.com/sms", voice_url=ours)
    found = examine()
    assert found.bad == [OUR_NUMBER]
    assert found.said(OUR_NUMBER).startswith("texts go to https://old.example.com/sms. ")
    assert f"set {world.url}/twilio/sms" in found.said(OUR_NUMBER)
    client.incoming_phone_numbers(number.sid).update(sms_url=f"{world.url}/twilio/sms")
    assert examine().bad == []


def test_lookup_that_does_not_answer_or_is_switched_off(examine, world):
    world.sandbox.weather_over("lookup", "500")
    found = examine()
    assert found.bad == ["phone look-up"]
    assert "PHONE_LOOKUP=off" in found.said("phone look-up")
    found = examine(PHONE_LOOKUP="off")
    assert found.bad == []
    assert "a landline is found when a text to it has failed" in found.said("phone look-up")
    assert world.sandbox.looked_up == []  # the doctor asks nothing that costs money


def test_a_role_with_nobody_to_page(examine, clinic):
    clinic.leaves("phil")
    found = examine()
    assert found.bad == ["on call, newyork", "rota of 30 days, newyork"]
    assert "gaps: pharmacist first rung from Nov 23 09:00" in found.said("rota of 30 days, newyork")
    assert "nobody now for pharmacist" in found.said("on call, newyork")
    assert "[[rota]]" in found.said("on call, newyork")


def test_wrong_settings_are_all_named_at_once(examine):
    found = examine(SECRET_KEY="short", PUBLIC_BASE_URL="")
    assert found.status == 1
    assert found.text == ""
    assert "SECRET_KEY must have 32 bytes" in found.errors
    assert "PUBLIC_BASE_URL is not set" in found.errors


def test_a_page_that_texts_leave_out_is_named(examine):
    url = load().links.urls()[0]
    with runtime.transaction() as session:
        links.record(session, url, "it answers 404", real_now=clock.real())
    found = examine()
    assert found.bad == ["page"]
    assert found.said("page").startswith(f"{url}: it answers 404. mend the page, or its address in links.toml")
