"""The rehearsal: a patient's whole calendar, as it will be received, before anything of it is sent."""

from uuid import UUID

from pydantic import Field

from notifier import previewing, queries
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Role, Scope, Urgency
from webhooks.api.calls import Ask, call
from webhooks.api.fields import Instant, Told

TAG = "Messages"


class Rehearsed(Told):
    """One message of the calendar."""

    due_at: Instant
    local_time: str = Field(description="by the patient's clock: `2026-11-25T10:00`")
    not_after: Instant
    channel: Channel
    recipient: str = Field(description='"patient", or the caregiver\'s id')
    step: str | None
    template: str
    state: MessageState
    why: str | None = Field(description="why it was cancelled, failed, or is left out")
    held_from: Instant | None = Field(description="when it would leave but for quiet hours")
    body: str
    segments: int | None = Field(description="null for a call")
    alphabet: str | None = Field(description="`GSM-7` or `UCS-2`; null for a call")
    cost: float = Field(description="estimated, in US dollars")


class StaffTold(Told):
    """A moment at which a member of staff is told, unless it is answered or done before."""

    due_at: Instant
    role: Role
    urgency: Urgency
    kind: str
    says: str


class Rehearsal(Told):
    """A patient's whole calendar: messages by when each is or was due, and when staff are told."""

    timezone: str
    quiet_hours: str
    items: list[Rehearsed]
    staff: list[StaffTold]
    cost: float = Field(description="of what is still to come, estimated, in US dollars")


@call("GET", "/patients/<uuid:patient_id>/preview", Scope.READ, tag=TAG, answers=Rehearsal, journalled=True)
def of_patient(ask: Ask, patient_id: UUID) -> Rehearsal:
    """Show a patient's whole calendar before anything is sent"""
    patient = queries.patient(ask.session, patient_id)
    ask.reads(patient)
    found = previewing.calendar(ask.session, patient, catalog=ask.catalog, now=ask.now)
    coming = [line for line in found.lines if line.due_at >= ask.now and line.state is MessageState.PLANNED]
    return Rehearsal(
        timezone=patient.timezone,
        quiet_hours=patient.site.quiet_hours,
        items=[_told(line, found) for line in found.lines],
        staff=[
            StaffTold(due_at=each.due_at, role=each.role, urgency=each.urgency, kind=each.kind, says=each.says)
            for each in found.watches
        ],
        cost=round(sum(line.cost for line in coming), 4),
    )


def _told(line: previewing.Line, found: previewing.Calendar) -> Rehearsed:
    same = "due_at not_after channel step template state held_from body segments alphabet"
    contact = line.contact
    return Rehearsed(
        **{name: getattr(line, name) for name in same.split()},
        local_time=line.due_at.astimezone(found.zone).strftime("%Y-%m-%dT%H:%M"),
        recipient="patient" if contact is None or contact.is_patient else str(contact.id),
        why=line.why or None,
        cost=round(line.cost, 4),
    )
