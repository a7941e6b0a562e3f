"""The picture of a run: latency, circuit and spans over time, with the fault shaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .plan import BARE, LABELS, OURS, Protocol
from .recording import Recording
from .words import seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {BARE: "#d1495b", OURS: "#00798c"}
_SHADE = "#8d99ae"
_LEAST = 1e-4
"""Seconds; the axis is logarithmic, and has no 0."""
_LEVELS = {"closed": 0, "half-open": 1, "open": 2}
PROTOCOLS: dict[Protocol, str] = {"grpc": "gRPC", "http": "HTTP"}


def draw(recording: Recording, path: Path) -> None:
    """Write a PNG.

    Raises:
        OSError: It cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 9), layout="constrained")
    FigureCanvasAgg(figure)
    latency, circuit, spans = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": [5, 1.6, 3]})
    plan = recording.plan
    figure.suptitle(
        f"Two Gunicorn gevent workers, {plan.rate:g} requests/s each, OTLP over {PROTOCOLS[plan.protocol]}",
        fontsize=13,
    )
    for axes in (latency, circuit, spans):
        _shade(axes, recording)
    _draw_latency(latency, recording)
    _draw_circuit(circuit, recording)
    _draw_spans(spans, recording)
    spans.set_xlim(0, _end(recording))
    spans.set_xlabel("time in s")
    figure.savefig(path, format="png", dpi=110)


def _end(recording: Recording) -> float:
    """Seconds: the load ends with the plan, what was kept may arrive after that."""
    return max(recording.plan.total, recording.measured_until)


def _shade(axes: Axes, recording: Recording) -> None:
    plan = recording.plan
    _, faulty, _ = plan.phases
    axes.axvspan(faulty.begin, faulty.end, color=_SHADE, alpha=0.22, lw=0)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if recording.killed is not None:
        axes.axvline(recording.killed, color="black", lw=1, ls=":")
    if _end(recording) > plan.total:
        axes.axvline(plan.total, color=_SHADE, lw=1, ls="--")


def _draw_latency(axes: Axes, recording: Recording) -> None:
    for name, colour in _COLOURS.items():
        moments, latencies = _requests(recording, name)
        axes.scatter(
            *(moments, latencies),
            s=9,
            alpha=0.45,
            lw=0,
            color=colour,
            label=f"{LABELS[name]} (slowest: {seconds(max(latencies, default=0.0))})",
        )
    axes.set_yscale("log")
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top * 4)  # space for the names of the phases and the legend
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms")
    axes.set_ylabel("request latency, from when it was due")
    axes.legend(loc="upper right", markerscale=2.5, framealpha=1.0)
    for phase in recording.plan.phases:
        axes.text(
            *((phase.begin + phase.end) / 2, 1.015),
            phase.name,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            weight="bold" if phase == recording.plan.phases[1] else "normal",
        )


def _requests(recording: Recording, name: str) -> tuple[list[float], list[float]]:
    """Return due times and latencies; a request never answered has its age."""
    numbers = recording.requests(name, 0.0, recording.plan.total)
    moments = [recording.due(name, number) for number in numbers]
    return moments, [max(_LEAST, recording.latency(name, number)) for number in numbers]


def _draw_circuit(axes: Axes, recording: Recording) -> None:
    changes = recording.ours.changes
    moments = [0.0, *(change.at for change in changes), _end(recording)]
    states = ["closed", *(change.new for change in changes)]
    levels = [_LEVELS[state] for state in [*states, states[-1]]]
    axes.step(moments, levels, where="post", color=_COLOURS[OURS], lw=2)
    axes.fill_between(moments, levels, step="post", color=_COLOURS[OURS], alpha=0.15, lw=0)
    axes.set_ylim(-0.25, 2.25)
    axes.set_yticks(list(_LEVELS.values()), list(_LEVELS))
    axes.set_ylabel("circuit")


def _draw_spans(axes: Axes, recording: Recording) -> None:
    beats = recording.ours.beats
    moments = [beat.at for beat in beats]
    axes.plot(
        moments, [beat.started for beat in beats], color="0.35", ls=":", label=f"started, {LABELS[OURS]}"
    )
    for name, colour in _COLOURS.items():
        delivered = recording.contenders[name].delivered
        axes.plot(
            [moment.at for moment in delivered],
            [moment.items for moment in delivered],
            color=colour,
            lw=2,
            label=f"delivered, {LABELS[name]}",
        )
    axes.plot(
        moments,
        [beat.health["retained"] if beat.health else 0 for beat in beats],
        color=_COLOURS[OURS],
        ls="--",
        label=f"kept, {LABELS[OURS]}",
    )
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylabel("spans")
    axes.legend(loc="upper left")
