"""The commands: the one place that may import everything. Each imports what it needs when it runs."""

import functools
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

import click
from dotenv import load_dotenv

from notifier.errors import Misconfigured, NotifierError

P = ParamSpec("P")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PORT = click.IntRange(1, 65535)
NOT_SET_UP = "the database is not set up for this version: run `notifier migrate`"


def refuses(command: Callable[P, None]) -> Callable[P, None]:
    """An error of ours becomes one sentence on stderr and exit code 1; so does a database that is away."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from sqlalchemy.exc import OperationalError, ProgrammingError

        try:
            command(*args, **kwargs)
        except NotifierError as error:
            raise click.ClickException(str(error)) from None
        except OperationalError as error:
            if "no such table" in str(error.orig):  # as SQLite says it
                raise click.ClickException(NOT_SET_UP) from None
            raise click.ClickException(
                f"the database does not answer ({type(error.orig).__name__}): check DATABASE_URL, see `notifier doctor`"
            ) from None
        except ProgrammingError:
            raise click.ClickException(NOT_SET_UP) from None

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="notifier")
def main() -> None:
    """Patients on home infusion are told, heard, and always reach a human."""
    load_dotenv(".env")


def _logs() -> None:
    from notifier import logs
    from notifier.runtime import current

    logs.configure(current().settings.log_format)


# --- the processes ------------------------------------------------------------------------------------------------


@main.command()
@click.option("--port", default=8000, show_default=True, help="Where the console answers; the phones at port + 10.")
@click.option("--speed", default=1.0, show_default=True, help="1440: a day passes in a minute.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), default=Path(".demo"), show_default=True)
@refuses
def demo(port: int, speed: float, data: Path) -> None:
    """Everything on this machine: a sample pharmacy, its patients, and their phones. Ctrl-C stops it."""
    from notifier.demo import run

    run(port=port, speed=speed, data=data)


@main.command()
@click.option("--bind", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT")
@refuses
def web(bind: str) -> None:
    """Answer HTTP: Twilio's webhooks, the console, the API."""
    host, _, port = bind.rpartition(":")
    if not (host and port.isdigit() and 0 < int(port) < 65536):
        raise click.BadParameter("must look like 127.0.0.1:8000", param_hint="--bind")
    from notifier.server import serve

    serve(bind)


@main.command()
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Workers for bulk work; one more is for urgent only.",
)
@click.option("--queue", type=click.Choice(["urgent", "bulk"]), hidden=True)
@refuses
def worker(processes: int, queue: str | None) -> None:
    """Send and understand: RQ workers, respawned when they die."""
    from jobs.worker import supervise, work

    _logs()
    if queue:
        work(queue)
    else:
        supervise(processes)


@main.command()
@refuses
def clock() -> None:
    """Make due things happen. Several may run; one leads, another takes over within 15 s."""
    from jobs.clock import run

    _logs()
    run()


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=PORT, default=8010, show_default=True)
@click.option("--data", type=click.Path(dir_okay=False, path_type=Path), help="Keep the phones in this file.")
@refuses
def sandbox(host: str, port: int, data: Path | None) -> None:
    """The Twilio double alone, with the pocket phones."""
    from notifier.sandbox.serve import serve

    missing = [
        name for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "PUBLIC_BASE_URL") if name not in os.environ
    ]
    if missing:
        raise NotifierError(f"please set {', '.join(missing)}: the sandbox plays this account")
    serve(
        host=host,
        port=port,
        account_sid=os.environ["TWILIO_ACCOUNT_SID"],
        auth_token=os.environ["TWILIO_AUTH_TOKEN"],
        public_base_url=os.environ["PUBLIC_BASE_URL"],
        api_key=os.environ.get("TWILIO_API_KEY", ""),
        api_secret=os.environ.get("TWILIO_API_SECRET", ""),
        state_file=data,
        numbers=_our_numbers(),
        ready=lambda url: click.echo(f"The sandbox answers at {url}, and the pocket phones with it."),
    )


def _our_numbers() -> list[str]:
    """The numbers of the sites, where the database is there to ask; the rest become ours when a text leaves by them."""
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    from notifier.models import Site
    from notifier.runtime import reading

    try:
        with reading() as session:
            sites = session.scalars(select(Site)).all()
    except (NotifierError, SQLAlchemyError):
        return []
    return sorted({number for site in sites for number in (site.sms_from, site.voice_from) if number})


# --- set-up -------------------------------------------------------------------------------------------------------


@main.command()
@refuses
def migrate() -> None:
    """Bring the database's schema to head. Safe to run from several hosts at once."""
    from notifier import migrations
    from notifier.runtime import current

    migrations.upgrade(current().engine)
    click.echo(f"The database stands at {migrations.head()}.")


@main.command()
@click.argument("file", type=FILE)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@refuses
def apply(file: Path, dry_run: bool) -> None:
    """Sites, staff, rotas and ladders from a TOML file."""
    from notifier import clock as times
    from notifier import pharmacy

    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise NotifierError(f"{file.name} is not UTF-8: save it as UTF-8") from None
    with _dry(dry_run) as session:
        changes = pharmacy.apply(session, text, now=times.now(), by=f"apply {file.name}")
    for line in changes:
        click.echo(line)
    click.echo(f"{len(changes)} changes{' would be made' if dry_run else ''}." if changes else "Nothing to change.")


@main.command("import")
@click.argument("file", type=FILE)
@click.option("--dry-run", is_flag=True, help="Check every row, and change nothing.")
@refuses
def import_(file: Path, dry_run: bool) -> None:
    """Patients, plans and deliveries from a CSV file."""
    from notifier import clock as times
    from notifier import importing
    from notifier.runtime import current

    with _dry(dry_run) as session:
        result = importing.load(session, file.read_bytes(), catalog=current().catalog, now=times.now())
    for column in result.ignored_columns:
        click.echo(f"column {column} is not one of ours and was ignored", err=True)
    for fault in result.faults:
        click.echo(f"{fault.line}: {fault.column}: {fault.reason}")
    click.echo(f"{result.loaded} loaded, {result.refused} refused, {result.unchanged} unchanged")
    if result.refused:
        sys.exit(1)


def _dry(dry_run: bool) -> Any:
    """A transaction; for a dry run one that leaves no trace."""
    from contextlib import contextmanager

    from notifier.runtime import current, transaction

    @contextmanager
    def rehearsal() -> Any:
        with current().sessions() as session:
            yield session
            session.rollback()

    return rehearsal() if dry_run else transaction()


@main.group()
def user() -> None:
    """Who may sign in to the console."""


@user.command("add")
@click.argument("email")
@click.option(
    "--role",
    required=True,
    type=click.Choice(["nurse", "pharmacist", "delivery", "coordinator", "billing", "supervisor", "admin"]),
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@refuses
def user_add(email: str, role: str, password_stdin: bool) -> None:
    """Let EMAIL sign in with a role."""
    from notifier import access
    from notifier import clock as times
    from notifier.core.vocabulary import Role
    from notifier.runtime import transaction

    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with transaction() as session:
        access.create_user(session, email, Role(role), password, now=times.now())
    click.echo(f"{email} can sign in as {role}.")


@user.command("unlock")
@click.argument("email")
@refuses
def user_unlock(email: str) -> None:
    """Take the second step of EMAIL away, whose phone and codes are lost, and sign them out everywhere."""
    from notifier import access, journal, second_step
    from notifier import clock as times
    from notifier.runtime import transaction

    with transaction() as session:
        staff = access.by_email(session, email)
        if staff is None:
            raise click.ClickException(f"nobody signs in as {email}")
        second_step.turn_off(session, staff, now=times.real(), by=journal.SYSTEM)
        access.sign_out_everywhere(session, staff, now=times.real(), by=journal.SYSTEM)
    click.echo(f"{email} signs in with the password alone now.")


@main.group()
def token() -> None:
    """Which systems may use the API."""


@token.command("add")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice(["read", "write", "tickets", "admin"]),
    help="May be given several times.",
)
@refuses
def token_add(name: str, scopes: tuple[str, ...]) -> None:
    """A token for another system; printed once, alone on its line."""
    from notifier import access
    from notifier import clock as times
    from notifier.core.vocabulary import Scope
    from notifier.runtime import transaction

    with transaction() as session:
        click.echo(access.create_token(session, name, [Scope(scope) for scope in scopes], now=times.now()))


# --- looking ------------------------------------------------------------------------------------------------------


@main.command()
@click.option("--patient", required=True, metavar="ID", help="The patient's id, or the pharmacy's own number.")
@refuses
def preview(patient: str) -> None:
    """A patient's whole schedule as the patient will receive it."""
    from notifier import clock as times
    from notifier import previewing
    from notifier.runtime import current, reading

    with reading() as session:
        for line in previewing.lines(session, patient, catalog=current().catalog, now=times.now()):
            click.echo(line)


@main.command()
@click.argument("text", required=False)
@click.option("--jsonl", is_flag=True, help='Read {"id", "text"} lines from standard input; write one line for each.')
@click.option("--explain", is_flag=True, help="Say which words and which rule made each kind.")
@click.option(
    "--evaluate",
    metavar="FILE.jsonl",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='Measure against labelled {"text", "kinds", "urgency"} lines; print every miss.',
)
@click.option("--rules-alone", is_flag=True, help="Without the learned layer.")
@click.option("--judged", is_flag=True, help="With train: first say how a layer does that has not seen some of them.")
@refuses
def triage(
    text: str | None, jsonl: bool, explain: bool, evaluate: Path | None, rules_alone: bool, judged: bool
) -> None:
    """Understand a reply. With the word train for TEXT: learn anew from the labelled replies of the catalog."""
    from notifier import triaging

    if text == "train":
        try:
            from notifier import training
        except ImportError as error:
            raise NotifierError(f"training needs what `make dev` installs ({error.name}): run that first") from None
        for line in training.train(triaging.rules(_own_catalog(), learned=False), judged=judged):
            click.echo(line)
        return
    rules = triaging.rules(_own_catalog(), learned=not rules_alone)
    if evaluate:
        for line in triaging.evaluation(evaluate, rules):
            click.echo(line)
    elif jsonl:
        for line in sys.stdin:
            if line.strip():
                click.echo(json.dumps(triaging.answer(line, rules), ensure_ascii=False))
    elif text is None:
        raise click.UsageError("give a TEXT, or --jsonl and lines on standard input, or --evaluate FILE.jsonl")
    else:
        for line in (triaging.explain if explain else triaging.told)(text, rules):
            click.echo(line)


def _own_catalog() -> Path | None:
    """The pharmacy's own folder; read apart from the settings, so that a catalog can be tried without any."""
    named = os.environ.get("NOTIFIER_CATALOG")
    if named and not Path(named).is_dir():
        raise Misconfigured(f"NOTIFIER_CATALOG is not a folder: {named}")
    return Path(named) if named else None


@main.group()
def catalog() -> None:
    """The journeys, words and lexicons."""


@catalog.command("check")
@refuses
def catalog_check() -> None:
    """Check journeys, templates, links, ladders and lexicons; say file, key and what to write instead."""
    from notifier import catalog as shipped
    from notifier.catalog import check, check_rules

    own = _own_catalog()
    found = shipped.load(own)
    faults = [*check.faults(found), *check_rules.faults([shipped.SHIPPED, *([own] if own else [])])]
    for note in check.notes(found):
        click.echo(note, err=True)
    for fault in faults:
        click.echo(fault)
    if faults:
        sys.exit(1)
    click.echo(
        f"The catalog is in order: {len(found.messages)} messages in {', '.join(found.languages)}, "
        f"{len(found.journeys.steps)} steps, {len(found.rules.rows)} triage rows."
    )


@main.command()
@click.option("--since", default="2h", show_default=True, metavar="2h", help="How far back: 30m, 2h, 3d.")
@refuses
def reconcile(since: str) -> None:
    """Ask Twilio what it really sent and received, and mend the difference."""
    from jobs import drain, tasks

    units = {"m": 1 / 60, "h": 1.0, "d": 24.0}
    if since[-1:] not in units or not since[:-1].replace(".", "", 1).isdigit():
        raise click.BadParameter("must look like 30m, 2h or 3d", param_hint="--since")
    _logs()
    _ask_twilio()
    tasks.reconcile_all(str(float(since[:-1]) * units[since[-1]]))
    tasks.dispatch()
    drain.calls.end()
    click.echo("Our books agree with Twilio's.")


def _ask_twilio() -> None:
    """One question first: the jobs pass over a Twilio that is away, a person who waits is to be told."""
    from notifier import clock as times
    from notifier import reconcile as books
    from notifier.provider import Unreachable
    from notifier.runtime import current, reading

    with reading() as session:
        numbers, _ = books.numbers_to_read(session)
    try:
        for number in numbers[:1]:
            next(iter(current().twilio.inbound(number, times.now())), None)
        current().twilio.account_status()
    except Unreachable as error:
        raise NotifierError(
            f"Twilio does not answer ({error}), so nothing was compared: see `notifier doctor`"
        ) from None


@main.command()
@click.option("--site", metavar="KEY", help="One site alone.")
@refuses
def roster(site: str | None) -> None:
    """Check the rota of the next 30 days: gaps, and phones that may not ring. Exit code 1: there are gaps."""
    from notifier import clock as times
    from notifier import roster as rota
    from notifier.runtime import reading

    with reading() as session:
        holes = list(rota.report(session, site, times.now()))
    for line, _ in holes:
        click.echo(line)
    if any(is_gap for _, is_gap in holes):
        sys.exit(1)


@main.command()
@refuses
def doctor() -> None:
    """Check settings, database, Redis, Twilio and the numbers' addresses; say how to mend each."""
    from notifier import doctor as examination
    from notifier.config import Settings

    logging.disable(logging.CRITICAL)
    findings = examination.check(Settings.from_env())
    for finding in findings:
        click.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.said}")
        if not finding.ok:
            click.echo(f"      {finding.mend}")
    if not all(finding.ok for finding in findings):
        sys.exit(1)


if __name__ == "__main__":
    main()
