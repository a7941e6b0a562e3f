"""The text before a run and after it: both services side by side, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .._harness.work import SPANS_PER_REQUEST
from .figures import PhaseFigures, SpanFigures, phase_figures, span_figures
from .plan import BARE, LABELS, OURS, Plan
from .plot import PROTOCOLS
from .recording import Recording
from .screen import timed
from .verdict import Promise
from .words import count, seconds

LATE = 0.25
"""Seconds by which the load may send a request too late before the figures mean little."""


def introduce(console: Console, plan: Plan) -> None:
    """Print what is about to be compared."""
    settings = " ".join(f"{name}={value}" for name, value in plan.environment[OURS].items())
    course = ", ".join(f"{phase.name} {phase.end - phase.begin:g} s" for phase in plan.phases)
    console.print(
        f"Two Gunicorn gevent workers with the same application, {plan.rate:g} requests/s each, "
        f"{SPANS_PER_REQUEST} spans a request, OTLP over {PROTOCOLS[plan.protocol]}.\n",
        highlight=False,
    )
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        Text(LABELS[BARE], style="bold"),
        "BatchSpanProcessor(OTLPSpanExporter()), as in OpenTelemetry's documentation, "
        "made after gevent's monkey patch",
    )
    grid.add_row(
        Text(LABELS[OURS], style="bold"),
        "this package's exporter behind its circuit breaker, by the hooks of breaker_exporter.gunicorn; "
        f"{settings}, so that an outage and the way back fit into this run",
    )
    grid.add_row(Text("collectors", style="bold"), course)
    console.print(grid)
    console.print()


def conclude(console: Console, recording: Recording, verdict: Sequence[Promise]) -> None:
    """Print both services side by side, then each promise."""
    console.print(_side_by_side(recording))
    console.print(_in_short(recording))
    if recording.load_late > LATE:
        console.print(
            f"The load itself was late by up to {seconds(recording.load_late)}: "
            "this machine is too busy for figures that mean much.",
            highlight=False,
        )
    console.print()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for promise in verdict:
        mark = Text("ok", style="green") if promise.kept else Text("broken", style="bold red")
        table.add_row(mark, promise.text, promise.measured)
    console.print(Text(f"What {LABELS[OURS]} promises, in this run:", style="bold"))
    console.print(table)
    console.print()


def _side_by_side(recording: Recording) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for label in LABELS.values():
        table.add_column(label, justify="right")
    for phase in recording.plan.phases:
        figures = [phase_figures(recording, name, phase) for name in LABELS]
        table.add_row(Text(f"{phase.name}, {phase.end - phase.begin:g} s", style="bold"))
        table.add_row("  request p50 / p99 / max", *map(_latencies, figures))
        table.add_row("  answered within 1 s", *map(_prompt, figures))
        table.add_row("  largest hub gap", *(timed(each.gap) for each in figures))
    table.add_section()
    spans = [span_figures(contender) for contender in recording.contenders.values()]
    table.add_row(Text("spans started", style="bold"), *(count(each.started) for each in spans))
    table.add_row("  delivered", *(count(each.delivered) for each in spans))
    table.add_row("  refused, circuit open", *(count(each.refused) for each in spans))
    table.add_row("  failed", *(count(each.failed) for each in spans))
    table.add_row("  dropped by SDK's queue", *(count(each.dropped) for each in spans))
    table.add_section()
    table.add_row(
        "SIGTERM to the end",
        *(
            Text("killed", style="bold red") if after is None else seconds(after)
            for after in (contender.stopped_after for contender in recording.contenders.values())
        ),
    )
    return table


def _latencies(figures: PhaseFigures) -> Text:
    values = (figures.p50, figures.p99, figures.longest)
    return Text(" / ").join(map(timed, values))


def _prompt(figures: PhaseFigures) -> Text:
    style = "" if figures.prompt == figures.due else "bold red"
    return Text(f"{count(figures.prompt)} of {count(figures.due)}", style=style)


def _in_short(recording: Recording) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, label in LABELS.items():
        figures = [phase_figures(recording, name, phase) for phase in recording.plan.phases]
        grid.add_row(
            Text(label, style="bold"),
            Text.assemble(
                *("slowest request ", timed(max(each.longest for each in figures))),
                *(", largest hub gap ", timed(max(each.gap for each in figures))),
                f", {count(_lost(span_figures(recording.contenders[name])))} spans not delivered",
            ),
        )
    bare, ours = map(span_figures, recording.contenders.values())
    if _lost(bare) < _lost(ours):
        grid.add_row(
            "",
            "The bare exporter blocks, and what its queue holds survives a short outage; an open circuit "
            "refuses spans, and counts them, until a probe finds the collector back.",
        )
    if bare.dropped is None:
        grid.add_row(
            "",
            "This opentelemetry-sdk does not count what its queue drops (1.42 does): "
            f"for {LABELS[OURS]} it is what was started less what the exporter received.",
        )
    return grid


def _lost(spans: SpanFigures) -> int:
    return max(0, spans.started - spans.delivered)
