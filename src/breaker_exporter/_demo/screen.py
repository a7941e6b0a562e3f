"""The display of a run: a live table on a terminal, a line every 2 s elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from types import TracebackType

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..testing import Fault
from .figures import LATE, ItemFigures, item_figures, phase_figures
from .plan import LABELS, OURS, Phase
from .recording import Contender, Recording
from .words import UNKNOWN, count, seconds

_EVERY = 2.0
"""Seconds between two plain lines."""
_EVENTS = 5
"""Number of events that the live table shows: it fits into 24 lines."""
_SLOW = 0.5
"""Seconds; longer times are red."""


class Screen:
    """Shows a run while it is entered.

    Args:
        console: The console that it writes to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._told = 0
        self._next_line = 0.0

    def __enter__(self) -> Screen:
        if self._console.is_interactive:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def watch(self, recording: Recording) -> None:
        """Show the state of the run now."""
        if self._live.is_started:
            self._live.update(_frame(recording), refresh=True)
            return
        happened = list(events(recording))
        for event in happened[self._told :]:
            self._say(event)
        self._told = len(happened)
        if recording.now >= self._next_line and recording.told_to_stop is None:
            self._next_line += _EVERY
            for line in _lines(recording):
                self._say(line)

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def events(recording: Recording) -> Iterator[str]:
    """Yield the events so far in order, one line each."""
    happened = [
        (phase.begin, f"collectors: {phase.name}")
        for phase in recording.plan.phases
        if phase.begin <= recording.now
    ]
    happened += [
        (change.at, f"circuit: {change.old} to {change.new} ({change.reason})")
        for change in recording.ours.changes
    ]
    if recording.killed is not None:
        happened.append((recording.killed, "both workers killed (SIGKILL)"))
    if recording.told_to_stop is not None:
        happened.append((recording.told_to_stop, "both services told to stop (SIGTERM)"))
    for moment, text in sorted(happened, key=itemgetter(0)):
        yield f"{moment:5.1f} s  {text}"


def circuit(recording: Recording) -> str:
    """Return the state of our circuit now, as text."""
    beats = recording.ours.beats
    health = beats[-1].health if beats else None
    if health is None:
        return UNKNOWN
    retry_in = health["retry_in"]
    return (
        f"open, probe in {retry_in:.0f} s" if health["state"] == "open" and retry_in else str(health["state"])
    )


def _phase(recording: Recording) -> Phase:
    begun = [phase for phase in recording.plan.phases if phase.begin <= recording.now]
    return begun[-1] if begun else recording.plan.phases[0]


def _lines(recording: Recording) -> Iterator[str]:
    phase = _phase(recording)
    for name, label in LABELS.items():
        figures, (spans, logs) = phase_figures(recording, name, phase), _items(recording.contenders[name])
        state = f", circuit {circuit(recording)}" if name == OURS else ""
        yield (
            f"{max(0.0, recording.now):5.1f} s  {label:16}  "
            f"p50 {seconds(figures.p50)}, p99 {seconds(figures.p99)}, max {seconds(figures.longest)}, "
            f"hub gap {seconds(figures.gap)}{state}; "
            f"spans: {_counts(spans)}; log records: {_counts(logs)}"
        )


def _counts(items: ItemFigures) -> str:
    return (
        f"{count(items.started)} started, {count(items.delivered)} delivered, "
        f"{count(items.delayed)} delayed, {count(items.lost)} lost"
    )


def _items(contender: Contender) -> tuple[ItemFigures, ItemFigures]:
    """The figures of spans, and those of log records."""
    return item_figures(contender), item_figures(contender.log_records)


def _frame(recording: Recording) -> RenderableType:
    plan, phase = recording.plan, _phase(recording)
    now = min(max(0.0, recording.now), plan.total)
    course = Text.assemble(
        *(
            part
            for each in plan.phases
            for part in (
                (f" {each.name} {each.end - each.begin:g} s ", _style(each) if each == phase else "dim"),
                " ",
            )
        )
    )
    bar = ProgressBar(total=plan.total, completed=now, width=40)
    head = Table.grid(padding=(0, 2))
    head.add_row(course)
    over = recording.now - plan.total
    waits = f"{over:.0f} s more, until all has arrived" if over > 0 else f"{now:.0f} of {plan.total:g} s"
    progress = Table.grid(padding=(0, 2))
    progress.add_row(bar, Text(waits))
    latest = "\n".join(list(events(recording))[-_EVENTS:])
    told = Text(latest, style="dim", no_wrap=True, overflow="ellipsis")
    return Group(head, progress, _table(recording, phase), told)


def _style(phase: Phase) -> str:
    return f"bold white on {'green' if phase.fault is Fault.NONE else 'red'}"


def _table(recording: Recording, phase: Phase) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for label in LABELS.values():
        table.add_column(label, justify="right", min_width=22)
    figures = [phase_figures(recording, name, phase) for name in LABELS]
    items = [_items(contender) for contender in recording.contenders.values()]
    table.add_row("requests of this phase: p50", *(timed(each.p50) for each in figures))
    table.add_row("                        p99", *(timed(each.p99) for each in figures))
    table.add_row("                        max", *(timed(each.longest) for each in figures))
    table.add_row("waiting for an answer", *(count(each.waiting) for each in figures))
    table.add_row("largest hub gap of this phase", *(timed(each.gap) for each in figures))
    state = circuit(recording)
    table.add_row(
        "circuit", "none", Text(state, style=_STATES.get(state.partition(",")[0], "")), end_section=True
    )
    table.add_row("spans / log records started", *(both(each, "started") for each in items))
    table.add_row("      delivered", *(both(each, "delivered") for each in items))
    table.add_row(f"      delayed, over {LATE:g} s late", *(both(each, "delayed") for each in items))
    table.add_row("      lost", *(both(each, "lost") for each in items))
    return table


def both(items: tuple[ItemFigures, ItemFigures], figure: str) -> str:
    """Return a figure of spans and of log records, as text."""
    return " / ".join(count(getattr(each, figure)) for each in items)


_STATES = {"closed": "green", "half-open": "yellow", "open": "red"}


def timed(value: float) -> Text:
    """Return seconds as text, red from half a second on."""
    return Text(seconds(value), style="bold red" if value >= _SLOW else "")
