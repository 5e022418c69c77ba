"""The second step at the door, recovery codes, and the sessions that a person can see and end."""

import base64
import re
from datetime import timedelta

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import select

from notifier import access, cli, pharmacy, runtime
from notifier.clock import real
from notifier.core.vocabulary import Role
from notifier.models import AuditEvent, ConsoleSession, RecoveryCode, Staff
from tests.clinic import PHARMACY, Clinic
from tests.visitor import PASSWORD, Visitor


@pytest.fixture
def nia(clinic: Clinic) -> Visitor:
    """Nia, signed in; Sue is her supervisor."""
    with runtime.transaction() as session:
        access.create_user(session, "nia@example.com", Role.NURSE, PASSWORD, now=clinic.now)
        access.create_user(session, "sue@example.com", Role.SUPERVISOR, PASSWORD, now=clinic.now)
    return Visitor(clinic).signs_in("nia@example.com")


def app_shows(seconds: int = 0) -> str:
    """The six digits that Nia's app shows now."""
    with runtime.reading() as session:
        secret = session.scalars(select(Staff.totp_secret).where(Staff.key == "nia")).one()
    totp = TOTP(base64.b32decode(secret), 6, SHA1(), 30)
    return totp.generate(int(real().timestamp()) + seconds).decode()


def another_step_later() -> None:
    """Half a minute passed: what was spent is older now."""
    with runtime.transaction() as session:
        session.scalars(select(Staff).where(Staff.key == "nia")).one().totp_step -= 2


def turns_on(nia: Visitor) -> list[str]:
    nia.opens("/account")
    nia.sends("/account/second-step")
    assert "<svg" in nia.text
    nia.sends("/account/second-step/on", code=app_shows())
    another_step_later()
    return re.findall(r"<code>([a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4})</code>", nia.text)


def test_the_password_alone_opens_nothing_any_more(clinic: Clinic, nia: Visitor) -> None:
    turns_on(nia)
    visitor = Visitor(clinic).signs_in("nia@example.com")
    assert "Second step" in visitor.text
    assert visitor.client.get("/").status_code == 302, "not yet"
    visitor.sends("/signin/code", code="000000")
    assert visitor.page.status_code == 401
    visitor.sends("/signin/code", code=app_shows())
    assert "Board" in visitor.text


def test_a_code_opens_once_even_for_who_saw_it(clinic: Clinic, nia: Visitor) -> None:
    turns_on(nia)
    code = app_shows()
    first, second = (Visitor(clinic).signs_in("nia@example.com") for _ in range(2))
    first.sends("/signin/code", code=code)
    second.sends("/signin/code", code=code)
    assert first.page.status_code == 200
    assert second.page.status_code == 401


def test_a_phone_whose_clock_is_a_step_off_still_opens(clinic: Clinic, nia: Visitor) -> None:
    turns_on(nia)
    another_step_later()
    visitor = Visitor(clinic).signs_in("nia@example.com")
    visitor.sends("/signin/code", code=app_shows(-30))
    assert "Board" in visitor.text


def test_a_recovery_code_opens_once_and_new_ones_void_the_old(clinic: Clinic, nia: Visitor) -> None:
    codes = turns_on(nia)
    assert len(codes) == 10
    with runtime.reading() as session:
        assert not any(code in session.scalars(select(RecoveryCode.code_hash)).all() for code in codes)
    for expected in (200, 401):
        visitor = Visitor(clinic).signs_in("nia@example.com")
        visitor.sends("/signin/code", code=codes[0].upper().replace("-", " "))
        assert visitor.page.status_code == expected
    nia.opens("/account")
    nia.sends("/account/codes", code=app_shows())
    assert codes[1] not in nia.text
    visitor = Visitor(clinic).signs_in("nia@example.com")
    visitor.sends("/signin/code", code=codes[1])
    assert visitor.page.status_code == 401


def test_five_wrong_codes_and_even_the_right_one_must_wait(clinic: Clinic, nia: Visitor) -> None:
    turns_on(nia)
    visitor = Visitor(clinic).signs_in("nia@example.com")
    for _ in range(5):
        visitor.sends("/signin/code", code="000000")
    visitor.page = visitor.client.get("/signin/code")
    visitor.sends("/signin/code", code=app_shows())
    assert visitor.page.status_code == 429


def test_the_code_must_come_within_five_minutes_of_the_password(clinic: Clinic, nia: Visitor) -> None:
    turns_on(nia)
    visitor = Visitor(clinic).signs_in("nia@example.com")
    with runtime.transaction() as session:
        for row in session.scalars(select(ConsoleSession).where(ConsoleSession.waits)):
            row.created_at -= timedelta(minutes=6)
    visitor.sends("/signin/code", code=app_shows())
    assert "begin with the password again" in visitor.text
    assert visitor.client.get("/").status_code == 302


def test_an_open_browser_alone_does_not_turn_it_off(clinic: Clinic, nia: Visitor) -> None:
    turns_on(nia)
    nia.opens("/account")
    nia.sends("/account/second-step/off", code="123456")
    assert nia.page.status_code == 409
    nia.opens("/account")
    nia.sends("/account/second-step/off", code=app_shows())
    assert "Board" in Visitor(clinic).signs_in("nia@example.com").text


def test_a_person_sees_every_browser_and_ends_one(clinic: Clinic, nia: Visitor) -> None:
    phone = Visitor(clinic)
    phone.client.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (Linux; Android 15) Chrome/130 Mobile Safari/537.36"
    phone.signs_in("nia@example.com")
    nia.opens("/account")
    assert "Chrome on Android" in nia.text
    other = re.search(r'action="(/account/sessions/[0-9a-f-]+/end)"', nia.text)[1]
    nia.sends(other)
    assert phone.client.get("/").status_code == 302
    assert nia.client.get("/").status_code == 200


def test_a_new_password_signs_every_other_browser_out(clinic: Clinic, nia: Visitor) -> None:
    thief = Visitor(clinic).signs_in("nia@example.com")
    nia.opens("/account")
    nia.sends("/account/password", old="wrong", new="battery staple")
    assert "not your password" in nia.text
    nia.opens("/account")
    nia.sends("/account/password", old=PASSWORD, new="battery staple")
    assert thief.client.get("/").status_code == 302
    assert "Board" in Visitor(clinic).signs_in("nia@example.com", "battery staple").text


def test_a_supervisor_helps_a_nurse_whose_phone_is_lost_and_the_journal_says_so(clinic: Clinic, nia: Visitor) -> None:
    turns_on(nia)
    assert nia.opens("/staff").status_code == 403
    sue = Visitor(clinic).signs_in("sue@example.com")
    sue.opens("/staff")
    path = re.search(r'action="(/staff/[0-9a-f-]+/second_step)"', sue.text)[1]
    sue.sends(path)
    assert nia.client.get("/").status_code == 302
    assert "Board" in Visitor(clinic).signs_in("nia@example.com").text
    with runtime.reading() as session:
        lines = session.scalars(select(AuditEvent).where(AuditEvent.verb == "staff.second_step_off")).all()
    assert [line.actor for line in lines] == ["Sue"]


def test_a_nurse_proves_that_her_phone_rings_and_a_new_number_must_be_proved_anew(clinic: Clinic, nia: Visitor) -> None:
    nia.opens("/account")
    nia.sends("/account/test-page")
    clinic.world.settle()
    code = re.search(r"Your code is (\d{6})", clinic.nia.last)[1]
    nia.opens("/account")
    nia.sends("/account/phone", code="000000" if code != "000000" else "111111")
    assert "send another" in nia.text
    nia.opens("/account")
    nia.sends("/account/phone", code=code)
    assert "send another" in nia.text, "a code is tried once"

    clinic.world.clock.passes(minutes=2)
    nia.opens("/account")
    nia.sends("/account/test-page")
    clinic.world.settle()
    nia.opens("/account")
    nia.sends("/account/phone", code=re.search(r"Your code is (\d{6})", clinic.nia.last)[1])
    assert "Your phone rings" in nia.text
    nia.opens("/roster")
    assert re.search(r"Nia Nurse.*?Rings", nia.text, re.S)
    with runtime.transaction() as session:
        pharmacy.apply(session, PHARMACY.replace("+12125550011", "+12125550077"), now=clinic.now, by="test")
    nia.opens("/account")
    assert "Not tried yet" in nia.text


def test_whoever_runs_the_service_helps_the_last_one_who_could(clinic: Clinic, nia: Visitor) -> None:
    turns_on(nia)
    answer = CliRunner().invoke(cli.main, ["user", "unlock", "Nia@example.com"])
    assert answer.exit_code == 0, answer.output
    assert nia.client.get("/").status_code == 302
    assert "Board" in Visitor(clinic).signs_in("nia@example.com").text
    assert CliRunner().invoke(cli.main, ["user", "unlock", "nobody@example.com"]).exit_code == 1
