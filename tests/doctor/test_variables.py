"""Names and values of variables that cannot have been meant as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from opentelemetry.sdk import environment_variables

import breaker_exporter
from breaker_exporter._all_settings import OURS
from breaker_exporter._base.variable_names import misspelt
from breaker_exporter._doctor.settings import names, service_name
from breaker_exporter._doctor.settings.given import Given
from breaker_exporter._doctor.settings.recording import RecordingEnvironment
from breaker_exporter._harness.pipe import FD_VARIABLE

from ._findings import bad, in_force, taken
from .test_conf import LINE, MAKE, looked_at

OTLP = "OTEL_EXPORTER_OTLP"
WRONG = {
    "BREAKER_EXPORTER_COOLDWN": "BREAKER_EXPORTER_COOLDOWN",
    "BREAKER_EXPORTER_COOL_DOWN": "BREAKER_EXPORTER_COOLDOWN",
    "BRAKER_EXPORTER_COOLDOWN": "BREAKER_EXPORTER_COOLDOWN",
    "BREAKER_EXPORT_COOLDOWN": "BREAKER_EXPORTER_COOLDOWN",
    "BREAKEREXPORTER_STRICT": "BREAKER_EXPORTER_STRICT",
    "BREAKER_EXPORTERS_MAX_COOLDOWN": "BREAKER_EXPORTER_MAX_COOLDOWN",
    "breaker_exporter_strict": "BREAKER_EXPORTER_STRICT",
    f"{OTLP}_ENDPIONT": f"{OTLP}_ENDPOINT",
    "OTEL_EXPORTER_OLTP_ENDPOINT": f"{OTLP}_ENDPOINT",
    "OTEL_EXPORTER_OLTP_TRACES_CLIENT_KEY": f"{OTLP}_TRACES_CLIENT_KEY",
    "OTEL_EXPORTER_HEADERS": f"{OTLP}_HEADERS",
    "OTEL_OTLP_HEADERS": f"{OTLP}_HEADERS",
    "OTEL_ENDPOINT": f"{OTLP}_ENDPOINT",
    f"{OTLP}_TRACE_ENDPOINT": f"{OTLP}_TRACES_ENDPOINT",
    "OTEL_TRACE_EXPORTER": "OTEL_TRACES_EXPORTER",
    "OTEL_SERVICENAME": "OTEL_SERVICE_NAME",
    "OTLE_SERVICE_NAME": "OTEL_SERVICE_NAME",
    "OTL_SERVICE_NAME": "OTEL_SERVICE_NAME",
    "otel_service_name": "OTEL_SERVICE_NAME",
    "SENTRY_DNS": "SENTRY_DSN",
    "SENTY_DSN": "SENTRY_DSN",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIALS_PROVIDER": (
        "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER"
    ),
}
RIGHT = (
    *("OTEL_PYTHON_LOG_CORRELATION", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "OTEL_LOG_LEVEL"),
    *("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "SENTRY_SPOTLIGHT"),
    *("OTEL_SEMCONV_STABILITY_OPT_IN", "OTEL_SERVICE_NAME", "SENTRY_DSN", "PATH", "SENTRY_AUTH_TOKEN"),
    *("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "OTEL_RESOURCE_PROVIDERS_AWS_ENABLED", "OTLP_ENDPOINT"),
    *("OTEL_PROPAGATORS", "OTEL_TRACES_EXPORTER", "OTEL_PYTHON_TRACER_PROVIDER", "OTEL_PYTHON_CONTEXT"),
    *(
        "BREAKEREXPORTER_QQQ",
        "BREAKER_TIMEOUT",
        "BREAKER_STRICT",
        "EXPORTER",
        "SERVICE_NAME",
        "http_proxy",
        "_",
        "OTEL_",
    ),
    *(
        f"OTEL_PYTHON_EXPORTER_OTLP_{way}{signal}_CREDENTIAL_PROVIDER"
        for way in ("HTTP", "GRPC")
        for signal in ("", "_TRACES", "_METRICS", "_LOGS")
    ),
)


def test_all_variables_of_this_package_are_known() -> None:
    package = Path(breaker_exporter.__file__).parent
    sources = [path.read_text() for path in package.rglob("*.py")]
    found = set(re.findall(r'"(BREAKER_EXPORTER_[A-Z_]+)"', "\n".join(sources)))

    assert found - {FD_VARIABLE} == set(OURS)


def test_all_variables_of_opentelemetrys_sdk_are_known() -> None:
    theirs = {value for value in vars(environment_variables).values() if str(value).startswith("OTEL_")}

    assert len(theirs) > 40
    assert theirs < names.known()


def test_a_list_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_MODULES", ("nowhere.at.all",))
    names.known.cache_clear()
    try:
        assert set(OURS) < names.known()
        assert "OTEL_PROPAGATORS" not in names.known()
    finally:
        names.known.cache_clear()


def test_a_name_that_is_nearly_right_is_told_and_no_other() -> None:
    findings = taken(names.check(dict.fromkeys([*RIGHT, *WRONG, "BREAKER_EXPORTER_2_X"], "")))

    assert {each.text.split()[0]: each.advice for each in findings} == {
        **{name: f"did you mean {right}?" for name, right in WRONG.items()},
        "BREAKER_EXPORTER_2_X": "remove it",
    }


def test_a_misspelt_name_of_ours_is_broken_where_it_is_fatal() -> None:
    strict = {"OTEL_SERVICE_NAME": "shop", "BREAKER_EXPORTER_STRICT": "1"}

    assert bad(in_force({**strict, "BRAKER_EXPORTER_COOLDOWN": "5"})[0]) == ["broken variable-unknown"]
    assert bad(in_force({**strict, "BRAKER_EXPORTER_COOLDOWN": ""})[0]) == ["warning variable-unknown"]
    assert bad(in_force({**strict, "OTEL_SERVICENAME": "shop"})[0]) == ["warning variable-unknown"]


def test_misspelt_names_of_ours_are_found_without_the_doctor() -> None:
    found = dict(misspelt([*RIGHT, *WRONG, *OURS, "BREAKER_EXPORTER_2_X"], OURS))

    assert found == {
        **{name: right for name, right in WRONG.items() if right in OURS},
        "BREAKER_EXPORTER_2_X": None,
    }


QUOTED = {
    "name": {"OTEL_SERVICE_NAME": '"shop"'},
    "name in single ones": {"OTEL_SERVICE_NAME": "'shop'"},
    "number": {"BREAKER_EXPORTER_COOLDOWN": '"5"'},
    "endpoint": {"OTEL_EXPORTER_OTLP_ENDPOINT": '"http://collector:4318"'},
    "headers": {"OTEL_EXPORTER_OTLP_HEADERS": '"api-key=5ecret"'},
    "value of a header": {"OTEL_EXPORTER_OTLP_HEADERS": 'a=b,api-key="5ecret"'},
    "attributes": {"OTEL_RESOURCE_ATTRIBUTES": '"team=a"'},
    "value of an attribute": {"OTEL_RESOURCE_ATTRIBUTES": 'team=a,stage="b"'},
    "proxy": {"HTTPS_PROXY": '"http://proxy:3128"', "https_proxy": ""},
    "DSN": {"SENTRY_DSN": '"http://key@sentry/1"'},
}


@pytest.mark.parametrize("case", QUOTED)
def test_quotation_marks_that_were_kept_are_told_once(case: str) -> None:
    environ = {"OTEL_SERVICE_NAME": "shop", **QUOTED[case]}
    findings, _ = in_force(environ)

    assert bad(findings) == ["warning value-quoted"]
    (finding,) = [each for each in findings if each.check == "value-quoted"]
    assert next(iter(QUOTED[case])) in finding.text
    assert "5ecret" not in finding.text


def test_quotation_marks_that_are_fatal_are_broken() -> None:
    strict = {"OTEL_SERVICE_NAME": "'shop'", "BREAKER_EXPORTER_STRICT": "1"}

    findings, _ = in_force({**strict, "BREAKER_EXPORTER_COOLDOWN": "'5'"})

    assert bad(findings) == ["broken value-quoted", "warning value-quoted"]


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_SERVICE_NAME": "${SERVICE}"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://$(NODE_IP):4318"},
        {"OTEL_RESOURCE_ATTRIBUTES": "host.name={{ .Host }}"},
    ],
)
def test_what_nothing_has_put_a_value_in_for_is_told(environ: dict[str, str]) -> None:
    findings, _ = in_force({"OTEL_SERVICE_NAME": "shop", **environ})

    assert "warning value-unexpanded" in bad(findings)


def test_quotation_marks_inside_and_in_variables_of_others_are_well() -> None:
    findings, _ = in_force(
        {"OTEL_SERVICE_NAME": "the 'shop'", "MOTTO": '"x"', "OTEL_RESOURCE_ATTRIBUTES": "a='b"}
    )

    assert bad(findings) == []


@pytest.mark.parametrize(
    ("environ", "name", "source"),
    [
        ({"OTEL_SERVICE_NAME": "shop"}, "shop", "OTEL_SERVICE_NAME"),
        (
            {"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "service.name=x"},
            "shop",
            "OTEL_SERVICE_NAME",
        ),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name = the%20shop"},
            "the shop",
            "OTEL_RESOURCE_ATTRIBUTES",
        ),
        (
            {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "otel,aws_ecs"},
            "unknown_service",
            "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
        ),
    ],
)
def test_a_service_with_a_name_is_well(environ: dict[str, str], name: str, source: str) -> None:
    findings, force = in_force(environ)

    assert bad(findings) == []
    assert [(row.value, row.source) for row in force.rows if row.name == "service_name"] == [(name, source)]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_SERVICE_NAME": " "},
        {"OTEL_RESOURCE_ATTRIBUTES": "service.name="},
        {"OTEL_RESOURCE_ATTRIBUTES": "service.version=1"},
        {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process,os"},
    ],
)
def test_a_service_without_a_name_is_told(environ: dict[str, str]) -> None:
    findings, _ = in_force(environ)

    assert bad(findings) == ["warning service-name-missing"]
    assert "unknown_service" in findings[0].text
    assert "OTEL_SERVICE_NAME" in findings[0].advice


@pytest.mark.parametrize("environ", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_where_no_spans_leave_nobody_needs_a_name(environ: dict[str, str]) -> None:
    assert "warning service-name-missing" not in bad(in_force(environ)[0])


PROVIDER = (
    "from opentelemetry.sdk.resources import Resource\nfrom opentelemetry.sdk.trace import TracerProvider\n"
    "provider = TracerProvider(resource=Resource.create({}))\n"
)
GIVEN = "x = hooks(Telemetry(provider=provider))\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (LINE, ["warning service-name-missing"]),
        (MAKE + "x = hooks(Telemetry(service_name='shop'))\n", []),
        (MAKE + "x = hooks(Telemetry(resource_attributes={'service.name': 'shop'}))\n", []),
        (MAKE + "x = hooks(Telemetry(service_name='\"shop\"'))\n", ["warning value-quoted"]),
        (MAKE + PROVIDER.replace("{}", "{'service.name': 'shop'}") + GIVEN, []),
        (MAKE + PROVIDER + GIVEN, ["warning service-name-missing"]),
    ],
)
def test_a_name_given_in_code_is_seen(
    monkeypatch: pytest.MonkeyPatch, source: str, expected: list[str]
) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME")
    _, found = looked_at(source)
    named = service_name.of(found.given, RecordingEnvironment({}))

    assert bad(taken(service_name.check(named, sees_code=found.given.seen))) == expected


def test_where_no_code_was_seen_it_is_said() -> None:
    named = service_name.of(Given(), RecordingEnvironment({}))

    assert "not seen here" in taken(service_name.check(named, sees_code=False))[0].advice
    assert "not seen here" not in taken(service_name.check(named, sees_code=True))[0].advice


def test_a_misspelt_name_of_ours_is_fatal_where_a_strict_start_dies_of_it() -> None:
    environ = {
        "BREAKER_EXPORTER_COOL_DOWN": "3",
        "BREAKER_EXPORTER_X": "",
        "OTEL_EXPORTER_OTLP_TIMEUOT": "3",
        "OTEL_SERVICE_NAME": "shop",
    }

    assert bad(in_force(environ)[0]) == ["warning variable-unknown"] * 3
    assert bad(in_force({**environ, "BREAKER_EXPORTER_STRICT": "1"})[0]) == [
        "broken variable-unknown",
        "warning variable-unknown",
        "warning variable-unknown",
    ]
