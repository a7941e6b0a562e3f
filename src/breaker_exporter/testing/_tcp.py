"""An accepted TCP connection of the collector, and the faults below any protocol."""

from __future__ import annotations

import asyncio
import socket
import struct

from ._fault_settings import FaultSetting
from ._faults import Fault, Signal

_HEALTHY = FaultSetting()
_GARBAGE = b"\x00\xff\x16\x03 this is neither HTTP nor HTTP/2 \xfe\r\n\r\n\x00"
CHUNK = 65_536
"""Bytes read at once."""


class Switch:
    """The collector's switch: the fault that is in force now, for all signals or for each."""

    def __init__(self) -> None:
        self._of: dict[Signal | None, FaultSetting] = dict.fromkeys((None, *Signal), _HEALTHY)

    def set(self, setting: FaultSetting, signal: Signal | None = None) -> None:
        """Put `setting` in force, for one signal or, with ``None``, for all and for what has no signal."""
        if signal is None:
            self._of = dict.fromkeys(self._of, setting)
        else:
            self._of[signal] = setting

    def of(self, signal: Signal | None) -> FaultSetting:
        """Return the setting of `signal`; with ``None``, the one that was set last for all."""
        return self._of[signal]

    @property
    def alone(self) -> dict[Signal, FaultSetting]:
        """The settings of signals that have another one than was set last for all."""
        return {
            signal: setting
            for signal, setting in self._of.items()
            if signal is not None and setting != self._of[None]
        }


class Connection:
    """One connection, which stays under the fault that it met first."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, switch: Switch) -> None:
        self.reader = reader
        self._writer = writer
        self._switch = switch
        self._met: FaultSetting | None = None

    def meet(self) -> FaultSetting:
        """Return the fault for bytes that pass now: the first one met here, or a blackhole, for good.

        While signals differ, bytes meet no new one: whose they are is known with the request alone.
        """
        now = _HEALTHY if self._switch.alone else self._switch.of(None)
        if now.fault is Fault.BLACKHOLE or (
            self._met is None and now.fault not in (Fault.NONE, Fault.REFUSE)
        ):
            self._met = now
        return self._met or _HEALTHY

    def meet_request(self, signal: Signal | None) -> FaultSetting:
        """Return the fault for a request of `signal`; while signals differ, the one that it has now."""
        return self._switch.of(signal) if self._switch.alone else self.meet()

    def befall(self, setting: FaultSetting) -> None:
        """Put all bytes that pass from now on under `setting`, for good."""
        self._met = setting

    async def send(self, data: bytes) -> None:
        """Send `data`, or nothing where a blackhole is in force; return when the transport takes more."""
        if self.meet().fault is Fault.BLACKHOLE:
            return
        self._writer.write(data)
        await self._writer.drain()

    async def drip(self, data: bytes, interval: float) -> None:
        """Send ``data`` one byte in ``interval`` seconds."""
        for byte in data:
            await self.send(bytes([byte]))
            await asyncio.sleep(interval)

    async def send_garbage(self) -> None:
        """Send bytes that are neither HTTP nor HTTP/2."""
        await self.send(_GARBAGE)

    async def swallow(self) -> None:
        """Read and forget until the peer ends the connection."""
        while await self.reader.read(CHUNK):
            pass

    def reset(self) -> None:
        """End the connection at once with a RST (``SO_LINGER`` of 0 s)."""
        self._writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.abort()

    def abort(self) -> None:
        """End the connection without sending what is still buffered."""
        self._writer.transport.abort()

    def close(self) -> None:
        """End the connection once what is buffered has been sent."""
        self._writer.close()
