"""The half of the collector's interface that shows what was received."""

from __future__ import annotations

from urllib.parse import urlencode

from ._process import CollectorProcess
from ._totals import total
from ._values import (
    ReceivedCounts,
    ReceivedDataPoint,
    ReceivedLogRecord,
    ReceivedSentryItem,
    ReceivedSpan,
)


class Reception:
    """The received half of ``FaultyCollector``: numbers, ids, and the items themselves.

    * ``counts()``: numbers of everything since it was last cleared, taken at one moment.
    * ``span_ids``, ``log_bodies``: the id of every span, and the body of every log record, since then.
    * ``latest_spans``, ``latest_log_records``, ``latest_data_points``, ``latest_sentry_items``: what was
      sent, decoded; the latest 10,000 of each.
    """

    def __init__(self) -> None:
        self._process: CollectorProcess | None = None

    def counts(self) -> ReceivedCounts:
        """Return how much it has received since it was last cleared: numbers alone, all of one moment."""
        state = self._running.ask("GET", "/state")
        return ReceivedCounts(
            spans=state["spans"],
            duplicates=state["duplicate_spans"],
            log_records=state["log_records"],
            duplicate_log_records=state["duplicate_log_records"],
            data_points=state["data_points"],
            duplicate_data_points=state["duplicate_data_points"],
            requests=state["requests"],
            connections=state["connections"],
            open_connections=state["open_connections"],
        )

    @property
    def span_ids(self) -> frozenset[str]:
        """The ids of all spans taken since it was last cleared, 16 hex digits each."""
        return frozenset(self._running.ask("GET", "/span_ids"))

    @property
    def log_bodies(self) -> frozenset[str]:
        """The bodies of all log records taken since it was last cleared; one that is no text as JSON."""
        return frozenset(self._running.ask("GET", "/log_bodies"))

    @property
    def spans_received(self) -> int:
        """Number of span records taken, duplicates included: ``counts().spans``."""
        return self.counts().spans

    @property
    def duplicates(self) -> int:
        """Number of records of a span that had been taken before: ``counts().duplicates``."""
        return self.counts().duplicates

    @property
    def latest_spans(self) -> tuple[ReceivedSpan, ...]:
        """The latest 10,000 span records taken, decoded, oldest first; ``counts()`` counts them all."""
        return tuple(ReceivedSpan(**span) for span in self._running.ask("GET", "/latest_spans"))

    @property
    def latest_log_records(self) -> tuple[ReceivedLogRecord, ...]:
        """The latest 10,000 log records taken, likewise."""
        found = self._running.ask("GET", "/latest_log_records")
        return tuple(ReceivedLogRecord(**record) for record in found)

    @property
    def latest_data_points(self) -> tuple[ReceivedDataPoint, ...]:
        """The latest 10,000 data points taken, likewise."""
        return tuple(ReceivedDataPoint(**point) for point in self._running.ask("GET", "/latest_data_points"))

    def counter_total(self, metric: str) -> float:
        """Return the total of a counter over its series and all processes, as a backend adds it up.

        From ``latest_data_points``: by cumulative points the latest of each series and start, by delta points
        all. What came twice counts once. 0 for a metric of which nothing came.
        """
        return total(point for point in self.latest_data_points if point.metric == metric)

    @property
    def latest_sentry_items(self) -> tuple[ReceivedSentryItem, ...]:
        """The latest 10,000 items taken in Sentry's envelopes, oldest first."""
        return tuple(ReceivedSentryItem(**item) for item in self._running.ask("GET", "/latest_sentry_items"))

    def wait_for_spans(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until ``count`` different spans are taken; ``False`` if ``timeout`` seconds pass first."""
        return self._wait_for("spans", count, timeout)

    def wait_for_log_records(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until ``count`` different log records are taken; else ``False``."""
        return self._wait_for("log_records", count, timeout)

    def wait_for_data_points(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until ``count`` different data points are taken; else ``False``."""
        return self._wait_for("data_points", count, timeout)

    def wait_for_requests(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until ``count`` export requests have begun, with any outcome; else ``False``."""
        return self._wait_for("requests", count, timeout)

    def wait_for_connections(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until ``count`` connections have been accepted; else ``False``."""
        return self._wait_for("connections", count, timeout)

    def wait_for_sentry_items(self, count: int, kind: str | None = None, timeout: float = 10.0) -> bool:
        """Wait until ``count`` items of ``kind``, or of all kinds together, are taken; else ``False``.

        Args:
            count: Number of items, including those that ``latest_sentry_items`` does not keep any more.
            kind: The item's type in the envelope, such as ``event``; ``None`` for all.
            timeout: Seconds.
        """
        return self._wait_for("sentry_items", count, timeout, kind)

    def clear(self) -> None:
        """Forget what was received; fault and connections stay."""
        self._running.ask("POST", "/clear")

    @property
    def _running(self) -> CollectorProcess:
        if self._process is None:
            raise RuntimeError(
                "the collector is not running: use `with FaultyCollector() as collector` or start()"
            )
        return self._process

    def _wait_for(self, what: str, count: int, timeout: float, kind: str | None = None) -> bool:
        query = {"for": what, "count": count, "timeout": timeout}
        if kind is not None:
            query["kind"] = kind
        return bool(self._running.ask("GET", f"/wait?{urlencode(query)}", wait=timeout)["reached"])
