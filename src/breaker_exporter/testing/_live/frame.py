"""One picture of the live table: what has arrived, the fault in force, the keys, and the addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .._arrivals import Row, Source
from .._by_hand import age, base, counted, duration, endpoint, grpc
from .._fault_settings import FaultSetting
from .._faults import Fault, Signal
from .keys import CLEAR, FAULTS, QUIT, name

_OLD = 10.0
"""Seconds without an item after which a row is dim."""
_HEAD = 4
"""Lines above the first row: title, blank, names of columns, rule."""
_FROM = {"received": (8, 0), "duplicates": (10, 46), "per s": (6, 64), "latest": (8, 56)}
"""Columns with numbers: least width, and the width of the terminal from which on there is room for it."""
_NAMES = {60: None, 40: 9, 0: 6}
"""Columns that an address or a kind of items may take, by the least width of the terminal."""
_ROOMY = 100
"""Columns of a terminal from which on two blanks are between columns of the table, not one."""
_GAP = "   "


@dataclass(frozen=True, slots=True)
class Glance:
    """All that a picture shows, of one moment.

    Attributes:
        state: The collector's state.
        rows: What has arrived.
        seconds: Time since the start.
        fault: The fault of all signals.
        alone: Faults that signals have alone.
        fault_seconds: Time since one was switched.
        signal: The signal whose fault the keys switch; ``None`` for all.
        refusal: The latest request that its sender got wrong, or an empty string.
        notice: A remark on the latest key, or an empty string.
    """

    state: Mapping[str, object]
    rows: Sequence[Row]
    seconds: float
    fault: FaultSetting
    alone: Mapping[Signal, FaultSetting]
    fault_seconds: float
    signal: Signal | None = None
    refusal: str = ""
    notice: str = ""


def frame(glance: Glance, width: int, height: int) -> RenderableType:
    """Return the picture: lines of at most `width` columns, and from 7 on at most `height` of them."""
    bottom = [Text(), *_fault(glance), *_keys(glance, width), Text(), *_addresses(glance.state)]
    wanted = min(3, len(glance.rows)) or 2
    bottom = bottom[: max(2, height - _HEAD - wanted)]
    left = max(1, height - _HEAD - len(bottom))
    title = Text("What arrives at this collector", "bold")
    title.append(f"{_GAP}{duration(glance.seconds)}, {_requests(glance.state)}", "not bold dim")
    if glance.rows:
        return Group(_line(title), Text(), _table(glance.rows, left, width), *map(_line, bottom))
    return Group(_line(title), Text(), *map(_line, _invitation(glance.state)), *map(_line, bottom))


def _line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _requests(state: Mapping[str, object]) -> str:
    requests, connections = int(str(state["requests"])), int(str(state["open_connections"]))
    return f"{counted(requests, 'request')}, {counted(connections, 'connection')} open"


def _invitation(state: Mapping[str, object]) -> Iterator[Text]:
    yield Text("Nothing has arrived yet. Start your service in another terminal, with")
    yield Text(f"  export {endpoint(state)}", "bold")


def _table(rows: Sequence[Row], lines: int, width: int) -> Table:
    padding = (0, 1 if width >= _ROOMY else 0, 0, 0)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=padding, expand=True)
    most = next(most for room, most in _NAMES.items() if width >= room)
    table.add_column(_line(Text("sent to")), max_width=most)
    table.add_column(_line(Text("service")), min_width=6, ratio=1)
    table.add_column(_line(Text("items")), max_width=most)
    numbers = [header for header, (_, room) in _FROM.items() if width >= room]
    for header in numbers:
        table.add_column(header, justify="right", no_wrap=True, min_width=_FROM[header][0])
    shown = rows if len(rows) <= lines else rows[: lines - 1]
    for row in shown:
        cells = _numbers(row)
        style = "dim" if row.age >= _OLD else ""
        table.add_row(*map(_line, (*_words(row), *(cells[header] for header in numbers))), style=style)
    if len(shown) < len(rows):
        table.add_row(_line(Text("...")), _line(Text(f"{len(rows) - len(shown)} more rows")), style="dim")
    return table


def _words(row: Row) -> tuple[Text, Text, Text]:
    color = "cyan" if row.source is Source.COLLECTOR else "magenta"
    return Text(row.source.value, color), Text(row.service), Text(row.kind)


def _numbers(row: Row) -> dict[str, Text]:
    duplicates = "-" if row.duplicates is None else f"{row.duplicates:,}"
    return {
        "received": Text(f"{row.items:,}", "bold"),
        "duplicates": Text(duplicates, "yellow" if row.duplicates else ""),
        "per s": Text(f"{row.rate:,.1f}", "green" if row.rate else ""),
        "latest": Text(age(row.age)),
    }


def _fault(glance: Glance) -> Iterator[Text]:
    text = Text.assemble(("fault  ", "bold"), _named(glance.fault))
    for signal, setting in glance.alone.items():
        text.append_text(Text.assemble(f", {signal.value} alone: ", _named(setting)))
    yield text.append(f"{_GAP}for {duration(glance.fault_seconds)}", "dim")
    if glance.refusal:
        yield Text(f"refused: {glance.refusal}", "yellow")


def _named(setting: FaultSetting) -> Text:
    more = [f"{key}={value}" for key, value in setting.as_json().items() if key not in ("fault", "status")]
    settings = ", ".join(each for each in more if not each.endswith("=None"))
    words = f"{name(setting)} ({settings})" if settings else name(setting)
    return Text(words, "bold green" if setting.fault is Fault.NONE else "bold red")


def _keys(glance: Glance, width: int) -> Iterator[Text]:
    order = (None, *Signal)
    following = order[(order.index(glance.signal) + 1) % len(order)]
    hints = [Text(f"keys for {_whose(glance.signal)}:", "bold")]
    hints += [_hint(key, name(setting)) for key, setting in FAULTS.items()]
    hints += [_hint("Tab", f"keys for {_whose(following)}"), _hint(CLEAR, "clear"), _hint(QUIT[0], "quit")]
    line = Text()
    for hint in hints:
        if line and len(line) + len(_GAP) + len(hint) > width:
            yield line
            line = Text()
        line = Text(_GAP).join([line, hint]) if line else hint
    yield line
    if glance.notice:
        yield Text(glance.notice, "yellow")


def _whose(signal: Signal | None) -> str:
    return "all signals" if signal is None else f"{signal.value} alone"


def _hint(key: str, words: str) -> Text:
    return Text.assemble((key, "bold cyan"), f" {words}")


def _addresses(state: Mapping[str, object]) -> Iterator[Text]:
    yield Text(f"OTLP/HTTP  {base(state)}", "dim")
    yield Text(f"OTLP/gRPC  {grpc(state)}", "dim")
    yield Text(f"Sentry     {state['sentry_dsn']}", "dim")
    yield Text(f"control    {state['control_url']}", "dim")
