"""Requests by gRPC: one unary call for each, on a channel that belongs to this process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from ..._base.redaction import message
from ..._concurrency.memory import let_go
from ..._core.report import AFTER_SHUTDOWN, ENDED_BY_SHUTDOWN, Cause, Verdict
from . import grpc_answer
from .sender import Answer, Deadline, NotReady

Metadata = tuple[tuple[str, str | bytes], ...]
Options = Sequence[tuple[str, str | int]]

_OPTIONS: dict[str, str | int] = {
    # gRPC would try again by itself, as often as it can connect: to a server that says GOAWAY to each
    # connection 300 times a second were measured, 60 % of a processor, and then up to 245 ms in which it held
    # the GIL.
    "grpc.enable_retries": 0,
    # The application's own channels to the same server share neither connections nor pauses with ours.
    "grpc.use_local_subchannel_pool": 1,
}
_ANSWERED_IN_TIME = 0.9
"""Part of the time that a call was given: one that ends as late was ended by its own deadline."""

_LONGEST_IDLE = 10.0
"""Seconds without a call after which the next one connects anew. Servers and proxies end idle connections,
some after 11 s; gRPC up to 1.74 at least notices that only with the next call, which then fails."""

_parents: set[_Link] = set()
"""Links of a parent process: to close one here, or to let it be collected, would reach into the parent's."""


class GRPCSender:
    """Sends to one method of one server.

    Args:
        target: As gRPC has it, such as ``collector:4317``, ``dns:///collector:4317`` or ``unix:/run/otlp``.
        destination: The same for log lines: ``grpc://collector:4317``.
        method: The path of the method, ``/package.Service/Method``.
        metadata: Sent along.
        credentials: Gives the credentials each time that a channel is made, or raises :class:`NotReady`;
            ``None``: no TLS.
        compression: Of requests.
        options: Of the channel; they come before those that are set here.
    """

    def __init__(
        self,
        target: str,
        *,
        destination: str,
        method: str,
        metadata: Metadata,
        credentials: Callable[[], grpc.ChannelCredentials] | None,
        compression: grpc.Compression,
        options: Options,
    ) -> None:
        self._target = target
        self._destination = destination
        self._method = method
        self._metadata = metadata
        self._credentials = credentials
        self._compression = compression
        self._options = tuple({**_OPTIONS, **dict(options)}.items())
        self._secrets = [value if isinstance(value, str) else value.hex() for _, value in metadata]
        self._link: _Link | None = None
        self._is_closed = False

    @property
    def destination(self) -> str:
        """Host and port, such as ``grpc://collector:4317``."""
        return self._destination

    def send(self, body: bytes, deadline: Deadline, rest: Callable[[], None]) -> Answer:
        """Send `body` once; gRPC compresses it on a thread of its own, so `rest` is not called."""
        if self._has_ended():
            return Answer(Verdict.FAILED, AFTER_SHUTDOWN, cause=Cause.UNREACHABLE)
        try:
            link = self._current_link()
        except NotReady as missing:
            return Answer(Verdict.MISCONFIGURED, self._said(str(missing)), cause=Cause.LOCAL)
        if deadline.at <= time.monotonic():
            reason = f"no time left to send, of {deadline.seconds:.3g} s"
            return Answer(Verdict.FAILED, reason, cause=Cause.UNREACHABLE)
        return self._call(link, body, deadline)

    def _call(self, link: _Link, body: bytes, deadline: Deadline) -> Answer:
        began = time.monotonic()
        left = max(0.001, deadline.at - began)
        try:
            response = link.call(body, left, self._metadata)
        except grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
            trailing: Any = error.trailing_metadata() or ()
            let_go(error)
        else:
            return grpc_answer.success(response, self._said)
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            # gRPC would not connect again for up to two minutes, and waits on a connection that went silent.
            self._leave(link)
        if self._has_ended() and code is grpc.StatusCode.CANCELLED:
            return Answer(Verdict.FAILED, reason=ENDED_BY_SHUTDOWN)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED and time.monotonic() - began >= left * _ANSWERED_IN_TIME:
            reason = f"{code.name}: no answer in {deadline.seconds:.3g} s"
            return Answer(Verdict.FAILED, reason, cause=Cause.UNANSWERED)
        return grpc_answer.failure(code.name, details, dict(trailing), len(body), self._said)

    def ask(self, body: bytes, seconds: float) -> bytes | None:
        """The response to `body`; for a search for the cause, which reads the error of a failed call.

        Raises:
            grpc.RpcError: Any status but OK.
        """
        return self._current_link().call(body, seconds, self._metadata)

    def close(self) -> None:
        """End the calls under way, which then failed, and close the connection; later calls fail at once."""
        self._is_closed = True
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _has_ended(self) -> bool:
        return self._is_closed

    def _current_link(self) -> _Link:
        link = self._link
        if link is not None and link.was_idle_for_long():
            self._leave(link)
            link = None
        if link is None or link.is_left_to_parent():
            credentials = None if self._credentials is None else self._credentials()
            link = self._link = _Link(
                self._target, self._method, credentials, self._compression, self._options
            )
        return link

    def _leave(self, link: _Link) -> None:
        """Have the next call connect anew; calls that are still under way on `link` may end on it."""
        if self._link is link:
            self._link = None
        link.close_when_idle()

    def _said(self, text: str) -> str:
        return message(text, self._secrets)


class _Link:
    """A channel, the process that made it, and the calls under way on it."""

    def __init__(
        self,
        target: str,
        method: str,
        credentials: grpc.ChannelCredentials | None,
        compression: grpc.Compression,
        options: Options,
    ) -> None:
        self._process = os.getpid()
        self._channel = (
            grpc.insecure_channel(target, options, compression)
            if credentials is None
            else grpc.secure_channel(target, credentials, options, compression)
        )
        # Bytes in and bytes out: gRPC serializes nothing where it is given nothing for that.
        self._call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)
        self._calls: set[object] = set()
        self._is_left = False
        self._used_at = time.monotonic()

    def was_idle_for_long(self) -> bool:
        """True where a server may have ended its connection in the meantime."""
        return not self._calls and time.monotonic() - self._used_at > _LONGEST_IDLE

    def is_left_to_parent(self) -> bool:
        """In a forked child, keep it as it is for good and return true."""
        if self._process == os.getpid():
            return False
        _parents.add(self)
        return True

    def call(self, body: bytes, timeout: float, metadata: Metadata) -> bytes | None:
        """The response to `body`, in at most `timeout` seconds.

        Raises:
            grpc.RpcError: Any status but OK.
        """
        here = object()
        self._calls.add(here)
        try:
            response: bytes | None = self._call(body, timeout=timeout, metadata=metadata)
            return response
        finally:
            self._used_at = time.monotonic()
            self._calls.discard(here)
            if self._is_left and not self._calls:
                self.close()

    def close(self) -> None:
        """End its calls, and its connection, unless that is the parent's."""
        if not self.is_left_to_parent():
            self._channel.close()

    def close_when_idle(self) -> None:
        """Close it once the last of its calls has ended."""
        self._is_left = True
        if not self._calls:
            self.close()
