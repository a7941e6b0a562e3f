"""Exporters made before the monkey patch, used after it: R1. Each function is run by a fresh process."""

from __future__ import annotations

import time
import warnings

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import ManualClock, ScriptedExporter

from ._deadlines import moved_by_hand
from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import until


def _patch() -> None:
    from gevent import monkey

    with warnings.catch_warnings():
        # The late patch is what is tested. Where redis is installed, pybreaker has loaded it, and that ssl.
        warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)
        monkey.patch_all()


def made_before_used_after() -> None:
    native_sleep = time.sleep
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=lambda _: native_sleep(0.5) or SUCCESS), export_timeout=10
    )
    _patch()
    from ._heartbeat import Heartbeat, assert_no_stall, quiet_gap

    quiet = quiet_gap()
    with Heartbeat() as heartbeat:
        assert exporter.export(spans(1)) is SUCCESS
    assert_no_stall(heartbeat, quiet)


def made_before_and_hung_after_lets_the_process_end() -> None:
    """Measured: one made in post_fork kept its worker from exiting."""
    native_sleep = time.sleep

    def overrun() -> None:
        native_sleep(0.5)
        deadlines.advance(0.1)

    exporter = CircuitBreakerSpanExporter(Gated(when_stuck=overrun), export_timeout=0.1)
    _patch()
    from ._heartbeat import Heartbeat, assert_no_stall, quiet_gap

    quiet = quiet_gap()
    with moved_by_hand() as deadlines, Heartbeat() as heartbeat:
        assert exporter.export(spans(1)) is FAILURE
    assert_no_stall(heartbeat, quiet)
    assert exporter.state is CircuitState.OPEN


def a_subprocess_starts_beside_greenlets_that_end_spans() -> None:
    """Measured with a lock of OpenTelemetry's from before the patch: the child hung before its exec."""
    from breaker_exporter.telemetry import Telemetry

    telemetry = Telemetry(service_name="shop", endpoint="http://127.0.0.1:9")
    telemetry.prepare()
    _patch()
    import subprocess

    import gevent

    telemetry.start()
    assert telemetry.provider is not None
    tracer = telemetry.provider.get_tracer("shop")

    def request() -> None:
        while True:
            tracer.start_span("s").end()
            gevent.sleep(0.002)

    requests = [gevent.spawn(request) for _ in range(20)]
    for _ in range(30):
        assert subprocess.Popen(["true"]).wait(20) == 0
    gevent.killall(requests)
    telemetry.stop()


def used_before_and_after() -> None:
    """Its thread is from before the patch; two greenlets queue for it after."""
    inner = Gated()
    inner.gates[0].open()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=20)
    assert exporter.export(spans(1)) is SUCCESS
    _patch()
    import gevent

    from ._heartbeat import Heartbeat, assert_no_stall, quiet_gap

    quiet = quiet_gap()
    with Heartbeat() as heartbeat:
        callers = [gevent.spawn(exporter.export, spans(1)) for _ in range(2)]
        inner.entered(2)
        gevent.sleep(0.6)
        inner.let_all_out()
        gevent.joinall(callers, timeout=20)
    assert [caller.value for caller in callers] == [SUCCESS, SUCCESS]
    assert_no_stall(heartbeat, quiet)
    assert inner.max_concurrency == 1


def hung_before_and_probed_after() -> None:
    clock = ManualClock()
    inner = Gated(when_stuck=lambda: deadlines.advance(0.02))
    inner.gates[1].open()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.02, cooldown=10, clock=clock)
    with moved_by_hand() as deadlines:
        assert exporter.export(spans(1)) is FAILURE
        _patch()
        clock.advance(10)
        assert exporter.export(spans(1)) is SUCCESS
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)
    exporter.shutdown()


def gevent_imported_and_nothing_patched() -> None:
    """Then it is a plain process, even if it uses gevent elsewhere."""
    import gevent

    inner = Gated(when_stuck=lambda: deadlines.advance(0.05))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05)
    with moved_by_hand() as deadlines:
        greenlet = gevent.spawn(exporter.export, spans(1))
        greenlet.join(20)
    assert greenlet.value is FAILURE
    assert exporter.health().hung_calls == 1
    inner.let_all_out()
