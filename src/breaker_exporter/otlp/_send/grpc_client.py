"""The client of the official gRPC exporter: what an answer says beyond success or failure."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from ..._base.redaction import message
from ..._concurrency.memory import let_go
from ..._core.report import LONGEST_PAUSE, ExportReport
from .statuses import GRPC, GRPC_OTHERS

_WRAPPING = re.compile(
    r"^failed to connect to all addresses; last error: (?:[A-Z_]+: )?"
    r"|SSL_ERROR_SSL: error:\w+:SSL routines:(?:OPENSSL_internal|\w*):"
)
"""What gRPC puts before the cause of a connection that failed: with it, a cause is cut off."""
_DETAILS, _RETRY = "grpc-status-details-bin", "google.rpc.retryinfo-bin"
_NEVER = RetryInfo()
_NEVER.retry_delay.FromSeconds(10**9)


class Told:
    """What the latest call was answered.

    Attributes:
        rejected: Number of spans that were rejected.
        message: What was said with that.
        failure: The report of a call that failed.
    """

    def __init__(self) -> None:
        self.rejected = 0
        self.message = ""
        self.failure: ExportReport | None = None


class Client:
    """The client of an exporter, which sends a request once.

    Args:
        client: The one that it stands before.
        told: What is told to whoever called.
        secrets: Values that must not be seen.
    """

    def __init__(self, client: Any, told: Told, secrets: Iterable[str]) -> None:
        self._client = client
        self._told = told
        self._secrets = tuple(secrets)

    def Export(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        told, began = self._told, time.monotonic()
        told.rejected, told.message, told.failure = 0, "", None
        try:
            answer = self._client.Export(*args, **kwargs)
        except grpc.RpcError as error:
            final = _Final(error)
            told.failure = self._failure(final, time.monotonic() - began, kwargs.get("timeout"))
            let_go(error)
        else:
            if answer is not None:  # as it is where a server says OK and no more
                told.rejected = answer.partial_success.rejected_spans
                told.message = message(answer.partial_success.error_message, self._secrets)
            return answer
        try:
            raise final
        finally:
            del final  # it would hold its own frame, and that the request

    def _failure(self, error: _Final, took: float, timeout: float | None) -> ExportReport:
        code = error.code()
        words = message(_WRAPPING.sub("", error.details()), self._secrets)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED and timeout is not None and took >= timeout * 0.9:
            # The official exporter hands on what is left of its timeout: a little less than was asked for.
            words = f"no answer in {round(timeout, 1 if timeout >= 1 else 2):g} s"
        status = GRPC.get(code.name, GRPC_OTHERS)
        reason = status.reason(code.name, words)
        return ExportReport(status.verdict, reason=reason, retry_after=error.retry_after)


class _Final(grpc.RpcError):
    """An error after which the official exporter does not send again: it would deliver twice what was read.

    It does that for as long as its time allows, but for a pause that a server asks for: so this one asks for
    a long one. (``RetryInfo`` is read so from 1.35 to 1.45; a test sees another version.)
    """

    def __init__(self, error: Any) -> None:
        super().__init__()
        self._code: grpc.StatusCode = error.code()
        self._details: str = error.details() or ""
        self.retry_after = _asked_for(dict(error.trailing_metadata() or ()))

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return ((_RETRY, _NEVER.SerializeToString()),)


def _asked_for(metadata: dict[str, Any]) -> float | None:
    """Seconds that the server asks to be left alone for: as the specification has it, or as some send it."""
    retry = RetryInfo()
    with contextlib.suppress(DecodeError, TypeError):
        for detail in Status.FromString(metadata.get(_DETAILS, b"")).details:
            if detail.Unpack(retry):
                break
        else:
            retry.ParseFromString(metadata.get(_RETRY, b""))
    seconds = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return min(seconds, LONGEST_PAUSE) if seconds > 0 else None
