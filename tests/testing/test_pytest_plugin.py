"""The fixture that users get, tried in a pytest run of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]

SUITE = """
import os
import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from breaker_exporter.testing import Fault

seen = []
request = ExportTraceServiceRequest()
request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"/" * 8)

@pytest.mark.parametrize("round", range(3))
def test_it_is_as_new(faulty_collector, round):
    assert faulty_collector.fault is Fault.NONE
    assert faulty_collector.counts().spans == faulty_collector.counts().requests == 0
    assert faulty_collector.http_endpoint not in [endpoint for endpoint, _ in seen]
    seen.append((faulty_collector.http_endpoint, faulty_collector.control_url))
    headers = {"Content-Type": "application/x-protobuf"}
    body = request.SerializeToString()
    assert requests.post(faulty_collector.http_endpoint, body, headers=headers, timeout=5).status_code == 200
    assert faulty_collector.span_ids == {"2f" * 8}
    faulty_collector.fault = Fault.REFUSE

def test_it_may_be_closed(faulty_collector):
    faulty_collector.close()

def test_and_is_there_again(faulty_collector):
    assert faulty_collector.fault is Fault.NONE

def test_its_process_is_started_once():
    assert len(seen) == 3
    assert len({control for _, control in seen}) == 1
"""


def plugin_options() -> list[str]:
    """Return the options that load the plug-in where the package is not installed but on the path."""
    installed = any(
        point.value == "breaker_exporter._pytest_plugin" for point in entry_points(group="pytest11")
    )
    return [] if installed else ["-p", "breaker_exporter._pytest_plugin"]


def test_each_test_gets_a_collector_as_new(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(SUITE)

    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-W",
                "error",
                "-p",
                "no:cacheprovider",
                *plugin_options(),
            ),
            *("--rootdir", str(tmp_path), str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_a_run_that_does_not_use_it_loads_the_plug_in_alone(run_python: RunPython) -> None:
    done = run_python("""
import sys
import pytest
before = set(sys.modules)
import breaker_exporter._pytest_plugin
print(sorted(set(sys.modules) - before))
""")

    assert (done.stdout, done.stderr) == ("['breaker_exporter', 'breaker_exporter._pytest_plugin']\n", "")
