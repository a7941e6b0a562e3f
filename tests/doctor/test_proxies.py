"""Which variable has the proxy that requests go through."""

from __future__ import annotations

import pytest

from breaker_exporter._doctor.network import proxies
from breaker_exporter._doctor.report import Finding
from breaker_exporter.testing import FaultyCollector

from ._findings import asked, bad
from .test_sentry import looked_at as sentry_looked_at

DEAD = "http://127.0.0.1:1"
OTHER = "http://127.0.0.1:2"


def finding(findings: list[Finding], check: str) -> Finding:
    (found,) = [each for each in findings if each.check == check]
    return found


@pytest.mark.parametrize(
    ("variables", "scheme", "in_force"),
    [
        ({"HTTP_PROXY": DEAD}, "http", "HTTP_PROXY"),
        ({"http_proxy": DEAD, "HTTP_PROXY": OTHER}, "http", "http_proxy"),
        ({"https_proxy": DEAD, "http_proxy": OTHER}, "https", "https_proxy"),
        ({"HTTPS_PROXY": DEAD, "all_proxy": OTHER}, "https", "HTTPS_PROXY"),
        ({"ALL_PROXY": DEAD}, "https", "ALL_PROXY"),
        ({"Http_Proxy": DEAD}, "http", "Http_Proxy"),
    ],
)
def test_the_variable_in_force_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], scheme: str, in_force: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    findings = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": f"{scheme}://collector.example.org:4318"})

    found = finding(findings, "proxy")
    assert f"the proxy '{DEAD}', which {in_force} has" in found.text
    unused = [name for name, value in variables.items() if value == OTHER]
    assert found.text.endswith(f" (not {unused[0]})" if unused else " has")
    assert bad(findings) == ["broken proxy-tcp-refused"]


def test_an_empty_one_in_lower_case_takes_away_that_in_upper_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", DEAD)
    monkeypatch.setenv("https_proxy", "")

    assert proxies.chosen("https") is None
    monkeypatch.setenv("all_proxy", OTHER)
    assert proxies.chosen("https") == proxies.Proxy(OTHER, "all_proxy")


def test_a_proxy_of_the_system_has_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"http": DEAD})

    found = proxies.chosen("http")

    assert found is not None
    assert found.source == "the system's configuration"


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_an_exemption_is_told_with_both_variables(
    monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector, name: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", DEAD)
    monkeypatch.setenv(name, "127.0.0.1")

    findings = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base})

    assert bad(findings) == []
    assert f"{name} exempts it from the proxy that ALL_PROXY has" in finding(findings, "proxy-exempt").text


def test_an_exemption_of_others_is_told_to_exempt_nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", DEAD)
    monkeypatch.setenv("NO_PROXY", "elsewhere")

    findings = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})

    assert finding(findings, "proxy").advice == (
        "where that is not meant, put collector into NO_PROXY, which does not exempt it"
    )
    assert bad(findings) == ["warning proxy", "broken proxy-tcp-refused"]


@pytest.mark.parametrize(
    ("host", "is_inside"),
    [
        ("collector", True),
        ("localhost", True),
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("::1", True),
        ("collector.obs.svc", True),
        ("collector.obs.svc.cluster.local.", True),
        ("collector.example.org", False),
        ("8.8.8.8", False),
    ],
)
def test_a_proxy_to_a_host_inside_is_hardly_meant(host: str, is_inside: bool) -> None:
    assert proxies.is_inside(host) is is_inside


def test_grpc_tells_what_it_does_not_read_and_who_exempts_it(
    monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector
) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.grpc_endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "HTTPS_PROXY": DEAD,
    }
    findings = asked(environ)
    assert bad(findings) == []
    assert "not HTTPS_PROXY" in finding(findings, "proxy-unread").text

    findings = asked({**environ, "https_proxy": DEAD, "no_proxy": "127.0.0.1"})
    assert "no_proxy exempts it from the proxy that https_proxy has" in finding(findings, "proxy-exempt").text

    refused = asked({**environ, "http_proxy": DEAD})
    assert bad(refused) == ["broken proxy-tcp-refused"]
    assert "which http_proxy has" in finding(refused, "proxy").text


@pytest.mark.parametrize(
    ("variables", "texts"),
    [
        (
            {"HTTPS_PROXY": DEAD},
            ["events and spans go to sentry.example.org:443 through the proxy"],
        ),
        ({"http_proxy": DEAD}, ["events go to sentry.example.org:443"]),
        ({"ALL_PROXY": DEAD}, ["spans go to sentry.example.org:443"]),
        ({"HTTP_PROXY": DEAD, "ALL_PROXY": OTHER}, ["events go to", "spans go to"]),
    ],
)
def test_events_and_spans_may_go_to_sentry_by_different_proxies(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], texts: list[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    findings = sentry_looked_at(monkeypatch, {"SENTRY_DSN": "https://key@sentry.example.org/1"}).findings

    told = [each for each in findings if each.check == "sentry-proxy"]
    assert [each.text.startswith(text) for each, text in zip(told, texts, strict=True)] == [True] * len(texts)
    assert [name for name in variables if not any(f"which {name} has" in each.text for each in told)] == []
    assert bad(findings) == ["broken proxy-tcp-refused"] * len(texts)
