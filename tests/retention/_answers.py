"""Random answers of a backend, for an exporter that encodes and for one that does not."""

from __future__ import annotations

from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter._core.report import Cause, Verdict

from ._backend import Answer

TIMEOUT = 0.02
"""The export_timeout, in seconds of the deadlines' clock. A waiting caller looks at that clock as often as
this, in real seconds."""
ANSWER_WITHIN = 0.01
"""Seconds that ``export`` waits for the answer to its batch; as above."""

_THROWN = [
    RuntimeError,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    "nonsense",
    SpanExportResult.FAILURE,
    MetricExportResult.SUCCESS,
]
_UNANSWERED = [Verdict.FAILED, Verdict.FAILED, Verdict.FAILED, Verdict.MISCONFIGURED]
_PAUSES = st.sampled_from([None, None, 0.5, 3.0, 100.0])
_FEW = st.sampled_from([None, None, 0, 1, 2])
_good = st.builds(Answer)
_final = st.builds(
    Answer, st.sampled_from([Verdict.DELIVERED, Verdict.REJECTED, Verdict.UNSENT]), accepted=_FEW
)
_thrown = st.builds(Answer, st.just(Verdict.FAILED), throws=st.sampled_from(_THROWN), takes_all=st.booleans())
_failed = st.builds(
    Answer,
    st.sampled_from(_UNANSWERED),
    st.sampled_from(Cause),
    retry_after=_PAUSES,
    takes_all=st.booleans(),
)
_partial = st.builds(
    Answer,
    st.sampled_from([*_UNANSWERED, Verdict.DELIVERED, Verdict.REJECTED, Verdict.UNSENT]),
    st.sampled_from(Cause),
    retry_after=_PAUSES,
    accepted=_FEW,
    left=_FEW,
)
_usual = st.one_of(_good, _good, _good, _final, _failed)


def held_back(seconds: float, answers: st.SearchStrategy[Answer]) -> st.SearchStrategy[Answer]:
    """The same answers, so many seconds later and not before the test lets them."""

    def back(answer: Answer) -> Answer:
        return Answer(
            answer.verdict,
            answer.cause,
            answer.retry_after,
            answer.accepted,
            answer.left,
            takes_all=answer.takes_all,
            throws=answer.throws,
            hangs_for=seconds,
        )

    return answers.map(back)


FOR_PLAIN = st.one_of(_usual, _usual, _thrown)
FOR_ENCODER = st.one_of(_usual, _partial, _thrown)


def answers_for(*, encodes: bool) -> st.SearchStrategy[Answer]:
    """Any answer, or none at all."""
    answers = FOR_ENCODER if encodes else FOR_PLAIN
    return st.one_of(answers, answers, answers, held_back(TIMEOUT, answers))
