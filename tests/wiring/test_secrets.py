"""Secrets stay secret through every fault: in no log line, health or transition."""

from __future__ import annotations

import logging
from dataclasses import asdict
from urllib.parse import urlsplit

import pytest
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter import CircuitTransition
from breaker_exporter.telemetry import Profile, Telemetry
from breaker_exporter.testing import Fault, FaultyCollector

CANARY = "canary5ecret"
IN_QUERY = "canary1nquery"
"""At DEBUG urllib3 itself logs the query of a URL, which SECURITY.md says."""
FAULTS = [
    *(pytest.param(fault, {}, id=fault.value) for fault in Fault if fault not in (Fault.SLOW, Fault.STATUS)),
    pytest.param(Fault.SLOW, {"seconds": 5}, id="slow"),
    *(
        pytest.param(Fault.STATUS, {"status": status}, id=str(status))
        for status in (302, 400, 401, 403, 404, 413, 429, 500, 502)
    ),
]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize(("fault", "settings"), FAULTS)
def test_a_secret_is_told_to_nobody_but_the_collector(
    collector: FaultyCollector,
    provider: TracerProvider,
    caplog: pytest.LogCaptureFixture,
    protocol: str,
    fault: Fault,
    settings: dict[str, int],
) -> None:
    caplog.set_level(logging.DEBUG)
    changes: list[CircuitTransition] = []
    is_grpc = protocol == "grpc"
    place = urlsplit(collector.grpc_endpoint if is_grpc else collector.http_base).netloc
    telemetry = Telemetry(
        provider=provider,
        # gRPC takes no user in a URL.
        endpoint=f"http://{place}" if is_grpc else f"http://user:{CANARY}@{place}/?key={IN_QUERY}",
        protocol="grpc" if is_grpc else "http/protobuf",
        headers={"x-key": CANARY, "authorization": f"Bearer {CANARY}"},
        timeout=0.2,
        export_timeout=1.0,
        failure_threshold=1,
        shutdown_timeout=1.0,
        profile=Profile.DEVELOPMENT,
        listeners=[changes.append],
    )
    telemetry.start()
    (exporter,) = telemetry.exporters
    collector.set_fault(fault, **settings)  # type: ignore[arg-type]
    with provider.get_tracer("shop").start_as_current_span("sell"):
        pass
    provider.force_flush(2000)
    health = exporter.health()
    telemetry.stop()

    told = [repr(telemetry), repr(exporter), repr(health), *map(repr, changes), str(asdict(health))]
    told += [str(record.__dict__) for record in caplog.records if record.name == "breaker_exporter"]
    others = [str(record.__dict__) for record in caplog.records if record.name != "breaker_exporter"]
    assert health.received == 1
    assert [text for text in told if CANARY in text or IN_QUERY in text] == []
    assert [text for text in others if CANARY in text] == []
