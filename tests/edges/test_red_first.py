"""In a storm of replies those that look like a red flag are read first, and senders that wait share one look."""

from datetime import timedelta

from sqlalchemy import select, update

from jobs import drain, tasks
from notifier import inbox, runtime
from notifier.core.states import InboundState, MessageState
from notifier.models import Inbound, Message, Site
from tests.edges.test_pacing import plan, rate


def unread() -> list[str]:
    with runtime.reading() as session:
        ids = inbox.waiting(session)
        return [session.get_one(Inbound, one).body for one in ids]


def test_a_fever_overtakes_the_thanks_that_came_before_it(clinic, clock):
    people = [clinic.active(name) for name in ("Ivy", "Joe", "Ann", "Sol")]
    for number, (who, words) in enumerate(zip(people, ["thanks!", "OK", "no fever today", "FEVER 102"], strict=True)):
        clinic.post_sms(who, f"SM{number:032}", words)
        clock.set(clinic.now + timedelta(seconds=1))
    assert unread() == ["FEVER 102", "thanks!", "OK", "no fever today"]


def test_what_one_person_wrote_is_read_in_order_though_the_last_word_hurries(clinic, clock):
    ivy, joe = clinic.active("Ivy"), clinic.active("Joe")
    for number, (who, words) in enumerate([(ivy, "my arm"), (joe, "OK"), (ivy, "it is swollen and i have fever")]):
        clinic.post_sms(who, f"SM{number:032}", words)
        clock.set(clinic.now + timedelta(seconds=1))
    tasks.attend_waiting(limit=1)
    with runtime.reading() as session:
        states = [row.state for row in session.scalars(select(Inbound).order_by(Inbound.received_at))]
    assert states == [InboundState.TRIAGED, InboundState.RECEIVED, InboundState.TRIAGED]


def test_a_text_at_which_our_glance_fails_hurries_too(clinic, monkeypatch):
    monkeypatch.setattr("notifier.core.triage.looks_red", lambda *_: 1 / 0)
    assert inbox.looks_red("hello", runtime.current().catalog)


def test_two_senders_share_a_claim_and_each_keeps_its_own_pace(clinic, clock):
    with runtime.transaction() as session:
        other = {"key": "miami", "sms_from": "+13055550111", "voice_from": "+13055550111"}
        first = session.get_one(Site, "newyork")
        kept = {column.key: getattr(first, column.key) for column in Site.__table__.columns}
        session.add(Site(**{**kept, **other}))
    rate(1.0)
    plan(clinic, 5)
    plan(clinic, 5, words="Pharmko: from Miami")
    with runtime.transaction() as session:
        miami = Message.key.contains("Miami")
        session.execute(update(Message).where(miami).values(site_key="miami"))
    with runtime.reading() as session:
        lanes = drain.sending.lanes(session, now=clinic.now)
    assert len(lanes) == 2
    drain._drain(lanes)
    assert drain.calls.wait(5)
    with runtime.reading() as session:
        left = select(Message.site_key).where(Message.state == MessageState.SENT)
        assert sorted(session.scalars(left)) == ["miami", "newyork"]
