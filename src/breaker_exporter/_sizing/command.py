"""The command ``retention``: its arguments, and its answer as text or JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from .._base.argument_types import number
from .._core.retention import SHARE_OF_CGROUP
from .._core.retention_settings import REPLAY_RATE, RETAIN_MAX_AGE, RETAIN_MEMORY

if TYPE_CHECKING:
    from .sizing import Sizing, SpanSize

_MOST_SPANS = 100_000
_LONGEST = 7 * 24 * 60
"""Minutes."""
_FASTEST = 100
"""Times the rate."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Make `parser` the one of this command; it leaves what to run in ``run``."""
    parser.description = (
        "Computes the memory that keeps the spans of an outage, and the time until all are delivered "
        "afterwards. A batch of spans of a web service is encoded and packed for it; your spans may be "
        "larger or smaller. Nothing is sent."
    )
    parser.add_argument(
        "--rate",
        type=partial(number, "spans a second", _MOST_SPANS),
        required=True,
        metavar="SPANS",
        help=f"spans that one process ends in a second, above 0 and at most {_MOST_SPANS:,}",
    )
    parser.add_argument(
        "--minutes",
        type=partial(number, "minutes", _LONGEST),
        required=True,
        metavar="MINUTES",
        help=f"length of the outage, above 0 and at most {_LONGEST:,}",
    )
    parser.add_argument(
        "--replay-rate",
        type=partial(number, "times the rate", _FASTEST),
        default=REPLAY_RATE.default,
        metavar="TIMES",
        help=f"as {REPLAY_RATE.variable}, at most {_FASTEST} (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="the answer as JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from .._base.environment import adopted
    from .._wiring.provider_variables import LIMITS
    from . import sizing

    # A bad value of these keeps the SDK from being imported.
    with adopted(dict.fromkeys(LIMITS["max_span_attributes"].variables)):
        size = sizing.measured(sizing.batch_size(options.rate))
    found = sizing.sizing(options.rate, options.minutes * 60, options.replay_rate, size)
    if options.json:
        said = json.dumps(_as_json(options, size, found), indent=2)
    else:
        said = "\n".join(_lines(options, size, found))
    sys.stdout.write(f"{said}\n")
    return 0


def _as_json(options: argparse.Namespace, size: SpanSize, found: Sizing) -> dict[str, object]:
    """The answer for machines; docs/how-to/keep-data-through-an-outage.md shows its shape."""
    variables = {RETAIN_MEMORY.variable: str(found.memory), RETAIN_MAX_AGE.variable: str(found.max_age)}
    if found.max_age is None:
        del variables[RETAIN_MAX_AGE.variable]
    return {
        "rate": options.rate,
        "minutes": options.minutes,
        "replay_rate": options.replay_rate,
        "spans": found.spans,
        "bytes_of_a_span": {"encoded": round(size.encoded, 1), "packed": round(size.packed, 1)},
        "memory": found.memory,
        "container": found.container,
        "replay_seconds": round(found.replay, 1),
        "variables": variables,
    }


def _lines(options: argparse.Namespace, size: SpanSize, found: Sizing) -> Iterator[str]:
    yield f"{options.rate:g} spans/s for {options.minutes:g} minutes: {found.spans:,} spans"
    yield (
        f"  a span     {size.encoded:.0f} bytes encoded, {size.packed:.0f} packed "
        f"(measured: a batch of {size.spans} spans of a web service)"
    )
    yield f"  memory     {_mib(found.memory)} in each process; the default is {_mib(RETAIN_MEMORY.default)}"
    share = f"1/{SHARE_OF_CGROUP} of what its cgroup may use"
    yield f"  container  {_mib(found.container)} at least: a process keeps no more than {share}"
    yield (
        f"  replay     {found.replay:.0f} s where the backend takes it: up to {options.replay_rate:g} times "
        "the rate, one batch a second at least"
    )
    yield ""
    if found.memory > RETAIN_MEMORY.default:
        yield f"export {RETAIN_MEMORY.variable}={found.memory}"
    else:
        yield f"{RETAIN_MEMORY.variable} need not be set"
    if found.max_age is not None:
        yield f"export {RETAIN_MAX_AGE.variable}={found.max_age}"


def _mib(count: int) -> str:
    return f"{count / (1 << 20):,.0f} MiB"
