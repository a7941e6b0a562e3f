"""The names in ``OTEL_TRACES_EXPORTER``: who is asked for them, and what is wrong with them."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from breaker_exporter._doctor.settings import exporters
from breaker_exporter._wiring import exporter_names as names
from breaker_exporter.otlp._signals import SIGNALS, Signal

from ._findings import asked, bad, by_protocol, diagnosed, in_force
from .test_conf import GEVENT, LINE, looked_at

HTTP, GRPC = "http/protobuf", "grpc"
OURS = "breaker_otlp_proto_http"
NO_MORE = {"OTEL_SERVICE_NAME": "shop", "OTEL_LOGS_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
"""What zero code takes otlp for, without a circuit, where it is not set."""
MODULE = """
import functools
from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter.otlp import CooperativeOTLPSpanExporter, OTLPGrpcSpanExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

class Own(OTLPSpanExporter): pass
class OwnOfOurs(OTLPGrpcSpanExporter): pass
def guarded(): return CircuitBreakerSpanExporter(CooperativeOTLPSpanExporter())
def inside():
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    return CircuitBreakerSpanExporter(OTLPSpanExporter())
def other(): return ConsoleSpanExporter()
partly = functools.partial(Own)
"""
WRAPPERS = {
    "own_alias": ("breaker_exporter._zero_code:HTTPSpanExporter", (HTTP,)),
    "own_class": ("own_exporters:Own", (GRPC,)),
    "own_of_ours": ("own_exporters:OwnOfOurs", (GRPC,)),
    "own_guarded": ("own_exporters:guarded", ()),
    "own_inside": ("own_exporters:inside", ()),
    "own_other": ("own_exporters:other", ()),
    "own_partial": ("own_exporters:partly", ()),
}


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package with exporters of its own, and opentelemetry-distro."""
    site = tmp_path / "site"
    (site / "own-1.0.dist-info").mkdir(parents=True)
    (site / "own-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, (value, _) in WRAPPERS.items()]
    lines.append("own_broken = own_exporters_that_are_not_there:Own")
    (site / "own-1.0.dist-info" / "entry_points.txt").write_text(
        "[opentelemetry_otlp_credential_provider]\nmine = nowhere:make\n"
        "[opentelemetry_configurator]\nconfigurator = nowhere:Configurator\n"
        "[opentelemetry_traces_exporter]\n" + "\n".join(lines) + "\n"
    )
    (site / "own_exporters.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(site))


@pytest.mark.parametrize(
    ("listed", "protocols", "expected"),
    [
        (OURS, (HTTP,), []),
        ("breaker_otlp_proto_grpc", (GRPC,), []),
        (f"{OURS},breaker_otlp_proto_grpc", (HTTP, GRPC), []),
        (f" console , {OURS}", (HTTP,), []),
        ("otlp,otlp_proto_http", (HTTP,), ["warning exporter-twice"]),
        (f"{OURS},otlp_proto_grpc", (HTTP, GRPC), ["warning exporter-unguarded"]),
        (f"{OURS},otlp", (HTTP,), ["warning exporter-twice", "warning exporter-unguarded"]),
        (f"{OURS},jaeger", (HTTP,), ["broken exporter-unknown"]),
    ],
)
def test_the_collector_is_asked_for_every_name_of_an_otlp_exporter(
    listed: str, protocols: tuple[str, ...], expected: list[str]
) -> None:
    findings, force = in_force({**NO_MORE, "OTEL_TRACES_EXPORTER": listed})

    assert by_protocol(force) == protocols
    assert bad(findings) == expected


@pytest.mark.parametrize("name", names.OTLP)
def test_a_dead_collector_is_found_by_every_name(name: str) -> None:
    environ = {"OTEL_TRACES_EXPORTER": name, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}

    assert bad(asked(environ)) == ["broken tcp-refused"]


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_name_of_another_package_is_known_by_what_it_makes(name: str) -> None:
    findings, force = in_force({"OTEL_SERVICE_NAME": "shop", "OTEL_TRACES_EXPORTER": name})

    assert by_protocol(force) == WRAPPERS[name][1]
    assert bad(findings) == []
    assert ("exporter-other" in [each.check for each in findings]) is not bool(by_protocol(force))


def test_one_that_cannot_be_loaded_is_told() -> None:
    findings, force = in_force({"OTEL_SERVICE_NAME": "shop", "OTEL_TRACES_EXPORTER": "own_broken"})

    assert bad(findings) == ["broken exporter-unusable"]
    assert "No module named 'own_exporters_that_are_not_there'" in findings[0].text
    assert by_protocol(force) == ()


@pytest.mark.parametrize("name", ["breaker_otlp_proto_htp", "breaker_otlp_http", "OTLP_PROTO_GRPC"])
def test_a_name_that_is_nearly_right_is_told_the_right_one(name: str) -> None:
    findings, _ = in_force({"OTEL_SERVICE_NAME": "shop", "OTEL_TRACES_EXPORTER": name})

    assert bad(findings) == ["warning exporter-unknown"]
    assert "did you mean " in findings[0].advice
    assert "breaker_otlp_proto_http" in findings[0].advice or "otlp_proto_grpc" in findings[0].advice


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_names_of_ours_are_those_that_are_installed(signal: Signal) -> None:
    found = metadata.entry_points(group=f"opentelemetry_{signal.word.lower()}_exporter")
    ours = {each.name: each.load() for each in found if each.dist and each.dist.name == "breaker-exporter"}

    assert {name: exporters.protocol_of(made_by) for name, made_by in ours.items()} == names.GUARDED


def test_without_hooks_zero_code_is_well_and_only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    partly = "from breaker_exporter.gunicorn import worker_exit\n"
    late = f"import os\nos.environ['OTEL_TRACES_EXPORTER'] = {OURS!r}\n"

    findings, _ = looked_at(GEVENT + late)
    assert bad(findings) == ["broken hooks-missing"]
    assert "it does not see what gunicorn.conf.py sets" in findings[-2].advice + findings[-1].advice

    monkeypatch.setenv("OTEL_TRACES_EXPORTER", f"console,{OURS}")
    assert bad(looked_at(GEVENT)[0]) == []
    assert bad(looked_at(partly)[0]) == []
    findings, _ = looked_at(GEVENT + LINE)
    assert bad(findings) == []
    assert "hooks" in [each.check for each in findings]
    assert bad(looked_at(LINE + "def post_fork(s, w): pass\n")[0]) == ["broken hook-overridden"]


def test_zero_code_without_what_reads_the_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = metadata.entry_points
    monkeypatch.setattr(
        exporters,
        "entry_points",
        lambda *, group: () if group == "opentelemetry_configurator" else found(group=group),
    )

    findings, _ = in_force({**NO_MORE, "OTEL_TRACES_EXPORTER": OURS})

    assert bad(findings) == ["warning zero-code-missing"]
    assert "opentelemetry-distro" in findings[0].advice


def test_zero_code_takes_otlp_for_what_is_not_set_and_that_is_told() -> None:
    environ = {"OTEL_SERVICE_NAME": "shop", "OTEL_LOGS_EXPORTER": OURS, "OTEL_METRICS_EXPORTER": ""}

    findings, _ = in_force(environ)

    assert bad(findings) == ["warning exporter-unguarded"]
    (told,) = [each for each in findings if each.check == "exporter-unguarded"]
    assert "OTEL_TRACES_EXPORTER is not set, for which it takes otlp" in told.text


def test_zero_code_with_a_dead_collector_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", OURS)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    Path("gunicorn.conf.py").write_text(GEVENT)

    found = diagnosed(capsys)

    assert found.status == 2
    assert [check for check in found.bad if check.startswith("broken")] == ["broken tcp-refused"]


def test_credentials_that_are_not_asked_for_are_told() -> None:
    name = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER"

    findings, _ = in_force({"OTEL_SERVICE_NAME": "shop", name: "mine"})

    assert bad(findings) == []
    (told,) = [each for each in findings if each.check == "credential-provider"]
    assert name in told.text
