"""Patients: who they are, how they may be reached, and what they agreed to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, field_validator

from notifier import enrolment, models, phone_lines, queries
from notifier.core.line_types import LineType
from notifier.core.vocabulary import Channel, Consent, Scope, Topic
from notifier.details import CaregiverDetails, ConsentDetails, PatientDetails
from notifier.errors import Invalid
from webhooks.api import pages
from webhooks.api.calls import Answer, Ask, call
from webhooks.api.fields import Asked, ExternalId, Instant, Language, Name, Phone, SiteKey, Told, When, Zone, absent
from webhooks.api.same import must_equal

TAG = "Patients"
Relationship = Annotated[Name, StringConstraints(max_length=40)]
Consents = Mapping[UUID, Sequence[models.ConsentRecord]]
Lines = Mapping[str, models.PhoneLine]
PostalCode = Annotated[Name, StringConstraints(max_length=20)]


class ConsentWord(Asked):
    """One word of consent for one channel, with where it came from and when."""

    channel: Channel
    source: Annotated[Name, StringConstraints(max_length=200)] = Field(examples=["intake form v3"])
    at: When
    consent: Literal["given", "withdrawn"] = "given"
    wording: Annotated[Name, StringConstraints(max_length=60)] | None = Field(
        None, description="the version of what the person read or heard before, such as that of the safety note"
    )


def _consent_details(words: Iterable[ConsentWord]) -> tuple[ConsentDetails, ...]:
    return tuple(
        ConsentDetails(word.channel, word.source, word.at, Consent(word.consent), word.wording) for word in words
    )


class NewCaregiver(Asked):
    """A person who helps, told what they asked to hear about, in their own language."""

    name: Name
    relationship: Relationship = Field(examples=["daughter"])
    phone: Phone
    language: Language | None = Field(None, description="default: the patient's")
    channel: Channel = Channel.SMS
    receives: list[Topic] = Field(default_factory=list, max_length=len(Topic))
    consents: list[ConsentWord] = Field(default_factory=list, max_length=20)

    @field_validator("relationship")
    @classmethod
    def _not_the_patient(cls, text: str) -> str:
        if text.lower() == "self":
            raise ValueError("a caregiver is somebody else than the patient")
        return text

    def details(self) -> CaregiverDetails:
        """As enrolment takes it."""
        return CaregiverDetails(
            name=self.name,
            relationship=self.relationship,
            phone=self.phone,
            language=self.language,
            channel=self.channel,
            receives=tuple(self.receives),
            consents=_consent_details(self.consents),
        )


class NewPatient(Asked):
    """A person on home infusion."""

    external_id: ExternalId = Field(description="your own id of the patient, unique in the site")
    site: SiteKey
    given_name: Name
    family_name: Name
    phone: Phone
    language: Language | None = Field(None, description="default: the site's first")
    timezone: Zone | None = Field(None, description="default: the site's")
    channel: Channel = Channel.SMS
    consents: list[ConsentWord] = Field(default_factory=list, max_length=20)
    caregivers: list[NewCaregiver] = Field(default_factory=list, max_length=20)
    postal_code: PostalCode | None = None
    welcomed: bool = Field(False, description="true: the consent text (M01) went out before")

    def details(self) -> PatientDetails:
        """As enrolment takes it."""
        return PatientDetails(
            external_id=self.external_id,
            site=self.site,
            given_name=self.given_name,
            family_name=self.family_name,
            phone=self.phone,
            language=self.language,
            timezone=self.timezone,
            channel=self.channel,
            consents=_consent_details(self.consents),
            caregivers=tuple(caregiver.details() for caregiver in self.caregivers),
            postal_code=self.postal_code,
            welcomed=self.welcomed,
        )


class PatientChange(Asked):
    """What is to change; what is left out stays. `caregivers`, when given, is the whole list; `consents` adds words."""

    given_name: Name = absent()
    family_name: Name = absent()
    phone: Phone = absent()
    language: Language = absent()
    timezone: Zone = absent()
    channel: Channel = absent()
    consents: list[ConsentWord] = absent()
    caregivers: list[NewCaregiver] = absent()
    postal_code: PostalCode | None = None

    def changes(self) -> dict[str, Any]:
        """Only what the caller named, as enrolment takes it."""
        given = self.given()
        if "consents" in given:
            given["consents"] = _consent_details(self.consents)
        if "caregivers" in given:
            given["caregivers"] = tuple(caregiver.details() for caregiver in self.caregivers)
        return given


class Consented(Told):
    """One word of consent."""

    channel: Channel
    consent: Consent
    source: str
    wording: str | None
    at: Instant


class Reached(Told):
    """How somebody is reached."""

    phone: str
    language: str
    channel: Channel = Field(description="by which they are reached: `voice` for a landline, whatever was asked for")
    asked_channel: Channel = Field(description="the channel that was asked for")
    line_type: LineType = Field(description="what kind of line the phone is, as Twilio or its carrier told us")
    line_asked_at: Instant | None


class Caregiver(Reached):
    """A person who helps."""

    id: UUID
    name: str
    relationship: str
    receives: list[Topic]
    consents: list[Consented]


class Patient(Reached):
    """A person on home infusion, as the records stand."""

    id: UUID
    external_id: str
    site: str
    given_name: str
    family_name: str
    timezone: str
    consents: list[Consented] = Field(description="every word, the oldest first: the last of a channel rules")
    caregivers: list[Caregiver]
    postal_code: str | None
    welcomed: bool
    created_at: Instant


class Patients(Told):
    """A page of patients, the oldest record first."""

    items: list[Patient]
    next: str | None


class Search(pages.Page):
    """Which patients."""

    site: SiteKey | None = None
    external_id: ExternalId | None = None


# --- changing -----------------------------------------------------------------------------------------------------


@call(
    "POST",
    "/patients",
    Scope.WRITE,
    tag=TAG,
    body=NewPatient,
    answers=Patient,
    status=201,
    also={200: "The same patient was enrolled before."},
)
def enrol(ask: Ask, body: NewPatient) -> Answer:
    """Enrol a patient; the consent text (M01) follows each consent"""
    _check_people(ask, body.phone, body.language, body.caregivers)
    standing = enrolment.find_patient(ask.session, body.site, body.external_id)
    if standing is not None:
        told = _read(ask, [standing])[0]
        must_equal(_as_asked(told), _with_defaults(body, standing.site))
        return Answer(told, 200)
    patient = enrolment.enrol(ask.session, body.details(), **ask.doing)
    return Answer(_read(ask, [patient])[0], 201)


@call("PATCH", "/patients/<uuid:patient_id>", Scope.WRITE, tag=TAG, body=PatientChange, answers=Patient)
def amend(ask: Ask, patient_id: UUID, body: PatientChange) -> Patient:
    """Change a patient; what is not yet sent follows the new phone, channel, language or time zone"""
    patient = queries.patient(ask.session, patient_id)
    _check_people(ask, body.phone or patient.contact.phone, body.language, body.caregivers or ())
    enrolment.amend(ask.session, patient, body.changes(), **ask.doing)
    return _read(ask, [patient])[0]


def _check_people(ask: Ask, phone: str, language: str | None, caregivers: Sequence[NewCaregiver]) -> None:
    """Everybody has a phone of their own and a language that we can send. Raises Invalid."""
    wrong, phones = {}, {phone}
    people = [("language", language), *((f"caregivers.{n}.language", one.language) for n, one in enumerate(caregivers))]
    for name, spoken in people:
        if spoken is not None and spoken.partition("-")[0].lower() not in ask.catalog.languages:
            wrong[name] = f"not a language we can send: {', '.join(ask.catalog.languages)}"
    for n, caregiver in enumerate(caregivers):
        if caregiver.phone in phones:
            wrong[f"caregivers.{n}.phone"] = "is somebody else's: each person needs a phone of their own"
        phones.add(caregiver.phone)
    if wrong:
        raise Invalid(wrong)


def _as_asked(told: Patient) -> Patient:
    """With the channels that were asked for, where landlines made them others."""
    caregivers = [one.model_copy(update={"channel": one.asked_channel}) for one in told.caregivers]
    return told.model_copy(update={"channel": told.asked_channel, "caregivers": caregivers})


def _with_defaults(body: NewPatient, site: models.Site) -> dict[str, Any]:
    """What was asked, with what follows from it where it was silent."""
    asked = body.model_dump()
    asked["language"] = body.language or site.languages[0]
    asked["timezone"] = body.timezone or site.timezone
    for caregiver in asked["caregivers"]:
        caregiver["language"] = caregiver["language"] or asked["language"]
    return asked


# --- reading ------------------------------------------------------------------------------------------------------


@call("GET", "/patients", Scope.READ, tag=TAG, answers=Patients, query=Search, journalled=True)
def search(ask: Ask, query: Search) -> Patients:
    """List patients, or find one by your own id"""
    rows = queries.list_patients(
        ask.session, site=query.site, external_id=query.external_id, after=query.cursor, limit=query.limit + 1
    )
    shown, following = pages.cut(rows, query.limit, lambda row: (row.created_at, row.id))
    ask.reads(*shown)
    return Patients(items=_read(ask, shown), next=following)


@call("GET", "/patients/<uuid:patient_id>", Scope.READ, tag=TAG, answers=Patient, journalled=True)
def get(ask: Ask, patient_id: UUID) -> Patient:
    """Read one patient"""
    patient = queries.patient(ask.session, patient_id)
    ask.reads(patient)
    return _read(ask, [patient])[0]


def _read(ask: Ask, rows: Sequence[models.Patient]) -> list[Patient]:
    ask.session.flush()
    consents = queries.consents_of(ask.session, [row.id for row in rows])
    lines = phone_lines.known(ask.session, {contact.phone_hash for row in rows for contact in row.contacts})
    return [_told(row, consents, lines) for row in rows]


def _told(row: models.Patient, consents: Consents, lines: Lines) -> Patient:
    same = "id external_id given_name family_name timezone postal_code welcomed created_at"
    own = row.contact
    return Patient(
        **{name: getattr(row, name) for name in same.split()},
        **_reached(own, lines),
        site=row.site_key,
        consents=_words(own, consents),
        caregivers=[_caregiver(one, consents, lines) for one in row.contacts if one.active and not one.is_patient],
    )


def _reached(row: models.Contact, lines: Lines) -> dict[str, Any]:
    line = lines.get(row.phone_hash)
    return {
        "phone": row.phone,
        "language": row.language,
        "channel": row.channel,
        "asked_channel": row.wish,
        "line_type": line.kind if line else LineType.UNKNOWN,
        "line_asked_at": line.asked_at if line else None,
    }


def _caregiver(row: models.Contact, consents: Consents, lines: Lines) -> Caregiver:
    return Caregiver(
        **_reached(row, lines),
        id=row.id,
        name=row.name,
        relationship=row.relation,
        receives=[Topic(topic) for topic in row.receives],
        consents=_words(row, consents),
    )


def _words(row: models.Contact, consents: Consents) -> list[Consented]:
    return [
        Consented(channel=word.channel, consent=word.consent, source=word.source, wording=word.wording, at=word.at)
        for word in consents.get(row.id, ())
    ]
