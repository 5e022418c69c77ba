"""The demo's patients as values, read from patients.toml: who they are, and what happened to them on which day."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from notifier.core.planning import resolve_local
from notifier.core.vocabulary import (
    Administration,
    Channel,
    EventKind,
    Flag,
    Line,
    Storage,
    Therapy,
    Topic,
)
from notifier.details import CaregiverDetails, ConsentDetails, Item, PatientDetails, PlanDetails

SIGN_IN = "demo@pharmko.example"  # a member of staff in pharmacy.toml
FORM = "intake form v3"
PHARMACY = Path(__file__).with_name("pharmacy.toml")
PATIENTS = Path(__file__).with_name("patients.toml")


@dataclass(frozen=True)
class Booking:
    """One dated thing and when it was booked; a delivery with its window and items, teaching with its mode."""

    kind: EventKind
    at: datetime
    to: datetime | None
    booked: datetime
    mode: str = "visit"
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One patient, their plan, and the instants at which the pharmacy did its part."""

    details: PatientDetails
    plan: PlanDetails
    enrolled: datetime
    verified: datetime | None
    paused: datetime | None
    reason: str
    bookings: tuple[Booking, ...]
    texts: tuple[tuple[datetime, str], ...]
    note: str
    landline: bool

    @property
    def name(self) -> str:
        """Given and family name."""
        return f"{self.details.given_name} {self.details.family_name}"


def pharmacy() -> dict[str, Any]:
    """The demo's pharmacy.toml as a table."""
    return tomllib.loads(PHARMACY.read_text(encoding="utf-8"))


def home_zone() -> ZoneInfo:
    """The time zone of the pharmacy's first site, by whose morning the demo begins."""
    return ZoneInfo(next(iter(pharmacy()["site"].values()))["timezone"])


def patients(first: date) -> Sequence[Sample]:
    """Every patient, with days counted from the demo's first."""
    sites = pharmacy()["site"]
    tables = tomllib.loads(PATIENTS.read_text(encoding="utf-8"))["patient"]
    return [_sample(table, first, ZoneInfo(sites[table["site"]]["timezone"])) for table in tables]


def _sample(table: dict[str, Any], first: date, zone: ZoneInfo) -> Sample:
    def when(text: str) -> datetime:
        day, hour = text.split()
        return resolve_local(first + timedelta(days=int(day)), time.fromisoformat(hour), zone)

    def maybe(text: str | None) -> datetime | None:
        return when(text) if text else None

    def day(offset: int) -> date:
        return first + timedelta(days=offset)

    enrolled, plan = when(table["enrolled"]), table["plan"]
    channel = Channel(table.get("channel", Channel.SMS))
    return Sample(
        details=PatientDetails(
            external_id=table["id"],
            site=table["site"],
            given_name=table["given_name"],
            family_name=table["family_name"],
            phone=table["phone"],
            language=table.get("language", "en"),
            channel=channel,
            consents=(ConsentDetails(channel, FORM, enrolled),),
            caregivers=tuple(_caregiver(helper, enrolled) for helper in table.get("caregiver", ())),
        ),
        plan=PlanDetails(
            external_id=plan["id"],
            therapy=Therapy(plan["therapy"]),
            line=Line(plan["line"]),
            storage=Storage(plan["storage"]),
            administration=Administration(plan["administration"]),
            first_dose_at=when(plan["first_dose"]),
            doses_per_day=plan["doses_per_day"],
            ends_on=day(plan["ends"]),
            supplies=_items(plan["supplies"]),
            infusion_minutes=plan["minutes"],
            reminders=tuple(time.fromisoformat(hour) for hour in plan.get("reminders", ())),
            flags=tuple(Flag(flag) for flag in plan.get("flags", ())),
            cover_ends_on=day(plan["cover_ends"]) if "cover_ends" in plan else None,
        ),
        enrolled=enrolled,
        verified=maybe(plan.get("verified")),
        paused=maybe(plan.get("paused")),
        reason=plan.get("reason", ""),
        bookings=tuple(
            Booking(
                kind=EventKind(event["kind"]),
                at=when(event["at"]),
                to=maybe(event.get("to")),
                booked=when(event["booked"]),
                mode=event.get("mode", "visit"),
                items=_items(event.get("items", ())),
            )
            for event in table.get("event", ())
        ),
        texts=tuple((when(text["at"]), text["says"]) for text in table.get("text", ())),
        note=table["note"],
        landline=table.get("landline", False),
    )


def _caregiver(helper: dict[str, Any], enrolled: datetime) -> CaregiverDetails:
    return CaregiverDetails(
        name=helper["name"],
        relationship=helper["relationship"],
        phone=helper["phone"],
        receives=tuple(Topic(topic) for topic in helper["receives"]),
        consents=(ConsentDetails(Channel.SMS, FORM, enrolled),),
    )


def _items(lines: Sequence[str]) -> tuple[Item, ...]:
    """ "Saline flush 10 mL x 28" as a name and a quantity."""
    return tuple(Item(name, int(quantity)) for name, _, quantity in (line.rpartition(" x ") for line in lines))
