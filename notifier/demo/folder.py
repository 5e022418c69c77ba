"""The demo's folder: one demo at a time, its secrets, its place in time, its databases and logs."""

import base64
import fcntl
import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from notifier.errors import Misconfigured

WORDS = (
    *("amber", "anchor", "aspen", "basil", "beacon", "birch", "breeze", "brook", "cedar", "clover", "coral", "cotton"),
    *("ember", "fern", "harbor", "hazel", "heron", "indigo", "juniper", "lantern", "linen", "maple", "meadow", "mint"),
    *("olive", "orchard", "pebble", "pepper", "quartz", "river", "saffron", "sparrow", "spruce", "summit", "thistle"),
    *("tulip", "velvet", "violet", "walnut", "willow"),
)
MARGIN = 3.0  # real seconds by which the kept time runs ahead while the demo runs, so that a crash never turns it back


@dataclass(frozen=True)
class Time:
    """The demo's clock: it was `start` when the real clock stood at `epoch`, and runs `speed` times as fast."""

    start: datetime
    speed: float
    epoch: float

    @property
    def setting(self) -> str:
        """As NOTIFIER_CLOCK says it."""
        return f"{self.start.astimezone(UTC).isoformat()}@{self.speed:f},{self.epoch:.3f}"

    def now(self, ahead: float = 0.0) -> datetime:
        """The demo's present, or its time in so many real seconds."""
        return self.start + timedelta(seconds=(time.time() + ahead - self.epoch) * self.speed)


def _readable_password() -> str:
    return "-".join([*(secrets.choice(WORDS) for _ in range(3)), str(secrets.randbelow(90) + 10)])


class Folder:
    """A folder that one running demo holds. Raises Misconfigured when another does."""

    def __init__(self, path: Path, address: str) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = (path / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            where = self._lock.read().strip()
            self._lock.close()
            raise Misconfigured(
                f"The demo in {path} is running already, at {where}: "
                "open that, stop it with Ctrl-C where it runs, or give this one another folder with --data."
            ) from None
        self._lock.truncate(0)
        self._lock.write(address)
        self._lock.flush()
        self.logs = path / "logs"
        self.logs.mkdir(exist_ok=True)
        self.phones = path / "phones.db"

    def close(self) -> None:
        """Let another demo have it."""
        self._lock.close()

    def log(self, name: str) -> Path:
        """Where a process writes its log."""
        return self.logs / f"{name}.log"

    # --- time ---

    @property
    def is_settled(self) -> bool:
        """Whether the sample patients have lived their days: without a kept time the demo begins anew."""
        return (self.path / "clock.json").exists()

    def kept_time(self) -> datetime:
        """Where the demo's time stood last."""
        return datetime.fromisoformat(self._read("clock.json")["now"])

    def keep(self, now: datetime) -> None:
        """Write down where the demo's time stands."""
        self._write("clock.json", {"now": now.isoformat()})

    def begin_anew(self) -> None:
        """Take away what an interrupted first start left."""
        for old in [*self.path.glob("notifier.db*"), *self.path.glob("phones.db*")]:
            old.unlink()

    def remove_logs(self) -> None:
        """Each run writes its own."""
        shutil.rmtree(self.logs)
        self.logs.mkdir()

    # --- secrets ---

    def secrets(self) -> dict[str, str]:
        """The demo's own keys and its sign-in's password, drawn once, readable by their owner alone."""
        if not (self.path / "secrets.json").exists():
            drawn = {
                "SECRET_KEY": secrets.token_urlsafe(48),
                "ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "TWILIO_ACCOUNT_SID": "AC" + secrets.token_hex(16),
                "TWILIO_AUTH_TOKEN": secrets.token_hex(16),
                "DEMO_PASSWORD": "-".join(
                    [*(secrets.choice(WORDS) for _ in range(3)), str(secrets.randbelow(90) + 10)]
                ),
            }
            self._write("secrets.json", drawn)
        return {name: str(value) for name, value in self._read("secrets.json").items()}

    def environment(self, *, console: str, phones: str, redis: str) -> dict[str, str]:
        """The settings that every process of the demo shares, whatever a `.env` file says; all but the clock."""
        return {
            **os.environ,
            **self.secrets(),
            "DATABASE_URL": f"sqlite:///{(self.path / 'notifier.db').resolve()}",
            "REDIS_URL": redis,
            "TWILIO_API_KEY": "",
            "TWILIO_API_SECRET": "",
            "TWILIO_API_BASE_URL": phones,
            "PUBLIC_BASE_URL": console,
            "LOG_FORMAT": "text",
        }

    # --- files ---

    def _read(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        return found

    def _write(self, name: str, value: dict[str, Any]) -> None:
        """In one step, so that a crash leaves the old file or the new."""
        draft = self.path / f"{name}.new"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(value, file)
        draft.replace(self.path / name)
