"""The command ``retention``: its arguments, and its answer as text or JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from .._base.argument_types import number
from .._core.retention import SHARE_OF_CGROUP
from .._core.retention_settings import REPLAY_RATE, RETAIN_MAX_AGE, RETAIN_MEMORY
from .._wiring.batch_settings import METRIC_INTERVAL

if TYPE_CHECKING:
    from .sizing import Sizing
    from .traffic import ItemSize, Traffic

    Measured = list[tuple[Traffic, ItemSize]]
    """The request for each signal, with the bytes that one item takes."""

_MOST_ITEMS = 100_000
"""A second."""
_MOST_SERIES = 100_000
_SHORTEST_INTERVAL, _LONGEST_INTERVAL = 0.1, 3_600
"""Seconds."""
_INTERVALS = f"{_SHORTEST_INTERVAL:g} to {_LONGEST_INTERVAL:g}"
_LONGEST = 7 * 24 * 60
"""Minutes."""
_FASTEST = 100
"""Times the rate."""
_EVERY = METRIC_INTERVAL.default / 1000
"""Seconds between two collections of metrics."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Make `parser` the one of this command; it leaves what to run in ``run``."""
    parser.description = (
        "Computes the memory that keeps the spans, log records and data points of an outage, and the time "
        "until all are delivered afterwards. A batch of each that a web service would make is encoded and "
        "packed for it; your items may be larger or smaller. Nothing is sent."
    )
    parser.add_argument(
        "--rate",
        type=partial(number, "spans a second", _MOST_ITEMS),
        metavar="SPANS",
        help=f"spans that one process ends in a second, above 0 and at most {_MOST_ITEMS:,}",
    )
    parser.add_argument(
        "--log-rate",
        type=partial(number, "log records a second", _MOST_ITEMS),
        metavar="RECORDS",
        help=f"log records that it writes in a second, above 0 and at most {_MOST_ITEMS:,}",
    )
    parser.add_argument(
        "--series",
        type=_series,
        metavar="SERIES",
        help=f"series of its metrics, 1 to {_MOST_SERIES:,}: each has a data point in each collection",
    )
    parser.add_argument(
        "--metric-interval",
        type=_seconds,
        metavar="SECONDS",
        help=f"with --series: time between two collections, {_INTERVALS} (default: {_EVERY:g}); "
        f"{METRIC_INTERVAL.variable} has it in milliseconds",
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
    parser.set_defaults(run=partial(_run, parser.error))


def _run(fail: Callable[[str], NoReturn], options: argparse.Namespace) -> int:
    if options.rate is None and options.log_rate is None and options.series is None:
        fail("one of the arguments --rate, --log-rate, --series is required")
    if options.metric_interval is not None and options.series is None:
        fail("argument --metric-interval: only with --series")
    from .._base.environment import adopted
    from .._wiring.provider_variables import LIMITS
    from .sizing import sizing
    from .traffic import measured

    # A bad value of these keeps the SDK from being imported.
    with adopted(dict.fromkeys(LIMITS["max_span_attributes"].variables)):
        signals = [(traffic, measured(traffic)) for traffic in _asked_for(options)]
    found = sizing(signals, options.minutes * 60, options.replay_rate)
    if options.json:
        said = json.dumps(_as_json(options, signals, found), indent=2)
    else:
        said = "\n".join(_lines(options, signals, found))
    sys.stdout.write(f"{said}\n")
    return 0


def _asked_for(options: argparse.Namespace) -> Iterator[Traffic]:
    from .traffic import data_points, log_records, spans

    if options.rate is not None:
        yield spans(options.rate)
    if options.log_rate is not None:
        yield log_records(options.log_rate)
    if options.series is not None:
        yield data_points(options.series, _interval(options))


def _interval(options: argparse.Namespace) -> float:
    return _EVERY if options.metric_interval is None else options.metric_interval


def _as_json(options: argparse.Namespace, signals: Measured, found: Sizing) -> dict[str, object]:
    """The answer for machines; docs/how-to/keep-data-through-an-outage.md shows its shape."""
    variables = {RETAIN_MEMORY.variable: str(found.memory), RETAIN_MAX_AGE.variable: str(found.max_age)}
    if found.max_age is None:
        del variables[RETAIN_MAX_AGE.variable]
    asked: dict[str, object] = {
        "rate": options.rate,
        "log_rate": options.log_rate,
        "series": options.series,
        "metric_interval": None if options.series is None else _interval(options),
    }
    of_signals: dict[str, object] = {}
    for count, (traffic, size) in zip(found.items, signals, strict=True):
        of_signals[_key(traffic.signal.unit)] = count
        bytes_of_one = {"encoded": round(size.encoded, 1), "packed": round(size.packed, 1)}
        of_signals[f"bytes_of_a_{_key(traffic.signal.item)}"] = bytes_of_one
    return {
        **{name: value for name, value in asked.items() if value is not None},
        "minutes": options.minutes,
        "replay_rate": options.replay_rate,
        **of_signals,
        "memory": found.memory,
        "container": found.container,
        "replay_seconds": round(found.replay, 1),
        "variables": variables,
    }


def _key(words: str) -> str:
    return words.replace(" ", "_")


def _lines(options: argparse.Namespace, signals: Measured, found: Sizing) -> Iterator[str]:
    for count, (traffic, _) in zip(found.items, signals, strict=True):
        yield f"{_rate_of(options, traffic)} for {options.minutes:g} minutes: {count:,} {traffic.signal.unit}"
    rows = [*_sizes(signals), *_needs(options, found)]
    width = max(len(name) for name, _ in rows)
    yield from (f"  {name.ljust(width)}  {text}" for name, text in rows)
    yield ""
    if found.memory > RETAIN_MEMORY.default:
        yield f"export {RETAIN_MEMORY.variable}={found.memory}"
    else:
        yield f"{RETAIN_MEMORY.variable} need not be set"
    if found.max_age is not None:
        yield f"export {RETAIN_MAX_AGE.variable}={found.max_age}"


def _rate_of(options: argparse.Namespace, traffic: Traffic) -> str:
    if traffic.is_in_order:
        return f"{options.series} series every {_interval(options):g} s"
    return f"{traffic.rate:g} {traffic.signal.unit}/s"


def _sizes(signals: Measured) -> Iterator[tuple[str, str]]:
    for traffic, size in signals:
        yield (
            f"a {traffic.signal.item}",
            f"{size.encoded:.0f} bytes encoded, {size.packed:.0f} packed "
            f"(measured: a batch of {size.items} {traffic.signal.unit} of a web service)",
        )


def _needs(options: argparse.Namespace, found: Sizing) -> Iterator[tuple[str, str]]:
    yield "memory", f"{_mib(found.memory)} in each process; the default is {_mib(RETAIN_MEMORY.default)}"
    share = f"1/{SHARE_OF_CGROUP} of what its cgroup may use"
    yield "container", f"{_mib(found.container)} at least: a process keeps no more than {share}"
    yield (
        "replay",
        f"{found.replay:.0f} s where the backend takes it: up to {options.replay_rate:g} times "
        "the rate, one batch a second at least",
    )


def _mib(count: int) -> str:
    return f"{count / (1 << 20):,.0f} MiB"


def _seconds(text: str) -> float:
    found = number("seconds", _LONGEST_INTERVAL, text)
    if found >= _SHORTEST_INTERVAL:
        return found
    raise argparse.ArgumentTypeError(f"must be a number of seconds from {_INTERVALS}, not {text!r}")


def _series(text: str) -> int:
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST_SERIES:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {_MOST_SERIES:,}, not {text!r}")
