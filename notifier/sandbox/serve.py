"""The sandbox in the foreground: serves until it is asked to end."""

import signal
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from notifier.sandbox.sandbox import Sandbox

TALKING_SPEED = 2.8  # words per second, as a clear voice speaks to older people


def serve(
    host: str = "127.0.0.1",
    port: int = 8010,
    *,
    account_sid: str,
    auth_token: str,
    public_base_url: str,
    api_key: str = "",
    api_secret: str = "",
    state_file: Path | str | None = None,
    numbers: Iterable[str] = (),
    ready: Callable[[str], object] = lambda url: None,
) -> None:
    """Serves Twilio's double and the pocket phones until SIGTERM or SIGINT. Misconfigured if the port is taken.

    `numbers` are ours from the start; `ready` is told the address as soon as it can be opened.
    """
    ended = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    sandbox = Sandbox(
        account_sid,
        auth_token,
        public_base_url=public_base_url,
        host=host,
        port=port,
        state_file=state_file,
        api_key=api_key,
        api_secret=api_secret,
        words_per_second=TALKING_SPEED,
    )
    sandbox.own(*numbers)
    try:
        sandbox.start()
        ready(sandbox.url)
        ended.wait()
    finally:
        sandbox.stop()
