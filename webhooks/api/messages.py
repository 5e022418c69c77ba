"""Messages: everything that was or will be said to a patient and to those who help."""

from uuid import UUID

from pydantic import Field

from notifier import models, queries
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel, Scope
from notifier.saying import words
from webhooks.api import pages
from webhooks.api.calls import Ask, call
from webhooks.api.fields import Instant, Told

TAG = "Messages"


class Message(Told):
    """One thing to tell one person, and how that is going."""

    id: UUID
    step: str | None = Field(description="the journey's step; null for answers and replies")
    template: str
    channel: Channel
    recipient: str = Field(description='"patient", or the caregiver\'s id')
    due_at: Instant
    not_after: Instant = Field(description="when it has lost its sense: it is not sent later than this")
    state: MessageState
    why: str | None = Field(description="why it was cancelled, or failed")
    attempts: int
    body: str | None = Field(description="the words as they left, or as they would leave now; null when wiped")


class Messages(Told):
    """A page of messages, by when each is or was due."""

    items: list[Message]
    next: str | None


@call(
    "GET",
    "/patients/<uuid:patient_id>/messages",
    Scope.READ,
    tag=TAG,
    answers=Messages,
    query=pages.Page,
    journalled=True,
)
def of_patient(ask: Ask, patient_id: UUID, query: pages.Page) -> Messages:
    """List what a patient and the caregivers were and will be told, also what was cancelled or expired"""
    ask.reads(queries.patient(ask.session, patient_id))
    rows = queries.list_messages(ask.session, patient_id, after=query.cursor, limit=query.limit + 1)
    shown, following = pages.cut(rows, query.limit, lambda row: (row.due_at, row.id))
    return Messages(items=[_told(ask, row) for row in shown], next=following)


def _told(ask: Ask, row: models.Message) -> Message:
    caregiver = row.contact is not None and not row.contact.is_patient
    same = "id step template channel due_at not_after state why attempts"
    return Message(
        **{name: getattr(row, name) for name in same.split()},
        recipient=str(row.contact_id) if caregiver else "patient",
        body=row.body if row.attempts else words(row, ask.catalog),
    )
