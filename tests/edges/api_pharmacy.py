"""A small pharmacy on PostgreSQL, and the other systems that call its API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, text, update
from werkzeug.test import TestResponse

from jobs import queue
from notifier import access, pharmacy, runtime
from notifier.config import Settings
from notifier.core.vocabulary import Scope
from notifier.models import Site
from tests.edges.api_caller import Caller
from tests.servers import Redis
from tests.world import Clock, settings_for
from webhooks.app import create_app

PORTLAND = """
[site.portland]
name = "Pharmko Portland"
brand = "Pharmko"
timezone = "America/Los_Angeles"
sms_from = "+15035550199"
voice_from = "+15035550199"
phone = "+18005550100"
languages = ["en", "es"]

[staff.nora]
name = "Nora Nurse"
roles = ["nurse"]
phone = "+15035550011"

[staff.dee]
name = "Dee Delivery"
roles = ["delivery"]
phone = "+15035550013"

[staff.cora]
name = "Cora Coordinator"
roles = ["coordinator"]
phone = "+15035550015"

[[rota]]
site = "*"
role = "nurse"
staff = "nora"

[[rota]]
site = "*"
role = "delivery"
staff = "dee"

[[rota]]
site = "*"
role = "coordinator"
staff = "cora"
"""
CHECKED = {"medication": True, "dosing_schedule": True, "duration": True, "supplies": True, "storage": True}


class Pharmacy:
    """One site with a nurse, a delivery desk and a coordinator; and the systems that have a token."""

    def __init__(self, database_url: str, redis: Redis, clock: Clock) -> None:
        self.redis, self.clock = redis, clock
        self.database_url = database_url
        queue.connection.cache_clear()
        env = settings_for(database_url, redis.url, "http://web.test", "http://127.0.0.1:9")
        self.app = create_app(Settings.from_env(env))
        with runtime.transaction() as session:
            pharmacy.apply(session, PORTLAND, by="test", now=clock.now)
        self._systems = 0
        self.admin = self.system(Scope.ADMIN)

    def close(self) -> None:
        """Leave nothing behind."""
        queue.connection().close()
        queue.connection.cache_clear()
        runtime.current().engine.dispose()

    # --- other systems ---

    def system(self, *scopes: Scope, token: str | None = None) -> Caller:
        """Another system, with a token of its own for these scopes."""
        self._systems += 1
        if scopes:
            with runtime.transaction() as session:
                token = access.create_token(session, f"system {self._systems}", scopes, now=self.clock.now)
        return Caller(self.app.test_client(), token)

    def another_line(self, system: Caller) -> Caller:
        """The same system on a line of its own, as threads need one."""
        return Caller(self.app.test_client(), system.token)

    def revoke(self, system: Caller) -> None:
        """Its token is in force no more."""
        with runtime.transaction() as session:
            found = access.token(session, system.token or "")
            assert found
            found.revoked_at = self.clock.now

    # --- people ---

    def enrol(self, **fields: Any) -> dict[str, Any]:
        """Ana, enrolled."""
        return told(self.admin.post("/patients", ana(**fields)), 201)

    def plan(self, patient: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Her plan, verified."""
        plan = told(self.admin.post(f"/patients/{patient['id']}/plans", vancomycin(**fields)), 201)
        return told(self.admin.post(f"/plans/{plan['id']}/verify", {"checklist": CHECKED}), 200)

    def messages(self, patient: dict[str, Any], **wanted: Any) -> list[dict[str, Any]]:
        """Her messages that are as wanted."""
        found = told(self.admin.get(f"/patients/{patient['id']}/messages", limit=1000), 200)["items"]
        return [one for one in found if all(one[name] == value for name, value in wanted.items())]

    # --- what lies below ---

    def stored(self, sql: str) -> list[tuple[Any, ...]]:
        """What lies in the database, as a thief would see it."""
        engine = create_engine(self.database_url)
        with engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(text(sql))]
        engine.dispose()
        return rows

    def spoil(self) -> None:
        """A site without a language: something that no verb can have written."""
        with runtime.transaction() as session:
            session.execute(update(Site).values(languages=[]))

    @contextmanager
    def without_database(self) -> Iterator[None]:
        """The database takes nobody in."""
        server, _, name = self.database_url.rpartition("/")
        engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
        with engine.connect() as door:
            door.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
            door.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
            )
            yield
            door.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
        engine.dispose()

    @contextmanager
    def without_redis(self) -> Iterator[None]:
        """Redis is away."""
        self.redis.stop()
        yield
        self.redis.start()


def told(answer: TestResponse, status: int) -> Any:
    """What an answer says, when it has the status that was hoped for."""
    assert answer.status_code == status, answer.text
    return answer.json


def ana(**changed: Any) -> dict[str, Any]:
    """Ana Ruiz as her pharmacy's system knows her. What is None is left out."""
    facts = {
        "external_id": "P-1",
        "site": "portland",
        "given_name": "Ana",
        "family_name": "Ruiz",
        "phone": "+15035550123",
        "language": "es",
        "timezone": "America/Los_Angeles",
        "channel": "sms",
        "consents": [{"channel": "sms", "source": "intake form v3", "at": "2026-11-20T09:12:00-08:00"}],
        **changed,
    }
    return {name: value for name, value in facts.items() if value is not None}


def vancomycin(**changed: Any) -> dict[str, Any]:
    """Two doses a day from Friday, kept in the fridge. What is None is left out."""
    facts = {
        "external_id": "RX-77",
        "therapy": "iv_antibiotic",
        "line": "picc",
        "storage": "refrigerated",
        "administration": "elastomeric",
        "first_dose_at": "2026-11-27T10:00:00-08:00",
        "doses_per_day": 2,
        "ends_on": "2026-12-30",
        "supplies": [{"name": "Saline flush 10 mL", "quantity": 28}],
        **changed,
    }
    return {name: value for name, value in facts.items() if value is not None}


def box(**changed: Any) -> dict[str, Any]:
    """A delivery on Wednesday between ten and noon."""
    return {
        "external_id": "D-9",
        "window_start": "2026-11-25T10:00:00-08:00",
        "window_end": "2026-11-25T12:00:00-08:00",
        "items": [{"name": "Vancomycin 1 g bag", "quantity": 14}, {"name": "Saline flush 10 mL", "quantity": 28}],
        **changed,
    }
