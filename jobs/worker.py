"""Workers: each an RQ worker on one queue, in a process of its own, respawned when it dies."""

import gc
import logging
import signal
import subprocess
import sys
import threading
import time

from rq import Queue, SimpleWorker

from jobs.drain import calls
from jobs.queue import BULK, URGENT, connection, waiting
from notifier.runtime import current

log = logging.getLogger(__name__)


def work(queue: str) -> None:
    """One worker on one queue: on two, a job popped by a worker that dies would be lost for ever.

    It runs jobs without a fork each, and notices within seconds what RQ's defaults notice within minutes.
    """
    current()  # everything is imported and connected before the first job
    gc.collect()
    gc.freeze()  # and lives as long as we do
    line = connection()
    if waiting(queue) is None:
        log.warning("Redis is away: this worker waits")
    while waiting(queue) is None:  # else it would die, and be started again and again
        time.sleep(0.5)
    worker = SimpleWorker(
        [Queue(queue, connection=line)],
        connection=line,
        worker_ttl=30,
        maintenance_interval=30,
        job_monitoring_interval=5,
    )
    try:
        worker.work(logging_level="WARNING")
    finally:
        calls.end()  # what Twilio was asked is written down first


def supervise(processes: int) -> None:
    """Keep `processes` workers for bulk work and one for urgent work alive, until told to stop."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    children: dict[int, subprocess.Popen[bytes]] = {}
    queues = [URGENT, *[BULK] * processes]

    def spawn(slot: int) -> None:
        command = [sys.executable, "-m", "notifier", "worker", "--queue", queues[slot]]
        children[slot] = subprocess.Popen(command)

    for slot in range(len(queues)):
        spawn(slot)
    while not stop.is_set():
        stop.wait(0.2)
        for slot, child in list(children.items()):
            if child.poll() is not None and not stop.is_set():
                log.warning("a worker for %s ended (%s); starting another", queues[slot], child.returncode)
                stop.wait(0.5)
                spawn(slot)
    for child in children.values():
        child.send_signal(signal.SIGTERM)
    end = time.monotonic() + 20
    for child in children.values():
        try:
            child.wait(timeout=max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
