"""Wrong settings stop the start, and all of them are named at once, without their values."""

import pytest

from notifier import clock
from notifier.config import Settings
from notifier.errors import Misconfigured
from tests.world import settings_for

GOOD = settings_for("sqlite:///x.db", "redis://127.0.0.1:1/0", "https://h.test", "http://127.0.0.1:1")


def faults(**wrong: str) -> str:
    with pytest.raises(Misconfigured) as told:
        Settings.from_env({**GOOD, **wrong})
    return str(told.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgres://u:hush@h/db"),
        ("DATABASE_URL", "nonsense"),
        ("REDIS_URL", "http://h"),
        ("REDIS_URL", "redis://h:port"),
        ("REDIS_URL", "redis+sentinel://h:26379"),
        ("PUBLIC_BASE_URL", "http://[half"),
        ("PUBLIC_BASE_URL", "http://h:port"),
        ("ENCRYPTION_KEYS", ","),
        ("ENCRYPTION_KEYS", "hush"),
        ("SECRET_KEY", "hush"),
        ("TWILIO_ACCOUNT_SID", "hush"),
        ("NOTIFIER_CATALOG", "/no/such/folder"),
        ("LOG_FORMAT", "xml"),
        ("NOTIFIER_CLOCK", "tomorrow"),
        ("SEND_LEASE_SECONDS", "soon"),
    ],
)
def test_each_wrong_setting_is_named_without_its_value(name, value):
    said = faults(**{name: value})
    assert name in said
    assert "hush" not in said


def test_all_wrong_settings_are_named_at_once():
    names = ("DATABASE_URL", "REDIS_URL", "PUBLIC_BASE_URL", "ENCRYPTION_KEYS", "TWILIO_AUTH_TOKEN")
    said = faults(**dict.fromkeys(names[:-1], "x"), TWILIO_AUTH_TOKEN="")
    assert all(name in said for name in names)


@pytest.mark.parametrize("host", ["api.twilio.com", "api.dublin.ie1.twilio.com"])
def test_a_clock_of_its_own_never_meets_the_real_twilio(host):
    stamp = f"{clock.real().isoformat()}@600,1767000000"
    assert "NOTIFIER_CLOCK" in faults(NOTIFIER_CLOCK=stamp, TWILIO_API_BASE_URL=f"https://{host}")
