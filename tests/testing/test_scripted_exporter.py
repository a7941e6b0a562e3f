"""The exporter that does what a script says."""

from __future__ import annotations

import inspect
import math
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter.testing import (
    Outcome,
    Playable,
    ScriptedExporter,
    fail,
    hang,
    hang_then,
    succeed,
    take,
    throw,
)

SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
MakeSpans = Callable[[int], Sequence[ReadableSpan]]
RunPython = Callable[..., "subprocess.CompletedProcess[str]"]


def in_thread(
    exporter: ScriptedExporter, spans: Sequence[ReadableSpan] = ()
) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(exporter.export(spans)), daemon=True)
    thread.start()
    return thread, answers


def test_calls_play_the_script_and_then_the_default() -> None:
    exporter = ScriptedExporter([succeed, fail, SUCCESS, take(0.0), take(0.0, then=fail)], default=fail)

    assert [exporter.export(()) for _ in range(7)] == [
        SUCCESS,
        FAILURE,
        SUCCESS,
        SUCCESS,
        FAILURE,
        FAILURE,
        FAILURE,
    ]
    assert ScriptedExporter().export(()) is SUCCESS


@pytest.mark.parametrize(
    "outcome", [KeyError("x"), KeyError, throw(KeyError("x")), throw(KeyError), hang_then(KeyError)]
)
def test_an_exception_is_raised(outcome: Playable) -> None:
    exporter = ScriptedExporter(default=outcome)
    exporter.release()

    for _ in range(2):
        with pytest.raises(KeyError):
            exporter.export(())

    assert [call.ended is not None for call in exporter.calls] == [True, True]


def test_an_exception_instance_raised_again_keeps_one_traceback() -> None:
    error = KeyError("x")
    exporter = ScriptedExporter(default=error)
    depths = []
    for _ in range(3):
        with pytest.raises(KeyError) as caught:
            exporter.export(())
        depths.append(len(caught.traceback))

    assert len(set(depths)) == 1


def test_a_function_may_return_any_answer(make_spans: MakeSpans) -> None:
    exporter = ScriptedExporter([len, list])
    spans = make_spans(2)

    assert exporter.export(spans) == 2  # type: ignore[comparison-overlap]
    assert exporter.export(spans) == list(spans)  # type: ignore[comparison-overlap]
    assert exporter.spans == []


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        (succeed, "succeed"),
        (fail, "fail"),
        (hang, "hang"),
        (hang_then(fail), "hang_then(fail)"),
        (take(0.5), "take(0.5)"),
        (take(0.5, fail), "take(0.5, fail)"),
        (throw(KeyError), "throw(KeyError)"),
        (throw(KeyError("x")), "throw(KeyError('x'))"),
    ],
)
def test_an_outcome_is_shown_as_it_is_written(outcome: Outcome, shown: str) -> None:
    assert isinstance(outcome, Outcome)
    assert repr(outcome) == shown


def test_a_script_that_refers_to_its_exporter_is_shown_by_names_and_without_end() -> None:
    class Releasing:
        exporter: object = None

        def __call__(self, spans: object) -> None: ...

        def __repr__(self) -> str:
            return f"Releasing({self.exporter!r})"

    releasing = Releasing()
    exporter = ScriptedExporter([take(1, len), SpanExportResult.SUCCESS, ValueError, releasing])
    releasing.exporter = exporter

    assert repr(exporter) == (
        "<ScriptedExporter [take(1, len), SpanExportResult.SUCCESS, ValueError, "
        "Releasing(<ScriptedExporter ...>)], then succeed: 0 calls so far>"
    )


def test_a_method_of_the_exporter_in_its_own_script_is_shown_by_its_name() -> None:
    class Flushing(ScriptedExporter):
        def __init__(self) -> None:
            super().__init__([self.flush_first])

        def flush_first(self, spans: object) -> bool:
            return self.force_flush()

    shown = repr(Flushing())

    assert "Flushing.flush_first]" in shown
    assert " at 0x" not in shown


def test_the_exporter_shows_its_script() -> None:
    exporter = ScriptedExporter([fail, hang])
    exporter.export(())

    assert repr(exporter) == "<ScriptedExporter [fail, hang], then succeed: 1 call so far>"
    assert str(inspect.signature(ScriptedExporter)).endswith(
        "*, default: 'Playable' = succeed, on_shutdown: 'Playable' = succeed, on_flush: 'Playable' = succeed)"
        " -> 'None'"
    )


def test_calls_and_successful_spans_are_recorded(make_spans: MakeSpans) -> None:
    exporter = ScriptedExporter([succeed, fail])
    good, bad = make_spans(2), make_spans(1)
    before = time.monotonic()

    exporter.export(good)
    exporter.export(bad)

    first, second = exporter.calls
    assert (first.spans, second.spans) == (tuple(good), tuple(bad))
    assert exporter.spans == list(good)
    assert first.thread == threading.get_native_id()
    assert first.ended is not None
    assert before <= first.started <= first.ended <= second.started
    assert not exporter.overlapped


def test_a_hang_lasts_until_it_is_released() -> None:
    exporter = ScriptedExporter([hang, hang_then(fail), hang])

    thread, answers = in_thread(exporter)
    assert exporter.wait_for_calls(1)
    assert not exporter.wait_for_returns(1, timeout=0.02)
    assert exporter.calls[0].ended is None
    exporter.release()
    thread.join(5.0)

    assert answers == [SUCCESS]
    assert exporter.export(()) is FAILURE, "a later hang goes on at once"
    exporter.hold()
    thread, answers = in_thread(exporter)
    assert exporter.wait_for_calls(3)
    assert not exporter.wait_for_returns(3, timeout=0.02)
    exporter.release()
    assert exporter.wait_for_returns(3)
    thread.join(5.0)
    assert exporter.calls[0].thread != threading.get_native_id()


def test_two_calls_at_once_are_reported_as_an_overlap() -> None:
    exporter = ScriptedExporter(default=hang)
    threads = [in_thread(exporter)[0] for _ in range(3)]

    assert exporter.wait_for_calls(3)
    exporter.release()
    for thread in threads:
        thread.join(5.0)

    assert exporter.overlapped
    assert exporter.max_concurrency == 3


def test_waiting_for_calls_ends_at_the_deadline() -> None:
    assert not ScriptedExporter().wait_for_calls(1, timeout=0.01)
    assert ScriptedExporter().wait_for_calls(0, timeout=0)


def test_take_blocks_for_the_given_time() -> None:
    exporter = ScriptedExporter([take(0.02)])

    exporter.export(())

    (call,) = exporter.calls
    assert call.ended is not None
    assert call.ended - call.started >= 0.02


def test_shutdown_and_flush_are_scripted_too() -> None:
    exporter = ScriptedExporter(on_shutdown=KeyError, on_flush=fail)

    assert not exporter.force_flush()
    with pytest.raises(KeyError):
        exporter.shutdown()

    assert (exporter.flush_calls, exporter.shutdown_calls) == (1, 1)
    assert ScriptedExporter().force_flush() is True
    assert ScriptedExporter(on_flush=lambda _: "?").force_flush() == "?"  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("outcome", [3, "fail", None])
def test_an_outcome_that_cannot_be_played_is_a_type_error(outcome: Any) -> None:
    for make in (
        lambda: ScriptedExporter([outcome]),
        lambda: take(1.0, then=outcome),
        lambda: hang_then(outcome),
    ):
        with pytest.raises(TypeError, match=f"an outcome is succeed, .*, not {outcome!r}"):
            make()


def test_bad_arguments_of_outcomes_are_named() -> None:
    for seconds in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="seconds must be finite and at least 0, not"):
            take(seconds)
    bad: Any = "boom"
    with pytest.raises(TypeError, match="error must be an exception or an exception class, not 'boom'"):
        throw(bad)


GEVENT = """
from gevent import monkey
{before}
monkey.patch_all()
{after}
import threading, time
import gevent
from opentelemetry.sdk.trace.export import SpanExportResult

pool = gevent.get_hub().threadpool
beats = []
heart = gevent.spawn(lambda: [(beats.append(1), gevent.sleep(0.001)) for _ in iter(int, 1)])

call = pool.spawn(exporter.export, ())
assert exporter.wait_for_calls(1)
assert not exporter.wait_for_returns(1, timeout=0.05)
assert len(beats) >= 1, "waiting lets other greenlets run"
assert exporter.calls[0].thread != threading.get_native_id()
exporter.release()
assert call.get(timeout=5) is SpanExportResult.SUCCESS

exporter.hold()
first = gevent.spawn(exporter.export, ())
first.join()
assert exporter.calls[1].thread == threading.get_native_id(), "greenlets of one thread share its id"
seen = len(beats)
exporter.export(())
assert len(beats) == seen, "take holds the hub as a foreign exporter would"
exporter.hold()
def release_later():
    monkey.get_original("time", "sleep")(0.05)
    exporter.release()
monkey.get_original("_thread", "start_new_thread")(release_later, ())
exporter.export(())
assert len(beats) == seen, "and so does hang"
heart.kill()
print("ok")
"""
MAKE = """
from breaker_exporter.testing import ScriptedExporter, hang, succeed, take
exporter = ScriptedExporter([hang, succeed, take(0.05), hang])
"""


@pytest.mark.parametrize(
    ("before", "after"), [("", MAKE), (MAKE, "")], ids=["made after", "made before the patch"]
)
def test_a_hang_blocks_the_operating_system_thread_in_a_patched_process(
    run_python: Callable[..., subprocess.CompletedProcess[str]], before: str, after: str
) -> None:
    done = run_python(GEVENT.format(before=before, after=after))

    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_a_child_forked_during_calls_can_use_the_exporter(run_python: RunPython) -> None:
    """Another thread may hold its guard at that instant, and its call may be out; neither is the child's."""
    done = run_python(
        """
import os, sys, threading
from breaker_exporter.testing import ScriptedExporter, hang

exporter = ScriptedExporter([hang])
threading.Thread(target=exporter.export, args=[()], daemon=True).start()
assert exporter.wait_for_calls(1)
sys.setswitchinterval(1e-6)

def hammer():
    while True:
        exporter.calls

for _ in range(8):
    threading.Thread(target=hammer, daemon=True).start()
for _ in range(20):
    child = os.fork()
    if not child:
        threading.Timer(20, os._exit, [1]).start()
        exporter.export(())
        os._exit(2 if exporter.overlapped else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
os._exit(0)
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
