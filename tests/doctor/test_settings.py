"""The settings in force, where each comes from, and what is wrong with variables."""

from __future__ import annotations

import pytest

from breaker_exporter._doctor.gunicorn import stopping
from breaker_exporter._doctor.gunicorn.configuration import Conf
from breaker_exporter._doctor.settings.given import Given
from breaker_exporter._wiring.settings import Arguments

from ._findings import bad, by_protocol, in_force, taken

NAMED = {"OTEL_SERVICE_NAME": "shop"}
VARIABLE = ["warning variable"]
CASES: dict[str, tuple[dict[str, str], list[str]]] = {
    "nothing": ({}, []),
    "disabled": ({"OTEL_SDK_DISABLED": "true"}, ["warning sdk-disabled"]),
    "disabled in another word": ({"OTEL_SDK_DISABLED": "1"}, VARIABLE),
    "no exporter": ({"OTEL_TRACES_EXPORTER": "none"}, ["warning exporter-none"]),
    "unknown exporter": ({"OTEL_TRACES_EXPORTER": "jaeger"}, ["warning exporter-unknown"]),
    "unknown exporter, strict": (
        {"OTEL_TRACES_EXPORTER": "jaeger,otlp", "BREAKER_EXPORTER_STRICT": "1"},
        ["broken exporter-unknown"],
    ),
    "console": ({"OTEL_TRACES_EXPORTER": "otlp,console"}, []),
    "http/json": ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, VARIABLE),
    "bad cooldown": ({"BREAKER_EXPORTER_COOLDOWN": "soon"}, VARIABLE),
    "bad cooldown, strict": (
        {"BREAKER_EXPORTER_COOLDOWN": "soon", "BREAKER_EXPORTER_STRICT": "1"},
        ["broken variable"],
    ),
    "bad strict": ({"BREAKER_EXPORTER_STRICT": "perhaps"}, VARIABLE),
    "milliseconds": ({"OTEL_EXPORTER_OTLP_TIMEOUT": "5000"}, ["warning timeout-milliseconds"]),
    "cut": ({"OTEL_EXPORTER_OTLP_TIMEOUT": "30"}, ["warning timeout-cut"]),
    "too short": ({"OTEL_EXPORTER_OTLP_TIMEOUT": "0.1"}, ["warning timeout-short"]),
    "wrong order": ({"BREAKER_EXPORTER_EXPORT_TIMEOUT": "4"}, VARIABLE),
    "cooldowns": ({"BREAKER_EXPORTER_MAX_COOLDOWN": "5"}, VARIABLE),
    "milliseconds of ours": (
        {"BREAKER_EXPORTER_COOLDOWN": "15000", "BREAKER_EXPORTER_SHUTDOWN_TIMEOUT": "5000"},
        ["warning time-milliseconds"] * 2,
    ),
    "both cooldowns": (
        {"BREAKER_EXPORTER_COOLDOWN": "15000", "BREAKER_EXPORTER_MAX_COOLDOWN": "60000"},
        ["warning time-milliseconds"] * 2,
    ),
    "delay in seconds": ({"OTEL_BSP_SCHEDULE_DELAY": "5"}, ["warning schedule-delay"]),
    "delay of an hour": ({"OTEL_BSP_SCHEDULE_DELAY": "3600000"}, ["warning schedule-delay"]),
    "limit nobody keeps": ({"OTEL_BSP_EXPORT_TIMEOUT": "30000"}, []),
    "limit in seconds": ({"OTEL_BSP_EXPORT_TIMEOUT": "30"}, ["warning bsp-export-timeout"]),
    "queue": ({"OTEL_BSP_MAX_QUEUE_SIZE": "100"}, VARIABLE),
    "sampler": ({"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, []),
    "no sampler": ({"OTEL_TRACES_SAMPLER": "sometimes"}, VARIABLE),
    "sampler off": ({"OTEL_TRACES_SAMPLER": "always_off"}, ["warning sampler-off"]),
    "ratio": ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, []),
    "no ratio": ({"OTEL_TRACES_SAMPLER": "traceidratio"}, []),
    "ratio of 0": (
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
        ["warning sampler-off"],
    ),
    "ratio without a sampler": ({"OTEL_TRACES_SAMPLER_ARG": "0.1"}, ["warning sampler-argument"]),
    "ratio for another sampler": (
        {"OTEL_TRACES_SAMPLER": "always_on", "OTEL_TRACES_SAMPLER_ARG": "0.1"},
        ["warning sampler-argument"],
    ),
    "resource": ({"OTEL_RESOURCE_ATTRIBUTES": "a=b, c=d=e,"}, []),
    "resource without values": (
        {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment,a=b,c"},
        ["warning resource-attributes"],
    ),
    "no path": (
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector:4318"},
        ["warning traces-endpoint-path"],
    ),
    "path": ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector:4318/v1/traces"}, []),
    "path in the base": (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector:4318/v1/traces"},
        [],
    ),
    "path of a gateway": ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector/otlp"}, []),
    "no scheme": ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, VARIABLE),
    "headers": ({"OTEL_EXPORTER_OTLP_HEADERS": "Authorization: Bearer abc"}, VARIABLE),
    "header that is never sent": ({"OTEL_EXPORTER_OTLP_HEADERS": "x=%E2%82%AC"}, VARIABLE),
    "user for gRPC": (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:x@collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        VARIABLE,
    ),
    "credentials": ({"OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER": "nowhere"}, VARIABLE),
    "credentials for gRPC": (
        {
            "OTEL_PYTHON_EXPORTER_OTLP_GRPC_TRACES_CREDENTIAL_PROVIDER": "nowhere",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        },
        VARIABLE,
    ),
    "credentials of another protocol": (
        {"OTEL_PYTHON_EXPORTER_OTLP_GRPC_CREDENTIAL_PROVIDER": "nowhere"},
        [],
    ),
    "compression": ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, VARIABLE),
    "certificate": ({"OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such/file.pem"}, VARIABLE),
    "grpc compression": (
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "deflate", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        VARIABLE,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_has_its_diagnosis(case: str) -> None:
    environ, expected = CASES[case]

    findings, _ = in_force({**NAMED, **environ})

    assert bad(findings) == expected
    assert all(finding.advice for finding in findings if finding.level.value != "ok")


@pytest.mark.parametrize(
    ("environ", "protocols"),
    [
        ({}, ("http/protobuf",)),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ("grpc",)),
        ({"OTEL_TRACES_EXPORTER": "otlp,otlp_proto_grpc"}, ("http/protobuf", "grpc")),
        ({"OTEL_TRACES_EXPORTER": "console"}, ()),
        ({"OTEL_TRACES_EXPORTER": "otlp,none"}, ()),
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, ("http/protobuf",)),
        ({"OTEL_SDK_DISABLED": "true"}, ()),
    ],
)
def test_spans_go_by_these_protocols(environ: dict[str, str], protocols: tuple[str, ...]) -> None:
    assert by_protocol(in_force(environ)[1]) == protocols


def sources(environ: dict[str, str], **arguments: object) -> dict[str, tuple[object, str]]:
    _, force = in_force(environ, Given(Arguments(**arguments), "shop"))  # type: ignore[arg-type]
    return {row.name: (row.value, row.source) for row in force.rows}


def test_each_setting_tells_where_it_comes_from() -> None:
    found = sources(
        {
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "3",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "8",
            "BREAKER_EXPORTER_MAX_COOLDOWN": "3",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:secret@collector:4318?key=secret",
            "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=secret,b=secret",
            "BREAKER_EXPORTER_STRICT": "yes",
            "OTEL_TRACES_SAMPLER": "always_on",
            "BREAKER_EXPORTER_PROFILE": "development",
        },
        cooldown=4.0,
    )

    assert found["timeout"] == (3.0, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")
    assert found["cooldown"] == (4.0, "code")
    assert found["max_cooldown"] == (60.0, "in place of BREAKER_EXPORTER_MAX_COOLDOWN")
    assert found["failure_threshold"] == (3, "default")
    assert found["schedule_delay"] == (500, "profile")
    assert found["endpoint"] == ("http://***@collector:4318/v1/traces?***", "OTEL_EXPORTER_OTLP_ENDPOINT")
    assert found["headers"] == ("b, x-key", "OTEL_EXPORTER_OTLP_HEADERS")
    assert found["strict"] == (True, "BREAKER_EXPORTER_STRICT")
    assert found["sampler"] == ("always_on", "OTEL_TRACES_SAMPLER")
    assert found["profile"] == ("development", "BREAKER_EXPORTER_PROFILE")
    assert found["service_name"] == ("shop", "code")
    assert sources({}, timeout=5000.0)["timeout"] == (13.0, "in place of what is in code")
    assert sources({}, headers={"x-key": "secret"})["headers"] == ("x-key", "code")
    assert sources({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})["endpoint"] == (
        "http://localhost:4317",
        "default",
    )


@pytest.mark.parametrize(
    ("seen", "environ", "expected"),
    [
        ({}, {}, []),
        ({"graceful_timeout": 6, "timeout": 30}, {}, ["broken stopping"]),
        ({"graceful_timeout": 8, "timeout": 30}, {}, ["warning stopping"]),
        ({"graceful_timeout": 30, "timeout": 5}, {}, ["warning stopping-worker-timeout"]),
        ({"graceful_timeout": 30, "timeout": 0}, {}, []),
        ({}, {"BREAKER_EXPORTER_SHUTDOWN_TIMEOUT": "40"}, ["broken stopping"]),
    ],
)
def test_stopping_takes_its_time(
    seen: dict[str, float], environ: dict[str, str], expected: list[str]
) -> None:
    conf = Conf(graceful_timeout=seen.get("graceful_timeout", 30), timeout=seen.get("timeout", 0))
    findings = taken(stopping.examine(conf, in_force(environ)[1].settings.shutdown_timeout))

    assert bad(findings) == expected
    assert "graceful_timeout" in findings[0].text


def test_kubernetes_kills_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    shutdown = in_force({})[1].settings.shutdown_timeout

    assert bad(taken(stopping.examine(Conf(), shutdown))) == ["warning stopping-kubernetes"]
    assert bad(taken(stopping.examine(Conf(graceful_timeout=25), shutdown))) == []
