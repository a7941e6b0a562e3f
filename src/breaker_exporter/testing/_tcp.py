"""A listening port and its connections: the faults below any protocol."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable

from ._faults import Fault, FaultSetting

_HOST = "127.0.0.1"
_HEALTHY = FaultSetting()
_GARBAGE = b"\x00\xff\x16\x03 this is neither HTTP nor HTTP/2 \xfe\r\n\r\n\x00"
CHUNK = 65_536


class Switch:
    """The fault that is in force now."""

    def __init__(self) -> None:
        self.setting = _HEALTHY


class Connection:
    """One accepted connection, and the fault it has met."""

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
        """Send `data`, unless into a blackhole; return when the transport takes more."""
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


class Port:
    """A TCP port on the loopback interface that can be shut and opened again under the same number.

    Args:
        number: The port, 0 for any free one.
        serve: What a connection's task does.
        switch: Where connections read their fault.
        noted: Called for each accepted connection.
    """

    def __init__(
        self,
        number: int,
        serve: Callable[[Connection], Awaitable[None]],
        switch: Switch,
        noted: Callable[[], None],
    ) -> None:
        self._asked = number
        self._serve = serve
        self._switch = switch
        self._noted = noted
        self._socket = socket.socket()
        self._listening = False
        self._tasks: dict[asyncio.Task[None], socket.socket] = {}

    @property
    def number(self) -> int:
        """The port's number."""
        return int(self._socket.getsockname()[1])

    @property
    def open_connections(self) -> int:
        """Connections open now."""
        return len(self._tasks)

    def bind(self) -> None:
        """Take the port; nothing is accepted yet.

        Raises:
            OSError: It is taken.
        """
        self._bind(self._asked)

    def listen(self) -> None:
        """Accept connections; does nothing if it does already."""
        if not self._listening:
            self._socket.listen()
            asyncio.get_running_loop().add_reader(self._socket, self._accept)
            self._listening = True

    def refuse(self) -> None:
        """Refuse connections from now on; those that are open stay."""
        if self._listening:
            number = self.number
            self._close()
            # Bound but not listening: connecting is refused, and no other socket gets the number meanwhile
            # (a client that connects to a free ephemeral port can even end up connected to itself).
            self._bind(number)

    async def renew(self) -> None:
        """Drop everything and listen on another free port; on the same one if it was asked for by number."""
        self.refuse()
        await self.drop()
        if not self._asked:
            old, self._socket = self._socket, socket.socket()
            self.bind()
            old.close()
        self.listen()

    async def drop(self) -> None:
        """End all open connections, with whatever is under way on them; they are gone when this returns."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        """End everything."""
        self._close()
        await self.drop()

    def _bind(self, number: int) -> None:
        self._socket.close()
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((_HOST, number))
        except OSError as error:
            raise OSError(error.errno, f"cannot bind port {number} of {_HOST}: {error.strerror}") from None

    def _close(self) -> None:
        if self._listening:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._listening = False
        self._socket.close()

    def _accept(self) -> None:
        # By hand: an asyncio.Server that is closed between accepting and starting a connection (Python 3.11)
        # forgets it, open and silent.
        with contextlib.suppress(OSError):  # gone before it was accepted
            accepted, _ = self._socket.accept()
            accepted.setblocking(False)
            task = asyncio.create_task(self._attend(accepted))
            self._tasks[task] = accepted
            task.add_done_callback(self._ended)
            self._noted()

    def _ended(self, task: asyncio.Task[None]) -> None:
        accepted = self._tasks.pop(task)
        if task.cancelled():
            accepted.close()

    async def _attend(self, accepted: socket.socket) -> None:
        connection = Connection(*await asyncio.open_connection(sock=accepted), self._switch)
        try:
            await self._serve(connection)
            if connection.meet().fault is Fault.BLACKHOLE:
                await connection.swallow()  # its end would be an answer too
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            connection.close()
