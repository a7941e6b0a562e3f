"""The text before a run and after it: both services side by side, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .._core.retention_settings import RETAIN_MEMORY
from .._harness.work import SPANS_PER_REQUEST
from .figures import LATE, ItemFigures, PhaseFigures, counter_figures, item_figures, phase_figures
from .plan import BARE, LABELS, LOG_RECORDS_PER_REQUEST, METRICS_EVERY, OURS, Plan
from .plot import PROTOCOLS
from .promise import Promise
from .recording import Contender, Recording
from .screen import timed
from .words import count, seconds

LOAD_LATE = 0.25
"""Seconds by which the load may send a request too late before the figures mean little."""
BLOCKED = 1.0
"""Seconds from which a gap of the hub counts as a blocked worker."""
_DEFAULTS = {
    BARE: "default settings",
    OURS: f"default settings: up to {RETAIN_MEMORY.default >> 20} MiB of what cannot be delivered is kept",
}


def introduce(console: Console, plan: Plan) -> None:
    """Print what is about to be compared."""
    course = ", ".join(f"{phase.name} {phase.end - phase.begin:g} s" for phase in plan.phases)
    console.print(
        f"Two Gunicorn gevent workers with the same application, {plan.rate:g} requests/s each, "
        f"{SPANS_PER_REQUEST} spans, {LOG_RECORDS_PER_REQUEST} log records and a count a request, OTLP over "
        f"{PROTOCOLS[plan.protocol]}.\n",
        highlight=False,
    )
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        Text(LABELS[BARE], style="bold"),
        f"The official exporters of spans, log records and metrics for {PROTOCOLS[plan.protocol]}, as in "
        "OpenTelemetry's documentation, made after gevent's monkey patch; "
        f"{_settings(plan, BARE)}",
    )
    grid.add_row(
        Text(LABELS[OURS], style="bold"),
        f"Ours of breaker_exporter.otlp for {PROTOCOLS[plan.protocol]}, each behind a circuit, by the hooks "
        f"of breaker_exporter.gunicorn; {_settings(plan, OURS)}",
    )
    grid.add_row(Text("both", style="bold"), f"metrics every {METRICS_EVERY:g} s")
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
    contenders = list(recording.contenders.values())
    for signal, figures_of in _SIGNALS.items():
        items = [figures_of(contender) for contender in contenders]
        table.add_row(Text(f"{signal} started", style="bold"), *(count(each.started) for each in items))
        table.add_row("  delivered", *(count(each.delivered) for each in items))
        table.add_row(f"  delayed, over {LATE:g} s late", *(count(each.delayed) for each in items))
        table.add_row("  lost", *(_lost(each) for each in items))
    table.add_row(Text("counter's sum received", style="bold"), *map(_counter, contenders))
    table.add_section()
    table.add_row(
        "SIGTERM to the end",
        *(
            Text("killed", style="bold red") if after is None else seconds(after)
            for after in (contender.stopped_after for contender in contenders)
        ),
    )
    return table


_SIGNALS: dict[str, Callable[[Contender], ItemFigures]] = {
    "spans": item_figures,
    "log records": lambda contender: item_figures(contender.log_records),
}


def _lost(items: ItemFigures) -> Text:
    return Text(count(items.missing), style="bold red" if items.missing else "green")


def _counter(contender: Contender) -> Text:
    counted, received = counter_figures(contender)
    style = "green" if counted == received else "bold red"
    return Text(f"{count(received)} of {count(counted)}", style=style)


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
        for signal, figures_of in _SIGNALS.items():
            yield _in_words(label, signal, figures_of(recording.contenders[name]))
    if item_figures(recording.contenders[BARE]).dropped is None:
        yield (
            "This opentelemetry-sdk does not count what its queue drops (1.42 does): "
            f"for {LABELS[OURS]} it is what was started less what the exporter received."
        )


def _in_words(label: str, signal: str, items: ItemFigures) -> str:
    known = ", ".join(f"{count(number)} {outcome}" for outcome, number in items.losses.items() if number)
    if items.missing:
        share = f"{items.missing / items.started:.1%}"
        lost = f"{count(items.missing)} of {count(items.started)} {signal} ({share})"
        return f"The {label} lost {lost}{': ' if known else ''}{known}."
    late = f", at least {count(items.delayed)} of them more than {LATE:g} s late" if items.delayed else ""
    return f"The {label} delivered every {signal[:-1]}{late}."
