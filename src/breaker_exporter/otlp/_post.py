"""One request posted, within one deadline: redirects, a connection found closed, and what the answer says."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import RemoteDisconnected
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests

from .._errors import let_go
from .._said import place
from ._connections import Flight, close_inherited, new_session

MOST_READ = 1 << 16
"""Bytes of an answer; there is no use for more."""
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 307, 308)
_FOR_ANYBODY = ("accept-encoding", "content-encoding", "content-type", "user-agent")
"""Headers that may go to another host than the one they were set for."""

_parents: list[requests.Session] = []
"""Sessions of a parent process: to finalize them here could wait for a lock that nobody holds any more."""


class NoAnswer(Exception):
    """The text says why, without secrets."""


class NoThread(NoAnswer):
    """gevent resolves names on threads, and at interpreter exit none starts any more (Python 3.12)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response, as far as it matters: `body` is cut at 64 KiB."""

    status: int
    retry_after: str | None
    body: bytes


class Poster:
    """Posts to one endpoint.

    Args:
        endpoint: The URL.
        headers: Sent along, to this host alone.
        verify: Whether TLS certificates are verified, or by which file.
        certificate: The client's own, or its file and that of its key.
        session: The user's; its adapters then decide how far a deadline is kept.
    """

    def __init__(
        self,
        endpoint: str,
        headers: Mapping[str, str],
        *,
        verify: bool | str,
        certificate: str | tuple[str, str] | None,
        session: requests.Session | None,
    ) -> None:
        self._endpoint = endpoint
        self._headers = dict(headers)
        self._verify = verify
        self._certificate = certificate
        self._given = session is not None
        self._session = session or new_session()
        self._world = _world()
        self._has_posted = False

    @property
    def destination(self) -> str:
        """Scheme, host and port of the endpoint."""
        return f"{urlsplit(self._endpoint).scheme}://{place(self._endpoint)}"

    def post(self, body: bytes, flight: Flight) -> Answer:
        """The answer to `body`.

        Raises:
            NoAnswer: There was none in time.
        """
        self._leave_other_world()
        with flight.under_way():
            try:
                return self._follow(body, flight)
            except NoAnswer:
                raise
            except Exception as error:
                reason = _reason(error, flight)
                let_go(error)
            finally:
                self._has_posted = True
        try:
            raise reason
        finally:
            del reason  # it would hold its own frame, and that the batch

    def close(self) -> None:
        """Close what is kept alive; a given session is its owner's."""
        self._leave_other_world()
        if not self._given:
            self._session.close()

    def _follow(self, body: bytes, flight: Flight) -> Answer:
        url, headers = self._endpoint, self._headers
        for _ in range(_MOST_REDIRECTS):
            response = self._send(url, headers, body, flight)
            try:
                target = response.headers.get("location")
                if response.status_code not in _REDIRECTS or target is None:
                    return Answer(
                        response.status_code, response.headers.get("retry-after"), _body_of(response)
                    )
            finally:
                response.close()
            target = urljoin(url, target)
            if _origin(target) != _origin(url):
                headers = self._headers_abroad(url, target, headers)
                url = target
            else:
                url = _with_user_of(url, target)
        raise NoAnswer(f"redirected more than {_MOST_REDIRECTS} times")

    def _send(self, url: str, headers: Mapping[str, str], body: bytes, flight: Flight) -> requests.Response:
        try:
            return self._send_once(url, headers, body, flight)
        except requests.ConnectionError as error:
            # What was kept alive may have been closed by the other side meanwhile: that says nothing yet.
            kept_alive = self._has_posted and not flight.connected
            if flight.is_over or not kept_alive or not _was_unread(error, flight):
                raise
            let_go(error)
        self._session.close()  # others of its age may be closed too; the session stays usable
        return self._send_once(url, headers, body, flight)

    def _send_once(
        self, url: str, headers: Mapping[str, str], body: bytes, flight: Flight
    ) -> requests.Response:
        return self._session.post(
            url,
            data=body,
            headers=headers,
            timeout=flight.remaining,
            allow_redirects=False,
            stream=True,
            # A header that was asked for is not replaced by what a netrc file says.
            auth=_as_it_is if any(name.lower() == "authorization" for name in headers) else None,
            verify=self._verify,
            cert=self._certificate,
        )

    def _headers_abroad(self, url: str, target: str, headers: Mapping[str, str]) -> dict[str, str]:
        if self._given:
            raise NoAnswer("redirected to another host, where a given session does not follow")
        if urlsplit(target).scheme != urlsplit(url).scheme and not target.startswith("https://"):
            raise NoAnswer("redirected to another scheme")
        return {name: value for name, value in headers.items() if name in _FOR_ANYBODY}

    def _leave_other_world(self) -> None:
        """Leave connections from before a fork, and from before the monkey patch: they would hold the hub."""
        before, self._world = self._world, _world()
        if before == self._world:
            return
        self._has_posted = False
        is_child = before[0] != self._world[0]
        if is_child:
            close_inherited()
        if is_child and not self._given:
            _parents.append(self._session)
            self._session = new_session()
        else:
            self._session.close()


def _world() -> tuple[int, type[socket.socket]]:
    return os.getpid(), socket.socket


def _body_of(response: requests.Response) -> bytes:
    """As it comes: to unpack it is to trust what it says of its size."""
    body = b""
    while len(body) < MOST_READ and (more := response.raw.read(MOST_READ - len(body), decode_content=False)):
        body += more
    return body


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _with_user_of(url: str, target: str) -> str:
    """`target`, of the same origin, with the user and password that `url` has, unless it has its own."""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    parts = urlsplit(target)
    return target if "@" in parts.netloc else urlunsplit(parts._replace(netloc=f"{user}{at}{parts.netloc}"))


def _reason(error: Exception, flight: Flight) -> NoAnswer:
    if flight.is_over or isinstance(error, requests.Timeout):
        return NoAnswer("no answer in time")
    cause = _cause(error)
    if isinstance(cause, RuntimeError) and "interpreter shutdown" in str(cause):
        return NoThread(f"no thread can be started: {cause}")
    return NoAnswer(f"no answer: {type(cause).__name__}")


def _was_unread(error: Exception, flight: Flight) -> bool:
    """Whether the other side cannot have taken the request: to send it again would deliver it twice."""
    cause = _cause(error)
    if isinstance(cause, RemoteDisconnected):  # an end in good order: all that was sent may have been read
        return not flight.sent
    return isinstance(cause, (BrokenPipeError, ConnectionResetError))


def _cause(error: BaseException) -> BaseException:
    """What is at the bottom of an error of requests: its texts carry URLs, this has a telling type."""
    inner = next(
        (one for one in (*error.args, getattr(error, "reason", None)) if isinstance(one, BaseException)), None
    )
    inner = inner or error.__cause__  # what it happened in the context of may be the application's
    return error if inner is None else _cause(inner)
