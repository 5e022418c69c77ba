"""`notifier demo` as a newcomer tries it: it comes alive, listens, survives a death, stops whole, and goes on."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.newcomer import Demo
from tests.servers import wait_until

OTIS, GRETA, THEO, RAMON = "+15035550121", "+15035550128", "+15035550123", "+18135550122"
NELL = "+15035550111"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that runs, for this file's stories in their order."""
    demo = Demo(tmp_path_factory.mktemp("newcomer") / "demo")
    demo.start()
    yield demo
    if demo.process.poll() is None:
        demo.stop()


def test_a_newcomer_is_told_where_to_look_and_how_to_sign_in(demo):
    assert f"http://127.0.0.1:{demo.port}\n" in demo.said
    assert f"http://127.0.0.1:{demo.port + 10}\n" in demo.said
    password = re.search(r"demo@pharmko.example +password (\S+)", demo.said)[1]
    assert password == demo.password
    assert (demo.data / "secrets.json").stat().st_mode & 0o077 == 0
    assert demo.ask("GET", "/readyz", port=demo.port)[0] == 200


def test_the_first_message_reaches_a_phone_within_20_seconds(demo):
    wait_until(lambda: "Checking in. How are you today?" in demo.inbox(OTIS)[-1], "Otis is asked", timeout=20)


def test_the_patients_have_lived_before(demo):
    otis = demo.phone(OTIS)
    assert [text["body"] for text in otis if text["way"] == "out"][:1] == ["YES"]
    assert any("Your box is there" in body for body in demo.inbox(OTIS))
    assert any("Ya llego su caja" in body for body in demo.inbox(RAMON))


def test_fever_brings_a_safe_answer_and_a_page_within_2_seconds(demo):
    quickest = []
    # An emergency's page leaves at once; a further one of another kind would wait a minute for those that follow it.
    for patient, words in ((OTIS, "FEVER"), (GRETA, "I cant breathe"), (THEO, "I cant breathe")):
        pages, answers = len(demo.inbox(NELL)), len(demo.inbox(patient))
        began = time.monotonic()
        demo.text(patient, words)
        wait_until(lambda: len(demo.inbox(patient)) > answers, "a safe answer")  # noqa: B023
        wait_until(lambda: len(demo.inbox(NELL)) > pages, "the nurse is paged")  # noqa: B023
        quickest.append(time.monotonic() - began)
        answer = demo.inbox(patient)[-1]
        assert "911" in answer
        assert "fever" not in answer.lower()
        assert re.match(r"Pharmko #\d+ (URGENT|EMERGENCY) nurse", demo.inbox(NELL)[-1])
    assert min(quickest) < 2


def test_the_nurse_takes_the_ticket_with_one_letter(demo):
    ticket = re.match(r"Pharmko (#\d+)", demo.inbox(NELL)[-1])[1]
    demo.text(NELL, f"A {ticket[1:]}")
    wait_until(lambda: demo.inbox(NELL)[-1].startswith(f"{ticket} is yours"), "the nurse has it")


def test_a_second_demo_in_the_same_folder_says_so_in_one_sentence(demo):
    done = subprocess.run(demo.command(), capture_output=True, text=True, cwd=demo.data.parent, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The demo in ")
    assert f"is running already, at http://127.0.0.1:{demo.port}" in done.stderr
    assert demo.ask("GET", "/healthz", port=demo.port)[0] == 200


def test_a_process_that_dies_is_started_again(demo):
    web = [pid for pid, command in demo.family().items() if "notifier web" in command]
    for pid in web:
        os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        try:
            return demo.ask("GET", "/readyz", port=demo.port)[0] == 200
        except OSError:
            return False

    wait_until(lambda: is_back() and not set(web) & demo.family().keys(), "the console is back", timeout=60)


def test_ctrl_c_stops_every_process_that_it_started(demo):
    family = demo.family()
    assert len(family) >= 8
    (urgent,) = [pid for pid, command in family.items() if "--queue urgent" in command]
    os.kill(urgent, signal.SIGKILL)  # also when one has just died
    demo.left_at, demo.left_with = demo.now, demo.inbox(OTIS)
    assert demo.stop(signal.SIGINT) < 10
    assert demo.family() == {}


def test_the_second_start_goes_on_where_it_was(demo):
    demo.start("--speed", "60")
    assert demo.now >= demo.left_at
    assert demo.inbox(OTIS)[: len(demo.left_with)] == demo.left_with
    at = demo.now
    wait_until(lambda: (demo.now - at).total_seconds() > 120, "two minutes pass in two seconds", timeout=10)
    assert demo.stop(signal.SIGTERM) < 10
    assert demo.family() == {}


@pytest.mark.parametrize("neighbour", [0, 10], ids=["the console's port", "the phones' port"])
def test_a_port_that_is_taken_is_one_sentence_with_the_way_out(tmp_path, neighbour):
    demo = Demo(tmp_path / "demo")
    with socket.create_server(("127.0.0.1", demo.port + neighbour)):
        done = subprocess.run(demo.command(), capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(
        rf"Error: Port {demo.port + neighbour}, for the \w+, is taken by another program: stop that, "
        r"or start the demo with --port (\d+) \(make demo ARGS='--port \1'\)\.\n",
        done.stderr,
    )
    assert not (tmp_path / "demo" / "notifier.db").exists()
