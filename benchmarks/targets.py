"""The targets: ratios of figures within one round, each with its limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .results import Results, divided
from .targets_of_signals import OFFICIAL, OURS, verdicts_of_signals
from .verdict import Verdict

_HOOKS = ("hooks", "hooks-grpc")
_KEEPING = ("hooks", "hooks-directory", "hooks-grpc")
_BUDGET_MB = 16 * 1.048576
"""The memory that retention may take by default."""
_DROP_INS = ("wrapped-http", "wrapped-grpc", "wrapped-cooperative")


def verdicts(results: Results) -> list[Verdict]:
    """Return all targets, each with its measured values."""
    doubling = results.per_round(
        lambda number: divided(results.doubles_at("hooks", number), results.doubles_at("bare-http", number))
    )
    delivered = results.per_round(
        lambda number: divided(
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
        *(verdict for suite in cost_verdicts(results).values() for verdict in suite),
        *_retention_verdicts(results),
        *verdicts_of_signals(results),
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
            "direct encoding / official, values repeat", "<= 0.16", 0.16, _encoding(results, "repeating")
        ),
        Verdict("the same, values vary", "<= 0.25", 0.25, _encoding(results, "varied")),
        Verdict("the same, log records", "<= 0.35", 0.35, _encoding(results, "logs")),
        Verdict("the same, metrics of 200 series", "<= 0.6", 0.6, _encoding(results, "metrics")),
        Verdict("the same, metrics of 2,000 series", "<= 0.6", 0.6, _encoding(results, "metrics-2000")),
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
        Verdict("a start with 10,000 files on disk: first answer / without", "<= 1.2", 1.2, results.starts()),
        Verdict("spans/s at which request p99 doubles, hooks / bare", ">= 2", 2, doubling, at_least=True),
        Verdict("most spans/s delivered, hooks / bare", ">= 1", 1, delivered, at_least=True),
    ]


def cost_verdicts(results: Results) -> dict[str, list[Verdict]]:
    """Return the targets of the suites that are measured side by side: the CPU that exporting takes."""
    return {
        "cost": [
            Verdict(
                f"CPU of exporting, {protocol}, hooks / bare", f"<= {limit}", limit, results.costs(ours, bare)
            )
            for protocol, ours, bare, limit in (
                ("HTTP", "hooks", "bare-http", 0.6),
                ("gRPC", "hooks-grpc", "bare-grpc", 0.8),
            )
        ],
        "cost-signals": [
            Verdict(
                "CPU of exporting all signals, hooks / the three official exporters",
                "<= 0.5",
                0.5,
                results.costs(OURS, OFFICIAL, suite="cost-signals"),
            )
        ],
    }


def _retention_verdicts(results: Results) -> Iterator[Verdict]:
    for name in _KEEPING:
        lost = results.per_round(partial(_lost, results, name))
        yield Verdict(f"spans lost in an outage of 60 s, `{name}`", "0", 0, lost)
    for phase, what, limits in (("fault", "outage", (1.2, 1.8)), ("recovering", "replay", (1.3, 2.0))):
        for figure, said, limit in zip(
            ("p99_ms", "hub_p99.9_ms"), ("request p99", "hub p99.9"), limits, strict=True
        ):
            values = tuple(
                value
                for name in _KEEPING
                for value in results.ratios(phase, figure, name, "none", suite="retention", fault="refuse")
            )
            yield Verdict(f"{what} of 60 s, hooks: {said} / none", f"<= {limit:g}", limit, values)
    limit = _BUDGET_MB + 3
    grown = _of_hooks(results, _growth)
    yield Verdict("memory that an outage of 60 s adds, hooks, MB", f"<= {limit:.1f}", limit, grown)
    values = _of_hooks(results, _busier)
    yield Verdict("CPU in an outage of 60 s / in health, hooks", "<= 1.1", 1.1, values)


def _of_hooks(results: Results, figure: Callable[[dict[str, Any]], float | None]) -> tuple[float, ...]:
    """Return a figure of each cell that has an outage of a minute, and the hooks."""
    cells = (
        results.cell(name, number, suite="retention", fault=fault)
        for number in results.rounds()
        for fault in ("refuse", "blackhole")
        for name in _KEEPING
    )
    return tuple(found for cell in cells if cell and (found := figure(cell["phases"])) is not None)


def _growth(phases: dict[str, Any]) -> float | None:
    before, *after = (phases[name]["resident_most_mb"] for name in ("healthy", "fault", "recovering"))
    return None if before is None or None in after else float(max(after) - before)


def _busier(phases: dict[str, Any]) -> float | None:
    return divided(phases["fault"]["cpu"], phases["healthy"]["cpu"])


def _lost(results: Results, name: str, number: int) -> float | None:
    cells = (results.cell(name, number, suite="retention", fault=fault) for fault in ("refuse", "blackhole"))
    found = [float(cell["spans_started"] - cell["spans_delivered"]) for cell in cells if cell]
    return max(found, default=None)


def _p99(results: Results, contender: str, against: str) -> tuple[float, ...]:
    return results.ratios("healthy", "p99_ms", contender, against)


def _encoding(results: Results, batch: str) -> tuple[float, ...]:
    direct, official = (results.micro(f"encode_{by}[{batch}]") for by in ("direct", "official"))
    return _some(divided(direct, official))


def _less(results: Results, name: str, hop: str) -> tuple[float, ...]:
    whole, less = results.micro(name), results.micro(hop)
    return () if whole is None or less is None else ((whole - less) * 1e6,)


def _in_us(seconds: float | None, factor: float = 1e6) -> tuple[float, ...]:
    return () if seconds is None else (seconds * factor,)


def _some(value: float | None) -> tuple[float, ...]:
    return () if value is None else (value,)
