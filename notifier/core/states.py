"""The statuses and the one table that says which may become which."""

from enum import StrEnum


class MessageState(StrEnum):
    """How the telling of one thing to one person is going."""

    PLANNED = "planned"  # we intend to send it at due_at
    SENDING = "sending"  # one worker holds it, until lease_until
    UNCERTAIN = "uncertain"  # we asked Twilio and do not know what it heard
    SENT = "sent"  # Twilio took it
    DELIVERED = "delivered"  # the carrier or the person has it
    FAILED = "failed"  # it will not arrive
    CANCELLED = "cancelled"  # no longer wanted; `why` says it
    EXPIRED = "expired"  # its not_after passed before it could leave


class TicketState(StrEnum):
    """Whether a human has a need in hand."""

    OPEN = "open"  # nobody has it: it escalates
    ACKNOWLEDGED = "acknowledged"  # the owner has it, until ack_expires_at
    RESOLVED = "resolved"  # done, with an outcome


class InboundState(StrEnum):
    """Two states, so that a fault in triage can delay a patient's words but never lose them."""

    RECEIVED = "received"
    TRIAGED = "triaged"


class PlanState(StrEnum):
    """The journey of a therapy plan."""

    RECEIVED = "received"
    VERIFIED = "verified"
    SUPPLIES_READY = "supplies_ready"
    DELIVERY_SET = "delivery_set"
    DELIVERED = "delivered"
    TAUGHT = "taught"
    FIRST_DOSE = "first_dose"
    ACTIVE = "active"
    PAUSED = "paused"
    ENDING = "ending"
    ENDED = "ended"
    DECEASED = "deceased"


class EventState(StrEnum):
    """How a delivery, a teaching visit or another dated thing went."""

    SCHEDULED = "scheduled"
    OUT_FOR_DELIVERY = "out_for_delivery"  # deliveries only
    DONE = "done"  # a delivery: delivered
    FAILED = "failed"  # a visit: missed
    CANCELLED = "cancelled"


class WatchState(StrEnum):
    """Whether staff were told that something has not happened."""

    WAITING = "waiting"  # told at due_at, unless it happens first
    TOLD = "told"
    SETTLED = "settled"  # it happened, or makes no sense any more


class ImportState(StrEnum):
    """How a dropped file is going."""

    CHECKING = "checking"  # every row is rehearsed; nothing is kept
    CHECKED = "checked"  # a person sees what would become of each row
    LOADING = "loading"
    LOADED = "loaded"
    REFUSED = "refused"  # it is no such file
    DROPPED = "dropped"  # the person did not want it


M, T, P, E = MessageState, TicketState, PlanState, EventState

_JOURNEY = [P.VERIFIED, P.SUPPLIES_READY, P.DELIVERY_SET, P.DELIVERED, P.TAUGHT, P.FIRST_DOSE, P.ACTIVE]
_ALWAYS = {P.PAUSED, P.ENDING, P.ENDED, P.DECEASED}

# By machine, because StrEnum members with the same text are equal.
MOVES: dict[type[StrEnum], dict[StrEnum, set[StrEnum]]] = {
    M: {
        M.PLANNED: {M.SENDING, M.CANCELLED, M.EXPIRED},
        M.SENDING: {M.SENT, M.DELIVERED, M.FAILED, M.PLANNED, M.UNCERTAIN},
        M.UNCERTAIN: {M.SENT, M.DELIVERED, M.FAILED, M.PLANNED, M.EXPIRED},
        M.SENT: {M.DELIVERED, M.FAILED, M.PLANNED},
        M.CANCELLED: {M.PLANNED},
        M.FAILED: {M.DELIVERED},
        M.DELIVERED: set(),
        M.EXPIRED: set(),
    },
    T: {
        T.OPEN: {T.ACKNOWLEDGED, T.RESOLVED},
        T.ACKNOWLEDGED: {T.OPEN, T.RESOLVED},
        T.RESOLVED: set(),
    },
    InboundState: {InboundState.RECEIVED: {InboundState.TRIAGED}, InboundState.TRIAGED: set()},
    P: {
        P.RECEIVED: {P.VERIFIED, P.PAUSED, P.ENDED, P.DECEASED},
        # Gates look at facts, so a plan may skip states, but it never walks back along the journey.
        **{state: {*_JOURNEY[n + 1 :], *_ALWAYS} for n, state in enumerate(_JOURNEY)},
        P.PAUSED: {P.RECEIVED, *_JOURNEY, P.ENDING, P.ENDED, P.DECEASED},
        P.ENDING: {P.PAUSED, P.ENDED, P.DECEASED, P.ACTIVE},
        P.ENDED: {P.DECEASED},
        P.DECEASED: set(),
    },
    E: {
        E.SCHEDULED: {E.OUT_FOR_DELIVERY, E.DONE, E.FAILED, E.CANCELLED},
        E.OUT_FOR_DELIVERY: {E.SCHEDULED, E.DONE, E.FAILED, E.CANCELLED},
        E.FAILED: {E.SCHEDULED, E.DONE, E.CANCELLED},
        E.DONE: set(),
        E.CANCELLED: set(),
    },
    WatchState: {
        WatchState.WAITING: {WatchState.TOLD, WatchState.SETTLED},
        WatchState.SETTLED: {WatchState.WAITING},
        WatchState.TOLD: set(),
    },
    ImportState: {
        ImportState.CHECKING: {ImportState.CHECKED, ImportState.REFUSED, ImportState.DROPPED},
        ImportState.CHECKED: {ImportState.LOADING, ImportState.DROPPED},
        ImportState.LOADING: {ImportState.LOADED},
        ImportState.LOADED: set(),
        ImportState.REFUSED: set(),
        ImportState.DROPPED: set(),
    },
}


def origins(target: StrEnum) -> list[StrEnum]:
    """Every state from which `target` may be entered."""
    return [state for state, nexts in MOVES[type(target)].items() if target in nexts]
