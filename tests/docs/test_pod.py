"""The pod of the page on Kubernetes, without a cluster: its variables and volume around a real Gunicorn."""

from __future__ import annotations

import re
from pathlib import Path

from breaker_exporter._spool.listing import services
from breaker_exporter.testing import Fault, FaultyCollector

from .._gunicorn import GunicornService
from ..semantics._waiting import until
from ._manifests import PAGE, manifests
from ._pages import programs

APP = """
from opentelemetry import trace


def app(environ, start_response):
    with trace.get_tracer("shop").start_as_current_span("sell"):
        start_response("200 OK", [])
        return [b"sold"]
"""
FAST = {
    "BREAKER_EXPORTER_COOLDOWN": "0.2",
    "BREAKER_EXPORTER_MAX_COOLDOWN": "0.2",
    "OTEL_BSP_SCHEDULE_DELAY": "100",
}
FIELDS = {
    "metadata.name": "shop-0",
    "metadata.namespace": "shops",
    "metadata.labels['app.kubernetes.io/version']": "1.4.2",
    "status.hostIP": "127.0.0.1",
}


def environment(volume: Path, endpoint: str) -> dict[str, str]:
    """Return the variables that the kubelet sets in the container, with a volume and an agent of the test."""
    container = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    (mount,) = container["volumeMounts"]
    found: dict[str, str] = {}
    for each in container["env"]:
        source = each.get("valueFrom", {})
        if "secretKeyRef" not in source:
            value = FIELDS[source["fieldRef"]["fieldPath"]] if source else each["value"]
            found[each["name"]] = re.sub(r"\$\((\w+)\)", lambda name: found[name[1]], value)
    assert found["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4318"
    moved = {name: value.replace(mount["mountPath"], str(volume)) for name, value in found.items()}
    return {**moved, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **FAST}


def kept_in(volume: Path) -> int:
    """Return the number of spans that lie there."""
    return sum(row.items for row in services(str(volume / "kept"), lambda _: None))


def test_a_container_that_is_killed_leaves_what_it_kept_to_the_next(
    tmp_path: Path, collector: FaultyCollector
) -> None:
    tmp_path.chmod(0o2777)  # an emptyDir with an fsGroup, as the kubelet makes it
    ((_, conf),) = programs(PAGE)
    env = environment(tmp_path, collector.http_base)
    collector.fault = Fault.REFUSE

    with GunicornService(APP, conf=conf, env=env) as killed:
        for _ in range(10):
            killed.get()
        killed.wait_for_line("circuit opened")
        until(lambda: kept_in(tmp_path) == 10)
    collector.fault = Fault.NONE
    with GunicornService(APP, conf=conf, env=env) as following:
        assert collector.wait_for_spans(10)
        until(lambda: kept_in(tmp_path) == 0)
        following.terminate()

    resource = collector.latest_spans[-1].resource
    assert resource["service.instance.id"] == "shops.shop-0.shop"
    assert (resource["service.version"], resource["k8s.pod.name"]) == ("1.4.2", "shop-0")
