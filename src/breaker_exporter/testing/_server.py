"""The collector in its own process: two ports, one inbox, one fault, one control URL."""

from __future__ import annotations

import asyncio
import os

from ._arrivals import Arrivals
from ._control import Control
from ._fault_settings import FaultSetting
from ._faults import Connections, Fault, Signal
from ._http import HTTPReceiver, path_of
from ._inbox import Inbox
from ._port import Port
from ._sentry import dsn
from ._tcp import Switch

try:
    from ._grpc import GRPCReceiver
except ModuleNotFoundError as error:
    if error.name != "grpc":
        raise
    GRPCReceiver = None  # type: ignore[assignment,misc]


class CollectorServer:
    """A faulty collector on the running event loop.

    Args:
        http_port: Its port for OTLP/HTTP and Sentry, 0 for any free one.
        grpc_port: Its OTLP/gRPC port, likewise; it has none where grpcio is not installed.
        control_port: Its control port, likewise.
        arrivals: Counts what arrives by source and service, where somebody looks at that.
    """

    def __init__(
        self, http_port: int, grpc_port: int, control_port: int, arrivals: Arrivals | None = None
    ) -> None:
        self._inbox = Inbox(arrivals)
        self._switching = asyncio.Lock()
        self._switch = Switch()
        noted = self._inbox.note_connection
        self._http = Port(http_port, HTTPReceiver(self._inbox).serve, self._switch, noted)
        self._ports = [self._http]
        self._grpc: Port | None = None
        self._grpc_receiver = None if GRPCReceiver is None else GRPCReceiver(self._inbox)
        if self._grpc_receiver is not None:
            self._grpc = Port(grpc_port, self._grpc_receiver.serve, self._switch, noted)
            self._ports.append(self._grpc)
        control = Control(self._inbox, self.state, self.set_fault, self.renew)
        self._control = Port(control_port, control.serve, Switch(), lambda: None)

    async def start(self) -> None:
        """Listen on all ports.

        Raises:
            OSError: A port is taken; ``stop`` must still be called.
        """
        for port in (*self._ports, self._control):
            port.bind()
        if self._grpc_receiver is not None:
            await self._grpc_receiver.start()
        for port in (*self._ports, self._control):
            port.listen()

    async def stop(self) -> None:
        """End all connections and close all ports."""
        for port in (*self._ports, self._control):
            await port.close()
        if self._grpc_receiver is not None:
            await self._grpc_receiver.stop()

    def state(self) -> dict[str, object]:
        """Return process id, URLs, fault and counts, ready for JSON."""
        return {
            "pid": os.getpid(),
            **self._switch.of(None).as_json(),
            "alone": {signal.value: setting.as_json() for signal, setting in self._switch.alone.items()},
            "http_endpoint": f"http://127.0.0.1:{self._http.number}{path_of(Signal.TRACES)}",
            "grpc_endpoint": None if self._grpc is None else f"http://127.0.0.1:{self._grpc.number}",
            "sentry_dsn": dsn(self._http.number),
            "control_url": f"http://127.0.0.1:{self._control.number}",
            **self._inbox.counts(),
            "open_connections": sum(port.open_connections for port in self._ports),
        }

    async def set_fault(
        self, setting: FaultSetting, connections: Connections, signal: Signal | None = None
    ) -> None:
        """Switch the fault, of one signal or of all; in force for all new connections when this returns."""
        async with self._switching:  # of two at a time, one would leave a port as the other does not want it
            self._switch.set(setting, signal)
            is_refused = self._switch.of(None).fault is Fault.REFUSE
            for port in self._ports:
                if is_refused:
                    port.refuse()
                if connections is Connections.DROP:
                    await port.drop()
                if not is_refused:
                    port.listen()

    @property
    def fault(self) -> FaultSetting:
        """The fault that was set last for all signals."""
        return self._switch.of(None)

    @property
    def alone(self) -> dict[Signal, FaultSetting]:
        """The faults of signals that have another one."""
        return self._switch.alone

    def clear(self) -> None:
        """Forget what was received."""
        self._inbox.clear()

    async def renew(self) -> None:
        """Start anew: no fault, nothing received, no connections, other ports unless asked for by number."""
        async with self._switching:
            self._switch.set(FaultSetting())
            for port in self._ports:
                await port.renew()
            self._inbox.clear()
