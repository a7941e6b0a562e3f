"""The results as pictures: an outage over time, percentiles by contender, cost against spans/s."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from .contenders import CONTENDERS
from .results import Results

_SHOWN = ("none", "bare-http", "bare-grpc", "wrapped-http", "hooks")


def draw(data: Mapping[str, Any], directory: Path) -> list[Path]:
    """Draw what there are results for."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    results = Results(data)
    directory.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, plot in (("outage", _outage), ("percentiles", _percentiles), ("growth", _growth)):
        figure, axes = pyplot.subplots(figsize=(9, 4.5), layout="constrained")
        if plot(results, axes):
            path = directory / f"{name}.png"
            figure.savefig(path, dpi=110, metadata={"Software": None})
            drawn.append(path)
        pyplot.close(figure)
    return drawn


def _outage(results: Results, axes: Any) -> bool:
    shown = False
    for name in _SHOWN:
        cells = [cell for number in results.rounds() if (cell := results.cell(name, number))]
        if not cells:
            continue
        shown = True
        length = min(len(cell["timeline"]) for cell in cells)
        worst = [median(cell["timeline"][moment] for cell in cells) for moment in range(length)]
        axes.plot([moment / 2 for moment in range(length)], worst, label=name, linewidth=1.8)
        healthy, fault, still, _ = cells[0]["seconds"]
    if shown:
        axes.axvspan(healthy, healthy + fault + still, color="0.9", label="blackhole")
        axes.set(yscale="log", xlabel="s", ylabel="slowest request due in half a second, ms")
        axes.set_title(
            "Requests through an outage (gevent, 150 requests/s, ten spans each; median of rounds)"
        )
        axes.legend(loc="upper right")
    return shown


def _percentiles(results: Results, axes: Any) -> bool:
    names = [name for name in CONTENDERS if any(results.cell(name, number) for number in results.rounds())]
    for place, figure in enumerate(("p50_ms", "p99_ms", "p99.9_ms")):
        values = [
            median(
                value
                for number in results.rounds()
                if (value := results.figure(name, number, "healthy", figure)) is not None
            )
            for name in names
        ]
        axes.bar([spot + 0.27 * place for spot in range(len(names))], values, 0.25, label=figure[:-3])
    axes.set_xticks([spot + 0.27 for spot in range(len(names))], names, rotation=40, ha="right")
    axes.set(yscale="log", ylabel="request latency, ms", title="Healthy collector (gevent, 150 requests/s)")
    axes.legend()
    return bool(names)


def _growth(results: Results, axes: Any) -> bool:
    shown = False
    for name in _SHOWN:
        steps: dict[float, list[float]] = {}
        for number in results.rounds():
            for rate, _, cpu in results.growth(name, number):
                steps.setdefault(rate, []).append(100 * cpu)
        if steps:
            shown = True
            axes.plot(list(steps), [median(values) for values in steps.values()], marker="o", label=name)
    if shown:
        axes.set(
            xlabel="spans/s offered", ylabel="CPU of the worker, %", title="Cost against spans/s (gevent)"
        )
        axes.legend()
    return shown
