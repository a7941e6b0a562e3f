"""Imports that must load nothing heavy (I1), public names, and uses of private names of others.

The arrows between folders are contracts of import-linter, in ``pyproject.toml``.
"""

from __future__ import annotations

import ast
import pydoc
import re
from importlib.metadata import version
from pathlib import Path

import pytest

import breaker_exporter

from . import _private_doors
from ._processes import run_code

HEAVY = ["ssl", "asyncio", "gevent", "gunicorn", "sentry_sdk", "requests", "urllib3", "grpc", "redis"]
PACKAGE = Path(breaker_exporter.__file__).parent


@pytest.mark.parametrize(
    "statement",
    [
        "import breaker_exporter",
        "from breaker_exporter import CircuitState, CircuitTransition, ExporterHealth",
        "import breaker_exporter; dir(breaker_exporter)",
        "import breaker_exporter.gunicorn",
        "from breaker_exporter.sentry import Sentry, SentryMode, connect_sentry; Sentry(dsn='https://k@s/1')",
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


def test_who_retains_nothing_loads_nothing_of_retention() -> None:
    """K1: a bare exporter costs no import that it does not need."""
    run_code(
        "import sys\n"
        "from breaker_exporter import CircuitBreakerSpanExporter, Retention\n"
        "from breaker_exporter.testing import ScriptedExporter\n"
        "parts = ('custody', 'backlog', 'disk_backlog')\n"
        "def loaded():\n"
        "    return [name for name in parts if f'breaker_exporter._core.{name}' in sys.modules]\n"
        "CircuitBreakerSpanExporter(ScriptedExporter()).export([object()])\n"
        "assert not loaded(), loaded()\n"
        "CircuitBreakerSpanExporter(ScriptedExporter(), retention=Retention())\n"
        "assert len(loaded()) == 3, loaded()"
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


@pytest.mark.parametrize(
    ("used", "unused"),
    [("Span", ("_logs", "metrics")), ("LogRecord", ("trace", "metrics")), ("Metric", ("trace", "_logs"))],
)
def test_a_signal_loads_nothing_of_ours_for_another(used: str, unused: tuple[str, ...]) -> None:
    """Whoever uses one signal pays for that one."""
    run_code(
        f"import sys\nfrom breaker_exporter import CircuitBreaker{used}Exporter\n"
        f"loaded = [name for name in {unused!r} if 'breaker_exporter._' + name.strip('_') in sys.modules]\n"
        "assert not loaded, loaded"
    )


def test_the_public_names_are_these() -> None:
    assert breaker_exporter.__all__ == sorted(breaker_exporter.__all__)
    assert set(breaker_exporter.__all__) == {
        "Cause",
        "CircuitBreakerLogRecordExporter",
        "CircuitBreakerMetricExporter",
        "CircuitBreakerSpanExporter",
        "CircuitState",
        "CircuitTransition",
        "ExportReport",
        "ExporterHealth",
        "ReportingSpanExporter",
        "Retention",
        "SharedCircuit",
        "Verdict",
    }
    for name in breaker_exporter.__all__:
        assert getattr(breaker_exporter, name).__name__ == name
        assert name in dir(breaker_exporter)
    with pytest.raises(AttributeError, match="CircuitBraker"):
        breaker_exporter.CircuitBraker  # noqa: B018


def test_the_version_is_that_of_the_installed_package() -> None:
    assert breaker_exporter.__version__ == version("breaker-exporter")
    assert "__version__" in dir(breaker_exporter)


def test_help_opens_with_what_the_package_is_for() -> None:
    text = pydoc.plain(pydoc.render_doc(breaker_exporter))

    assert "so that telemetry never becomes the outage" in text.split("DESCRIPTION")[0]
    assert "CircuitBreakerSpanExporter(OTLPSpanExporter())" in text
    assert f"VERSION\n    {breaker_exporter.__version__}" in text


def test_only_one_folder_names_gevent_in_code_or_in_a_string() -> None:
    """import-linter cannot see a module's name that is given to ``importlib`` or to ``sys.modules``."""
    found = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"(gevent|greenlet)(\.\w+)*", node.value)
    }
    assert found - {"_demo", "_doctor", "testing"} == {"_concurrency"}


PRIVATE_DOORS = {
    ("_concurrency/log_feedback.py", "_handlerList"): "handlers behind a queue are on no logger",
    ("_concurrency/log_feedback.py", "_internal"): "the SDK's loggers have the names of its modules",
    ("_concurrency/log_feedback.py", "_shared_internal"): "the same",
    ("_concurrency/interpreter_exit.py", "_tstate_lock"): "no greenlet is let in while an export begins",
    ("_wiring/instance_id.py", "_update_resource"): "in a child the SDK replaces an id that was given",
    ("_wiring/logs.py", "_multi_log_record_processor"): "who has added to a provider",
    ("_wiring/logs.py", "_log_record_processors"): "the same",
    ("_wiring/metrics.py", "_metric_readers"): "the same",
    ("_wiring/provider.py", "_active_span_processor"): "the processor that a provider hands its spans to",
    ("_wiring/provider.py", "_span_processors"): "the same",
    ("_wiring/native_locks.py", "_global_shutdown_lock"): "a pool of before the patch would hold the hub",
    ("_wiring/native_locks.py", "_once"): "so would OpenTelemetry's lock around what is set once",
    ("sentry/_suppression.py", "_send_envelope"): "Sentry's own posts make no spans, in forked children too",
    (
        "_zero_code/metrics_in_child.py",
        "_all_metric_readers",
    ): "a child must not inherit",
    ("_zero_code/metrics_in_child.py", "_export_lock"): "the same",
    ("_zero_code/metrics_in_child.py", "_instrument_class_aggregation"): "the same",
    ("_zero_code/metrics_in_child.py", "_instrument_class_temporality"): "the same",
    ("_zero_code/metrics_in_child.py", "_reader_storages"): "the same",
    ("_zero_code/metrics_in_child.py", "_sdk_config"): "the same",
    ("otlp/_send/connections.py", "_dns_host"): "one deadline for all addresses of a host",
    ("otlp/_send/connections.py", "_new_conn"): "the same; urllib3's support of SOCKS goes by it",
}
"""Each is in one place, and a test of its own says what happens where it is not there."""

DOCUMENTED = {"_asdict", "_exit", "_experiments", "_getframe", "_logs", "_replace"}
"""Public in spite of the underscore."""

SUFFIXES = {"_ca_bundle", "_proxy"}
"""Of environment variables."""

OURS = {"_breaker_exporter_kept_out"}
"""Attributes that we give to objects of others."""


def test_private_names_of_dependencies_are_used_in_these_places_only() -> None:
    """P4: by an import, an attribute, a string or a method of the same name."""
    found = _private_doors.doors() | _private_doors.overridden()

    assert {door for door in found if door[1] not in DOCUMENTED | SUFFIXES | OURS} == set(PRIVATE_DOORS)
