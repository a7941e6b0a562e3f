"""The text before a run and after it: both services side by side, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .._core.retention_settings import RETAIN_MEMORY
from .._harness.work import SPANS_PER_REQUEST
from .figures import LATE, PhaseFigures, SpanFigures, phase_figures, span_figures
from .plan import BARE, LABELS, OURS, Plan
from .plot import PROTOCOLS
from .recording import Recording
from .screen import timed
from .verdict import Promise
from .words import count, seconds

LOAD_LATE = 0.25
"""Seconds by which the load may send a request too late before the figures mean little."""
BLOCKED = 1.0
"""Seconds from which a gap of the hub counts as a blocked worker."""
_EXPORTERS = {
    "grpc": ("The official OTLPSpanExporter for gRPC", "breaker_exporter.otlp.OTLPGrpcSpanExporter"),
    "http": ("The official OTLPSpanExporter for HTTP", "breaker_exporter.otlp.CooperativeOTLPSpanExporter"),
}
"""Of the two services, by protocol."""
_DEFAULTS = {
    BARE: "default settings",
    OURS: f"default settings: up to {RETAIN_MEMORY.default >> 20} MiB of what cannot be delivered is kept",
}


def introduce(console: Console, plan: Plan) -> None:
    """Print what is about to be compared."""
    course = ", ".join(f"{phase.name} {phase.end - phase.begin:g} s" for phase in plan.phases)
    console.print(
        f"Two Gunicorn gevent workers with the same application, {plan.rate:g} requests/s each, "
        f"{SPANS_PER_REQUEST} spans a request, OTLP over {PROTOCOLS[plan.protocol]}.\n",
        highlight=False,
    )
    bare, ours = _EXPORTERS[plan.protocol]
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        Text(LABELS[BARE], style="bold"),
        f"{bare} in a BatchSpanProcessor, as in OpenTelemetry's documentation, made after gevent's monkey "
        f"patch; {_settings(plan, BARE)}",
    )
    grid.add_row(
        Text(LABELS[OURS], style="bold"),
        f"{ours} in a CircuitBreakerSpanExporter, by the hooks of breaker_exporter.gunicorn; "
        f"{_settings(plan, OURS)}",
    )
    grid.add_row(Text("collectors", style="bold"), f"{course}; then until all has arrived")
    if plan.kill_at is not None:
        killed = f"both killed by SIGKILL {plan.kill_at - plan.phases[1].begin:g} s into the outage"
        grid.add_row(Text("workers", style="bold"), f"{killed}, and replaced by Gunicorn")
    console.print(grid)
    console.print()


def _settings(plan: Plan, name: str) -> str:
    changed = " ".join(f"{variable}={value}" for variable, value in plan.environment[name].items())
    kept = "; what still cannot be delivered after a second is kept in a directory"
    return f"{changed or _DEFAULTS[name]}{kept if plan.kill and name == OURS else ''}"


def conclude(console: Console, recording: Recording, verdict: Sequence[Promise]) -> None:
    """Print both services side by side, then each promise."""
    console.print(_side_by_side(recording))
    for line in _in_short(recording):
        console.print(line, highlight=False)
    if recording.load_late > LOAD_LATE:
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
    table.add_row(f"  delayed, over {LATE:g} s late", *(count(each.delayed) for each in spans))
    table.add_row("  lost", *(_lost(each) for each in spans))
    table.add_section()
    table.add_row(
        "SIGTERM to the end",
        *(
            Text("killed", style="bold red") if after is None else seconds(after)
            for after in (contender.stopped_after for contender in recording.contenders.values())
        ),
    )
    return table


def _lost(spans: SpanFigures) -> Text:
    return Text(count(spans.missing), style="bold red" if spans.missing else "green")


def _latencies(figures: PhaseFigures) -> Text:
    values = (figures.p50, figures.p99, figures.longest)
    return Text(" / ").join(map(timed, values))


def _prompt(figures: PhaseFigures) -> Text:
    style = "" if figures.prompt == figures.due else "bold red"
    return Text(f"{count(figures.prompt)} of {count(figures.due)}", style=style)


def _in_short(recording: Recording) -> Iterator[str]:
    """The difference between the two, as this run has measured it."""
    for name, label in LABELS.items():
        worst = max(phase_figures(recording, name, phase).gap for phase in recording.plan.phases)
        if worst >= BLOCKED:
            yield f"The {label} blocked its worker for {seconds(worst)}."
        yield _of_spans(label, span_figures(recording.contenders[name]))
    if span_figures(recording.contenders[BARE]).dropped is None:
        yield (
            "This opentelemetry-sdk does not count what its queue drops (1.42 does): "
            f"for {LABELS[OURS]} it is what was started less what the exporter received."
        )


def _of_spans(label: str, spans: SpanFigures) -> str:
    known = ", ".join(f"{count(number)} {outcome}" for outcome, number in spans.losses.items() if number)
    if spans.missing:
        share = f"{spans.missing / spans.started:.1%}"
        lost = f"{count(spans.missing)} of {count(spans.started)} spans ({share})"
        return f"The {label} lost {lost}{': ' if known else ''}{known}."
    if spans.delayed:
        late = f"at least {count(spans.delayed)} of them more than {LATE:g} s late"
        return f"The {label} delivered every span, {late}."
    return f"The {label} delivered every span."
