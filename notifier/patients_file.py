"""A pharmacy's export as values: rows of patients, plans and deliveries, all checked before any is loaded."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from notifier.core.phones import e164
from notifier.core.vocabulary import Administration, Channel, Line, Storage, Therapy, Topic
from notifier.details import (
    CaregiverDetails,
    ConsentDetails,
    DeliveryDetails,
    Item,
    PatientDetails,
    PlanDetails,
    is_zone,
)
from notifier.sheet import Cells, Fault, Sheet

REQUIRED = (
    *("site", "patient_id", "given_name", "family_name", "phone", "plan_id", "therapy", "line", "storage"),
    *("administration", "first_dose_at", "doses_per_day", "ends_on"),
)
OPTIONAL = (
    *("language", "timezone", "channel", "consent_sms_at", "consent_voice_at", "consent_source", "caregiver_name"),
    *("caregiver_relationship", "caregiver_phone", "caregiver_language", "caregiver_receives", "caregiver_consent_at"),
    *("verified", "education_at", "education_done", "first_dose_done", "welcomed", "supplies"),
    *("delivery_id", "delivery_from", "delivery_to", "items"),
)
# Of one plan, told by several rows (one for each delivery), these are the same in all of them.
OF_A_PLAN = ("therapy", "line", "patient_id", "storage", "administration", "first_dose_at", "doses_per_day", "ends_on")
OF_A_PATIENT = ("given_name", "family_name", "phone", "language", "timezone", "channel")
LONGEST = {"patient_id": 100, "plan_id": 100, "delivery_id": 100, "consent_source": 200, "caregiver_relationship": 40}
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)
_WHEN = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:?\d{2})?)?")
_ITEM = re.compile(r"(?P<name>.+?)\s+[x×]\s*(?P<quantity>\d+)")

Word = TypeVar("Word", bound=StrEnum)


class SiteFacts(NamedTuple):
    """What a row takes from its site."""

    timezone: str
    languages: Sequence[str]


@dataclass(frozen=True)
class Done:
    """Something that is behind the patient; `at` is None where the file says only yes."""

    at: datetime | None = None


@dataclass(frozen=True)
class Row:
    """One good row."""

    line: int
    cells: Cells
    patient: PatientDetails
    plan: PlanDetails
    delivery: DeliveryDetails | None = None
    verified: bool = False
    education_at: datetime | None = None
    education_done: Done | None = None
    first_dose_done: Done | None = None


# --- the rows -----------------------------------------------------------------------------------------------------


def check(sheet: Sheet, sites: Mapping[str, SiteFacts], languages: Sequence[str]) -> tuple[list[Row], list[Fault]]:
    """The good rows, and every fault of the others. `languages`: those that we can send."""
    rows: list[Row] = []
    faults = list(sheet.faults)
    plans: dict[tuple[str, str], Row] = {}
    patients: dict[tuple[str, str], Row] = {}
    deliveries: dict[tuple[str, str], Row] = {}
    for line, cells in sheet.rows:
        checking = _Checking(line, cells, sites, languages)
        row = checking.row()
        if row:
            key = cells["site"]
            checking.agrees(plans.get((key, row.plan.external_id)), "plan_id", OF_A_PLAN)
            checking.agrees(patients.get((key, row.patient.external_id)), "patient_id", OF_A_PATIENT)
            if row.delivery:
                known = deliveries.get((key, row.delivery.external_id))
                checking.agrees(known, "delivery_id", ("plan_id", "delivery_from", "delivery_to", "items"))
        if checking.faults or row is None:
            faults += checking.faults
            continue
        rows.append(row)
        plans.setdefault((key, row.plan.external_id), row)
        patients.setdefault((key, row.patient.external_id), row)
        if row.delivery:
            deliveries.setdefault((key, row.delivery.external_id), row)
    return rows, sorted(faults, key=lambda fault: fault.line)


@dataclass
class _Checking:
    """One row while it is checked; every wrong cell leaves a fault and None."""

    line: int
    cells: Cells
    sites: Mapping[str, SiteFacts]
    languages: Sequence[str]
    faults: list[Fault] = field(default_factory=list)

    def row(self) -> Row | None:
        """The row as values, or None with the faults filled in."""
        for column in REQUIRED:
            if not self.cell(column):
                self.fault(column, "missing")
        for column, cell in self.cells.items():
            if len(cell) > LONGEST.get(column, 1000):
                if column in REQUIRED + OPTIONAL and column not in ("supplies", "items"):
                    self.fault(column, f"longer than {LONGEST.get(column, 1000)} letters")
            elif not cell.isprintable() and column in (*OF_A_PATIENT, "patient_id", "plan_id", "caregiver_name"):
                self.fault(column, "more than one line")
        site = self.sites.get(self.cell("site"))
        if site is None and self.cell("site"):
            self.fault("site", "no such site")
        zone = self.zone(site)
        patient = self.patient(zone)
        plan = self.plan(zone)
        delivery = self.delivery(zone)
        verified = self.yes("verified")
        education_at = self.instant("education_at", zone)
        education_done = self.done("education_done", zone)
        first_dose_done = self.done("first_dose_done", zone)
        if self.faults or patient is None or plan is None:
            return None
        return Row(
            line=self.line,
            cells=self.cells,
            patient=patient,
            plan=plan,
            delivery=delivery,
            verified=verified,
            education_at=education_at,
            education_done=education_done,
            first_dose_done=first_dose_done,
        )

    def agrees(self, known: Row | None, column: str, columns: Sequence[str]) -> None:
        """Two rows about one thing must say the same of it."""
        if known and (other := next((name for name in columns if known.cells.get(name, "") != self.cell(name)), None)):
            self.fault(column, f"given twice with different {other}")

    # --- the parts of a row ---

    def patient(self, zone: ZoneInfo) -> PatientDetails | None:
        phone = self.phone("phone")
        language = self.language("language")
        channel = self.word("channel", Channel, "not sms or voice") or Channel.SMS
        source = self.cell("consent_source") or "import"
        given = {
            Channel.SMS: self.instant("consent_sms_at", zone, day_is_enough=True),
            Channel.VOICE: self.instant("consent_voice_at", zone, day_is_enough=True),
        }
        caregiver = self.caregiver(zone, source, phone)
        welcomed = self.yes("welcomed")
        if phone is None:
            return None
        return PatientDetails(
            external_id=self.cell("patient_id"),
            site=self.cell("site"),
            given_name=self.cell("given_name"),
            family_name=self.cell("family_name"),
            phone=phone,
            language=language,
            timezone=self.cell("timezone") or None,
            channel=channel,
            consents=tuple(ConsentDetails(channel, source, at) for channel, at in given.items() if at),
            caregivers=(caregiver,) if caregiver else (),
            welcomed=welcomed,
        )

    def caregiver(self, zone: ZoneInfo, source: str, patients_phone: str | None) -> CaregiverDetails | None:
        columns = [column for column in OPTIONAL if column.startswith("caregiver_")]
        if not any(self.cell(column) for column in columns):
            return None
        phone = self.phone("caregiver_phone")
        language = self.language("caregiver_language")
        consent = self.instant("caregiver_consent_at", zone, day_is_enough=True)
        receives = [topic.strip() for topic in self.cell("caregiver_receives").split(";") if topic.strip()]
        if not set(receives) <= set(Topic):
            self.fault("caregiver_receives", f"not all of {';'.join(Topic)}")
            return None
        relationship = self.cell("caregiver_relationship") or "caregiver"
        if relationship.lower() == "self":
            self.fault("caregiver_relationship", "a caregiver is somebody else than the patient")
        if phone is None:
            if not self.cell("caregiver_phone"):
                self.fault("caregiver_phone", "missing")
            return None
        if phone == patients_phone:
            self.fault("caregiver_phone", "the patient's own")
        if not self.cell("caregiver_name"):
            self.fault("caregiver_name", "missing")
        return CaregiverDetails(
            name=self.cell("caregiver_name"),
            relationship=relationship,
            phone=phone,
            language=language,
            receives=tuple(Topic(topic) for topic in receives),
            consents=(ConsentDetails(Channel.SMS, source, consent),) if consent else (),
        )

    def plan(self, zone: ZoneInfo) -> PlanDetails | None:
        therapy = self.word("therapy", Therapy, "unknown therapy")
        line = self.word("line", Line, "unknown line")
        storage = self.word("storage", Storage, "unknown storage")
        administration = self.word("administration", Administration, "unknown administration")
        first = self.instant("first_dose_at", zone)
        ends_on = self.day("ends_on")
        doses = self.cell("doses_per_day")
        if doses and not (re.fullmatch(r"\d{1,2}", doses) and 1 <= int(doses) <= 24):
            self.fault("doses_per_day", "not a whole number of 1 to 24")
        supplies = self.items("supplies")
        if first and ends_on and ends_on < first.astimezone(zone).date():
            self.fault("ends_on", "before the first dose")
        if self.faults or not (therapy and line and storage and administration and first and ends_on):
            return None
        return PlanDetails(
            external_id=self.cell("plan_id"),
            therapy=therapy,
            line=line,
            storage=storage,
            administration=administration,
            first_dose_at=first,
            doses_per_day=int(doses),
            ends_on=ends_on,
            supplies=supplies,
        )

    def delivery(self, zone: ZoneInfo) -> DeliveryDetails | None:
        together = ("delivery_from", "delivery_to", "delivery_id")
        given = [column for column in (*together, "items") if self.cell(column)]
        start, finish = self.instant("delivery_from", zone), self.instant("delivery_to", zone)
        items = self.items("items")
        absent = [column for column in together if not self.cell(column)]
        if not given:
            return None
        if absent:
            self.fault(given[0], f"given without {absent[0]}")
            return None
        if start is None or finish is None:
            return None
        if finish <= start:
            self.fault("delivery_to", "before delivery_from")
        return DeliveryDetails(self.cell("delivery_id"), start, finish, items)

    # --- one cell ---

    def cell(self, column: str) -> str:
        return self.cells.get(column, "")

    def fault(self, column: str, reason: str) -> None:
        self.faults.append(Fault(self.line, column, reason))

    def zone(self, site: SiteFacts | None) -> ZoneInfo:
        """The patient's zone; while it is wrong, one by which the other cells can be checked."""
        name = self.cell("timezone")
        if name and not is_zone(name):
            self.fault("timezone", "no such time zone")
            name = ""
        return ZoneInfo(name or (site.timezone if site else "UTC"))

    def phone(self, column: str) -> str | None:
        if not self.cell(column):
            return None
        try:
            return e164(self.cell(column))
        except ValueError as error:
            self.fault(column, str(error))
            return None

    def language(self, column: str) -> str | None:
        language = self.cell(column).lower()
        if language and language.partition("-")[0] not in self.languages:
            self.fault(column, "not a language we can send")
        return language or None

    def word(self, column: str, words: type[Word], reason: str) -> Word | None:
        if not self.cell(column):
            return None
        if self.cell(column) not in list(words):
            self.fault(column, reason)
            return None
        return words(self.cell(column))

    def yes(self, column: str) -> bool:
        if self.cell(column).lower() not in ("", "yes", "no"):
            self.fault(column, "not yes or no")
        return self.cell(column).lower() == "yes"

    def done(self, column: str, zone: ZoneInfo) -> Done | None:
        if self.cell(column).lower() in ("", "no"):
            return None
        if self.cell(column).lower() == "yes":
            return Done()
        if not _WHEN.fullmatch(self.cell(column)):
            self.fault(column, "not yes, no or a time")
            return None
        at = self.instant(column, zone, day_is_enough=True)
        return Done(at) if at else None

    def day(self, column: str) -> date | None:
        if not self.cell(column):
            return None
        try:
            found = date.fromisoformat(self.cell(column))
        except ValueError:
            found = EARLIEST
        if not EARLIEST < found < LATEST:
            self.fault(column, "not a date")
            return None
        return found

    def instant(self, column: str, zone: ZoneInfo, *, day_is_enough: bool = False) -> datetime | None:
        """An instant in UTC; without an offset it is the patient's local time."""
        text = self.cell(column)
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text) if _WHEN.fullmatch(text) else None
        except ValueError:
            found = None
        if found is None or not EARLIEST < found.date() < LATEST:
            self.fault(column, "not a date")
            return None
        if len(text) == len("2026-12-02") and not day_is_enough:
            self.fault(column, "the time of day is missing")
            return None
        if found.tzinfo is None:
            instant = found.replace(tzinfo=zone).astimezone(UTC)
            if instant.astimezone(zone).replace(tzinfo=None) != found:
                self.fault(column, "does not exist: clocks go forward")
                return None
            return instant
        return found.astimezone(UTC)

    def items(self, column: str) -> tuple[Item, ...]:
        found = []
        for text in filter(None, (part.strip() for part in self.cell(column).split(";"))):
            match = _ITEM.fullmatch(text)
            if match is None or not 1 <= int(match["quantity"]) <= 100_000:
                self.fault(column, "quantity missing" if match is None else "not a quantity")
                return ()
            found.append(Item(match["name"], int(match["quantity"])))
        return tuple(found)
