"""What an outage has cost one exporter, or several that share a circuit, in the words of a log line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .._base.log import counted


@dataclass(frozen=True, slots=True)
class Toll:
    """The items of one exporter in an outage.

    Attributes:
        unit: The name of an item, in the plural.
        lost: Number of items lost.
        dropped: Number of these that were kept before.
        kept: Number of items kept for another call; ``None`` where nothing is ever kept.
    """

    unit: str
    lost: int
    dropped: int
    kept: int | None

    def alone(self) -> Sequence[Toll]:
        """The tolls of an outage that is this exporter's alone."""
        return (self,)


def so_far(tolls: Sequence[Toll]) -> str:
    """What is kept, and what is lost, before the word "lost"."""
    if not (kept := _kept(tolls)):
        return _lost(tolls)
    return f"{kept} kept, {_lost(tolls)}"


def at_last(tolls: Sequence[Toll]) -> str:
    """The same at the end of an outage, when what is kept is sent again."""
    if not any(toll.kept for toll in tolls):
        return so_far(tolls)
    return f"{_kept(tolls)} kept, replaying them; {_lost(tolls)}"


def what_happens(tolls: Sequence[Toll]) -> str:
    """What becomes of what comes during the outage."""
    keeping = {toll.kept is not None for toll in tolls}
    if keeping == {True}:
        return "what comes is kept"
    return "what comes is kept by those with retention" if True in keeping else "exports are refused"


def _kept(tolls: Sequence[Toll]) -> str:
    return _listed((toll.unit, toll.kept) for toll in tolls if toll.kept is not None)


def _lost(tolls: Sequence[Toll]) -> str:
    lost = sum(toll.lost for toll in tolls)
    are_named = bool(tolls) and all(toll.kept is not None for toll in tolls)
    if are_named and (len(tolls) == 1 or not lost):
        return str(lost)  # the units stand before it
    return _listed((toll.unit, toll.lost) for toll in tolls) or "nothing"


def _listed(items: Iterable[tuple[str, int]]) -> str:
    sums = Counter[str]()
    for unit, number in items:
        sums[unit] += number
    *others, last = [counted(number, unit) for unit, number in sums.items()] or [""]
    return f"{', '.join(others)} and {last}" if others else last
