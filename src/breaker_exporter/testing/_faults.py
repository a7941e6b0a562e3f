"""The faults a collector can have, and which settings each of them takes."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar


class Fault(enum.Enum):
    """A fault of a collector, on its HTTP and its gRPC port alike.

    "Taken" says whether the spans of a request that meets the fault (or the items of an envelope) count as
    received. A fault of one protocol has its nearest relative in the other, named with each.
    """

    NONE = "none"
    """Nothing. Taken."""
    REFUSE = "refuse"
    """The ports are closed, connecting is refused; later the same ports are opened again. Not taken."""
    BLACKHOLE = "blackhole"
    """Connections are accepted and read, nothing is ever answered. Not taken. gRPC: below HTTP/2, so that
    neither the connection's handshake nor a request on an older connection gets through."""
    DRIP = "drip"
    """The answer comes one byte in ``interval`` seconds (default 1.0). Taken, once the request is read.
    gRPC: all bytes of the server drip, so on a new connection the handshake does too, and no request comes
    before that is over."""
    RESET = "reset"
    """The connection is reset (RST) in the middle of the request's body. Not taken."""
    TAKEN_THEN_RESET = "taken_then_reset"
    """The connection is reset (RST) once the whole request is read, without an answer. Taken: a client that
    sends the request again delivers it twice. With ``Connections.KEEP`` those that are kept alive meet it."""
    TAKEN_THEN_CLOSED = "taken_then_closed"
    """The connection is closed in good order (FIN) once the whole request is read, without an answer, as a
    server does that stops in the middle of a call. Taken, as with ``TAKEN_THEN_RESET``.
    gRPC: GOAWAY without an error comes before the end."""
    GOAWAY = "goaway"
    """gRPC: GOAWAY (ENHANCE_YOUR_CALM) as soon as the client says anything, then the connection ends.
    HTTP: the connection is closed once the whole request is read, without an answer. Not taken."""
    GARBAGE = "garbage"
    """The answer is bytes that are neither HTTP nor HTTP/2, then the connection ends. Not taken.
    gRPC: the garbage is sent as soon as the client says anything."""
    SLOW = "slow"
    """The answer is good but comes ``seconds`` (default 3.0) late. Taken, before the wait."""
    STATUS = "status"
    """The answer has HTTP status ``status`` (100 to 599, default 503), with ``Retry-After`` where
    ``retry_after`` is given. Taken for 2xx alone. ``code`` names gRPC's status instead; by HTTP the default
    then is the one that ``google/rpc/code.proto`` maps it to.
    gRPC, as the OpenTelemetry Collector translates: 2xx OK, 400 INVALID_ARGUMENT, 401 UNAUTHENTICATED, 403
    PERMISSION_DENIED, 404 UNIMPLEMENTED, 413 and 429 RESOURCE_EXHAUSTED, 500 INTERNAL, 502, 503 and 504
    UNAVAILABLE, any other UNKNOWN; ``retry_after`` as in ``RESOURCE_EXHAUSTED``."""
    TRUNCATED = "truncated"
    """The answer ends in the middle of its body (``Content-Length`` says more than comes), and with it the
    connection. Taken: the collector has the spans, its client does not know."""
    PARTIAL_SUCCESS = "partial_success"
    """A good answer whose ``partial_success`` says that ``rejected`` spans (default 1, at most all of the
    request) were rejected. Taken but for the last ``rejected`` (a Sentry envelope: whole)."""
    UNAVAILABLE = "unavailable"
    """gRPC: UNAVAILABLE, ``retry_after`` as in ``RESOURCE_EXHAUSTED``. HTTP: 503. Not taken."""
    DEADLINE = "deadline"
    """gRPC: DEADLINE_EXCEEDED, answered at once by the server. HTTP: 504. Not taken."""
    RESOURCE_EXHAUSTED = "resource_exhausted"
    """gRPC: RESOURCE_EXHAUSTED, with a ``RetryInfo`` detail where ``retry_after`` is given.
    HTTP: 429, with ``Retry-After``. Not taken."""
    TOO_LARGE = "too_large"
    """A request of more than ``limit`` bytes (default 4 MiB, as gRPC servers have it), unpacked, is refused.
    gRPC: RESOURCE_EXHAUSTED in the words of gRPC's own server. HTTP: 413. Taken up to the limit."""


class Connections(enum.Enum):
    """The fate of open connections when the fault changes."""

    DROP = "drop"
    """They are closed, and requests on them fail."""
    KEEP = "keep"
    """They stay open. One that has met a fault stays under that fault for as long as it lives (what fell into
    a blackhole is never answered); one that has met none meets the new fault with the next bytes on it.
    But ``BLACKHOLE`` silences every one, and ``REFUSE`` is about new connections alone."""


@dataclass(frozen=True, slots=True)
class FaultSetting:
    """A fault and its settings, checked; a setting that is not the fault's is ``None``."""

    fault: Fault = Fault.NONE
    seconds: float | None = None
    interval: float | None = None
    status: int | None = None
    retry_after: float | str | None = None
    rejected: int | None = None
    code: str | None = None
    limit: int | None = None

    @classmethod
    def of(cls, fault: object, settings: Mapping[str, object]) -> FaultSetting:
        """Return the setting that these values describe; those that are ``None`` get the fault's default.

        Raises:
            ValueError: A value is not allowed, or a setting is not one of this fault's.
        """
        chosen = _member(Fault, "fault", fault)
        known = _SETTINGS.get(chosen, {})
        for name, value in settings.items():
            if value is not None and name not in known:
                allowed = ", ".join(known) or "no settings"
                raise ValueError(
                    f"{name}={value!r} is no setting of fault {chosen.value!r}, which takes {allowed}"
                )
        values: dict[str, Any] = {}
        for name, (check, default) in known.items():
            given = settings.get(name)
            values[name] = default if given is None else check(name, given)
        if settings.get("status") is None and values.get("code") is not None:
            values["status"] = STATUS_OF_CODE[values["code"]]
        return cls(chosen, **values)

    def as_json(self) -> dict[str, object]:
        """Return the values that ``of`` makes this setting from, for the control URL."""
        settings = {name: getattr(self, name) for name in _SETTINGS.get(self.fault, {})}
        return {"fault": self.fault.value, **settings}

    @property
    def retry_after_header(self) -> str | None:
        """The value of a ``Retry-After`` header, or ``None`` for no such header."""
        if self.retry_after is None or isinstance(self.retry_after, str):
            return self.retry_after
        return f"{self.retry_after:g}"

    def retry_after_seconds(self, now: float) -> float | None:
        """The same in seconds from ``now`` (Unix seconds), or ``None``."""
        if not isinstance(self.retry_after, str):
            return self.retry_after
        if self.retry_after.isdecimal():
            return float(self.retry_after)
        return max(0.0, _moment(self.retry_after) - now)


def connections_mode(value: object, fault: Fault) -> Connections:
    """Return the mode that `value` names.

    ``None`` is the fault's default: a blackhole keeps connections (one that closed them would be none), every
    other fault drops them.

    Raises:
        ValueError: It names none.
    """
    if value is None:
        return Connections.KEEP if fault is Fault.BLACKHOLE else Connections.DROP
    return _member(Connections, "connections", value)


STATUS_OF_CODE = {
    "OK": 200,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
"""Each status of gRPC, and the HTTP status that ``google/rpc/code.proto`` maps it to."""

_DAY = 86_400

_Member = TypeVar("_Member", bound=enum.Enum)


def _member(kind: type[_Member], name: str, value: object) -> _Member:
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(repr(member.value) for member in kind)
        raise ValueError(f"{name} must be one of {allowed}, not {value!r}") from None


def _amount(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _DAY:
        return float(value)
    raise ValueError(f"{name} must be a number of seconds from 0 to {_DAY}, not {value!r}")


def _status(name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
        return value
    raise ValueError(f"{name} must be an HTTP status from 100 to 599, not {value!r}")


def _code(name: str, value: object) -> str:
    if isinstance(value, str) and value in STATUS_OF_CODE:
        return value
    raise ValueError(f"{name} must be one of {', '.join(STATUS_OF_CODE)}, not {value!r}")


def _bytes(name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"{name} must be a number of bytes, at least 0, not {value!r}")


def _count(name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"{name} must be a number of spans, at least 0, not {value!r}")


def _retry_after(name: str, value: object) -> float | str:
    if not isinstance(value, str):
        return _amount(name, value)
    try:
        if value.isdecimal():
            _amount(name, float(value))
        else:
            _moment(value)
        # A line break would parse as white space and then end the header.
        if value.isascii() and value.isprintable():
            return value
    except (TypeError, ValueError):
        pass
    allowed = f"seconds from 0 to {_DAY} or an HTTP date such as 'Wed, 21 Oct 2015 07:28:00 GMT'"
    raise ValueError(f"{name} must be {allowed}, not {value!r}")


def _moment(http_date: str) -> float:
    moment = parsedate_to_datetime(http_date)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_Check = Callable[[str, object], object]
_RETRY: dict[str, tuple[_Check, object]] = {"retry_after": (_retry_after, None)}
_SETTINGS: dict[Fault, dict[str, tuple[_Check, object]]] = {
    Fault.DRIP: {"interval": (_amount, 1.0)},
    Fault.SLOW: {"seconds": (_amount, 3.0)},
    Fault.STATUS: {"status": (_status, 503), "code": (_code, None), **_RETRY},
    Fault.PARTIAL_SUCCESS: {"rejected": (_count, 1)},
    Fault.UNAVAILABLE: _RETRY,
    Fault.RESOURCE_EXHAUSTED: _RETRY,
    Fault.TOO_LARGE: {"limit": (_bytes, 4 << 20)},
}
"""The settings of each fault: how a value is checked, and its default."""
