"""An accepted TCP connection of the collector, and the faults below any protocol."""

from __future__ import annotations

import asyncio
import socket
import struct

from ._fault_settings import FaultSetting
from ._faults import Fault

_HEALTHY = FaultSetting()
_GARBAGE = b"\x00\xff\x16\x03 this is neither HTTP nor HTTP/2 \xfe\r\n\r\n\x00"
CHUNK = 65_536
"""Bytes read at once."""


class Switch:
    """The collector's switch: the fault that is in force now."""

    def __init__(self) -> None:
        self.setting = _HEALTHY


class Connection:
    """One connection, which stays under the fault that it met first."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, switch: Switch) -> None:
        self.reader = reader
        self._writer = writer
        self._switch = switch
        self._met: FaultSetting | None = None

    def meet(self) -> FaultSetting:
        """Return the fault for bytes that pass now: the first one met here, or a blackhole, for good."""
        now = self._switch.setting
        if now.fault is Fault.BLACKHOLE or (
            self._met is None and now.fault not in (Fault.NONE, Fault.REFUSE)
        ):
            self._met = now
        return self._met or _HEALTHY

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
