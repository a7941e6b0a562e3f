"""The meaning of an answer to an OTLP/gRPC request (the protocol's specification, "OTLP/gRPC Response")."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping

from ..._core.report import LONGEST_PAUSE, Cause, Verdict
from . import protobuf
from .protobuf import Malformed
from .sender import Answer
from .statuses import GRPC, GRPC_OTHERS, Status

USUAL_LIMIT = 4 << 20
"""Bytes of a message that servers take unless told otherwise: the default of grpcio, grpc-go and tonic."""

_WRAPPING = re.compile(
    r"^failed to connect to all addresses; last error: (?:[A-Z_]+: )?"
    r"|SSL_ERROR_SSL: error:\w+:SSL routines:(?:OPENSSL_internal|\w*):"
)
"""The words that gRPC puts before the cause of a failed connection. They would fill the reason."""
_SIZE = re.compile(r"(?i)larger than max|length too large|exceeds (?:the )?max")
"""The words for a message above the limit of grpcio and grpc-go, tonic, and grpc-java and grpc-dotnet."""
_OF_ANSWER = "CLIENT: Received message larger"
"""In the details of gRPC where it is the answer that is too large: the request was read."""

UNCONNECTED = ("failed to connect to ", "errors resolving ", "dns resolution ", "name resolution ")
"""The beginnings of gRPC's own words, in lower case, where it has no connection."""
_LOST = ("stream removed", "received rst_stream")
"""The same where a connection, or the call on it, ended without a status."""

_DETAILS, _RETRY = "grpc-status-details-bin", "google.rpc.retryinfo-bin"
_STATUS_DETAILS, _ANY_TYPE, _ANY_VALUE = 3, 1, 2
_RETRY_DELAY, _SECONDS, _NANOS = 1, 1, 2
"""Fields of google.rpc.Status, google.protobuf.Any, google.rpc.RetryInfo, google.protobuf.Duration."""


def success(response: bytes | None, said: Callable[[str], str]) -> Answer:
    """The meaning of OK.

    Args:
        response: The message that came with it; some servers say OK and no more.
        said: Makes the words of the other side fit for a log line.
    """
    try:
        rejected, text = protobuf.partial_success(response or b"")
    except Malformed:
        return Answer(
            Verdict.DELIVERED,
            remark="OK, but the answer is no OTLP: what was sent counts as exported; look at the endpoint if "
            "it does not arrive",
        )
    words = said(text)
    if rejected > 0:
        return Answer(Verdict.DELIVERED, reason=words, rejected=rejected)
    return Answer(Verdict.DELIVERED, remark=words and f"the collector warns: {words}")


def failure(
    code: str, details: str, metadata: Mapping[str, str | bytes], size: int, said: Callable[[str], str]
) -> Answer:
    """The meaning of any other status.

    Args:
        code: Its name.
        details: The words that came with it.
        metadata: What came after them, trailing metadata.
        size: Bytes of the request.
        said: Makes the words of the other side fit for a log line.
    """
    status = GRPC.get(code, GRPC_OTHERS)
    pause = retry_delay(metadata)
    is_too_large = status.may_be_size and pause is None and _is_about_size(code, details, size)
    return Answer(
        Verdict.REJECTED if is_too_large else status.verdict,
        reason=status.reason(code, said(_WRAPPING.sub("", details))),
        retry_after=pause,
        is_too_large=is_too_large,
        cause=Cause.ANSWERED if is_too_large else _cause(status, details.lower(), pause),
    )


def _cause(status: Status, details: str, pause: float | None) -> Cause:
    if details.startswith(_LOST):
        return Cause.UNKNOWN
    if status.cause is not Cause.UNKNOWN:
        return status.cause
    if pause is not None:
        return Cause.BUSY  # only a server asks for one, and then it has too much to do, as with HTTP 503
    return Cause.UNREACHABLE if details.startswith(UNCONNECTED) else Cause.UNKNOWN


def _is_about_size(code: str, details: str, size: int) -> bool:
    if _OF_ANSWER in details:
        return False
    return bool(_SIZE.search(details)) or (code == "RESOURCE_EXHAUSTED" and size > USUAL_LIMIT)


def retry_delay(metadata: Mapping[str, str | bytes]) -> float | None:
    """Seconds that the server asks to be left alone for: as the specification has it, or as some send it."""
    info = b""
    with contextlib.suppress(Malformed):
        told = protobuf.parts(_binary(metadata, _DETAILS), _STATUS_DETAILS)
        asked = [one for one in told if protobuf.text(one, _ANY_TYPE).endswith("/google.rpc.RetryInfo")]
        info = protobuf.inner(asked[0], _ANY_VALUE) if asked else _binary(metadata, _RETRY)
        delay = protobuf.inner(info, _RETRY_DELAY)
        seconds = protobuf.number(delay, _SECONDS) + protobuf.number(delay, _NANOS) / 1e9
        return min(seconds, LONGEST_PAUSE) if seconds > 0 else None
    return None


def _binary(metadata: Mapping[str, str | bytes], name: str) -> bytes:
    value = metadata.get(name, b"")
    return value if isinstance(value, bytes) else b""
