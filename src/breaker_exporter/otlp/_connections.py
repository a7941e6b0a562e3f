"""Connections that end with the call they serve: what requests' timeouts, one for each read, do not do.

Public parts of requests and urllib3 alone: an adapter, its pools, their class of connections.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_CONNECTIONS = 4
"""Kept alive at most; one is the rule, and the calls that may be stuck beside it are as few."""

_current: contextvars.ContextVar[Flight] = contextvars.ContextVar("flight")


class Flight:
    """One call on its way, with one deadline for all of it.

    Args:
        deadline: In monotonic seconds.

    Attributes:
        is_over: Whether it was cut off, by its deadline or by a shutdown.
        connected: Whether a connection was made in it; else one was used that had been kept alive.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._connections: set[_Timed] = set()
        self.is_over = False
        self.connected = False

    @property
    def remaining(self) -> float:
        """Seconds left, never 0: sockets take that for no timeout at all, or for not waiting."""
        return max(0.001, self._deadline - time.monotonic())

    def uses(self, connection: _Timed) -> None:
        self._connections.add(connection)
        if self.is_over:
            self.cut_off()

    def cut_off(self) -> None:
        """End what is under way, from any thread or greenlet: whoever reads or writes gets an error."""
        self.is_over = True
        for connection in list(self._connections):
            connection.cut_off()

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Inside, connections serve this call, and its deadline is watched over."""
        watch = threading.Timer(self.remaining, self.cut_off)
        watch.daemon = True
        token = _current.set(self)
        with contextlib.suppress(RuntimeError):  # at interpreter exit no thread starts: timeouts must do
            watch.start()
        try:
            yield
        finally:
            watch.cancel()
            _current.reset(token)


class _Timed(HTTPConnection):
    """Serves the call under way, and keeps its deadline."""

    def connect(self) -> None:
        flight = _current.get()
        flight.connected = True
        flight.uses(self)  # a proxy may keep it waiting on the way
        # Each address that does not answer takes the whole timeout of a connection.
        addresses = _count_addresses(self.host, self.port)
        self.timeout = flight.remaining / addresses
        super().connect()
        flight.uses(self)  # the time may be over by now
        _opened[self] = os.getpid()

    def request(self, *args: Any, **kwargs: Any) -> None:
        _current.get().uses(self)
        super().request(*args, **kwargs)

    def cut_off(self) -> None:
        """End what waits for it."""
        _shut(self.sock)


class _TimedTLS(_Timed, HTTPSConnection):
    """Can be cut off in the TLS handshake too, which takes the descriptor out of the socket that is set here.

    Python's own sockets bound a handshake as a whole, gevent's each wait in it. So a copy of the plain socket
    is kept until it is over.
    """

    _plain: socket.socket | None = None
    _sock: socket.socket | None = None

    @property
    def sock(self) -> socket.socket | None:
        return self._sock

    @sock.setter
    def sock(self, new: socket.socket | None) -> None:
        if self._plain is not None:
            self._plain.close()
        self._plain = new.dup() if type(new) is socket.socket else None
        self._sock = new

    def cut_off(self) -> None:
        super().cut_off()
        _shut(self._plain)


_opened: weakref.WeakKeyDictionary[HTTPConnection, int] = weakref.WeakKeyDictionary()
"""The connections there are, with the process that opened each."""


def close_inherited() -> None:
    """In a forked child: closes its copies of the connections of its parent, whose pools may be locked."""
    for connection, process in list(_opened.items()):
        if process != os.getpid() and (opened := connection.sock) is not None:
            opened.close()


def _shut(opened: socket.socket | None) -> None:
    if opened is not None:
        with contextlib.suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)


def _count_addresses(host: str, port: int | None) -> int:
    try:
        return len(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)) or 1
    except OSError:
        return 1  # connecting will say it


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _Timed


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTLS


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def new_session() -> requests.Session:
    """A session whose connections keep the deadline of the flight that they serve."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(pool_connections=2, pool_maxsize=_CONNECTIONS))
    return session
