"""The command ``demo``: its arguments, the modules it needs, and its exit status."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..testing import Fault
from .plan import Plan, Protocol
from .recording import Recording

Perform = Callable[[Plan, Callable[[Recording], None], Callable[[], None]], Recording]
"""As :func:`~breaker_exporter._demo.run.perform`."""
FAILED, UNUSABLE = 1, 2
"""Exit statuses."""
_RATES = 20, 200
"""Requests a second: with fewer, an outage of 15 s has too few batches to open a circuit."""
_PLAIN_WIDTH = 110


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments to `parser`; ``run`` of the parsed options is the function to call."""
    plan = Plan()
    parser.description = (
        "Runs two Gunicorn gevent workers under the same load through an outage of their collectors and "
        "back: one with OpenTelemetry's bare exporter, one with this package's hooks. "
        f"Takes {plan.total + 6:.0f} s or so, on loopback alone. "
        "Exit status: 0 where every promise was kept, 1 where one was broken, 2 where it cannot run."
    )
    parser.add_argument(
        "--protocol",
        choices=("grpc", "http"),
        default=plan.protocol,
        help="OTLP over it (default: %(default)s)",
    )
    parser.add_argument(
        "--fault",
        choices=[fault.value for fault in Fault],
        default=plan.fault.value,
        metavar="NAME",
        help="fault of the collectors (default: %(default)s): %(choices)s",
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        default=plan.rate,
        metavar="N",
        help=f"requests a second to each service, {_RATES[0]} to {_RATES[1]} (default: {plan.rate:g})",
    )
    parser.add_argument(
        "--kill",
        action="store_true",
        help="kill both workers (SIGKILL) in the middle of the outage; ours keeps what it has in a directory",
    )
    picture = parser.add_mutually_exclusive_group()
    picture.add_argument(
        "--plot",
        type=_plot,
        default="demo.png",
        metavar="PATH",
        help="file for the PNG (default: %(default)s)",
    )
    picture.add_argument("--no-plot", action="store_const", dest="plot", const=None, help="make none")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    plan = Plan(options.protocol, Fault(options.fault), options.rate, kill=options.kill)
    return demo(plan, options.plot)


def demo(plan: Plan, plot: Path | None, perform: Perform | None = None) -> int:
    """Run `plan`, show it, and draw it to `plot`.

    Args:
        plan: The plan.
        plot: The file for the picture; ``None``: no picture.
        perform: Makes the recording; ``None``: a real run.

    Returns:
        The exit status.
    """
    if absent := list(missing(plan.protocol, plot)):
        are = "are" if len(absent) > 1 else "is"
        _complain(
            f"the demo cannot run: {' and '.join(absent)} {are} missing; pip install 'breaker-exporter[demo]'"
        )
        return UNUSABLE
    from .._harness.interruption import Interrupted, Interruption

    try:
        with Interruption() as interruption:
            return _shown(plan, plot, interruption.check, perform)
    except Interrupted as interrupted:
        _complain(f"{interrupted}; no process is left")
        return interrupted.status
    except (RuntimeError, OSError) as failure:
        _complain(f"the demo failed: {failure}")
        return FAILED


def _shown(plan: Plan, plot: Path | None, check: Callable[[], None], perform: Perform | None) -> int:
    from rich.console import Console

    from .plot import draw
    from .report import conclude, introduce
    from .run import perform as really
    from .screen import Screen
    from .verdict import promises

    # A pipe or a file has no width of its own.
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    began = time.monotonic()
    introduce(console, plan)
    with Screen(console) as screen:
        recording = (perform or really)(plan, screen.watch, check)
    verdict = promises(recording)
    conclude(console, recording, verdict)
    if plot is not None:
        draw(recording, plot)
        console.print(f"Plot: {plot}", highlight=False, markup=False, soft_wrap=True)
    check()
    broken = sum(not promise.kept for promise in verdict)
    kept = f"{broken} of {len(verdict)} promises broken" if broken else "All promises kept"
    console.print(f"{kept}; took {time.monotonic() - began:.0f} s.", highlight=False)
    return FAILED if broken else 0


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def missing(protocol: Protocol, plot: Path | None) -> Iterator[str]:
    """Yield the modules that a run needs and that are not installed."""
    exporter = f"opentelemetry.exporter.otlp.proto.{protocol}"
    # Gunicorn's gevent worker imports packaging, which it brings by an extra.
    needed = ["gevent", "gunicorn", "packaging", "rich", *(["grpc"] if protocol == "grpc" else []), exporter]
    for module in [*needed, *(["matplotlib"] if plot else [])]:
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:  # a parent package is missing
            found = None
        if found is None:
            yield module


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if _RATES[0] <= rate <= _RATES[1]:
        return rate
    raise argparse.ArgumentTypeError(f"must be a number from {_RATES[0]} to {_RATES[1]}, not {text!r}")


def _plot(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"must be a file that can be written, not {text!r}")
    return path
