"""From arguments and variables to a gRPC sender, by the rules of OpenTelemetry's gRPC exporter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import grpc

from .._base.environment import Environment
from . import _environment as variables
from . import _headers as rules
from . import _settings as otlp
from ._endpoints import grpc_endpoint, grpc_target, target_place
from ._environment import Files
from ._grpc_tls import credentials_of
from ._send.grpc import GRPCSender
from ._signals import Signal

Headers = Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes]] | str
"""As OpenTelemetry's gRPC exporter takes them; as text, in the form of the variable."""
ChannelOptions = Sequence[tuple[str, str | int]]

_BINARY = "-bin"


def grpc_sender(
    signal: Signal,
    *,
    endpoint: str | None,
    insecure: bool | None,
    credentials: grpc.ChannelCredentials | None,
    headers: Headers | None,
    compression: str | grpc.Compression | None,
    channel_options: ChannelOptions | None,
    files: Files,
    environment: Environment,
) -> GRPCSender:
    """A sender of one signal; what an argument leaves open, its variables say.

    Args:
        signal: The signal.
        endpoint: A URL or a target of gRPC's; empty or ``None``: the variables'.
        insecure: Where the scheme is not https: ``True``: no TLS, ``False``: TLS, ``None``: as a variable
            says, else no TLS with http alone.
        credentials: Of the channel, with TLS.
        headers: Empty or ``None``: the variables'.
        compression: ``none``, ``gzip`` or one of gRPC's.
        channel_options: They come before ours.
        files: Paths for TLS; each that is ``None`` is the variables'.
        environment: The variables.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
        TelemetryError: A variable is bad, where strict.
    """
    url = grpc_endpoint("endpoint", endpoint) if endpoint else variables.endpoint(environment, "grpc", signal)
    target = grpc_target(url)
    return GRPCSender(
        target,
        destination=f"grpc://{target_place(target)}",
        method=signal.method,
        metadata=_metadata(headers)
        if headers
        else tuple(variables.headers(environment, "grpc", signal).items()),
        credentials=credentials_of(url, insecure, credentials, files, environment, signal),
        compression=_compression(compression, environment, signal),
        options=(
            ("grpc.primary_user_agent", f"breaker-exporter/{version('breaker-exporter')}"),
            *_options(channel_options),
        ),
    )


def _metadata(headers: Headers) -> tuple[tuple[str, str | bytes], ...]:
    """Headers as they are sent. One whose name ends in ``-bin`` has bytes for a value."""
    if isinstance(headers, str):
        parsed = rules.parsed(headers, "grpc")
        if parsed.faults:
            raise ValueError(f"headers: {'; '.join(parsed.faults)}")
        return tuple(parsed.usable.items())
    pairs = headers.items() if isinstance(headers, Mapping) else _pairs("headers", headers)
    return tuple(_pair(name, value) for name, value in pairs)


def _pair(name: Any, value: Any) -> tuple[str, str | bytes]:
    if isinstance(value, bytes) and isinstance(name, str) and name.strip().lower().endswith(_BINARY):
        ((checked, _),) = otlp.headers("headers", {name.strip()[: -len(_BINARY)]: ""}, "grpc").items()
        return f"{checked}{_BINARY}", value
    (pair,) = otlp.headers("headers", {name: value}, "grpc").items()
    return pair


def _options(options: ChannelOptions | None) -> ChannelOptions:
    pairs = _pairs("channel_options", () if options is None else options)
    if not all(isinstance(name, str) and isinstance(value, str | int) for name, value in pairs):
        raise TypeError("channel_options must be pairs of a name, and a string or a whole number")
    return pairs


def _pairs(argument: str, values: Any) -> list[tuple[Any, Any]]:
    is_list = isinstance(values, Sequence) and not isinstance(values, str | bytes)
    if not is_list or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in values):
        raise TypeError(f"{argument} must be pairs of a name and a value, not {type(values).__name__}")
    return [*values]


def _compression(
    given: str | grpc.Compression | None, environment: Environment, signal: Signal
) -> grpc.Compression:
    if isinstance(given, grpc.Compression):
        return given
    word = (
        variables.compression(environment, "grpc", signal)
        if given is None
        else otlp.GRPC_COMPRESSION.kind.check("compression", given)
    )
    return grpc.Compression.Gzip if word == "gzip" else grpc.Compression.NoCompression
