"""The command ``spool``: its arguments, and its exit status."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TextIO

from ..otlp._signals import SIGNALS
from .arguments import FASTEST, duration, rate
from .pace import RATE
from .table import as_json, lines_of

if TYPE_CHECKING:
    from .._spool.listing import Found
    from .selection import Selection

DONE, LEFT, UNUSABLE = 0, 1, 2
"""Exit statuses."""
_ABOUT = (
    "Shows what retention has left in a directory, and delivers or deletes it: of a pod that is gone, of a "
    "service that is gone, or beside running workers, with which it shares the work. Exit status: 0 where "
    "nothing is left (with --older-than: nothing as old as that), 1 where something is, 2 where it cannot be "
    "used."
)
_SEND = (
    "deliver all of it: spans, then log records, then metrics, each oldest first, to the backend that the "
    "environment has for the signal (OTEL_EXPORTER_OTLP_ENDPOINT, ..._LOGS_ENDPOINT, ..._HEADERS, "
    "..._PROTOCOL and so on, as the service has them). A batch goes from the disk once the backend has "
    "answered for it, so the command may be interrupted, and run again"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Make `parser` the one of this command; it leaves what to run in ``run``."""
    parser.description = _ABOUT
    parser.add_argument(
        "directory", metavar="DIRECTORY", help="as BREAKER_EXPORTER_RETAIN_DIRECTORY has it for the service"
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--send", action="store_true", help=_SEND)
    action.add_argument("--delete", action="store_true", help="delete all of it, without asking")
    parser.add_argument(
        "--older-than",
        type=duration,
        metavar="DURATION",
        help="with --delete: only what was kept longer ago, such as 90s, 15m, 2h or 7d",
    )
    parser.add_argument(
        "--rate",
        type=rate,
        metavar="ITEMS",
        help=f"with --send: items a second, above 0 and at most {FASTEST:,} (default: {RATE:,.0f})",
    )
    parser.add_argument("--service", metavar="NAME", help="only this service: namespace/name, or its name")
    parser.add_argument("--signal", choices=[each.name for each in SIGNALS], help="only this signal")
    parser.add_argument(
        "--exporter",
        metavar="NAME",
        help="only what this exporter has kept; collector means that of log records and of metrics too",
    )
    parser.add_argument(
        "--json", action="store_true", help="what lies there in the end, as JSON; all else goes to stderr"
    )
    parser.set_defaults(run=partial(_run, parser.error))


def _run(fail: Callable[[str], NoReturn], options: argparse.Namespace) -> int:
    if options.older_than is not None and not options.delete:
        fail("argument --older-than: only with --delete")
    if options.rate is not None and not options.send:
        fail("argument --rate: only with --send")
    from .._spool.cannot_use import CannotUse
    from .selection import Selection

    selection = Selection(options.directory, options.service, options.exporter, options.signal)
    began_at = time.time()
    try:
        if options.send or options.delete:
            rows = selection.left() if options.send else selection.found()
            if rows and not _work(options, rows):
                return UNUSABLE
        return _show(options, selection, began_at)
    except CannotUse as error:
        _say(sys.stderr, str(error))
        return UNUSABLE
    except KeyboardInterrupt:
        _say(sys.stderr, "interrupted")
        return LEFT


def _work(options: argparse.Namespace, rows: list[Found]) -> bool:
    """Send or delete; return False where something cannot be used."""
    from . import by_signal, work
    from .backend import CannotSend
    from .interruption import Interrupted, Interruption
    from .leasing import GivenUp

    say = partial(_say, sys.stderr if options.json else sys.stdout)
    try:
        with Interruption() as interruption:
            if options.send:
                by_signal.send(options.directory, rows, options.rate or RATE, interruption, say)
            else:
                work.delete(options.directory, rows, options.older_than, interruption, say)
    except (Interrupted, KeyboardInterrupt):
        say("interrupted: the same command goes on")
    except GivenUp as reason:
        say(f"{reason}; the same command goes on")
    except (CannotSend, work.SomeUnusable) as error:
        _say(sys.stderr, str(error))
        return False
    return True


def _show(options: argparse.Namespace, selection: Selection, began_at: float) -> int:
    """Say what lies there; return the exit status."""
    rows = selection.left()
    for line in selection.unreadable:
        _say(sys.stderr, line)
    if options.json:
        _say(sys.stdout, json.dumps(as_json(rows), indent=2))
    elif rows:
        _say(sys.stdout, "\n".join(lines_of(rows)))
    elif not selection.unreadable:
        _say(sys.stdout, f"nothing lies in {options.directory}")
    if not rows and selection.unreadable:
        return UNUSABLE
    if options.older_than is None:
        return LEFT if rows else DONE
    before = began_at - options.older_than
    return LEFT if any(row.newer or (row.oldest or began_at) < before for row in rows) else DONE


def _say(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()
