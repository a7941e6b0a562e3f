"""``python -m breaker_exporter.testing``: a faulty collector by hand; ``FaultyCollector`` starts it too."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._base.command_line import until_nobody_reads
from ..otlp._endpoints import GRPC_PORT, HTTP_PORT
from ._by_hand import closing, greeting
from ._fault_settings import FaultSetting, connections_mode
from ._faults import Fault

if TYPE_CHECKING:
    from ._arrivals import Arrivals
    from ._live.view import LiveView
    from ._server import CollectorServer

_CHECK_EVERY = 0.5
"""Seconds between two checks that the parent is still there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a collector until it is interrupted; return the exit status."""
    options = parser().parse_args(arguments)
    try:
        from ._arrivals import Arrivals
        from ._server import CollectorServer
    except Exception as error:  # protobuf raises a TypeError if the generated code is of another version
        return _give_up(options, _what_to_install(error))

    async def run() -> int:
        arrivals = None if options.child_of is not None else Arrivals()
        server = CollectorServer(options.http_port, options.grpc_port, options.control_port, arrivals)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        try:
            await server.start()
            if options.fault is not Fault.NONE:
                mode = connections_mode(None, options.fault)
                await server.set_fault(FaultSetting.of(options.fault, {}), mode)
            if arrivals is None:
                await _as_child(server, options.child_of, stop)
            else:
                await _by_hand(server, arrivals, options, stop)
        finally:
            await server.stop()
        return 0

    try:
        return asyncio.run(run())
    except BrokenPipeError:
        raise
    except OSError as error:
        return _give_up(options, error.strerror or str(error))


async def _as_child(server: CollectorServer, parent: int, stop: asyncio.Event) -> None:
    print(json.dumps(server.state()), flush=True)
    _end_with_input(stop)
    orphaned = asyncio.create_task(_watch_parent(parent, stop))
    await stop.wait()
    orphaned.cancel()


async def _by_hand(
    server: CollectorServer, arrivals: Arrivals, options: argparse.Namespace, stop: asyncio.Event
) -> None:
    print(*greeting(server.state()), sep="\n", flush=True)
    view = None if options.plain else _live_view(server, arrivals, stop)
    if options.until_eof and (view is None or not sys.stdin.isatty()):  # keys of a terminal have one reader
        _end_with_input(stop)
    if view is None:
        await stop.wait()
    else:
        await _shown(view, stop)
    if view is None or sys.stdout.isatty():  # else the terminal is gone
        requests = int(str(server.state()["requests"]))
        print(*closing(arrivals, requests), sep="\n", flush=True)


def _live_view(server: CollectorServer, arrivals: Arrivals, stop: asyncio.Event) -> LiveView | None:
    """Return the live table, or ``None`` where standard output is no terminal, or rich is missing."""
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return None
    if importlib.util.find_spec("rich") is None:
        print("For a live table of what arrives: pip install 'breaker-exporter[live]'", flush=True)
        return None
    from ._live.terminal import Terminal
    from ._live.view import LiveView

    terminal = Terminal.of_standard_output()
    return None if terminal is None else LiveView(server, arrivals, terminal, stop.set)


async def _shown(view: LiveView, stop: asyncio.Event) -> None:
    """Show it until the end, whatever brings it; it gives the terminal back in the state that it was in."""
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    showing = asyncio.create_task(view.run())
    showing.add_done_callback(lambda _: stop.set())  # it has failed
    await stop.wait()
    showing.cancel()
    with contextlib.suppress(asyncio.CancelledError, OSError):  # the terminal is gone
        await showing


def _end_with_input(stop: asyncio.Event) -> None:
    # A thread, because the event loop cannot watch a plain file; a daemon, because it may never end.
    loop = asyncio.get_running_loop()
    threading.Thread(target=_watch_input, args=(loop, stop), daemon=True).start()


def _what_to_install(error: Exception) -> str:
    # Either extra is enough; the one that is there must work.
    extra = "grpc" if importlib.util.find_spec("grpc") else "otlp"
    cause = " ".join(f"{type(error).__name__}: {error}".split())
    return f"what it needs cannot be imported ({cause}): pip install --upgrade 'breaker-exporter[{extra}]'"


def _give_up(options: argparse.Namespace, reason: str) -> int:
    if options.child_of is not None:
        print(json.dumps({"error": reason}), flush=True)
    else:
        print(reason, file=sys.stderr)
    return 1


def _watch_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(0, 4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended for another reason
        loop.call_soon_threadsafe(stop.set)


async def _watch_parent(parent: int, stop: asyncio.Event) -> None:
    # A closed input alone does not tell: a fork of the parent may hold it open.
    while os.getppid() == parent:
        await asyncio.sleep(_CHECK_EVERY)
    stop.set()


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) <= 65_535:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a port from 0 (any free one) to 65535, not {text!r}")


def _fault(text: str) -> Fault:
    try:
        return FaultSetting.of(text, {}).fault
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    made = argparse.ArgumentParser(
        prog="python -m breaker_exporter.testing",
        description="An OTLP receiver of all signals on loopback ports, whose fault is switched at run time. "
        "On a terminal it shows what arrives, and keys switch the fault.",
    )
    made.add_argument(
        "--http-port", type=_port, default=HTTP_PORT, help="OTLP/HTTP port (default: %(default)s)"
    )
    made.add_argument(
        "--grpc-port", type=_port, default=GRPC_PORT, help="OTLP/gRPC port (default: %(default)s)"
    )
    made.add_argument("--control-port", type=_port, default=0, help="control port (default: any free one)")
    faults = ", ".join(fault.value for fault in Fault)
    made.add_argument(
        "--fault", type=_fault, default=Fault.NONE, help=f"first fault (default: none): {faults}"
    )
    made.add_argument("--plain", action="store_true", help="plain lines on a terminal, too: no live table")
    made.add_argument("--until-eof", action="store_true", help="end when standard input does")
    made.add_argument("--child-of", type=int, help=argparse.SUPPRESS)
    return made


if __name__ == "__main__":
    sys.exit(until_nobody_reads(main))
