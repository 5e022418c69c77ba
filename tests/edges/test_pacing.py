"""Each sender sends as fast as it may and no faster; by the sandbox's own books, which lose what comes too fast."""

import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
import requests
from sqlalchemy import select, update

from jobs import drain, pacing, tasks
from notifier import runtime, sealing
from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel
from notifier.models import Message, Site, Ticket
from notifier.sandbox import Rates
from notifier.sending import Lane
from tests.servers import wait_until

RATE = 20.0


def plan(clinic, count: int, *, channel: Channel = Channel.SMS, words: str = "Pharmko: hello", **given) -> None:
    """So many messages that are due now, each to another phone."""
    now = clinic.now
    with runtime.transaction() as session:
        for number in range(count):
            to = f"+1212555{3000 + number}"
            session.add(
                Message(
                    key=f"test:{words[:20]}:{number}",
                    site_key="newyork",
                    to=to,
                    to_hash=sealing.lookup(to),
                    channel=channel,
                    template="verbatim",
                    language="en",
                    values={"text": words},
                    any_hour=True,
                    due_at=now,
                    **{"not_after": now + timedelta(hours=2), "created_at": now, **given},
                )
            )


def rate(segments: float, calls: float = 100.0) -> None:
    with runtime.transaction() as session:
        session.execute(update(Site).values(sender_rate=segments, call_rate=calls))


def planned() -> int:
    with runtime.reading() as session:
        return len(session.scalars(select(Message.id).where(Message.state == MessageState.PLANNED)).all())


def drain_all(workers: int = 2) -> float:
    """Workers that share the bucket, until nothing is due. Returns the seconds from the first to the last."""

    def work() -> None:
        while not drain.drain_bulk():
            continue

    began = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drain.calls.wait(10)
    return time.monotonic() - began


def lane(name: str = "sms:+12125550199", channel: Channel = Channel.SMS) -> Lane:
    return Lane(name, channel, ("newyork",), RATE)


@pytest.fixture
def strict(clinic):
    """A Twilio that loses texts and refuses calls beyond the rate, but for what a second may hold."""
    rate(RATE)
    clinic.sandbox.rates = Rates(segments=RATE, calls=5.0, patience=1.0)
    return clinic.sandbox


def test_two_workers_use_the_whole_rate_of_a_sender_and_not_more(clinic, strict):
    plan(clinic, 80)
    seconds = drain_all()
    assert planned() == 0
    clinic.sandbox.settle()
    assert [text.error_code for text in strict.sent if text.error_code] == []
    assert len(strict.sent) == 80
    assert 80 / seconds <= RATE * 1.25  # a bucket's burst, and not more


def test_a_long_text_takes_as_many_turns_as_it_has_segments(clinic, strict):
    plan(clinic, 30, words="Pharmko: " + "a very long story. " * 20)
    seconds = drain_all(1)
    assert [text.error_code for text in strict.sent if text.error_code] == []
    assert 30 * 3 / seconds <= RATE * 1.25


def test_calls_of_the_account_are_paced_by_calls_a_second(clinic, strict):
    rate(RATE, calls=5.0)
    plan(clinic, 15, channel=Channel.VOICE)
    drain_all()
    assert len(strict.calls) == 15
    with runtime.reading() as session:
        assert set(session.scalars(select(Message.attempts))) == {1}  # none was refused with 429


def test_what_is_urgent_does_not_wait_for_its_turn_and_the_others_make_up_for_it(clinic, strict):
    rate(0.1)
    slow = replace(lane(), rate=0.1)
    pacing.take({slow: 1000})  # the bucket is empty
    clinic.sandbox.rates = Rates()
    plan(clinic, 3, words="urgent", urgent=True)
    tasks.drain_urgent()
    assert drain.calls.wait(5)
    assert len(strict.sent) == 3
    granted, wait = pacing.take({slow: 1})[slow]
    assert granted == 0
    assert wait > 20  # two of them went ahead


def test_a_flushed_redis_lets_no_burst_out(clinic, redis):
    from jobs import queue

    pacing.take({lane(): 1000})
    queue.connection().flushall()
    assert pacing.take({lane(): 1000})[lane()][0] <= 1


def test_with_redis_away_reminders_wait_and_pages_leave(clinic, redis, monkeypatch):
    monkeypatch.setattr(drain, "DRAIN_SECONDS", 0.5)
    plan(clinic, 2)
    plan(clinic, 1, words="urgent", urgent=True)
    redis.stop()
    try:
        tasks.drain_urgent()
        assert not drain.drain_bulk()
    finally:
        redis.start()
    assert [text.body for text in clinic.sandbox.sent] == ["urgent"]

    def all_sent() -> bool:
        clinic.world.settle()
        return len(clinic.sandbox.sent) == 3

    wait_until(all_sent, "the reminders leave", 10)


def test_the_carriers_daily_limit_holds_the_rest_until_its_next_day(clinic, clock, monkeypatch):
    settings = runtime.current().settings
    object.__setattr__(settings, "tmobile_daily_cap", 5)
    rate(100)
    try:
        plan(clinic, 8, not_after=clock.now + timedelta(days=2))
        monkeypatch.setattr(drain, "DRAIN_SECONDS", 0.5)
        drain.drain_bulk()
        assert drain.calls.wait(5)
        assert len(clinic.sandbox.sent) == 5
        clock.set("2026-11-24T08:01:00+00:00")  # a minute past midnight in Los Angeles
        drain.drain_bulk()
        assert drain.calls.wait(5)
        assert len(clinic.sandbox.sent) == 8
    finally:
        object.__setattr__(settings, "tmobile_daily_cap", 0)


def test_a_backlog_that_cannot_leave_in_time_is_said_and_what_matters_is_a_ticket(clinic, clock):
    rate(0.01)
    soon = clock.now + timedelta(minutes=10)
    plan(clinic, 9, not_after=soon, matters=True)
    page = requests.get(f"{clinic.world.url}/metrics", timeout=10).text
    assert 'notifier_backlog_too_late{sender="sms:+12125550199"} 3.0' in page  # six leave in 600 s
    tasks.watch_backlog()
    tasks.watch_backlog()
    with runtime.reading() as session:
        [ticket] = session.scalars(select(Ticket)).all()
    assert ticket.kinds == ["BACKLOG"]
    assert "3 that matter" in ticket.text


def test_a_sender_that_is_slow_keeps_no_other_waiting(clinic, strict):
    """A backlog of calls at five a second, and texts."""
    rate(RATE, calls=5.0)
    plan(clinic, 20, channel=Channel.VOICE)
    plan(clinic, 10, words="text")
    draining = threading.Thread(target=drain_all, args=(1,))
    draining.start()
    wait_until(lambda: len(strict.sent) == 10, "the texts have left", 3)
    assert len(strict.calls) < 20
    wait_until(lambda: planned() == 0, "the calls are made", 10)
    draining.join()
