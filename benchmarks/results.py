"""The measured cells as figures, and their ratios within a round: what targets, tables and plots read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from .plan import FAULTS

_LATE = 5.0
"""Milliseconds by which a load may be late before the report says so."""


class Results:
    """The measured cells, found by contender, round and conditions; ratios are formed within a round."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.cells: dict[str, dict[str, Any]] = dict(data["cells"])

    def rounds(self) -> range:
        """Return the numbers of the rounds."""
        return range(1 + max((cell["round"] for cell in self.cells.values()), default=-1))

    def cell(
        self,
        contender: str,
        number: int,
        *,
        suite: str = "outage",
        worker: str = "gevent",
        fault: str = "blackhole",
    ) -> dict[str, Any] | None:
        """Return a cell; ``None`` where it was not measured."""
        wanted = (suite, contender, number, worker, fault)
        for cell in self.cells.values():
            if tuple(cell[name] for name in ("suite", "contender", "round", "worker", "fault")) == wanted:
                return cell
        return None

    def figure(self, contender: str, number: int, phase: str, name: str, **where: str) -> float | None:
        """Return a figure of one phase of a cell; ``None`` where it was not measured."""
        cell = self.cell(contender, number, **where)
        value = cell["phases"][phase][name] if cell else None
        return None if value is None else float(value)

    def ratios(self, phase: str, name: str, contender: str, against: str, **where: str) -> tuple[float, ...]:
        """Return the ratio of a figure of two contenders, for each round in which both were measured."""
        return self.per_round(
            lambda number: divided(
                self.figure(contender, number, phase, name, **where),
                self.figure(against, number, phase, name, **where),
            )
        )

    def largest_gaps(self, contenders: Collection[str]) -> tuple[float, ...]:
        """Return each round's largest hub gap under any fault, as a ratio to that without an exporter."""

        def worst(number: int) -> float | None:
            none = self.largest_gap("none", number)
            ours = [
                _largest_gap(cell)
                for cell in self.cells.values()
                if (cell["suite"], cell["round"], cell["worker"]) == ("outage", number, "gevent")
                and cell["contender"] in contenders
            ]
            return divided(max(ours, default=None), none)

        return self.per_round(worst)

    def largest_gap(self, contender: str, number: int, **where: str) -> float | None:
        """Return the largest hub gap in ms from the begin of the fault to the end of the cell."""
        cell = self.cell(contender, number, **where)
        return _largest_gap(cell) if cell else None

    def faults(self) -> str:
        """Return the faults that were measured under gevent, as text: "any fault" where all of them were."""
        met = {cell["fault"] for cell in self.cells.values() if cell["worker"] == "gevent"} & set(FAULTS)
        return "any fault" if met == set(FAULTS) else ", ".join(sorted(met)) or "no fault yet"

    def cost(self, contender: str, number: int, *, suite: str = "cost", fault: str = "none") -> float | None:
        """Return the CPU seconds a second that exporting takes: what is above the same load without it."""
        none, with_it = (
            self.figure(name, number, "healthy", "cpu", suite=suite, fault=fault)
            for name in ("none", contender)
        )
        return None if none is None or with_it is None else with_it - none

    def costs(self, contender: str, against: str, **where: str) -> tuple[float, ...]:
        """Return the ratio of the CPU that exporting takes with two contenders, for each round."""
        return self.per_round(
            lambda number: divided(self.cost(contender, number, **where), self.cost(against, number, **where))
        )

    def memory(self, phase: str, against: str = "bare-http") -> tuple[float, ...]:
        """Return the MB that the hooks take more than another contender at the end of a phase.

        After an outage they are more: what filled the queue meanwhile is not returned to the system.
        """

        def more(number: int) -> float | None:
            hooks, other = (self.figure(name, number, phase, "resident_mb") for name in ("hooks", against))
            return None if hooks is None or other is None else hooks - other

        return self.per_round(more)

    def growth(self, contender: str, number: int) -> list[tuple[float, float, float]]:
        """Return spans/s offered, request p99 in ms and CPU share of each step, in order."""
        return sorted(
            (cell["rate"] * 10, cell["phases"]["healthy"]["p99_ms"], cell["phases"]["healthy"]["cpu"] or 0.0)
            for cell in self.cells.values()
            if (cell["suite"], cell["contender"], cell["round"]) == ("growth", contender, number)
        )

    def most_delivered(self, contender: str, number: int) -> float | None:
        """Return the most spans/s that were delivered at any step; ``None`` where that was not measured."""
        return max(
            (
                float(found)
                for cell in self.cells.values()
                if (cell["suite"], cell["contender"], cell["round"]) == ("growth", contender, number)
                and (found := cell["phases"]["healthy"].get("delivered_per_s")) is not None
            ),
            default=None,
        )

    def doubles_at(self, contender: str, number: int) -> float | None:
        """Return the spans/s at which the request p99 is twice that without an exporter at the same load.

        Between two steps p99 is taken to grow evenly; where it never doubles, this is the last step.
        """
        none = {rate: p99 for rate, p99, _ in self.growth("none", number)}
        before: tuple[float, float] | None = None
        for rate, p99, _ in self.growth(contender, number):
            if rate not in none:
                continue
            ratio = p99 / none[rate]
            if ratio >= 2:
                if before is None or before[1] >= ratio:
                    return rate
                return before[0] + (rate - before[0]) * (2 - before[1]) / (ratio - before[1])
            before = (rate, ratio)
        return before and before[0]

    def micro(self, name: str) -> float | None:
        """Return the seconds that a single step takes; ``None`` where it was not measured."""
        value = self.data["micro"].get(name)
        return None if value is None else float(value)

    def starts(self) -> tuple[float, ...]:
        """Return the time to a first answer with files on disk by that without, for each round."""
        return tuple(full / empty for empty, full in self.data.get("starts", ()))

    def lateness(self) -> str | None:
        """Return a sentence on cells in which the load was late; ``None`` where there is none."""
        late = sum(cell["load_late_ms"] > _LATE for cell in self.cells.values())
        if not late:
            return None
        return (
            f"In {late} of {len(self.cells)} cells the load sent a request more than {_LATE:g} ms late at "
            "least once; such a request waits longer than it should, in all contenders alike."
        )

    def per_round(self, value: Callable[[int], float | None]) -> tuple[float, ...]:
        """Return the values of all rounds that have one."""
        return tuple(found for number in self.rounds() if (found := value(number)) is not None)


def _largest_gap(cell: Mapping[str, Any]) -> float:
    return max(float(cell["phases"][phase]["hub_p100_ms"]) for phase in ("fault", "open", "recovering"))


def divided(value: float | None, by: float | None) -> float | None:
    """Return a ratio; ``None`` where one of both is missing, or the second is 0."""
    return None if value is None or not by else value / by
