"""The tables of the report, as lines of Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from .contenders import ALL
from .results import Results
from .spreads import spread


def titled_outage(results: Results, title: str, worker: str, fault: str) -> Iterator[str]:
    """Yield the lines of `outage` below a title; nothing where nothing was measured."""
    lines = list(outage(results, worker, fault))
    if lines:
        yield from (f"## {title}", "", *lines)


def outage(results: Results, worker: str, fault: str) -> Iterator[str]:
    """Yield two tables of all contenders: healthy, and from the fault on."""
    names = [
        name
        for name in ALL
        if any(results.cell(name, number, worker=worker, fault=fault) for number in results.rounds())
    ]
    if not names:
        return

    def values(name: str, phase: str, figure: str) -> list[float]:
        found = (
            results.figure(name, number, phase, figure, worker=worker, fault=fault)
            for number in results.rounds()
        )
        return [value for value in found if value is not None]

    def cells(name: str, figure: str) -> list[float]:
        found = (results.cell(name, number, worker=worker, fault=fault) for number in results.rounds())
        return [cell[figure] for cell in found if cell and cell[figure] is not None]

    yield "Healthy:"
    yield ""
    yield from table(
        (
            "",
            "request p50 ms",
            "p99 ms",
            "p99.9 ms",
            "hub p99 ms",
            "hub p99.9 ms",
            "hub max ms",
            "CPU %",
            "MB",
        ),
        (
            (
                f"`{name}`",
                *(spread(values(name, "healthy", figure)) for figure in ("p50_ms", "p99_ms", "p99.9_ms")),
                *(
                    spread(values(name, "healthy", f"hub_p{part}_ms")) if worker == "gevent" else "-"
                    for part in ("99", "99.9", "100")
                ),
                spread(100 * value for value in values(name, "healthy", "cpu")),
                spread(cells(name, "resident_mb")),
            )
            for name in names
        ),
    )
    yield "In the fault, and recovering:"
    yield ""
    yield from table(
        (
            *("", "request p99 ms", "request max ms", "largest hub gap ms", "CPU % when open", "s to open"),
            *("p99 ms recovering", "s to first span", "spans started", "delivered"),
        ),
        (
            (
                f"`{name}`",
                *(spread(values(name, "fault", figure)) for figure in ("p99_ms", "p100_ms")),
                spread(
                    gap
                    for number in results.rounds()
                    if (gap := results.largest_gap(name, number, worker=worker, fault=fault)) is not None
                )
                if worker == "gevent"
                else "-",
                spread(100 * value for value in values(name, "open", "cpu")),
                spread(cells(name, "seconds_to_open")),
                spread(values(name, "recovering", "p99_ms")),
                spread(cells(name, "seconds_to_recover")),
                spread(cells(name, "spans_started")),
                spread(cells(name, "spans_delivered")),
            )
            for name in names
        ),
    )


def cost(results: Results) -> Iterator[str]:
    """Yield sections on the CPU that exporting takes."""
    for suite, what in (("cost", "traces"), ("cost-signals", "all signals")):
        cells = [cell for cell in results.cells.values() if cell["suite"] == suite]
        if not cells:
            continue
        rounds = len({cell["round"] for cell in cells})
        first = cells[0]
        yield from (
            f"## CPU of exporting {what}",
            "",
            f"gevent, {first['rate']:g} requests/s to each, healthy, all side by side in the same seconds; "
            f"CPU time of each worker's process over {first['seconds'][0]:g} s, in {rounds} rounds. The "
            "heartbeat that feels the hub is off. Exporting is what is above no exporter in the same round.",
            "",
        )
        yield from table(("", "CPU %", "of that, exporting"), _costs(results, suite, cells))


def _costs(results: Results, suite: str, cells: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for name in (name for name in ALL if any(cell["contender"] == name for cell in cells)):
        used = (cell["phases"]["healthy"]["cpu"] for cell in cells if cell["contender"] == name)
        spent = results.per_round(partial(results.cost, name, suite=suite))
        yield (
            f"`{name}`",
            spread(100 * cpu for cpu in used if cpu is not None),
            "-" if name == "none" else spread(100 * cpu for cpu in spent),
        )


def growth(results: Results) -> Iterator[str]:
    """Yield a section on request latency under growing load."""
    steps = {
        name: [step for number in results.rounds() for step in results.growth(name, number)] for name in ALL
    }
    names = [name for name, found in steps.items() if found]
    if not names:
        return
    rates = sorted({rate for name in names for rate, _, _ in steps[name]})
    yield from (
        "## Growth",
        "",
        "Request p99 in ms, gevent, healthy, by spans/s offered. Doubling at the first step "
        "or at the last is a bound: it may come earlier, or not at all.",
        "",
    )
    yield from table(
        ("", *(f"{rate:,.0f}" for rate in rates), "doubles at, spans/s"),
        (
            (
                f"`{name}`",
                *(
                    spread(
                        p99
                        for number in results.rounds()
                        for step, p99, _ in results.growth(name, number)
                        if step == rate
                    )
                    for rate in rates
                ),
                "-"
                if name == "none"
                else spread(
                    at for number in results.rounds() if (at := results.doubles_at(name, number)) is not None
                ),
            )
            for name in names
        ),
    )


def retention(results: Results) -> Iterator[str]:
    """Yield a section on what an outage costs, and what it costs to make up for it."""
    cells = [cell for cell in results.cells.values() if cell["suite"].startswith("retention")]
    if not cells:
        return
    yield from (
        "## Data through an outage",
        "",
        "gevent, 1,500 spans/s, each with the settings that it ships with. Lost is what had not arrived at "
        "the end: 150 s after an outage of one minute, 240 s after one of ten. Ratios are to no exporter "
        "in the same phase.",
        "",
    )
    for suite in ("retention", "retention-long"):
        for fault in ("refuse", "blackhole"):
            of = [cell for cell in cells if (cell["suite"], cell["fault"]) == (suite, fault)]
            names = [name for name in ALL if any(cell["contender"] == name for cell in of)]
            if names:
                yield from (f"{of[0]['seconds'][1]:g} s of {fault}:", "")
                yield from _retention(results, suite, fault, [name for name in names if name != "none"])


def _retention(results: Results, suite: str, fault: str, names: Sequence[str]) -> Iterator[str]:
    where = {"suite": suite, "fault": fault}

    def lost(name: str) -> list[float]:
        found = (results.cell(name, number, **where) for number in results.rounds())
        return [cell["spans_started"] - cell["spans_delivered"] for cell in found if cell]

    def ratios(name: str, phase: str, figure: str) -> str:
        return spread(results.ratios(phase, figure, name, "none", **where))

    yield from table(
        ("", "spans lost", "p99 in the outage", "hub p99.9", "p99 after it", "hub p99.9", "MB at the end"),
        (
            (
                f"`{name}`",
                spread(lost(name)),
                *(
                    ratios(name, phase, figure)
                    for phase in ("fault", "recovering")
                    for figure in ("p99_ms", "hub_p99.9_ms")
                ),
                spread(
                    megabytes
                    for number in results.rounds()
                    if (megabytes := results.figure(name, number, "recovering", "resident_mb", **where))
                ),
            )
            for name in names
        ),
    )


def single_steps(results: Results) -> Iterator[str]:
    """Yield a section on the time that single steps take."""
    if results.data["micro"]:
        yield from ("## Single steps", "")
        yield from table(
            ("step", "µs"),
            ((f"`{name}`", f"{seconds * 1e6:.3g}") for name, seconds in results.data["micro"].items()),
        )


def table(head: Sequence[str], rows: Iterator[Sequence[str]] | Any) -> Iterator[str]:
    """Yield a table, and an empty line after it."""
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
