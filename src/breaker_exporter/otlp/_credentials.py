"""Credential providers: installed functions, named by variables, that give a session or a channel's keys."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, TypeVar

from .._base.redaction import origin, shown
from ._packages import cause_of
from ._settings import GRPC_CREDENTIALS, HTTP_CREDENTIALS
from ._signals import for_signal

if TYPE_CHECKING:
    from .._base.environment import Environment
    from ._settings import Protocol
    from ._signals import Signal

T = TypeVar("T")

_GROUP = "opentelemetry_otlp_credential_provider"


def variables(protocol: Protocol, signal: Signal) -> tuple[str, ...]:
    """The variables that name a provider, in the order in which OpenTelemetry's exporters ask them."""
    setting = GRPC_CREDENTIALS if protocol == "grpc" else HTTP_CREDENTIALS
    return for_signal(setting, signal).variables


def check(environment: Environment, protocol: Protocol, signal: Signal) -> None:
    """Complain of a provider that is named and not installed, without loading it.

    Raises:
        TelemetryError: It is not, where strict.
    """
    _found(environment, protocol, signal)


def load(environment: Environment, protocol: Protocol, signal: Signal, kind: type[T]) -> T | None:
    """Credentials from the provider; ``None`` where none is named, or where it is of no use.

    Args:
        environment: The variables.
        protocol: Whose provider.
        signal: For which signal.
        kind: What it must give: ``requests.Session`` or ``grpc.ChannelCredentials``.

    Raises:
        TelemetryError: It is not installed, fails, or gives something else, where strict.
    """
    found = _found(environment, protocol, signal)
    if found is None:
        return None
    name, entry_point = found
    what = f"the credential provider {shown(entry_point.name)} of {name}"
    failure = None
    try:
        provider: Callable[[], object] = entry_point.load()
    except Exception as error:
        failure = f"{what} cannot be imported: {cause_of(error)}"
    else:
        try:
            given = provider()
            if isinstance(given, kind):
                return given
            wanted = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
            failure = f"{what} must give a {wanted}, not {type(given)}"
        except Exception as error:
            failure = f"{what} failed: {origin(error)}"
    environment.complain(failure, "nothing of it is used")
    return None


def _found(environment: Environment, protocol: Protocol, signal: Signal) -> tuple[str, EntryPoint] | None:
    for name in variables(protocol, signal):
        if value := environment.value(name):
            installed = entry_points(group=_GROUP, name=value)
            if installed:
                return name, next(iter(installed))
            environment.complain(
                f"{name} must name an installed credential provider (entry point of {_GROUP}), "
                f"not {shown(value)}",
                "taken as unset",
            )
    return None
