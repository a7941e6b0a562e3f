"""One request posted once, within one deadline: redirects, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus, urlsplit

import requests

from ..._base.address import place
from ..._base.redaction import cause, message
from ..._concurrency.interpreter_exit import is_exit_error
from ..._concurrency.memory import let_go
from .connections import Flight, OwnSession
from .failures import (
    NoAnswer,
    NoFile,
    NoThread,
    RedirectedTooOften,
    failure_of,
    is_about_file,
    reason_of,
    where_of,
)
from .redirects import next_url
from .sessions import GivenSession, OwnSessions

MOST_READ = 1 << 16
"""Bytes of an answer; there is no use for more."""
_MOST_REDIRECTS = 5
_FOR_ANYBODY = ("accept-encoding", "content-encoding", "content-type", "user-agent")
"""Headers that hold no secret."""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response, as far as it matters: `body` is as it came, cut at 64 KiB."""

    status: int
    body: bytes
    content_type: str = ""
    content_encoding: str = ""
    retry_after: str | None = None


class Poster:
    """Posts to one endpoint.

    Args:
        endpoint: The URL.
        headers: Sent along, to this host alone.
        verify: Whether TLS certificates are verified, or by which file.
        certificate: The client's own, or its file and that of its key.
        session: The user's; its adapters then decide how far a deadline is kept. An ``OwnSession`` is closed
            here, and there are others like it for a forked child and for gevent's hubs.
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
        self._sessions = (
            OwnSessions(OwnSession() if session is None else session)
            if session is None or isinstance(session, OwnSession)
            else GivenSession(session)
        )
        # A header that was asked for is not replaced by what a netrc file says, but by what a session says.
        self._has_authorization = any(name.lower() == "authorization" for name in self._headers)
        self._secrets = _secrets_of(endpoint, self._headers)

    @property
    def destination(self) -> str:
        """Scheme, host and port of the endpoint."""
        return f"{urlsplit(self._endpoint).scheme}://{place(self._endpoint)}"

    def post(self, body: bytes, flight: Flight) -> Response:
        """The answer to `body`, which is sent once: what a peer has done with a byte of it nobody can know.

        Raises:
            NoAnswer: There was none in time.
        """
        session = self._sessions.here
        with flight.under_way():
            try:
                return self._follow(session, body, flight)
            except NoAnswer:
                raise
            except Exception as error:
                reason = self._reason(error, flight)
                let_go(error)
        try:
            raise reason
        finally:
            del reason  # it would hold its own frame, and that the batch

    def said(self, text: str) -> str:
        """The words of the other side, fit for a log line, without the secrets of this endpoint."""
        return message(text, self._secrets)

    def close(self) -> None:
        """Close what is kept alive; a given session is its owner's."""
        self._sessions.close()

    def _follow(self, session: requests.Session, body: bytes, flight: Flight) -> Response:
        url = self._endpoint
        for _ in range(_MOST_REDIRECTS):
            response = self._send(session, url, body, flight)
            try:
                status, headers = response.status_code, response.headers
                target = headers.get("location")
                if not 300 <= status < 400 or target is None:
                    return Response(
                        status,
                        _body_of(response),
                        content_type=headers.get("content-type", ""),
                        content_encoding=headers.get("content-encoding", ""),
                        retry_after=headers.get("retry-after"),
                    )
            finally:
                response.close()
            url = flight.redirected_to = next_url(self._endpoint, url, target, status, self.said)
        raise RedirectedTooOften(f"redirected more than {_MOST_REDIRECTS} times")

    def _send(self, session: requests.Session, url: str, body: bytes, flight: Flight) -> requests.Response:
        return session.post(
            url,
            data=body,
            headers=self._headers,
            timeout=flight.remaining,
            allow_redirects=False,
            stream=True,
            auth=_as_it_is if self._has_authorization and session.auth is None else None,
            verify=self._verify,
            cert=self._certificate,
        )

    def _reason(self, error: Exception, flight: Flight) -> NoAnswer:
        bottom = cause(error)
        if is_exit_error(bottom):
            return NoThread(f"no thread can be started: {bottom}")
        text = reason_of(error, flight, place(self._endpoint), self._secrets)
        if is_about_file(error):
            return NoFile(text)
        reason = NoAnswer(text)
        reason.failure = failure_of(error, flight)
        reason.where = where_of(error, flight, is_own=self._sessions.is_own)
        return reason


def _body_of(response: requests.Response) -> bytes:
    """As it comes: to unpack it is to trust what it says of its size."""
    body = b""
    while len(body) < MOST_READ and (more := response.raw.read(MOST_READ - len(body), decode_content=False)):
        body += more
    return body


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _secrets_of(endpoint: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the texts in headers and URL that no log line may show."""
    parts = urlsplit(endpoint)
    user = parts.netloc.rpartition("@")[0]
    found = [value for name, value in headers.items() if name.lower() not in _FOR_ANYBODY]
    found += [user, *user.split(":", 1), *(pair.partition("=")[2] or pair for pair in parts.query.split("&"))]
    return tuple({form for text in found if text for form in (text, unquote_plus(text))})
