"""The half of the collector's interface that shows the received spans and items."""

from __future__ import annotations

from urllib.parse import urlencode

from ._process import CollectorProcess
from ._values import ReceivedCounts, ReceivedSentryItem, ReceivedSpan


class Reception:
    """The received half of ``FaultyCollector``: numbers, ids, and the records themselves.

    * ``counts()``: numbers of everything since it was last cleared, taken at one moment.
    * ``span_ids``: the id of every span since then.
    * ``latest_spans`` and ``latest_sentry_items``: what was sent, decoded; the latest 10,000.
    """

    def __init__(self) -> None:
        self._process: CollectorProcess | None = None

    def counts(self) -> ReceivedCounts:
        """Return how much it has received since it was last cleared: numbers alone, all of one moment."""
        state = self._running.ask("GET", "/state")
        return ReceivedCounts(
            spans=state["spans"],
            duplicates=state["duplicates"],
            requests=state["requests"],
            connections=state["connections"],
            open_connections=state["open_connections"],
        )

    @property
    def span_ids(self) -> frozenset[str]:
        """The ids of all spans taken since it was last cleared, 16 hex digits each."""
        return frozenset(self._running.ask("GET", "/span_ids"))

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
    def latest_sentry_items(self) -> tuple[ReceivedSentryItem, ...]:
        """The latest 10,000 items taken in Sentry's envelopes, oldest first."""
        return tuple(ReceivedSentryItem(**item) for item in self._running.ask("GET", "/latest_sentry_items"))

    def wait_for_spans(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until ``count`` different spans are taken; ``False`` if ``timeout`` seconds pass first."""
        return self._wait_for("spans", count, timeout)

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
