"""Exporters made before the monkey patch, used after it: R1. Each function is run by a fresh process."""

from __future__ import annotations

import time

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import ScriptedExporter

from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import native_lock, until


def made_before_used_after() -> None:
    from gevent import monkey

    native_sleep = time.sleep
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=lambda _: native_sleep(0.5) or SUCCESS), export_timeout=10
    )
    monkey.patch_all()
    from ._heartbeat import Heartbeat, assert_no_stall, quiet_gap

    quiet = quiet_gap()
    with Heartbeat() as heartbeat:
        assert exporter.export(spans(1)) is SUCCESS
    assert_no_stall(heartbeat, quiet)


def made_before_and_hung_after_lets_the_process_end() -> None:
    """Measured: one made in post_fork kept its worker from exiting."""
    from gevent import monkey

    forever = native_lock()
    forever.acquire()
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=lambda _: forever.acquire()), export_timeout=0.5
    )
    monkey.patch_all()
    from ._heartbeat import Heartbeat, assert_no_stall, quiet_gap

    quiet = quiet_gap()
    with Heartbeat() as heartbeat:
        assert exporter.export(spans(1)) is FAILURE
    assert_no_stall(heartbeat, quiet)
    assert exporter.state is CircuitState.OPEN


def used_before_and_after() -> None:
    """Its thread is from before the patch; two greenlets queue for it after."""
    from gevent import monkey

    inner = Gated()
    inner.gates[0].open()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=20)
    assert exporter.export(spans(1)) is SUCCESS
    monkey.patch_all()
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
    from gevent import monkey

    inner = Gated()
    inner.gates[1].open()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.2, cooldown=0.3, jitter=0)
    assert exporter.export(spans(1)) is FAILURE
    monkey.patch_all()

    until(lambda: exporter.health().retry_in == 0.0)
    assert exporter.export(spans(1)) is SUCCESS
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)
    exporter.shutdown()


def gevent_imported_and_nothing_patched() -> None:
    """Then it is a plain process, whatever else somebody does with gevent in it."""
    import gevent

    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.2)
    greenlet = gevent.spawn(exporter.export, spans(1))
    greenlet.join(20)
    assert greenlet.value is FAILURE
    inner.let_all_out()
