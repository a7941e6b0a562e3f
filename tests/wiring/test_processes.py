"""Telemetry and its process: the provider that is set once, forks, and what exists already."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from breaker_exporter.testing import Fault, FaultyCollector

from ..semantics._waiting import PATIENCE
from .conftest import Run

SELL = """
import os, sys
from opentelemetry import trace
from breaker_exporter.telemetry import Telemetry

def sell():
    trace.get_tracer("tests").start_span("sell").end()
"""


def test_it_makes_and_sets_a_provider_with_the_resource_of_code_and_environment(
    run: Run, collector: FaultyCollector
) -> None:
    output = run(
        SELL
        + """
telemetry = Telemetry(service_name="shop", resource_attributes={"team": "blue"})
telemetry.prepare()
assert trace.get_tracer_provider() is telemetry.provider
attributes = telemetry.provider.resource.attributes
assert [attributes[key] for key in ("service.name", "team", "region")] == ["shop", "blue", "eu"]
telemetry.start()
sell()
telemetry.stop()
""",
        OTEL_SERVICE_NAME="other",
        OTEL_RESOURCE_ATTRIBUTES="team=red,region=eu",
    )

    assert output == ""
    assert len(collector.span_ids) == 1


def test_the_service_name_of_the_environment_is_used_and_the_sampler_obeyed(
    run: Run, collector: FaultyCollector
) -> None:
    output = run(
        SELL
        + """
telemetry = Telemetry()
telemetry.start()
attributes = telemetry.provider.resource.attributes
assert attributes["service.name"] == "other" and attributes["region"] == "eu"
sell()
telemetry.stop()
""",
        OTEL_SERVICE_NAME="other",
        OTEL_RESOURCE_ATTRIBUTES="region=eu",
        OTEL_TRACES_SAMPLER="always_off",
    )

    assert output == ""
    assert collector.span_ids == frozenset()


@pytest.mark.parametrize(
    "bad",
    [
        {"OTEL_TRACES_SAMPLER": "sometimes"},
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"},
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "few"},
        {"OTEL_SPAN_EVENT_COUNT_LIMIT": "-1"},
    ],
)
def test_a_bad_variable_of_the_provider_is_one_warning_and_the_spans_flow(
    run: Run, collector: FaultyCollector, bad: dict[str, str]
) -> None:
    output = run(SELL + "telemetry = Telemetry()\ntelemetry.start()\nsell()\ntelemetry.stop()\n", **bad)

    assert len(output.splitlines()) == 1
    assert f"{[*bad][-1]} must be" in output
    assert len(collector.span_ids) == 1


def test_a_script_makes_its_provider_and_is_exported_at_the_end_of_each_block(
    run: Run, collector: FaultyCollector
) -> None:
    output = run(
        SELL
        + """
telemetry = Telemetry(service_name="nightly-import")
for _ in range(2):
    with telemetry:
        sell()
os._exit(0)  # without the interpreter's exit, which would stop it too
""",
    )

    assert output == ""
    assert len(collector.span_ids) == 2


def test_a_process_that_forgets_to_stop_still_exports_at_its_exit(
    run: Run, collector: FaultyCollector
) -> None:
    run(SELL + "Telemetry().start()\nsell()\n")

    assert len(collector.span_ids) == 1


def test_a_process_that_forgets_to_stop_exits_within_the_shutdown_timeout(
    run: Run, collector: FaultyCollector
) -> None:
    """S5: what counts is the process."""
    collector.fault = Fault.BLACKHOLE

    started = time.monotonic()
    run(SELL + "Telemetry(shutdown_timeout=0.5, timeout=60.0).start()\nsell()\n")

    assert time.monotonic() - started < PATIENCE


def test_a_provider_that_is_set_already_is_left_alone_and_a_warning_says_how_to_guard_it(
    run: Run, collector: FaultyCollector
) -> None:
    output = run(
        SELL
        + """
from opentelemetry.sdk.trace import TracerProvider
theirs = TracerProvider()
trace.set_tracer_provider(theirs)
telemetry = Telemetry()
telemetry.prepare()
telemetry.start()
sell()
assert trace.get_tracer_provider() is theirs and telemetry.provider is None and telemetry.exporters == ()
telemetry.stop()
"""
    )

    (warning,) = output.splitlines()
    assert "a TracerProvider is set already" in warning
    assert 'BatchSpanProcessor(CircuitBreakerSpanExporter(OTLPSpanExporter(), name="collector"))' in warning
    assert "Telemetry(provider=trace.get_tracer_provider())" in warning
    assert collector.span_ids == frozenset()


def test_a_second_telemetry_does_not_blame_the_application(run: Run, collector: FaultyCollector) -> None:
    output = run(
        SELL
        + """
first, second, third = Telemetry(), Telemetry(), Telemetry()
for telemetry in (first, second, first):
    telemetry.start()
assert second.provider is None and second.exporters == ()
sell()
third = Telemetry(provider=trace.get_tracer_provider())
third.start()
third.stop()
second.stop()
first.stop()
"""
    )

    (warning,) = [line for line in output.splitlines() if "stopped" not in line]
    assert "another Telemetry of this process exports its spans; this one does not" in warning
    assert "application" not in warning
    assert len(collector.span_ids) == 1


def test_a_provider_prepared_before_a_fork_is_not_taken_for_the_applications(
    run: Run, collector: FaultyCollector
) -> None:
    output = run(
        SELL
        + """
telemetry = Telemetry()
telemetry.prepare()
for _ in range(2):
    if os.fork() == 0:
        telemetry.prepare()
        telemetry.start()
        sell()
        started = len(telemetry.exporters)
        telemetry.stop()
        os._exit(started - 1)
    assert os.wait()[1] == 0
telemetry.stop()
assert telemetry.exporters == ()
"""
    )

    assert output == ""
    assert len(collector.span_ids) == 2
    assert collector.duplicates == 0


def test_a_child_of_a_started_process_starts_its_own_and_exports_nothing_twice(
    run: Run, collector: FaultyCollector
) -> None:
    output = run(
        SELL
        + """
telemetry = Telemetry()
telemetry.start()
parents = telemetry.exporters
sell()
if os.fork() == 0:
    telemetry.stop()  # this process has not started: a no-op
    telemetry.start()
    own = telemetry.exporters
    sell()
    telemetry.stop()
    os._exit(0 if own[0] is not parents[0] else 1)
assert os.wait()[1] == 0
sell()
telemetry.stop()
"""
    )

    assert output == ""
    assert len(collector.span_ids) == 3
    assert collector.duplicates == 0


def test_stop_in_a_child_that_has_not_started_leaves_what_it_inherited_running(
    run: Run, collector: FaultyCollector
) -> None:
    run(
        SELL
        + """
telemetry = Telemetry()
telemetry.start()
if os.fork() == 0:
    telemetry.stop()
    sell()
    assert trace.get_tracer_provider().force_flush()
    os._exit(0)
assert os.wait()[1] == 0
telemetry.stop()
"""
    )

    assert len(collector.span_ids) == 1


def test_a_child_that_does_not_start_exports_through_what_it_inherited(
    run: Run, collector: FaultyCollector
) -> None:
    run(
        SELL
        + """
telemetry = Telemetry()
telemetry.start()
if os.fork() == 0:
    sell()
    assert trace.get_tracer_provider().force_flush()
    os._exit(0)
assert os.wait()[1] == 0
sell()
telemetry.stop()
"""
    )

    assert len(collector.span_ids) == 2


@pytest.mark.parametrize("before", ["", "Telemetry().prepare()\n"])
def test_importing_and_preparing_load_nothing_heavy(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """I1, where redis is installed: pybreaker would import it, and so ssl."""
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "__init__.py").write_text("import ssl, asyncio\n")
    output = run(
        f"""
import sys
import breaker_exporter.gunicorn
from breaker_exporter.telemetry import Telemetry
{before}
heavy = "ssl requests urllib3 grpc sentry_sdk gevent gunicorn pybreaker redis asyncio".split()
print([name for name in heavy if name in sys.modules])
"""
    )

    assert output == "[]\n"


def test_thread_pools_work_in_a_process_that_was_prepared_before_the_patch(run: Run) -> None:
    output = run(
        """
import faulthandler
faulthandler.dump_traceback_later(20, exit=True)
from breaker_exporter.telemetry import Telemetry
telemetry = Telemetry()
telemetry.prepare()
from gevent import monkey; monkey.patch_all()
import concurrent.futures.thread
native_lock = monkey.get_original("_thread", "allocate_lock")()
concurrent.futures.thread._global_shutdown_lock = native_lock  # as gevent before 26.8 leaves it
telemetry.start()
import gevent
from concurrent.futures import ThreadPoolExecutor

def use_a_pool():
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(int).result()

print(sum(job.get() for job in gevent.joinall([gevent.spawn(use_a_pool) for _ in range(5)])))
telemetry.stop()
"""
    )

    # gevent 24 and `import requests`, without us too, add an ignored exception of a logging handler at exit.
    assert output.splitlines()[0] == "0"


def test_without_ssl_loaded_no_module_is_said_to_hold_it(run: Run) -> None:
    code = "from breaker_exporter._concurrency.patch_order import holders_of_ssl\nprint(holders_of_ssl())\n"
    assert run(code) == "()\n"


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.BLACKHOLE])
def test_a_stop_on_the_hub_goes_on_in_a_greenlet(run: Run, collector: FaultyCollector, fault: Fault) -> None:
    """P1: the hub must not wait, so the interpreter's exit does; nothing is raised into the caller."""
    collector.fault = fault
    output = run(
        "from gevent import monkey; monkey.patch_all()\nimport gevent\n"
        + SELL
        + """
telemetry = Telemetry(shutdown_timeout=5)
telemetry.start()
sell()
gevent.get_hub().loop.run_callback(telemetry.stop)
gevent.sleep(0.1)
"""
    )

    if fault is Fault.NONE:
        assert len(collector.span_ids) == 1
        assert output == ""
    else:
        dropped, stopped = output.splitlines()
        assert "1 span in memory could not be delivered before the end" in dropped
        assert "stopped: 0 spans exported, 1 lost" in stopped


def test_a_span_is_exported_once_in_a_patched_process(run: Run, collector: FaultyCollector) -> None:
    run(
        "from breaker_exporter.telemetry import Telemetry\n"
        "telemetry = Telemetry()\n"
        "telemetry.prepare()\n"
        "from gevent import monkey; monkey.patch_all()\n"
        + SELL
        + "telemetry.start()\nsell()\ntelemetry.stop()\n"
    )

    assert len(collector.span_ids) == 1
    assert collector.duplicates == 0


PATCH = "from gevent import monkey; monkey.patch_all()\n"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("patch", ["", PATCH])
@pytest.mark.parametrize(
    "made", ["Telemetry()", "Telemetry(provider=TracerProvider())"], ids=["own provider", "given provider"]
)
def test_the_interpreters_exit_stops_what_nobody_has_stopped(
    run: Run, collector: FaultyCollector, protocol: str, patch: str, made: str
) -> None:
    """Nobody holds the Telemetry either."""
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_base
    output = run(
        patch
        + SELL
        + f"""
from opentelemetry.sdk.trace import TracerProvider
telemetry = {made}
telemetry.start()
provider = telemetry.provider
del telemetry
provider.get_tracer("tests").start_span("sell").end()
provider.force_flush()  # so that a thread that exports is there
provider.get_tracer("tests").start_span("sell").end()
""",
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
    )

    assert "breaker_exporter" not in output
    assert len(collector.span_ids) == 2
    assert collector.duplicates == 0


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("patch", ["", PATCH])
def test_the_interpreters_exit_takes_no_longer_than_stop_may(
    run: Run, collector: FaultyCollector, protocol: str, patch: str
) -> None:
    """S5. A minute is the export's own time here."""
    collector.fault = Fault.BLACKHOLE
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_base
    began = time.monotonic()
    run(
        patch + SELL + "Telemetry(timeout=60.0, export_timeout=70.0, shutdown_timeout=1.0).start()\nsell()\n",
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
    )

    assert time.monotonic() - began < 30


def test_a_child_that_started_nothing_stops_nothing_at_its_exit(run: Run, collector: FaultyCollector) -> None:
    run(
        SELL
        + """
telemetry = Telemetry()
telemetry.start()
if os.fork() == 0:
    sys.exit()
os.wait()
sell()
"""
    )

    assert len(collector.span_ids) == 1
    assert collector.duplicates == 0


def test_a_signal_handler_that_stops_while_the_main_thread_stops_comes_back(
    run: Run, collector: FaultyCollector
) -> None:
    collector.set_fault(Fault.SLOW, seconds=0.5)
    output = run(
        SELL
        + """
import signal, time
telemetry = Telemetry(shutdown_timeout=20.0)
telemetry.start()
sell()

def stop(number, frame):
    began = time.monotonic()
    telemetry.stop()
    print(time.monotonic() - began < 10)

signal.signal(signal.SIGALRM, stop)
signal.setitimer(signal.ITIMER_REAL, 0.1)
telemetry.stop()
"""
    )

    assert output == "True\n"
    assert len(collector.span_ids) == 1


def test_a_signal_that_arrives_in_the_hub_is_handled_in_a_greenlet(
    run: Run, collector: FaultyCollector
) -> None:
    output = run(
        PATCH
        + SELL
        + """
import signal
import gevent
from breaker_exporter._wiring.worker_end import prepare_end

telemetry = Telemetry()
telemetry.start()
signal.signal(signal.SIGTERM, signal.SIG_DFL)
prepare_end(object(), telemetry._lifecycle)
handler = signal.getsignal(signal.SIGTERM)
sell()
gevent.get_hub().loop.run_callback(handler, signal.SIGURG, None)  # whose default action is none
with gevent.Timeout(20):
    while signal.getsignal(signal.SIGURG) is not signal.SIG_DFL or telemetry.exporters:
        gevent.sleep(0.001)
"""
    )

    assert output == ""
    assert len(collector.span_ids) == 1


def test_a_flush_on_the_hub_returns_without_waiting(run: Run, collector: FaultyCollector) -> None:
    """P1."""
    output = run(
        PATCH
        + SELL
        + """
import gevent

telemetry = Telemetry()
telemetry.start()
provider = telemetry.provider
sell()
flushed = []
for flush in (provider.force_flush, provider._active_span_processor._span_processors[0].force_flush):
    gevent.get_hub().loop.run_callback(lambda: flushed.append(flush()))
    gevent.sleep(0.01)
print(flushed, provider.force_flush(20_000))
"""
    )

    assert output == "[False, False] True\n"
    assert len(collector.span_ids) == 1


@pytest.mark.parametrize("patch", ["", PATCH])
def test_a_flush_while_the_interpreter_exits_delivers(
    run: Run, collector: FaultyCollector, patch: str
) -> None:
    """R4."""
    output = run(
        patch
        + SELL
        + """
import atexit

telemetry = Telemetry()
telemetry.start()
sell()
telemetry.provider.force_flush()
sell()
atexit.register(lambda: print(telemetry.provider.force_flush(20_000)))
"""
    )

    assert output == "True\n"
    assert len(collector.span_ids) == 2


def test_what_starts_again_while_it_stops_is_stopped_by_the_next_stop(
    run: Run, collector: FaultyCollector
) -> None:
    output = run(
        """
import threading
from opentelemetry.sdk.trace import SpanProcessor
from breaker_exporter.telemetry import Telemetry
started = threading.Event()
class Restarting(SpanProcessor):
    def shutdown(self):
        if not started.is_set():
            telemetry.start()
            started.set()
telemetry = Telemetry()
telemetry.start()
telemetry.provider.add_span_processor(Restarting())
telemetry.stop()
print(started.is_set(), len(telemetry.exporters))
telemetry.stop()
print(len(telemetry.exporters))
"""
    )
    assert output.split() == ["True", "1", "0"]
