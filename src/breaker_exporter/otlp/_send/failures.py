"""Why a request got no answer, as the system says it."""

from __future__ import annotations

import enum
import http.client
import socket
import ssl
from collections.abc import Iterable

import requests
from urllib3.exceptions import InvalidHeader, NewConnectionError

from ..._base.redaction import cause, message
from ..._core.report import ENDED_BY_SHUTDOWN, Cause, Verdict
from .connections import AnswerTooLarge, Flight, Step
from .interim import is_over_limit

_ENDED = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError, http.client.RemoteDisconnected)


class Failure(enum.Enum):
    """The kinds of failure that a search for the cause tells apart."""

    LATE = "no whole answer in time"
    TOO_LARGE = "the answer is larger than any answer of a collector"
    CLOSED = "the connection was closed in good order, without an answer"
    UNSENDABLE = "the request holds what HTTP does not allow, and was not sent"
    OTHER = "anything else"


class NoAnswer(Exception):
    """The text says why, without secrets."""

    failure = Failure.OTHER
    where = Cause.UNKNOWN
    verdict = Verdict.FAILED


class NotFollowed(NoAnswer):
    """There was an answer: the address of another place, to which nothing is sent."""

    where = Cause.ANSWERED
    verdict = Verdict.MISCONFIGURED


class NoFile(NoAnswer):
    """A file of certificates is missing: an exporter's own, which says nothing about the backend."""

    where = Cause.LOCAL
    verdict = Verdict.MISCONFIGURED


class RedirectedTooOften(NoAnswer):
    """Each answer named another address, of this host."""

    where = Cause.ANSWERED


class NoThread(NoAnswer):
    """gevent resolves names on threads, and at interpreter exit none starts any more (Python 3.12)."""

    where = Cause.UNREACHABLE


def is_about_file(error: Exception) -> bool:
    """True where a file of certificates is missing, or is none."""
    bottom = cause(error)
    is_unusable = isinstance(bottom, ssl.SSLError) and (bottom.library in _OF_FILES or _PEM in str(bottom))
    return _is_of_requests(error) or is_unusable


def _is_of_requests(error: Exception) -> bool:
    """True where requests misses the file: what connections raise comes in its own types."""
    return type(error) is OSError


def is_late(error: Exception, flight: Flight) -> bool:
    """True where the call ended because its time was over."""
    return flight.is_over or isinstance(error, requests.Timeout) or isinstance(cause(error), TimeoutError)


def failure_of(error: Exception, flight: Flight) -> Failure:
    """Return the kind of what requests raised."""
    bottom = cause(error)
    if is_late(error, flight):
        return Failure.LATE
    if isinstance(bottom, AnswerTooLarge) or is_over_limit(bottom):
        return Failure.TOO_LARGE
    if isinstance(bottom, http.client.RemoteDisconnected):
        return Failure.CLOSED
    if isinstance(bottom, http.client.InvalidURL | requests.exceptions.InvalidHeader):
        return Failure.UNSENDABLE
    return Failure.OTHER


def where_of(error: Exception, flight: Flight, *, is_own: bool) -> Cause:
    """Return ``UNREACHABLE`` if no byte of the request can have been read.

    Else ``UNANSWERED`` if no byte of an answer came, as far as can be told, or ``UNKNOWN``.

    Args:
        error: What requests raised.
        flight: The call.
        is_own: True where it went by a session of this package's.
    """
    failure = failure_of(error, flight)
    is_unsent = flight.step in _BEFORE or failure is Failure.UNSENDABLE
    is_silent = failure in (Failure.LATE, Failure.CLOSED) or isinstance(cause(error), _ENDED)
    is_unconnected = not flight.peer if is_own else _is_unconnected(error)
    if is_unsent or is_unconnected:
        return Cause.UNREACHABLE
    was_shut_down = flight.is_over and not flight.is_late
    return Cause.UNANSWERED if is_silent and not (flight.received or was_shut_down) else Cause.UNKNOWN


def _is_unconnected(error: Exception) -> bool:
    """True where what requests raised says so itself."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    wrapped = getattr(next(iter(error.args), None), "reason", None)
    return isinstance(wrapped, NewConnectionError) or isinstance(cause(error), ssl.SSLCertVerificationError)


def reason_of(error: Exception, flight: Flight, endpoint: str, secrets: Iterable[str]) -> str:
    """One line for whoever operates this; host and port are those of the latest connection.

    Args:
        error: What requests raised.
        flight: The call.
        endpoint: Host and port, for sessions that are not ours.
        secrets: Values that must not be seen.
    """
    peer = flight.peer or endpoint
    if _is_of_requests(error):
        return message(str(error), secrets)
    if flight.is_over and not flight.is_late:
        return ENDED_BY_SHUTDOWN
    if is_late(error, flight):
        step = Step.CONNECT if isinstance(error, requests.ConnectTimeout) and not flight.peer else flight.step
        return step.value.format(peer=peer, seconds=flight.seconds)
    text = _said(cause(error), flight, peer)
    if isinstance(error, requests.exceptions.ProxyError):
        text = f"by a proxy: {text}"
    return message(text, secrets)


def _said(bottom: BaseException, flight: Flight, peer: str) -> str:
    said = getattr(bottom, "strerror", None) or str(bottom)
    text = f"no answer from {peer}: {said if said and isinstance(bottom, OSError) else type(bottom).__name__}"
    if isinstance(bottom, socket.gaierror):
        text = f"the name of {peer} cannot be resolved: {said}"
    elif isinstance(bottom, ConnectionRefusedError):
        text = f"connection refused by {peer}"
    elif isinstance(bottom, ssl.SSLError):
        said = getattr(bottom, "verify_message", "") or (bottom.reason or said).replace("_", " ").lower()
        text = f"TLS with {peer}: {said}"
    elif isinstance(bottom, _ENDED):
        how = "closed" if isinstance(bottom, http.client.RemoteDisconnected) else "reset"
        text = f"connection {how} by {peer}{_WHEN[flight.step] if flight.peer else ''}"
    elif isinstance(bottom, AnswerTooLarge) or is_over_limit(bottom):
        text = f"the answer of {peer} is too large: {said}"
    elif isinstance(bottom, http.client.IncompleteRead):
        text = f"connection closed by {peer} in the middle of its answer"
    elif isinstance(bottom, http.client.HTTPException | InvalidHeader):
        text = f"the answer of {peer} is not HTTP ({type(bottom).__name__})"
    elif flight.step is Step.CONNECT:
        text = f"no connection to {peer}: {said}"
    return text


_OF_FILES = ("PEM", "X509")
"""Parts of OpenSSL that read files. Where one is no certificate of the client, only the text says so."""
_PEM = "PEM lib"

_BEFORE = (Step.RESOLVE, Step.CONNECT, Step.PREPARE)
"""The steps of a call at which nothing of the request was sent."""
_WHEN = {
    Step.RESOLVE: " before anything was sent",
    Step.CONNECT: " before anything was sent",
    Step.PREPARE: " before anything was sent",
    Step.SEND: " before the whole request was sent",
    Step.ANSWER: " after the whole request was sent",
}
