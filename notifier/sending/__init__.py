"""What is due leaves once: claimed, sent by the edges, and what Twilio said of it recorded; whatever fails on the way.

`lanes` says who may send how fast, `claiming` takes what is due, `outcomes` and `receipts` write down what became of
it, `ways` finds another way for what matters, `stops` holds a sender that cannot send.
"""

from notifier.sending.claiming import any_urgent, claim, claim_all, due, put_off
from notifier.sending.lanes import Lane, lanes
from notifier.sending.outcomes import doubt, reap, record_outcomes, tries
from notifier.sending.receipts import DID_NOT_ARRIVE, record_receipt
from notifier.sending.ways import when_it_mattered

__all__ = [
    "DID_NOT_ARRIVE",
    "Lane",
    "any_urgent",
    "claim",
    "claim_all",
    "doubt",
    "due",
    "lanes",
    "put_off",
    "reap",
    "record_outcomes",
    "record_receipt",
    "tries",
    "when_it_mattered",
]
