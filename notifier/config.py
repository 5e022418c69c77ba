"""Settings: read once, checked all together, frozen. A process with wrong ones dies at birth with all the reasons."""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from notifier import clock
from notifier.errors import Misconfigured

TWILIO = "https://api.twilio.com"


@dataclass(frozen=True)
class Settings:
    """Everything the environment may say; the README's table of settings tells what each means."""

    database_url: str
    redis_url: str
    twilio_account_sid: str
    public_base_url: str
    twilio_auth_token: str = field(repr=False)
    secret_key: str = field(repr=False)
    encryption_keys: tuple[str, ...] = field(repr=False)
    twilio_api_key: str = ""
    twilio_api_secret: str = field(default="", repr=False)
    twilio_api_base_url: str = TWILIO
    catalog: Path | None = None
    log_format: str = "json"
    send_lease_seconds: float = 60.0  # how long a worker may hold a message that it is sending
    uncertain_looks: tuple[float, ...] = (5.0, 60.0, 180.0)  # seconds after a lost answer at which Twilio is asked
    tmobile_daily_cap: int = 0  # segments a day from one sender, by the carrier's limit; 0: none
    canary_mode: str = "auto"  # whether the service tests itself: on, off, or auto: with Twilio itself
    canary_number: str = ""  # a number of our own that its texts and pages go to
    phone_lookup: str = "on"  # whether Twilio is asked what kind of line a new number is: on, off
    calls_at_once: int = 0  # how many calls of ours may be under way at once; 0: as many as there are

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """Reads and checks every setting. Raises Misconfigured, which names all that are wrong at once."""
        env = os.environ if env is None else env
        wrong: list[str] = []

        def needed(name: str) -> str:
            value = env.get(name, "").strip()
            if not value:
                wrong.append(f"{name} is not set")
            return value

        keys = needed("ENCRYPTION_KEYS")
        settings = cls(
            database_url=env.get("DATABASE_URL") or "sqlite:///notifier.db",
            redis_url=env.get("REDIS_URL") or "redis://127.0.0.1:6379/0",
            twilio_account_sid=needed("TWILIO_ACCOUNT_SID"),
            twilio_auth_token=needed("TWILIO_AUTH_TOKEN"),
            twilio_api_key=env.get("TWILIO_API_KEY", ""),
            twilio_api_secret=env.get("TWILIO_API_SECRET", ""),
            twilio_api_base_url=(env.get("TWILIO_API_BASE_URL") or TWILIO).rstrip("/"),
            public_base_url=needed("PUBLIC_BASE_URL").rstrip("/"),
            secret_key=needed("SECRET_KEY"),
            encryption_keys=tuple(key.strip() for key in keys.strip(", ").split(",")) if keys else (),
            catalog=Path(env["NOTIFIER_CATALOG"]) if env.get("NOTIFIER_CATALOG") else None,
            log_format=env.get("LOG_FORMAT") or "json",
            send_lease_seconds=(_numbers(env, "SEND_LEASE_SECONDS", wrong) or (60.0,))[0],
            uncertain_looks=_numbers(env, "UNCERTAIN_LOOKS", wrong) or (5.0, 60.0, 180.0),
            tmobile_daily_cap=_whole(env, "TMOBILE_DAILY_CAP", wrong),
            canary_mode=env.get("CANARY_MODE") or "auto",
            canary_number=env.get("CANARY_NUMBER", "").strip(),
            phone_lookup=env.get("PHONE_LOOKUP") or "on",
            calls_at_once=_whole(env, "CALLS_AT_ONCE", wrong),
        )
        wrong += settings.faults()
        if value := env.get("NOTIFIER_CLOCK"):
            wrong += _clock_faults(value, settings.twilio_api_base_url)
        if wrong:
            raise Misconfigured(f"{'; '.join(wrong)} (settings come from the environment and from .env, see README)")
        return settings

    @property
    def canary_sings(self) -> bool:
        """Whether an invented patient's FEVER goes the whole way every five minutes."""
        return self.canary_mode == "on" or (self.canary_mode == "auto" and self.twilio_api_base_url == TWILIO)

    @property
    def looks_up_phones(self) -> bool:
        """Whether Twilio Lookup is asked about new numbers: each ask costs money."""
        return self.phone_lookup == "on"

    def faults(self) -> list[str]:
        """What is wrong with the values given, one sentence each."""
        found = []
        try:
            is_ours = make_url(self.database_url).drivername in ("sqlite", "postgresql+psycopg")
        except ArgumentError:
            is_ours = False
        if not is_ours:
            found.append("DATABASE_URL must look like postgresql+psycopg://user@host/notifier or sqlite:///notifier.db")
        if not _is_redis(self.redis_url):
            found.append(
                "REDIS_URL must look like redis://host:6379/0, rediss://host:6379/0, unix:///path or "
                "redis+sentinel://host:26379,host:26379/service"
            )
        if self.twilio_account_sid and not self.twilio_account_sid.startswith("AC"):
            found.append("TWILIO_ACCOUNT_SID must start with AC")
        if bool(self.twilio_api_key) != bool(self.twilio_api_secret):
            found.append("TWILIO_API_KEY and TWILIO_API_SECRET must be set together")
        for name, url in (
            ("PUBLIC_BASE_URL", self.public_base_url),
            ("TWILIO_API_BASE_URL", self.twilio_api_base_url),
        ):
            if url and not _is_web_address(url):
                found.append(f"{name} must be a web address such as https://notifier.example.com")
        if self.secret_key and len(self.secret_key.encode()) < 32:
            found.append("SECRET_KEY must have 32 bytes or more")
        for number, key in enumerate(self.encryption_keys, start=1):
            if not _is_key(key):
                found.append(f"ENCRYPTION_KEYS: key {number} is not 32 bytes in URL-safe base64")
        if self.catalog and not self.catalog.is_dir():
            found.append("NOTIFIER_CATALOG is not a folder")
        if self.canary_mode not in ("auto", "on", "off"):
            found.append("CANARY_MODE must be auto, on or off")
        if self.phone_lookup not in ("on", "off"):
            found.append("PHONE_LOOKUP must be on or off")
        if self.canary_number and not re.fullmatch(r"\+[1-9]\d{6,14}", self.canary_number):
            found.append("CANARY_NUMBER must be a phone number such as +15035550199")
        if self.log_format not in ("json", "text"):
            found.append("LOG_FORMAT must be json or text")
        return found


def _numbers(env: Mapping[str, str], name: str, wrong: list[str]) -> tuple[float, ...]:
    """Seconds, comma-separated and rising; none given: empty."""
    try:
        found = tuple(float(part) for part in env.get(name, "").split(",") if part.strip())
    except ValueError:
        found = (0.0,)
    if any(number <= 0 for number in found) or list(found) != sorted(found):
        wrong.append(f"{name} must be seconds, such as 5 or 5,60,180")
    return found


def _whole(env: Mapping[str, str], name: str, wrong: list[str]) -> int:
    value = env.get(name, "").strip() or "0"
    if not value.isdigit():
        wrong.append(f"{name} must be a whole number, such as 2000; 0 is no limit")
        return 0
    return int(value)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_redis(url: str) -> bool:
    try:
        parts = urlsplit(url)
        if parts.scheme == "redis+sentinel":
            return bool(parts.netloc and parts.path.strip("/"))
        return parts.scheme == "unix" or (parts.scheme in ("redis", "rediss") and parts.port != 0)
    except ValueError:
        return False


def _is_key(text: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(text)) == 32
    except (binascii.Error, ValueError):
        return False


def _clock_faults(value: str, api: str) -> list[str]:
    try:
        clock.parse(value)
    except Misconfigured as error:
        return [str(error)]
    if (urlsplit(api).hostname or "").endswith("twilio.com"):
        return ["NOTIFIER_CLOCK must not be set while TWILIO_API_BASE_URL is Twilio's own"]
    return []
