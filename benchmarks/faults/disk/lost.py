"""The spans that a killed worker may lose, or deliver twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .journal import Ended

QUEUE = 0.2
"""Seconds that a span waits in the SDK's queue; the matrix's own setting."""
ANSWER = 1.0
"""Seconds by which that is longer while ``export`` waits for the answer to an earlier batch (K1)."""
WRITTEN_WITHIN = 1.0
"""Seconds from then on in which it is on disk (K8)."""
_BUSY = 0.5
"""Seconds that a busy machine may take beyond that."""
IN_HAND = 1024
"""Spans in the two batches, a new one and one from the disk, that a killed worker may have had in calls."""


def lost_of(missing: Iterable[str], ended: Mapping[str, Ended], killed: Mapping[int, float]) -> set[str]:
    """Return those of the missing spans that their worker was not killed too soon for.

    Args:
        missing: Ids of spans.
        ended: All spans, by their ids.
        killed: Monotonic seconds at which workers were killed, by process id.
    """
    window = QUEUE + ANSWER + WRITTEN_WITHIN + _BUSY
    return {each for each in missing if ended[each].at < killed.get(ended[each].pid, float("inf")) - window}
