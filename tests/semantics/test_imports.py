"""What an import may load and what each room may know of the others: I1 and the arrows of the house."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import breaker_exporter

from . import _private_doors
from ._processes import run_code

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAVY = ["ssl", "asyncio", "gevent", "gunicorn", "sentry_sdk", "requests", "urllib3", "grpc", "redis"]
PACKAGE = Path(breaker_exporter.__file__).parent

ALLOWED = {
    "_state": set[str](),
    "_log": set[str](),
    "_circuit": {"_state", "_log"},
    "_ledger": {"_state", "_log"},
    "_announcer": {"_state", "_log"},
}
"""What these rooms may import of the package: design.md's arrows, and the logger."""


def _for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk ``node`` without what only a type checker reads."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not _for_type_checkers(child):
            yield from _nodes(child)


def _imports(path: Path) -> set[str]:
    """Return what a module imports anywhere: ``.name`` for rooms of ours, whole names for others."""
    found: set[str] = set()
    for node in _nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level
            if node.module:
                found.add(prefix + node.module)
            else:
                found.update(prefix + name.name for name in node.names)
    return found


def _ours(path: Path) -> set[str]:
    rooms = {name.lstrip(".").split(".")[0] for name in _imports(path) if name.startswith(".")}
    whole = {name.split(".")[1] for name in _imports(path) if name.startswith("breaker_exporter.")}
    return rooms | whole


@pytest.mark.parametrize(
    "statement",
    [
        "import breaker_exporter",
        "from breaker_exporter import CircuitState, CircuitTransition, ExporterHealth",
        "import breaker_exporter; dir(breaker_exporter)",
        "import breaker_exporter.gunicorn",
        "from breaker_exporter.sentry import Sentry, SentryMode, init_sentry; Sentry(dsn='https://k@s/1')",
        "import breaker_exporter.telemetry",
        "import breaker_exporter.testing",
    ],
)
def test_an_import_before_the_patch_loads_nothing_heavy_redis_installed_or_not(
    tmp_path: Path, statement: str
) -> None:
    """I1: an ssl imported before patch_all recurses at the first HTTPS request."""
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "__init__.py").write_text("import ssl, asyncio\nclass Redis: ...\n")
    (tmp_path / "redis" / "client.py").write_text("class Pipeline: ...\n")
    (tmp_path / "redis" / "exceptions.py").write_text("class RedisError(Exception): ...\n")

    run_code(
        f"import sys\nassert 'ssl' not in sys.modules\n{statement}\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\nassert not loaded, loaded",
        path=tmp_path,
    )


def test_a_fake_redis_is_what_pybreaker_would_load(tmp_path: Path) -> None:
    """The test above can fail: the exporter itself, imported after the patch, does load it."""
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "__init__.py").write_text("class Redis: ...\n")
    (tmp_path / "redis" / "client.py").write_text("class Pipeline: ...\n")
    (tmp_path / "redis" / "exceptions.py").write_text("class RedisError(Exception): ...\n")

    run_code(
        "import sys\nfrom breaker_exporter import CircuitBreakerSpanExporter\nassert 'redis' in sys.modules",
        path=tmp_path,
    )


def test_the_exporter_itself_loads_no_gevent() -> None:
    """R1: it is looked for per call, and only where somebody else has imported it."""
    run_code(
        "import sys\n"
        "from breaker_exporter import CircuitBreakerSpanExporter\n"
        "from breaker_exporter.testing import ScriptedExporter\n"
        "exporter = CircuitBreakerSpanExporter(ScriptedExporter())\n"
        "exporter.export([object()])\n"
        "exporter.shutdown()\n"
        "assert exporter.health().exported == 1\n"
        "loaded = [name for name in ('gevent', 'gunicorn', 'sentry_sdk', 'requests', 'grpc') "
        "if name in sys.modules]\n"
        "assert not loaded, loaded"
    )


def test_the_public_names_are_these() -> None:
    assert breaker_exporter.__all__ == sorted(breaker_exporter.__all__)
    assert set(breaker_exporter.__all__) == {
        "CircuitBreakerSpanExporter",
        "CircuitState",
        "CircuitTransition",
        "ExportReport",
        "ExporterHealth",
        "ReportingSpanExporter",
        "Verdict",
    }
    for name in breaker_exporter.__all__:
        assert getattr(breaker_exporter, name).__name__ == name
        assert name in dir(breaker_exporter)
    with pytest.raises(AttributeError, match="CircuitBraker"):
        breaker_exporter.CircuitBraker  # noqa: B018


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_imports_only_what_the_house_allows(room: str) -> None:
    assert _ours(PACKAGE / f"{room}.py") <= ALLOWED[room]


@pytest.mark.parametrize("stranger", ["_state", "_circuit", "_ledger", "_exporter"])
def test_the_runner_knows_none_of_those_it_serves(stranger: str) -> None:
    assert stranger not in _ours(PACKAGE / "_runner.py")


@pytest.mark.parametrize("room", ["_state", "_circuit", "_ledger", "_exporter"])
def test_no_room_of_the_core_but_the_runners_knows_gevent(room: str) -> None:
    assert not [name for name in _imports(PACKAGE / f"{room}.py") if name.split(".")[0] == "gevent"]


PRIVATE_DOORS = {
    ("_provider.py", "_active_span_processor"): "who a provider hands its spans to",
    ("_provider.py", "_span_processors"): "the same",
    ("_provider.py", "_global_shutdown_lock"): "a thread pool of before the patch would hold the hub",
    ("_provider.py", "_once"): "so would OpenTelemetry's lock around what is set once",
    ("_sentry_quiet.py", "_send_envelope"): "Sentry's own posts make no spans, in forked children too",
    ("otlp/_connections.py", "_dns_host"): "one deadline for all addresses of a host",
    ("otlp/_connections.py", "_new_conn"): "the same; urllib3's support of SOCKS goes by it",
}
"""Each is in one place, and a test of its own says what happens where it is not there."""

DOCUMENTED = {"_asdict", "_exit", "_getframe", "_replace"}
"""Public in spite of the underscore."""

SUFFIXES = {"_ca_bundle", "_proxy"}
"""Of environment variables."""


def test_no_room_reaches_into_private_parts_of_the_dependencies_but_by_these_doors() -> None:
    """P4: neither by an import nor by an attribute, a string or a method of the same name."""
    found = _private_doors.doors() | _private_doors.overridden()

    assert {door for door in found if door[1] not in DOCUMENTED | SUFFIXES} == set(PRIVATE_DOORS)
