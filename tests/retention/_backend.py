"""A backend that answers as the test says, and two exporters before it: one encodes, one does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from breaker_exporter._core.payload import Delivery
from breaker_exporter._core.report import Cause, ExportReport, Verdict

from ..semantics._waiting import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from breaker_exporter.testing import ManualClock

Ids = tuple[int, ...]
"""The items of a batch, by their span ids."""

PLAIN_SIZE, PACKED_SIZE = 4001, 1501
"""Bytes of an encoded item. Nothing that the tests do makes as many of a plain exporter's."""
FINAL = (Verdict.DELIVERED, Verdict.REJECTED, Verdict.UNSENT)


@dataclass(frozen=True)
class Answer:
    """What comes of one call.

    Attributes:
        accepted: Number of items that the backend says it took of those it answers for; ``None``: as the
            verdict has it.
        left: Number of items, the last ones, that nobody has answered for; ``None``: all, or none where the
            verdict is final.
        takes_all: True where the backend has taken all the same, and nobody was told.
        throws: The exporter raises this instead, or returns it where it is no error.
        hangs_for: Seconds that pass before the call waits at `gate`.
    """

    verdict: Verdict = Verdict.DELIVERED
    cause: Cause = Cause.UNKNOWN
    retry_after: float | None = None
    accepted: int | None = None
    left: int | None = None
    takes_all: bool = False
    throws: object = None
    hangs_for: float | None = None
    gate: Gate = field(default_factory=Gate)

    @property
    def leaves_all(self) -> bool:
        """True where nobody has answered for any item."""
        return self.verdict not in FINAL and self.left is None

    def split(self, ids: Ids) -> tuple[Ids, Ids, Ids]:
        """The items that were accepted, those that never will be, and those that are left."""
        left = self.left
        if left is None:
            left = 0 if self.verdict in FINAL else len(ids)
        left = min(left, len(ids))
        gone = ids[: len(ids) - left]
        accepted = len(gone) if self.verdict is Verdict.DELIVERED else 0
        if self.accepted is not None:
            accepted = min(self.accepted, len(gone))
        return gone[:accepted], gone[accepted:], ids[len(gone) :]


@dataclass(frozen=True)
class Sent:
    """One call as the backend saw it, ``at`` so many seconds of its clock."""

    ids: Ids
    is_packed: bool
    answer: Answer
    at: float


class Backend:
    """Answers the calls in turn as it was told, after that by ``default``.

    Attributes:
        calls: So far.
        accepted: Items that it has taken.
        poison: Items whose batches it answers with an error of its own, whatever it was told.
        is_free: True where it takes everything from now on.
    """

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.script: list[Answer] = []
        self.default = Answer()
        self.calls: list[Sent] = []
        self.accepted: list[int] = []
        self.poison: set[int] = set()
        self.is_free = False

    def send(self, ids: Ids, *, is_packed: bool) -> Answer:
        answer = self.script.pop(0) if self.script else self.default
        if self.is_free:
            answer = Answer()
        if self.poison.intersection(ids):
            answer = Answer(Verdict.FAILED, Cause.ANSWERED, hangs_for=answer.hangs_for, gate=answer.gate)
        if answer.hangs_for is not None:
            self._clock.advance(answer.hangs_for)
        self.calls.append(Sent(ids, is_packed, answer, self._clock.now))
        if answer.hangs_for is not None:
            assert answer.gate.wait()
        self.accepted += ids if answer.takes_all else answer.split(ids)[0]
        if isinstance(answer.throws, type):
            raise answer.throws
        return answer


def report_of(answer: Answer) -> ExportReport:
    return ExportReport(
        answer.verdict,
        delivered=answer.accepted,
        reason="as told",
        retry_after=answer.retry_after,
        cause=answer.cause,
    )


@dataclass(frozen=True)
class EncodedIds:
    """A payload."""

    ids: Ids
    is_packed: bool = False

    @property
    def items(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> int:
        return self.items * (PACKED_SIZE if self.is_packed else PLAIN_SIZE)

    def packed(self, rest: Callable[[], None]) -> EncodedIds:
        rest()
        return EncodedIds(self.ids, is_packed=True)


class EncodingExporter(SpanExporter):
    """Encodes a batch, and sends it once or more often.

    Attributes:
        encodes: Number of items of the next batch that can be encoded; an error: it raises that.
        before_encoding: Called first.
        dropped: Number of items that it was told will not be sent any more.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.encodes: int | type[BaseException] = 1_000
        self.before_encoding: Callable[[], object] = lambda: None
        self.dropped = 0

    def encode_batch(self, batch: object) -> EncodedIds:
        self.before_encoding()
        if isinstance(self.encodes, type):
            raise self.encodes
        return EncodedIds(ids_of(cast("Iterable[ReadableSpan]", batch))[: self.encodes])

    def send_payload(self, payload: EncodedIds) -> Delivery:
        answer = self.backend.send(payload.ids, is_packed=payload.is_packed)
        if answer.throws is not None:
            return cast("Delivery", answer.throws)
        left = answer.split(payload.ids)[2]
        kept = payload if left == payload.ids else EncodedIds(left)
        return Delivery(report_of(answer), kept if left else None)

    def drop_payload(self, payload: EncodedIds) -> None:
        self.dropped += payload.items

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise AssertionError("one that encodes is not asked to export")


class PlainExporter(SpanExporter):
    """Returns ``SUCCESS`` or ``FAILURE``, a report of its own, or nonsense, and raises."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def export_and_report(self, spans: Sequence[ReadableSpan]) -> ExportReport:
        answer = self.backend.send(ids_of(spans), is_packed=False)
        if answer.throws is not None:
            return cast("ExportReport", answer.throws)
        return report_of(answer)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise AssertionError("one that reports is not asked for less")


def ids_of(spans: Iterable[ReadableSpan]) -> Ids:
    return tuple(span.context.span_id for span in spans if span.context is not None)
