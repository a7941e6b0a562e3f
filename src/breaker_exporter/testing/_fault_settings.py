"""The settings of each fault: their defaults, and the checks of given values."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from ._faults import Connections, Fault, Signal


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
        known = SETTINGS.get(chosen, {})
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
        settings = {name: getattr(self, name) for name in SETTINGS.get(self.fault, {})}
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


def connections_mode(value: object, fault: Fault, signal: Signal | None = None) -> Connections:
    """Return the mode that `value` names.

    ``None`` is the default: a blackhole keeps connections (one that closed them would be none), and so does
    any fault of one signal alone (the others use them); every other fault drops them.

    Raises:
        ValueError: It names none.
    """
    if value is None:
        keeps = fault is Fault.BLACKHOLE or signal is not None
        return Connections.KEEP if keeps else Connections.DROP
    return _member(Connections, "connections", value)


def signal_alone(value: object, fault: Fault) -> Signal | None:
    """Return the signal that `value` names; ``None``, which stands for all, is returned as it is.

    Raises:
        ValueError: It names none, or `fault` is one of all signals only.
    """
    if value is None:
        return None
    if fault is Fault.REFUSE:
        raise ValueError(f"signal={value!r} cannot have fault 'refuse' alone: all signals share the ports")
    return _member(Signal, "signal", value)


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
"""Seconds; the longest time that a setting may have."""

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
    raise ValueError(f"{name} must be a number of items, at least 0, not {value!r}")


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
SETTINGS: dict[Fault, dict[str, tuple[_Check, object]]] = {
    Fault.DRIP: {"interval": (_amount, 1.0)},
    Fault.SLOW: {"seconds": (_amount, 3.0)},
    Fault.STATUS: {"status": (_status, 503), "code": (_code, None), **_RETRY},
    Fault.PARTIAL_SUCCESS: {"rejected": (_count, 1)},
    Fault.UNAVAILABLE: _RETRY,
    Fault.RESOURCE_EXHAUSTED: _RETRY,
    Fault.TOO_LARGE: {"limit": (_bytes, 4 << 20)},
}
"""The settings of each fault: how a value is checked, and its default."""
