"""The targets, as ratios of figures within one round, and whether each was met."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from .plan import FAULTS
from .spreads import interval

_HOOKS = ("hooks", "hooks-grpc")
_DROP_INS = ("wrapped-http", "wrapped-grpc", "wrapped-cooperative")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target.

    Attributes:
        figure: What is compared with what.
        target: What is aimed for.
        limit: The number in it.
        at_least: Whether more is better.
        values: One a round.
    """

    figure: str
    target: str
    limit: float
    values: tuple[float, ...]
    at_least: bool = False

    @property
    def middle(self) -> float | None:
        """The median of the rounds; ``None`` where nothing was measured."""
        return median(self.values) if self.values else None

    @property
    def met(self) -> bool | None:
        """True if the whole spread is within the limit; ``None`` if nothing was measured."""
        if not self.values:
            return None
        low, high = interval(self.values)
        return low >= self.limit if self.at_least else high <= self.limit

    @property
    def is_decided(self) -> bool:
        """True if the whole spread is on one side of the limit: more rounds would say nothing new."""
        if not self.values:
            return False
        low, high = interval(self.values)
        return high <= self.limit or low >= self.limit


class Results:
    """The measured cells, asked by who, where and when."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.cells: dict[str, dict[str, Any]] = dict(data["cells"])

    def rounds(self) -> range:
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
        wanted = (suite, contender, number, worker, fault)
        for cell in self.cells.values():
            if tuple(cell[name] for name in ("suite", "contender", "round", "worker", "fault")) == wanted:
                return cell
        return None

    def figure(self, contender: str, number: int, phase: str, name: str, **where: str) -> float | None:
        cell = self.cell(contender, number, **where)
        value = cell["phases"][phase][name] if cell else None
        return None if value is None else float(value)

    def ratios(self, phase: str, name: str, contender: str, against: str, **where: str) -> tuple[float, ...]:
        """One a round in which both were measured."""
        return self._each(
            lambda number: _divided(
                self.figure(contender, number, phase, name, **where),
                self.figure(against, number, phase, name, **where),
            )
        )

    def largest_gaps(self, contenders: Collection[str]) -> tuple[float, ...]:
        """Of these under all faults, the worst of each round, against no exporter under the same load."""

        def worst(number: int) -> float | None:
            none = self.largest_gap("none", number)
            ours = [
                _largest_gap(cell)
                for cell in self.cells.values()
                if (cell["suite"], cell["round"], cell["worker"]) == ("outage", number, "gevent")
                and cell["contender"] in contenders
            ]
            return _divided(max(ours, default=None), none)

        return self._each(worst)

    def largest_gap(self, contender: str, number: int, **where: str) -> float | None:
        """Milliseconds, from the begin of the fault on: one may end when the fault does."""
        cell = self.cell(contender, number, **where)
        return _largest_gap(cell) if cell else None

    def faults(self) -> str:
        """The faults that were measured under gevent, as text: "any fault" where it was all of them."""
        met = {cell["fault"] for cell in self.cells.values() if cell["worker"] == "gevent"} & set(FAULTS)
        return "any fault" if met == set(FAULTS) else ", ".join(sorted(met)) or "no fault yet"

    def cost(self, contender: str, number: int) -> float | None:
        """CPU seconds a second of exporting: with this exporter, less those of the same load without one."""
        none, with_it = (
            self.figure(name, number, "healthy", "cpu", suite="cost", fault="none")
            for name in ("none", contender)
        )
        return None if none is None or with_it is None else with_it - none

    def costs(self, contender: str, against: str) -> tuple[float, ...]:
        """CPU of exporting by one against the other, one a round."""
        return self._each(lambda number: _divided(self.cost(contender, number), self.cost(against, number)))

    def memory(self, phase: str, against: str = "bare-http") -> tuple[float, ...]:
        """MB of the hooks over another at the end of a phase: what a failing export left in the queue is
        not given back to the system later.
        """

        def more(number: int) -> float | None:
            hooks, other = (self.figure(name, number, phase, "resident_mb") for name in ("hooks", against))
            return None if hooks is None or other is None else hooks - other

        return self._each(more)

    def growth(self, contender: str, number: int) -> list[tuple[float, float, float]]:
        """Spans/s offered, request p99 in ms, CPU share: one a step, in order."""
        return sorted(
            (cell["rate"] * 10, cell["phases"]["healthy"]["p99_ms"], cell["phases"]["healthy"]["cpu"] or 0.0)
            for cell in self.cells.values()
            if (cell["suite"], cell["contender"], cell["round"]) == ("growth", contender, number)
        )

    def most_delivered(self, contender: str, number: int) -> float | None:
        """Spans/s delivered at the step where it was most; ``None`` where that was not measured."""
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
        """Spans/s at which the request p99 is twice that without an exporter at the same load.

        Between two steps it is taken to grow evenly; where it never doubles, the last step.
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
        """Seconds."""
        value = self.data["micro"].get(name)
        return None if value is None else float(value)

    def _each(self, value: Callable[[int], float | None]) -> tuple[float, ...]:
        return tuple(found for number in self.rounds() if (found := value(number)) is not None)


def verdicts(results: Results) -> list[Verdict]:
    """All targets, with what was measured."""
    doubling = results._each(
        lambda number: _divided(results.doubles_at("hooks", number), results.doubles_at("bare-http", number))
    )
    delivered = results._each(
        lambda number: _divided(
            results.most_delivered("hooks", number), results.most_delivered("bare-http", number)
        )
    )
    faults = results.faults()
    return [
        Verdict("healthy, hooks: request p99 / none", "<= 1.2", 1.2, _p99(results, "hooks", "none")),
        Verdict(
            "healthy, hooks: hub p99.9 / none",
            "<= 1.8",
            1.8,
            results.ratios("healthy", "hub_p99.9_ms", "hooks", "none"),
        ),
        Verdict(
            "healthy, official exporter wrapped: request p99 / none",
            "<= 2",
            2,
            _p99(results, "wrapped-http", "none"),
        ),
        Verdict("the same / bare", "<= 0.4", 0.4, _p99(results, "wrapped-http", "bare-http")),
        Verdict(
            f"{faults}, any protocol, hooks: largest hub gap / none", "<= 2", 2, results.largest_gaps(_HOOKS)
        ),
        *(
            Verdict(f"of that, `{name}`", "stated", math.inf, results.largest_gaps((name,)))
            for name in _HOOKS
        ),
        Verdict(
            "drop-ins, whose worker is not `gc.freeze()`d",
            "stated",
            math.inf,
            results.largest_gaps(_DROP_INS),
        ),
        *cost_verdicts(results),
        Verdict(
            "CPU with the circuit open, hooks / none",
            "<= 1.1",
            1.1,
            results.ratios("open", "cpu", "hooks", "none"),
        ),
        Verdict(
            "of that, the SDK's batch processor / none",
            "stated",
            math.inf,
            results.ratios("open", "cpu", "sdk-only", "none"),
        ),
        Verdict(
            "direct encoding / official, values repeat", "<= 0.35", 0.35, _encoding(results, "repeating")
        ),
        Verdict("the same, values vary", "stated", math.inf, _encoding(results, "varied")),
        Verdict("refused export, µs", "<= 5", 5, _in_us(results.micro("refused_export"))),
        Verdict(
            "closed export less the hop, threads, µs",
            "<= 40",
            40,
            _less(results, "closed_export_threads", "thread_hop"),
        ),
        Verdict(
            "closed export less the hop, gevent, µs",
            "<= 40",
            40,
            _less(results, "gevent[native]", "gevent[hop]"),
        ),
        Verdict("memory, hooks over bare, MB", "<= 3", 3, results.memory("healthy")),
        Verdict("the same after an outage", "stated", math.inf, results.memory("recovering")),
        Verdict(
            "the same, over bare with `timeout=1`",
            "stated",
            math.inf,
            results.memory("recovering", "bare-http-1s"),
        ),
        Verdict(
            "import over `opentelemetry.sdk.trace`, ms", "<= 15", 15, _in_us(results.micro("import"), 1e3)
        ),
        Verdict("spans/s at which request p99 doubles, hooks / bare", ">= 2", 2, doubling, at_least=True),
        Verdict("most spans/s delivered, hooks / bare", ">= 1", 1, delivered, at_least=True),
    ]


def cost_verdicts(results: Results) -> list[Verdict]:
    """Return the targets of the suite ``cost``: the CPU that exporting takes."""
    return [
        Verdict("CPU of exporting, HTTP, hooks / bare", "<= 0.6", 0.6, results.costs("hooks", "bare-http")),
        Verdict(
            "CPU of exporting, gRPC, hooks / bare", "<= 0.8", 0.8, results.costs("hooks-grpc", "bare-grpc")
        ),
    ]


def _largest_gap(cell: Mapping[str, Any]) -> float:
    return max(float(cell["phases"][phase]["hub_p100_ms"]) for phase in ("fault", "open", "recovering"))


def _p99(results: Results, contender: str, against: str) -> tuple[float, ...]:
    return results.ratios("healthy", "p99_ms", contender, against)


def _encoding(results: Results, batch: str) -> tuple[float, ...]:
    direct, official = (results.micro(f"encode_{by}[{batch}]") for by in ("direct", "official"))
    return _some(_divided(direct, official))


def _less(results: Results, name: str, hop: str) -> tuple[float, ...]:
    whole, less = results.micro(name), results.micro(hop)
    return () if whole is None or less is None else ((whole - less) * 1e6,)


def _in_us(seconds: float | None, factor: float = 1e6) -> tuple[float, ...]:
    return () if seconds is None else (seconds * factor,)


def _some(value: float | None) -> tuple[float, ...]:
    return () if value is None else (value,)


def _divided(value: float | None, by: float | None) -> float | None:
    return None if value is None or not by else value / by
