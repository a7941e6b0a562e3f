"""Sends what lies there, one signal after another, each by the exporter that the environment has for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from .._base.log import counted
from ..otlp._signals import METRICS, SIGNALS, Signal
from .backend import CannotSend, exporter
from .interruption import Interruption
from .leasing import GivenUp, Leasing
from .pace import Pace
from .patience import Patience
from .progress import Progress
from .sending import Backend, Sending
from .work import Say, SomeUnusable, for_each

if TYPE_CHECKING:
    from .._spool.listing import Found
    from .._spool.spool import Spool
    from ..otlp._encoding_exporter import EncodingExporter

Rows = dict[Signal, "list[Found]"]
"""Rows with batches, by signal."""


def send(directory: str, rows: list[Found], rate: float, interruption: Interruption, say: Say) -> None:
    """Send the batches in `rows`, at `rate` items a second.

    A signal that its backend does not take keeps no other one back.

    Raises:
        CannotSend: There is no backend, or more than one may be meant; nothing was sent.
        Interrupted: Ctrl-C was pressed.
        SomeUnusable: As it says; what can be used was sent.
    """
    chosen = _by_signal(rows, say)
    _check_exporters(chosen)
    problems: list[str] = []
    with ExitStack() as made:
        backends = list(_backends(chosen, rate, made))
        for backend in backends:
            try:
                _send_signal(directory, chosen[backend.signal], backend, interruption, say)
            except GivenUp as reason:
                say(f"{backend.signal.unit}: {reason}; the same command goes on")
            except SomeUnusable as error:
                problems.append(str(error))
    if problems:
        raise SomeUnusable("\n".join(problems))


def _by_signal(rows: list[Found], say: Say) -> Rows:
    known = {signal.name: signal for signal in SIGNALS}
    for row in rows:
        if row.signal not in known:
            say(f"{counted(row.items, row.signal)} of {row.service} are left: this version cannot send them")
    found = {signal: [row for row in rows if row.batches and row.signal == signal.name] for signal in SIGNALS}
    return {signal: of_signal for signal, of_signal in found.items() if of_signal}


def _check_exporters(chosen: Rows) -> None:
    """Check that each signal's batches are of one exporter.

    Raises:
        CannotSend: They are of several.
    """
    for rows in chosen.values():
        names = sorted({row.exporter for row in rows})
        if len(names) > 1:
            raise CannotSend(
                f"what the exporters {', '.join(names)} have kept may be meant for different backends, and "
                "the environment has one: choose with --exporter NAME"
            )


def _backends(chosen: Rows, rate: float, made: ExitStack) -> Iterator[Backend]:
    pace, patience = Pace(rate), dict[str, Patience]()
    for signal in chosen:
        sender: EncodingExporter[Any] = exporter(signal)
        made.callback(sender.shutdown)
        patient = patience.setdefault(sender.destination, Patience())
        yield Backend(signal, sender, pace, patient, in_order=signal is METRICS)


def _send_signal(
    directory: str, rows: list[Found], backend: Backend, interruption: Interruption, say: Say
) -> None:
    unit = backend.signal.unit
    sendings: list[Sending] = []

    def say_beside_bar(line: str) -> None:
        progress.clear()
        say(line)

    def work(spool: Spool) -> None:
        sendings.append(Sending(spool, backend, leasing, interruption, progress.add))
        sendings[-1].run()

    try:
        with Progress(sys.stderr, unit, sum(row.items for row in rows)) as progress:
            leasing = Leasing(interruption, say_beside_bar)
            for_each(directory, rows, work)
    finally:
        delivered = counted(sum(each.delivered for each in sendings), unit)
        say(f"{delivered} delivered to {backend.exporter.destination}")
        for each in sendings:
            if each.lost:
                say(f"{counted(each.lost, unit)} lost, which the backend does not take: {each.reason}")
            if each.unreadable:
                files = counted(len(each.unreadable), "files")
                say(f"{files} left, which the disk cannot read: {each.path}")
