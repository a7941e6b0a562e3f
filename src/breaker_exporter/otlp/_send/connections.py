"""Connections that end with the call they serve: what requests' timeouts, one for each read, do not do.

Public parts of requests and urllib3 alone: an adapter, its pools, their class of connections.
"""

from __future__ import annotations

import _thread
import contextlib
import contextvars
import enum
import http.client
import io
import os
import socket
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.util.connection import allowed_gai_family

from .interim import FinalResponse

_CONNECTIONS = 4
"""Kept alive at most; one is the rule, and the calls that may be stuck beside it are as few."""

_MOST_RECEIVED = 1 << 18
"""Bytes of an answer, with its heads and trailers, of which http.client reads as many as come."""

_FIRST = 64
"""Bytes of an answer that are kept to tell who speaks."""

_current: contextvars.ContextVar[Flight] = contextvars.ContextVar("flight")


class Step(enum.Enum):
    """The step that a call is at."""

    RESOLVE = "the name of {peer} was not resolved in {seconds:.3g} s"
    CONNECT = "no connection to {peer} in {seconds:.3g} s"
    PREPARE = "{peer} took the connection, and was not ready for a request in {seconds:.3g} s (TLS, proxy)"
    SEND = "{peer} did not take the whole request in {seconds:.3g} s"
    ANSWER = "no answer from {peer} in {seconds:.3g} s"


class Flight:
    """One call on its way, with one deadline for all of it.

    Args:
        deadline: In monotonic seconds.
        seconds: The time that it has been given, as it was asked for: for whoever is told.

    Attributes:
        is_over: Whether it was cut off, by its deadline or by a shutdown.
        is_late: Whether it was its deadline.
        peer: Host and port of the latest connection, which may be a proxy's; empty where a session that is
            not ours connects.
        step: What it waits for. With a session that is not ours it stays ``ANSWER``, the careful guess.
        asked_at: Monotonic time at which the latest request began to be sent.
        received: Number of bytes received on all of its connections.
        first: The first bytes received.
        redirected_to: The URL that the latest redirect followed leads to; empty without one.
    """

    def __init__(self, deadline: float, seconds: float) -> None:
        self._deadline = deadline
        self.seconds = seconds
        self._connections: set[_Timed] = set()
        self._process = os.getpid()
        self._landed = threading.Event()
        self.is_over = False
        self.is_late = False
        self.peer = ""
        self.step = Step.ANSWER
        self.asked_at = time.monotonic()
        self.received = 0
        self.first = b""
        self.redirected_to = ""

    @property
    def remaining(self) -> float:
        """Seconds left, never 0: sockets take that for no timeout at all, or for not waiting."""
        return max(0.001, self._deadline - time.monotonic())

    @property
    def is_past(self) -> bool:
        """True once its time is over, noticed or not."""
        return self.is_over or time.monotonic() > self._deadline

    def uses(self, connection: _Timed) -> None:
        self._connections.add(connection)
        if self.is_over:
            self.cut_off()

    def receives(self, data: Any) -> None:
        """Note what a connection has received."""
        self.received += len(data)
        self.first += bytes(data[: _FIRST - len(self.first)])

    def cut_off(self) -> None:
        """End what is under way, from any thread or greenlet: whoever reads or writes gets an error."""
        self.is_over = True
        if self._process == os.getpid():  # a forked child's copy of a socket would end the parent's
            for connection in list(self._connections):
                connection.cut_off()

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Inside, connections serve this call, and its deadline is watched over."""
        token = _current.set(self)
        with contextlib.suppress(RuntimeError):  # at interpreter exit no thread starts: timeouts must do
            # Not threading's: under gevent a forked child has copies, which its threading knows nothing of.
            _thread.start_new_thread(self._watch, ())
        try:
            yield
        finally:
            self._landed.set()
            _current.reset(token)

    def _watch(self) -> None:
        if not self._landed.wait(self.remaining):
            self.is_late = True
            self.cut_off()


class AnswerTooLarge(OSError):
    """More came than any answer has."""


class _Incoming(io.RawIOBase):
    """The bytes that a socket receives, up to a limit and a deadline.

    Where there is always more to read, gevent never lets another greenlet run, and so nobody ends the call.
    """

    def __init__(self, received: io.RawIOBase) -> None:
        self._received = received
        self._flight = _current.get()
        self._left = _MOST_RECEIVED
        self.has_ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._flight.is_past:
            raise TimeoutError("no time left to read")
        if self._left <= 0:
            raise AnswerTooLarge(f"more than {_MOST_RECEIVED} bytes")
        count = self._received.readinto(buffer)
        if not count and self._flight.is_past:  # it was cut off: that is not the end of an answer
            raise TimeoutError("no time left to read")
        self._left -= count or 0
        self._flight.receives(buffer[:count])
        self.has_ended = count == 0
        return count

    def close(self) -> None:
        self._received.close()
        super().close()


class _Response(FinalResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._incoming = _Incoming(self.fp.detach())
        self.fp = io.BufferedReader(self._incoming)

    def begin(self) -> None:
        """http.client takes the end of a connection for the end of a head, whatever was still to come."""
        super().begin()
        if self._incoming.has_ended:
            raise http.client.IncompleteRead(b"")


class _Timed(HTTPConnection):
    """Serves the call under way, and keeps its deadline."""

    response_class = _Response
    _sock: socket.socket | None = None
    _latest: socket.socket | None = None

    @property
    def sock(self) -> socket.socket | None:
        return self._sock

    @sock.setter
    def sock(self, new: socket.socket | None) -> None:
        self._sock = new
        if new is not None:
            self._latest = new  # an answer that ends with its connection takes it along
            new.settimeout(_current.get().remaining)  # connecting had a share of the time

    @property
    def peer(self) -> str:
        """Host and port, as they stand in a URL."""
        host = self._dns_host.strip("[]")  # with its trailing dot, which decides where a name is looked for
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def connect(self) -> None:
        flight = _current.get()
        flight.uses(self)  # a proxy may keep it waiting on the way
        super().connect()
        flight.step, flight.asked_at = Step.SEND, time.monotonic()
        flight.uses(self)  # the time may be over by now
        _opened[self] = os.getpid()

    def _new_conn(self) -> socket.socket:
        """Connect: one lookup, of the name with its trailing dot, and a share of the time for each address.

        A private door of urllib3's (2.2 to 2.7), by which its own support of SOCKS goes too. Where another
        version has another one, each address that does not answer takes all the time that is left; a test
        sees that.
        """
        flight = _current.get()
        flight.peer, flight.step = self.peer, Step.RESOLVE
        addresses = socket.getaddrinfo(
            self._dns_host.strip("[]"), self.port, allowed_gai_family(), socket.SOCK_STREAM
        )
        flight.step = Step.CONNECT
        failed: OSError = OSError("the name has no address")
        for tried, address in enumerate(addresses):
            if flight.is_over:
                raise TimeoutError("no time left to connect")
            try:
                opened = _connected(address, self.socket_options, flight.remaining / (len(addresses) - tried))
            except OSError as error:
                failed = error
            else:
                flight.step = Step.PREPARE
                return opened
        try:
            # Bare, urllib3 takes a reset for that of a request, and goes on to read the answer.
            raise NewConnectionError(self, "no connection") from failed
        finally:
            del failed  # it holds this frame

    def request(self, *args: Any, **kwargs: Any) -> None:
        flight = _current.get()
        flight.uses(self)
        flight.peer, flight.step, flight.asked_at = self.peer, Step.SEND, time.monotonic()
        super().request(*args, **kwargs)
        flight.step = Step.ANSWER

    def cut_off(self) -> None:
        """End what waits for it."""
        _shut(self._latest)


class _TimedTLS(_Timed, HTTPSConnection):
    """Can be cut off in the TLS handshake too, which takes the descriptor out of the socket that is set here.

    Python's own sockets bound a handshake as a whole, gevent's each wait in it. So a copy of the plain socket
    is kept until it is over.
    """

    _plain: socket.socket | None = None

    @property
    def sock(self) -> socket.socket | None:
        return super().sock

    @sock.setter
    def sock(self, new: socket.socket | None) -> None:
        if self._plain is not None:
            self._plain.close()
        self._plain = new.dup() if type(new) is socket.socket else None
        _Timed.sock.__set__(self, new)  # type: ignore[attr-defined]

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
            while (inside := getattr(opened, "socket", None)) is not None:  # TLS in the TLS of a proxy
                opened = inside
            # Not TLS's own, which forgets its keys first: a writer would go on in the clear.
            socket.socket.shutdown(opened, socket.SHUT_RDWR)


def _connected(address: Any, options: Any, timeout: float) -> socket.socket:
    family, kind, protocol, _, where = address
    opened = socket.socket(family, kind, protocol)
    try:
        for option in options or ():
            opened.setsockopt(*option)
        opened.settimeout(timeout)
        opened.connect(where)
    except BaseException:
        opened.close()
        raise
    return opened


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
        if type(manager) is urllib3.ProxyManager:  # that of SOCKS has pools of its own
            manager.pool_classes_by_scheme = _POOLS
        return manager


class OwnSession(requests.Session):
    """A session of this package's: its connections keep the deadline of the flight that they serve.

    Args:
        proxies: By scheme, in place of the environment's; empty: none.
    """

    def __init__(self, proxies: Mapping[str, str] | None = None) -> None:
        super().__init__()
        # The first of a process has what pools leave to finalize seen to at exit. Where that is a pool of a
        # last drain, its turn would come with the interpreter half torn down, and end in a traceback.
        weakref.finalize(self, lambda: None)
        self._own_proxies = proxies
        if proxies is not None:
            self.trust_env = False  # else the environment's would win
            self.proxies.update(proxies)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_connections=2, pool_maxsize=_CONNECTIONS))

    def renewed(self) -> OwnSession:
        """Another one like it, without its connections."""
        return OwnSession(self._own_proxies)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: to say where, requests reads and unpacks the answer, however large."""
