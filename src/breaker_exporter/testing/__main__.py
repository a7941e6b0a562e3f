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
from ._fault_settings import FaultSetting, connections_mode
from ._faults import Fault

if TYPE_CHECKING:
    from ._server import CollectorServer

_CHECK_EVERY = 0.5
"""Seconds between two checks that the parent is still there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a collector until it is interrupted; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        from ._server import CollectorServer
    except Exception as error:  # protobuf raises a TypeError if the generated code is of another version
        return _give_up(options, _what_to_install(error))

    async def run() -> int:
        server = CollectorServer(options.http_port, options.grpc_port, options.control_port)
        try:
            await _run(server, options)
        finally:
            await server.stop()
        return 0

    try:
        return asyncio.run(run())
    except BrokenPipeError:
        raise
    except OSError as error:
        return _give_up(options, error.strerror or str(error))


async def _run(server: CollectorServer, options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await server.start()
    if options.fault is not Fault.NONE:
        await server.set_fault(FaultSetting.of(options.fault, {}), connections_mode(None, options.fault))
    _announce(server.state(), options)
    if options.until_eof or options.child_of is not None:
        # A thread, because the event loop cannot watch a plain file; a daemon, because it may never end.
        threading.Thread(target=_watch_input, args=(loop, stop), daemon=True).start()
    orphaned = (
        None if options.child_of is None else asyncio.create_task(_watch_parent(options.child_of, stop))
    )
    await stop.wait()
    if orphaned is not None:
        orphaned.cancel()


def _announce(state: dict[str, object], options: argparse.Namespace) -> None:
    if options.child_of is not None:
        print(json.dumps(state), flush=True)
        return
    print(f"OTLP/HTTP  {state['http_endpoint']}")
    print(f"OTLP/gRPC  {state['grpc_endpoint'] or 'none: pip install breaker-exporter[grpc]'}")
    print(f"Sentry     {state['sentry_dsn']}")
    print(f"control    {state['control_url']}")
    print(f"fault      {state['fault']}; to switch it:")
    print(f"""  curl -d '{{"fault": "blackhole"}}' {state["control_url"]}/fault""", flush=True)


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m breaker_exporter.testing",
        description="An OTLP receiver of all signals on loopback ports, whose fault is switched at run time.",
    )
    parser.add_argument(
        "--http-port", type=_port, default=HTTP_PORT, help="OTLP/HTTP port (default: %(default)s)"
    )
    parser.add_argument(
        "--grpc-port", type=_port, default=GRPC_PORT, help="OTLP/gRPC port (default: %(default)s)"
    )
    parser.add_argument("--control-port", type=_port, default=0, help="control port (default: any free one)")
    faults = ", ".join(fault.value for fault in Fault)
    parser.add_argument(
        "--fault", type=_fault, default=Fault.NONE, help=f"first fault (default: none): {faults}"
    )
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does")
    parser.add_argument("--child-of", type=int, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(until_nobody_reads(main))
