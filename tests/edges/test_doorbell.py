"""Redis is a doorbell and the database a ledger: what each part does while one of them is away, silent or strange."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta

from cryptography.fernet import Fernet
from redis import Redis as Line
from redis.exceptions import RedisError
from rq import Worker
from sqlalchemy import update

from jobs import clock as ticking
from jobs import queue
from notifier import clock as times
from notifier import runtime, sealing
from notifier.models import Leader
from tests.clinic import OUR_NUMBER
from tests.servers import free_port, wait_until
from webhooks.app import create_app
from webhooks.twilio import sms

SID = "SM" + "4" * 32


def test_a_redis_that_hangs_keeps_no_text_waiting(clinic, redis):
    ivy = clinic.active("Ivy")
    os.kill(redis.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert not queue.ring()
        assert time.monotonic() - began < 2
        began = time.monotonic()
        assert clinic.post_sms(ivy, SID, "FEVER").status_code == 200
        assert time.monotonic() - began < 0.9
    finally:
        os.kill(redis.process.pid, signal.SIGCONT)


def test_what_could_not_be_rung_for_is_rung_for_at_the_next_turn():
    answers = iter([False, True])
    done = []
    every = ticking.Every(3600, lambda: done.append(1) or next(answers))
    for _ in range(3):
        every.turn()
    assert len(done) == 2


def test_a_text_that_no_key_can_seal_is_answered_with_the_fixed_words(clinic):
    """Somebody has put a wrong key into the settings: nobody will ever read the text."""
    ivy = clinic.active("Ivy")
    right = sealing.keyring()
    sms.remember_phones()
    sealing.use(sealing.Keyring((Fernet.generate_key().decode(),), runtime._load_lookup_key))
    try:
        answer = clinic.post_sms(ivy, SID, "FEVER")
    finally:
        sealing.use(right)
    assert answer.status_code == 200
    assert "We could not read your text. Nurse 24/7" in answer.text


def test_a_web_process_knows_whom_to_name_before_the_first_text(clinic, monkeypatch):
    monkeypatch.setattr(sms, "_phones", sms._Phones())
    create_app()
    assert sms._phones.of(OUR_NUMBER) == "+18005550100"


def test_a_text_that_could_not_be_stored_is_fetched_at_once_though_the_fault_is_over(clinic):
    """So short that no clock has noticed."""
    ivy = clinic.active("Ivy")
    right = sealing.keyring()
    sealing.use(sealing.Keyring((Fernet.generate_key().decode(),), runtime._load_lookup_key))
    try:
        ivy.phone.texts("FEVER", to=OUR_NUMBER)
        wait_until(lambda: any("could not read" in body for body in ivy.inbox), "the fixed words")
    finally:
        sealing.use(right)
    clinic.world.settle()
    assert ivy.ticket.kinds == ["FEVER"]


def test_one_clock_leads_and_the_other_takes_over_without_noise(clinic, postgres):
    def leads(holder: str) -> bool:
        with runtime.transaction() as session:
            return ticking.leads(session, holder)

    log = postgres.folder / "log"
    before = log.read_text().count("leader_pkey")
    assert [leads("one"), leads("one"), leads("two"), leads("one")] == [True, True, False, True]
    with runtime.transaction() as session:
        session.execute(update(Leader).values(until=times.real() - timedelta(seconds=1)))
    assert [leads("two"), leads("one")] == [True, False]
    ticking.step_down("two")
    assert leads("one")
    assert log.read_text().count("leader_pkey") == before


def test_a_worker_waits_for_redis_instead_of_dying_again_and_again(world, redis):
    redis.stop()
    worker = subprocess.Popen(
        [sys.executable, "-m", "notifier", "worker", "--queue", "urgent"],
        env={**os.environ, **world.env},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = next(line for line in worker.stderr if "Redis is away" in line)
        assert "WARNING" in line
        redis.start()
        wait_until(lambda: Worker.all(connection=queue.connection()), "the worker is there")
        assert worker.poll() is None
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=20)


def test_redis_is_found_through_its_sentinels(redis, tmp_path):
    port = free_port()
    settings = tmp_path / "sentinel.conf"
    settings.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor ours 127.0.0.1 {redis.port} 1\n")
    sentinel = subprocess.Popen([redis.binary, settings, "--sentinel"], stdout=subprocess.DEVNULL)
    try:
        with closing(Line(port=port)) as line:
            wait_until(lambda: _answers(line), "the sentinel answers")
        queue.connection.cache_clear()
        found = queue.connection(f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{port}/ours")
        assert found.info("server")["tcp_port"] == redis.port
        found.connection_pool.sentinel_manager.sentinels[1].close()
        found.close()
    finally:
        queue.connection.cache_clear()
        sentinel.kill()
        sentinel.wait()


def _answers(line: Line) -> bool:
    try:
        return bool(line.ping())
    except RedisError:
        return False
