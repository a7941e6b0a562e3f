"""A listening port of the collector, which can be closed and opened again under the same number."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

from ._faults import Fault
from ._tcp import Connection, Switch

_HOST = "127.0.0.1"


class Port:
    """A TCP port on the loopback interface that can be shut and opened again under the same number.

    Args:
        number: The port, 0 for any free one.
        serve: Serves a connection until it ends.
        switch: The switch that connections read their fault from.
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
        """End all connections and listen on another free port, or on the same one if its number was given."""
        self.refuse()
        await self.drop()
        if not self._asked:
            old, self._socket = self._socket, socket.socket()
            self.bind()
            old.close()
        self.listen()

    async def drop(self) -> None:
        """End all open connections and the requests on them; they are gone when this returns."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        """Close the port and end all connections."""
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
                await connection.swallow()  # to end the connection would be an answer too
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            connection.close()
