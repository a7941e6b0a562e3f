"""The plan of a run: the cells in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from .contenders import ALL_SIGNALS, CONTENDERS, LOSING_UPSTREAM, TUNED

_PRINCIPAL = ("none", "bare-http", "wrapped-http", "hooks")
_MEETING_REFUSE = ("bare-http", "bare-grpc", "wrapped-http", "hooks")
_MEETING_DRIP = ("bare-http", "wrapped-http", "hooks")
_GROWING = ("none", "bare-http", "bare-grpc", "wrapped-http", "hooks")
_PAYING = ("none", "bare-http", "hooks", "bare-grpc", "hooks-grpc")
_KEEPING = ("none", "hooks", "hooks-directory", "hooks-grpc")
_LOSING = ("none", "bare-http", *LOSING_UPSTREAM, "logfire", "hooks-no-retention", *_KEEPING[1:])
_QUICK = ("none", "bare-http", "bare-grpc", "hooks")

FAULTS = ("blackhole", "refuse", "drip")
SIDE_BY_SIDE = ("cost", "cost-signals")
"""Suites whose contenders run in the same seconds: a machine's speed changes by more than exporting takes."""
OF_ALL_SIGNALS = ("signals", "cost-signals")
"""Suites whose services write log records and metrics too."""
COUNTING_LOSSES = ("retention", "retention-long", "signals")
"""Suites after which the last spans are waited for: what is missing then is lost."""
PHASES = ("healthy", "fault", "open", "recovering")
WARM_UP = 1.5
"""Seconds of load before the first phase: imports, first connections."""
_LONG = (8.0, 4.5, 2.5, 3.0)
"""Seconds of the phases where p99.9 counts: healthy for more than a thousand requests and heartbeats."""
_COST = (45.0, 0.0, 0.0, 0.0)
"""Seconds of a cell that measures CPU alone."""
_COST_RATE = 50
"""Requests a second to each of the services side by side: all of them share a core, and leave some of it."""
_MINUTE = (10.0, 60.0, 0.0, 150.0)
"""Seconds of an outage of a minute, and of the time after it: until the next probe, and of the replay."""
_SIGNALS = (20.0, 20.0, 0.0, 60.0)
"""Seconds in which metrics are exported twice, of an outage, and of the time until the replay is over."""
_HEALTHY = (20.0, 0.0, 0.0, 0.0)
_TEN_MINUTES = (10.0, 600.0, 0.0, 240.0)
_ELSE = 1.5
"""Seconds a cell takes besides its load, about: it boots, and is stopped."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a cell, in seconds from its start."""

    name: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One service under one load, measured once.

    Attributes:
        suite: One of ``SUITES``.
        contender: The contender that exports.
        worker: Gunicorn's worker class.
        fault: The collector's fault in the middle phases.
        rate: Requests a second.
        round: Number of the round, from 0.
        seconds: Lengths of the phases: healthy, fault, the same fault with our circuits open, recovering.
    """

    suite: str
    contender: str
    worker: str
    fault: str
    rate: float
    round: int
    seconds: tuple[float, float, float, float] = (5.0, 4.5, 2.5, 3.0)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases that take any time, in order."""
        found, begin = [], 0.0
        for name, seconds in zip(PHASES, self.seconds, strict=True):
            if seconds:
                found.append(Phase(name, begin, begin + seconds))
                begin += seconds
        return tuple(found)

    @property
    def total(self) -> float:
        """Seconds of load after the warm-up."""
        return self.phases[-1].end

    @property
    def estimate(self) -> float:
        """Seconds it takes, about."""
        return WARM_UP + self.total + _ELSE

    @property
    def key(self) -> str:
        """The name of this cell, different from all others."""
        return f"{self.suite}/{self.worker}/{self.fault}/{self.rate:g}/{self.contender}/{self.round}"

    def as_json(self) -> dict[str, object]:
        """Return all fields, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Group:
    """The cells that are measured side by side, mostly one.

    Attributes:
        cells: The cells.
    """

    cells: tuple[Cell, ...]

    @property
    def key(self) -> str:
        """The names of its cells."""
        first, *others = self.cells
        return ", ".join([first.key, *(cell.contender for cell in others)])

    @property
    def estimate(self) -> float:
        """Seconds it takes, about."""
        return max(cell.estimate for cell in self.cells)


def cells(rounds: int, suites: Sequence[str], only: Sequence[str]) -> list[Cell]:
    """Return the cells of a full run, round by round, all contenders in turn within each.

    Args:
        rounds: Number of rounds.
        suites: Some of ``SUITES``.
        only: Contenders; all where empty.
    """
    found: list[Cell] = []
    for number in range(rounds):
        for suite in suites:
            found += cells_of(suite, number)
    return [cell for cell in found if not only or cell.contender in only]


def cells_of(suite: str, number: int) -> list[Cell]:
    """Return one round of a suite."""
    return list(_SUITES[suite](number))


def cost_cells(number: int, contenders: Sequence[str] = _PAYING, suite: str = "cost") -> list[Cell]:
    """Return a round of a suite of ``SIDE_BY_SIDE``, with another contender in the first place in each.

    Who comes first is favoured: either of two contenders had 0.45 times the CPU of the other when first.
    """
    first = number % len(contenders)
    turned = [*contenders[first:], *contenders[:first]]
    return [Cell(suite, name, "gevent", "none", _COST_RATE, number, seconds=_COST) for name in turned]


def together(planned: Iterable[Cell]) -> list[Group]:
    """Return the cells in groups that are measured at a time, in the same order."""

    def where(cell: Cell) -> object:
        return (cell.suite, cell.round) if cell.suite in SIDE_BY_SIDE else cell.key

    return [Group(tuple(cells)) for _, cells in groupby(planned, where)]


def quick_cells() -> list[Cell]:
    """Return a few cells, each once."""
    return [Cell("outage", name, "gevent", "blackhole", 150, 0, seconds=_LONG) for name in _QUICK]


def _outage(number: int) -> Iterator[Cell]:
    for name in CONTENDERS:
        yield Cell("outage", name, "gevent", "blackhole", 150, number, seconds=_LONG)


def _tuning(number: int) -> Iterator[Cell]:
    for name in TUNED:
        yield Cell("outage", name, "gevent", "blackhole", 150, number, seconds=_LONG)


def _faults(number: int) -> Iterator[Cell]:
    for fault, names in (("refuse", _MEETING_REFUSE), ("drip", _MEETING_DRIP)):
        for name in names:
            yield Cell("outage", name, "gevent", fault, 150, number)


def _workers(number: int) -> Iterator[Cell]:
    for worker in ("gthread", "sync"):
        for name in _PRINCIPAL:
            yield Cell("outage", name, worker, "blackhole", 60, number)


def _growth(number: int) -> Iterator[Cell]:
    if number >= 3:
        return
    for rate in (50, 100, 200, 400, 800, 1200, 1600):
        for name in _GROWING:
            yield Cell("growth", name, "gevent", "none", rate, number, seconds=(4.0, 0.0, 0.0, 0.0))


def _retention(number: int) -> Iterator[Cell]:
    for fault, names in (("refuse", _LOSING), ("blackhole", _KEEPING)) if number == 0 else ():
        for name in names:
            yield Cell("retention", name, "gevent", fault, 150, number, seconds=_MINUTE)


def _retention_long(number: int) -> Iterator[Cell]:
    if number == 0:
        for name in ("none", "hooks", "hooks-directory"):
            yield Cell("retention-long", name, "gevent", "refuse", 150, number, seconds=_TEN_MINUTES)


def _signals(number: int) -> Iterator[Cell]:
    if number < 3:
        for name in ("none", *ALL_SIGNALS):
            yield Cell("signals", name, "gevent", "refuse", 150, number, seconds=_SIGNALS)
        yield Cell("signals", "hooks", "gevent", "none", 150, number, seconds=_HEALTHY)


def _cost_of_signals(number: int) -> Iterable[Cell]:
    return cost_cells(number, ("none", *ALL_SIGNALS), "cost-signals")


_SUITES: dict[str, Callable[[int], Iterable[Cell]]] = {
    "outage": _outage,
    "tuning": _tuning,
    "faults": _faults,
    "workers": _workers,
    "cost": cost_cells,
    "cost-signals": _cost_of_signals,
    "growth": _growth,
    "retention": _retention,
    "retention-long": _retention_long,
    "signals": _signals,
}
SUITES = tuple(_SUITES)
USUAL = tuple(name for name in SUITES if name != "retention-long")
"""Those of a run that names none."""
