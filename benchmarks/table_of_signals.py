"""The table of the suite ``signals``, as lines of Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from .contenders import ALL_SIGNALS
from .results import Results
from .spreads import spread
from .tables import table
from .targets_of_signals import WHERE

_RATIOS = tuple(
    (phase, figure) for phase in ("healthy", "fault", "recovering") for figure in ("p99_ms", "hub_p99.9_ms")
)


def signals(results: Results) -> Iterator[str]:
    """Yield a section on all three signals at once; nothing where nothing was measured."""
    names = [name for name in ALL_SIGNALS if any(True for _ in _figures(results, name, "cpu"))]
    if not names:
        return
    yield from (
        "## All signals",
        "",
        "gevent, 1,500 spans/s, 1,000 log records/s and 200 series every 10 s; 20 s healthy, 20 s of refused "
        "connections, 60 s after. Ratios are to no exporter in the same phase, where the SDK's providers of "
        "all three lead nowhere.",
        "",
    )
    yield from table(
        (
            *("", "p99", "hub p99.9", "p99 in the outage", "hub p99.9", "p99 after it", "hub p99.9"),
            "MB",
        ),
        (
            (
                f"`{name}`",
                *(spread(results.ratios(phase, figure, name, "none", **WHERE)) for phase, figure in _RATIOS),
                spread(_figures(results, name, "resident_mb")),
            )
            for name in names
        ),
    )


def _figures(results: Results, name: str, figure: str) -> Iterator[float]:
    for number in results.rounds():
        if (value := results.figure(name, number, "healthy", figure, **WHERE)) is not None:
            yield value
