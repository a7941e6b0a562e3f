"""What a running collector has received: looked at, waited for, forgotten."""

from __future__ import annotations

from urllib.parse import urlencode

from ._process import CollectorProcess
from ._values import Received, ReceivedSentryItem, ReceivedSpan


class Reception:
    """The half of ``FaultyCollector`` that tells what arrived."""

    def __init__(self) -> None:
        self._process: CollectorProcess | None = None

    def received(self) -> Received:
        """A consistent snapshot of what it has received since it was last cleared."""
        state = self._running.ask("GET", "/received")
        return Received(
            span_ids=frozenset(state["span_ids"]),
            spans=state["spans"],
            duplicates=state["duplicates"],
            requests=state["requests"],
            connections=state["connections"],
            open_connections=state["open_connections"],
        )

    @property
    def span_ids(self) -> frozenset[str]:
        """The ids of all spans taken, 16 hex digits each."""
        return self.received().span_ids

    @property
    def spans_received(self) -> int:
        """Span records taken, duplicates included."""
        return self.received().spans

    @property
    def duplicates(self) -> int:
        """Records of a span that had been taken before."""
        return self.received().duplicates

    @property
    def spans(self) -> tuple[ReceivedSpan, ...]:
        """The latest 10,000 span records taken, oldest first."""
        return tuple(ReceivedSpan(**span) for span in self._running.ask("GET", "/spans"))

    @property
    def sentry_items(self) -> tuple[ReceivedSentryItem, ...]:
        """The latest 10,000 items taken in Sentry's envelopes, oldest first."""
        return tuple(ReceivedSentryItem(**item) for item in self._running.ask("GET", "/sentry_items"))

    def wait_for_spans(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until ``count`` different spans are taken; ``False`` if ``timeout`` seconds pass first."""
        return self._wait_for("spans", count, timeout)

    def wait_for_requests(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until ``count`` export requests have begun, whatever becomes of them; else ``False``."""
        return self._wait_for("requests", count, timeout)

    def wait_for_connections(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until ``count`` connections have been accepted; else ``False``."""
        return self._wait_for("connections", count, timeout)

    def wait_for_sentry_items(self, count: int, kind: str | None = None, timeout: float = 10.0) -> bool:
        """Wait until ``count`` items of ``kind``, or of all kinds together, are taken; else ``False``.

        Args:
            count: How many, those counted that ``sentry_items`` does not keep any more.
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
