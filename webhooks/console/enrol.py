"""Enrolling a patient, and changing who is told, on which phone, and what each person agreed to."""

from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from jobs import queue
from notifier import clock, enrolment, phone_lines, queries, runtime
from notifier.access import Right
from notifier.core.vocabulary import Channel, Consent, Topic
from notifier.details import CaregiverDetails, ConsentDetails, PatientDetails
from notifier.errors import Invalid
from notifier.models import Contact, Patient, Site
from notifier.sealing import lookup
from webhooks.console import bp
from webhooks.console.changing import Step, change
from webhooks.console.door import Person, needs, person
from webhooks.console.fields import Fields
from webhooks.console.telling import told
from webhooks.console.tongue import _

# Those of the United States and Puerto Rico; a site's own is always offered too.
ZONES = tuple(
    zone
    for zone in (
        *("America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles"),
        *("America/Anchorage", "Pacific/Honolulu", "America/Puerto_Rico"),
    )
    if zone in available_timezones()
)


@bp.route("/patients/new", methods=["GET", "POST"])
@needs(Right.CARE)
def enrol() -> ResponseReturnValue:
    """The form for a new patient, checked field by field and saved whole."""
    viewer, now = person(), clock.now()
    faults: dict[str, str] = {}
    fields = Fields(request.form, viewer.zone)
    if request.method == "POST":
        with runtime.reading() as session:
            sites = {site.key: site for site in queries.sites(session, viewer.sites)}
            details = _details(session, fields, sites, now)
        faults = fields.faults
        if "X-Check" in request.headers:
            return jsonify(faults=faults, tidy=fields.tidy)
        if details is not None and not faults:
            try:
                return _enrolled(details, viewer, now)
            except Invalid as fault:
                faults = {name: told(why) for name, why in fault.fields.items()}
    with runtime.reading() as session:
        sites_known = queries.sites(session, viewer.sites)
        page = render_template(
            "console/enrol.html",
            sites=sites_known,
            zones=dict.fromkeys((*(site.timezone for site in sites_known), *ZONES)),
            languages=runtime.current().catalog.languages,
            welcome=runtime.current().catalog.messages["M01"],
            topics=tuple(Topic),
            form=request.form,
            faults=faults,
            now=now,
            clock_in=lambda zone: now.astimezone(ZoneInfo(zone)),
        )
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK


def _enrolled(details: PatientDetails, viewer: Person, now: datetime) -> ResponseReturnValue:
    with runtime.transaction() as session:
        patient = enrolment.enrol(session, details, catalog=runtime.current().catalog, by=viewer.name, now=now)
        patient_id = patient.id
    queue.ring()
    flash(_("%(name)s is enrolled. Add the plan next.", name=f"{details.given_name} {details.family_name}"))
    return redirect(url_for(".new_plan", patient_id=patient_id))


def _details(session: Session, fields: Fields, sites: dict[str, Site], now: datetime) -> PatientDetails | None:
    site = sites.get(fields.raw("site"))
    if site is None:
        fields.faults["site"] = _("Choose one.")
        return None
    fields.zone = ZoneInfo(fields.raw("timezone") or site.timezone)
    external_id = fields.text("external_id")
    if external_id and enrolment.find_patient(session, site.key, external_id):
        fields.faults["external_id"] = _("Another patient of this site has this number.")
    phone = fields.phone("phone")
    _warn_of_sharing(session, fields, phone)
    details = PatientDetails(
        external_id=external_id,
        site=site.key,
        given_name=fields.text("given_name"),
        family_name=fields.text("family_name"),
        phone=phone,
        language=_language(fields, "language"),
        timezone=str(fields.zone),
        channel=fields.choice("channel", Channel),
        postal_code=fields.text("postal_code", 10, required=False) or None,
        consents=_consents(fields, "", now),
        caregivers=_caregiver(fields, phone, now),
    )
    _tidy_channel(session, fields, "", phone)
    for helper in details.caregivers:
        _tidy_channel(session, fields, "helper_", helper.phone)
    if not details.consents:
        fields.tidy["consents"] = _("Without consent nothing is sent.")
    return details


def _warn_of_sharing(session: Session, fields: Fields, phone: str) -> None:
    """A shared phone is allowed, once the person at the desk has seen that it is one."""
    others = queries.on_phone(session, lookup(phone)) if phone else 0
    if others and not fields.form.get("shared"):
        fields.faults["shared"] = _(
            "%(count)s others have this phone. Tick this if it is right: a wrong number tells a stranger.", count=others
        )


def _tidy_channel(session: Session, fields: Fields, prefix: str, phone: str) -> None:
    """A number that we know to be a landline is called: the form says so while it is filled in."""
    if phone and not phone_lines.kind_of(session, lookup(phone)).takes_texts:
        fields.tidy[f"{prefix}channel"] = Channel.VOICE.value


def _language(fields: Fields, name: str) -> str:
    known = runtime.current().catalog.languages
    value = fields.raw(name)
    if value not in known:
        fields.faults[name] = _("Choose one.")
    return value


def _consents(fields: Fields, prefix: str, now: datetime) -> tuple[ConsentDetails, ...]:
    """A tick for each channel, with one place and one time for both."""
    channels = [channel for channel in Channel if fields.form.get(f"{prefix}consent_{channel}")]
    if not channels:
        return ()
    source = fields.text(f"{prefix}consent_source", 200)
    at = fields.moment(f"{prefix}consent_at", required=False) or now
    if at > now:
        fields.faults[f"{prefix}consent_at"] = _("This is in the future.")
    return tuple(ConsentDetails(channel, source, at) for channel in channels)


def _caregiver(fields: Fields, own: str, now: datetime) -> tuple[CaregiverDetails, ...]:
    if not any(fields.raw(f"helper_{name}") for name in ("name", "phone")):
        return ()
    phone = fields.phone("helper_phone")
    if phone and phone == own:
        fields.faults["helper_phone"] = _("The patient's own phone: a helper needs another.")
    topics = fields.choices("helper_receives_", Topic)
    if not topics:
        fields.faults["helper_receives_delivery"] = _("Tick what they are to hear about.")
    return (
        CaregiverDetails(
            name=fields.text("helper_name"),
            relationship=fields.text("helper_relation", 40),
            phone=phone,
            language=_language(fields, "helper_language"),
            channel=fields.choice("helper_channel", Channel, Channel.SMS),
            receives=topics,
            consents=_consents(fields, "helper_", now),
        ),
    )


# --- changed --------------------------------------------------------------------------------------------------------


@bp.route("/patients/<uuid:patient_id>/change", methods=["GET", "POST"])
@needs(Right.CARE)
def amend(patient_id: UUID) -> ResponseReturnValue:
    """Another name, phone, language, zone or way to be reached."""

    def verb(step: Step) -> str:
        fields = step.fields
        zone = fields.raw("timezone")
        if zone not in available_timezones():
            fields.faults["timezone"] = _("Choose one.")
        changes = {
            "given_name": fields.text("given_name"),
            "family_name": fields.text("family_name"),
            "phone": fields.phone("phone"),
            "language": _language(fields, "language"),
            "timezone": zone,
            "channel": fields.choice("channel", Channel),
            "postal_code": fields.text("postal_code", 10, required=False) or None,
        }
        if changes["phone"] != step.patient.contact.phone:
            _warn_of_sharing(step.session, fields, str(changes["phone"] or ""))
        if fields.faults:
            return ""
        changed = enrolment.amend(step.session, step.patient, changes, **step.context)
        return _("The patient's record is changed.") if changed else _("Nothing was changed.")

    return change(
        "console/amend.html",
        patient_id,
        verb,
        languages=runtime.current().catalog.languages,
        zones=lambda _session, patient: dict.fromkeys((patient.timezone, *ZONES)),
    )


@bp.route("/patients/<uuid:patient_id>/people/<who>", methods=["GET", "POST"])
@needs(Right.CARE)
def helper(patient_id: UUID, who: str) -> ResponseReturnValue:
    """A caregiver: a new one (`new`), or another word about one that is there; or that they are told nothing more."""

    def verb(step: Step) -> str:
        known = _helper_of(step.patient, who)
        standing = [_as_details(one) for one in step.patient.contacts if one.active and not one.is_patient]
        kept = [one for one in standing if known is None or one.phone != known.phone]
        if "remove" in step.fields.form and known is not None:
            enrolment.amend(step.session, step.patient, {"caregivers": kept}, **step.context)
            return _("%(name)s is told nothing more.", name=known.name)
        new = _caregiver(step.fields, step.patient.contact.phone, step.now)
        if not new:
            step.fields.text("helper_name")
            step.fields.phone("helper_phone")
        if step.fields.faults:
            return ""
        enrolment.amend(step.session, step.patient, {"caregivers": [*kept, *new]}, **step.context)
        return _("%(name)s is on the list.", name=new[0].name)

    return change(
        "console/helper.html",
        patient_id,
        verb,
        one=lambda _session, patient: _helper_of(patient, who),
        who=who,
        languages=runtime.current().catalog.languages,
        topics=tuple(Topic),
    )


def _helper_of(patient: Patient, who: str) -> Contact | None:
    return next((one for one in patient.contacts if str(one.id) == who and not one.is_patient), None)


def _as_details(contact: Contact) -> CaregiverDetails:
    return CaregiverDetails(
        name=contact.name,
        relationship=contact.relation,
        phone=contact.phone,
        language=contact.language,
        channel=contact.wish,
        receives=tuple(Topic(topic) for topic in contact.receives),
    )


@bp.route("/patients/<uuid:patient_id>/consent/<uuid:contact_id>", methods=["GET", "POST"])
@needs(Right.CARE)
def consent(patient_id: UUID, contact_id: UUID) -> ResponseReturnValue:
    """One word of consent, given or taken back: where it is written and when it was said."""

    def verb(step: Step) -> str:
        fields = step.fields
        contact = next(one for one in step.patient.contacts if one.id == contact_id)
        channel = fields.choice("channel", Channel)
        word = fields.choice("consent", Consent)
        source = fields.text("source", 200)
        at = fields.moment("at", required=False)
        if at and at > step.now:
            fields.faults["at"] = _("This is in the future.")
        if word is Consent.UNKNOWN:
            fields.faults["consent"] = _("Choose one.")
        if fields.faults:
            return ""
        said = ConsentDetails(channel, source, at or step.now, word)
        changes: dict[str, Any] = {"consents": (said,)}
        if not contact.is_patient:
            helpers = [one for one in step.patient.contacts if one.active and not one.is_patient]
            changes = {
                "caregivers": [replace(_as_details(one), consents=(said,) if one is contact else ()) for one in helpers]
            }
        if not enrolment.amend(step.session, step.patient, changes, **step.context):
            fields.faults["at"] = _("A newer word of theirs is known, or the same.")
            return ""
        return _("Consent is written down.")

    def one(_session: Session, patient: Patient) -> Contact:
        return next(contact for contact in patient.contacts if contact.id == contact_id)

    return change("console/consent.html", patient_id, verb, one=one)
