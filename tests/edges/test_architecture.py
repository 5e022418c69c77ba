"""The house rules, read from the source itself: who imports whom, one clock, one door, one place that commits."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = [path for part in ("notifier", "webhooks", "jobs") for path in sorted((ROOT / part).rglob("*.py"))]
TREES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in PARTS}
EDGES = ("webhooks/", "jobs/", "notifier/cli.py", "notifier/demo/", "notifier/sandbox/", "notifier/doctor.py")
VERBS = (
    *("enrolment", "sending", "inbox", "hearing", "answering", "tickets", "paging", "paging_answers"),
    *("reconcile", "importing", "import_runs", "pharmacy", "roster", "pages", "promises", "handling", "handover"),
    *("auditor", "canary", "watching", "phone_check", "presence", "rehearsal", "second_step"),
    *("calling", "bridging", "voicemail", "reached", "call_limit", "phone_lines"),
)


def imported(tree: ast.AST) -> set[str]:
    """Every module that a file imports, with the names taken from packages of ours."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def offenders(prefix: str, *forbidden: str, but: tuple[str, ...] = ()) -> list[str]:
    """Files under `prefix` that import something forbidden."""
    return [
        f"{name} imports {module}"
        for name, tree in TREES.items()
        if name.startswith(prefix) and not name.startswith(but)
        for module in sorted(imported(tree))
        if module.split(".")[0] in forbidden
        or any(module == each or module.startswith(f"{each}.") for each in forbidden)
    ]


def test_the_core_is_pure():
    allowed = ("notifier.core",)
    wrong = [
        f"{name} imports {module}"
        for name, tree in TREES.items()
        if name.startswith("notifier/core/")
        for module in imported(tree)
        if module.startswith("notifier") and not module.startswith(allowed)
    ]
    assert wrong == []
    assert offenders("notifier/core/", "sqlalchemy", "flask", "rq", "redis", "twilio", "requests", "random", "os") == []


def test_the_service_knows_neither_flask_nor_queues():
    edges = ("notifier/sandbox/", "notifier/demo/", "notifier/cli.py", "notifier/server.py", "notifier/doctor.py")
    assert offenders("notifier/", "flask", "rq", "redis", "jobs", "webhooks", but=edges) == []


def test_only_the_provider_speaks_to_twilio():
    edges = ("notifier/sandbox/", "notifier/provider.py", "notifier/demo/")
    assert offenders("notifier/", "twilio", "requests", but=edges) == []


def test_verbs_read_no_clock_and_open_no_transaction():
    for verb in VERBS:
        assert offenders(f"notifier/{verb}", "notifier.clock", "notifier.runtime") == []


def test_webhooks_run_no_jobs_and_jobs_know_no_web():
    assert offenders("webhooks/", "jobs.tasks", "rq") == []
    assert offenders("jobs/", "flask", "webhooks") == []


def test_the_product_never_imports_its_double():
    edges = ("notifier/sandbox/", "notifier/demo/", "notifier/cli.py")
    assert offenders("", "notifier.sandbox", but=edges) == []


def calls(tree: ast.AST, *names: str) -> list[int]:
    """The lines that call one of these, such as datetime.now."""
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in names]


def test_there_is_one_clock():
    wrong = [
        f"{name}:{line}"
        for name, tree in TREES.items()
        if name != "notifier/clock.py" and not name.startswith(("notifier/sandbox/", "notifier/demo/"))
        for line in calls(tree, "datetime.now", "datetime.utcnow", "date.today", "time.time", "func.now")
    ]
    assert wrong == []


def test_only_the_edges_ask_the_clock():
    wrong = [
        f"{name}:{line}"
        for name, tree in TREES.items()
        if not name.startswith(EDGES)
        for line in calls(tree, "clock.now", "times.now", "clock.real")
    ]
    assert wrong == []


def test_state_moves_through_one_door():
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        if not name.startswith("notifier/sandbox/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute) and target.attr == "state"
    ]
    assert wrong == []


def test_one_place_commits():
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        if name not in ("notifier/runtime.py",) and not name.startswith("notifier/sandbox/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    ]
    assert wrong == []


@pytest.mark.parametrize("name", sorted(TREES))
def test_every_file_says_why_it_exists(name):
    assert ast.get_docstring(TREES[name]), f"{name} has no docstring"
