"""`notifier demo` as a process of its own, with its phones at hand: for its stories, and for the README's pictures."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from tests.servers import free_port, wait_until

START = 180  # seconds: the patients' past is lived first, on whatever machine this is


def free_ports() -> int:
    """A port for the console whose tenth neighbour, for the phones, is free too."""
    while True:
        port = free_port()
        if port + 10 < 65536:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port + 10)):
                    return port


class Demo:
    """One demo in a folder, as a process of its own."""

    def __init__(self, data: Path) -> None:
        self.data, self.port = data, free_ports()
        self.said = ""
        self.left_at: datetime | None = None  # its own time when it was last stopped
        self.left_with: list[str] = []  # what Otis had received by then

    def command(self, *more: str) -> list[str]:
        """As it would be typed."""
        return [sys.executable, "-m", "notifier", "demo", "--port", str(self.port), "--data", str(self.data), *more]

    def start(self, *more: str) -> None:
        """Returns when it has said that it is there."""
        output = self.data.parent / "said"
        with output.open("wb") as said:
            self.process = subprocess.Popen(self.command(*more), cwd=self.data.parent, stdout=said, stderr=said)

        def is_there() -> bool:
            self.said = output.read_text()
            assert self.process.poll() is None, self.said
            return "Ctrl-C stops all of it" in self.said

        wait_until(is_there, "the demo starts", timeout=START)

    def stop(self, how: signal.Signals = signal.SIGINT) -> float:
        """How many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(how)
        assert self.process.wait(timeout=30) == 0
        return time.monotonic() - began

    def family(self) -> dict[int, str]:
        """Every process that this demo started and that still lives: their environment names its folder."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) not in (os.getpid(), self.process.pid):
                try:
                    if str(self.data).encode() in (folder / "environ").read_bytes():
                        found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue  # it ended meanwhile, or is somebody else's
        return found

    @property
    def password(self) -> str:
        """Of the console's sign-in."""
        return json.loads((self.data / "secrets.json").read_text())["DEMO_PASSWORD"]

    def ask(self, method: str, path: str, body: object = None, port: int | None = None) -> tuple[int, str]:
        """The phones' (or another port's) answer: status and body."""
        line = http.client.HTTPConnection("127.0.0.1", port or self.port + 10, timeout=20)
        try:
            line.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            answer = line.getresponse()
            return answer.status, answer.read().decode()
        finally:
            line.close()

    def phone(self, number: str) -> list[dict[str, str]]:
        """What a phone shows, oldest first."""
        return json.loads(self.ask("GET", f"/sandbox/phones/%2B{number[1:]}")[1])["texts"]

    def inbox(self, number: str) -> list[str]:
        """The texts that it received, oldest first."""
        return [text["body"] for text in self.phone(number) if text["way"] == "in"]

    def text(self, number: str, words: str) -> None:
        """This phone sends a text to whoever texted it last."""
        assert self.ask("POST", f"/sandbox/phones/%2B{number[1:]}/texts", {"body": words})[0] < 400

    @property
    def now(self) -> datetime:
        """The demo's own time."""
        return datetime.fromisoformat(json.loads(self.ask("GET", "/sandbox/phones")[1])["now"])
