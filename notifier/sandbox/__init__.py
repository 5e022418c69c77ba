"""The sandbox: a stateful double of Twilio and the pocket phones behind it. Nothing in the product imports it.

Reading order: records, book, agenda, post, texts, twiml, script, calls, faults, rest, phones, desk, pages, sandbox.
"""

from notifier.sandbox.faults import Weather
from notifier.sandbox.post import Receipts
from notifier.sandbox.rates import Rates
from notifier.sandbox.records import Person
from notifier.sandbox.sandbox import Sandbox

__all__ = ["Person", "Rates", "Receipts", "Sandbox", "Weather"]
