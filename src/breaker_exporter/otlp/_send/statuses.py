"""The meaning of each status, by HTTP and by gRPC: the one table that senders, doctor and docs read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ..._core.report import Cause, Verdict

_CHECK_CREDENTIALS = "check the credentials in the headers"
_CHECK_RIGHTS = "check the credentials in the headers and what they may do"
_CHECK_PATH = "check the path of the endpoint"
_CHECK_RECEIVER = "check that the endpoint takes OTLP over gRPC"


@dataclass(frozen=True, slots=True)
class Status:
    """The meaning of one status.

    Attributes:
        verdict: What it says about the backend.
        hint: What somebody can do about it; empty where nothing is known to help.
        may_be_size: True where it may say that the request was too large, and a smaller one would pass.
        may_ask_for_pause: True where the pause that the answer asks for is kept.
        cause: Who answered so, and why.
    """

    verdict: Verdict
    hint: str = ""
    may_be_size: bool = False
    may_ask_for_pause: bool = False
    cause: Cause = Cause.ANSWERED

    def reason(self, name: str, words: str) -> str:
        """The status, what was said with it, and what somebody can do; the latter two may be empty."""
        told = f"{name}{words and f': {words}'}"
        return f"{told}{'; ' if words else ': '}{self.hint}" if self.hint else told


_BUSY = Status(Verdict.FAILED, may_ask_for_pause=True, cause=Cause.BUSY)
_GATEWAY = Status(Verdict.FAILED, may_ask_for_pause=True, cause=Cause.GATEWAY)
_ERROR = Status(Verdict.FAILED, may_ask_for_pause=True)
_REJECTED = Status(Verdict.REJECTED)

HTTP_OTHERS = Status(Verdict.FAILED)
"""Of every HTTP status that is no success and is not in the table."""
HTTP: Mapping[int, Status] = MappingProxyType(
    {
        400: _REJECTED,
        401: Status(Verdict.MISCONFIGURED, _CHECK_CREDENTIALS),
        403: Status(Verdict.MISCONFIGURED, _CHECK_RIGHTS),
        404: Status(Verdict.MISCONFIGURED, _CHECK_PATH),
        408: Status(Verdict.FAILED, cause=Cause.GATEWAY),
        413: Status(Verdict.REJECTED, may_be_size=True),
        422: _REJECTED,
        429: _BUSY,
        502: _GATEWAY,
        503: _BUSY,
        504: _GATEWAY,
    }
)

GRPC_OTHERS = _GATEWAY
"""Of every gRPC status that is not OK and is not in the table."""
GRPC: Mapping[str, Status] = MappingProxyType(
    {
        "INVALID_ARGUMENT": _REJECTED,
        "OUT_OF_RANGE": Status(Verdict.REJECTED, may_be_size=True),
        "UNAUTHENTICATED": Status(Verdict.MISCONFIGURED, _CHECK_CREDENTIALS),
        "PERMISSION_DENIED": Status(Verdict.MISCONFIGURED, _CHECK_RIGHTS),
        "UNIMPLEMENTED": Status(Verdict.MISCONFIGURED, _CHECK_RECEIVER),
        "NOT_FOUND": Status(Verdict.MISCONFIGURED, _CHECK_RECEIVER),
        "RESOURCE_EXHAUSTED": replace(_BUSY, may_be_size=True),
        "INTERNAL": _ERROR,
        "UNKNOWN": _ERROR,
        "DATA_LOSS": _ERROR,
        # Of gRPC itself too, where there is no connection, or none any more: its words tell.
        "UNAVAILABLE": replace(_ERROR, cause=Cause.UNKNOWN),
    }
)
