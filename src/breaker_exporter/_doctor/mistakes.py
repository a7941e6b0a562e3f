"""What is wrong with settings, as far as it can be seen without asking anybody."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from .._base.redaction import shown
from .._wiring.batch_settings import EXPORT_TIMEOUT, SCHEDULE_DELAY
from .._wiring.provider_variables import SAMPLER, SAMPLER_ARGUMENT
from .._wiring.settings import Settings
from ..otlp._credentials import VARIABLES
from ..otlp._settings import ENDPOINT, Protocol
from .finding import Finding, Steps, broken, ok, warning
from .listening import Given, Listening

_LOOKS_LIKE_MS = 1000
"""Seconds: nobody waits that long for a collector."""
_TOO_SHORT = 1.0
_DELAYS = 50, 60_000
"""Milliseconds, from which on a schedule delay is odd."""


def complaints(texts: Iterable[str], strict: bool, told: Iterable[str] = ()) -> Steps[None]:
    """What the environment has to complain about, but for what is `told` of these variables already."""
    for text in texts:
        if not text.startswith(tuple(told)):
            yield _complaint(text, strict)


def _complaint(text: str, strict: bool) -> Finding:
    if "milliseconds" in text:
        return warning(
            "timeout-milliseconds" if "OpenTelemetry" in text else "time-milliseconds",
            text,
            "write seconds: 5, not 5000",
        )
    if "; cut to" in text:
        return warning("timeout-cut", text, "a timeout of 5 s or less suits nearly everybody")
    advice = "write a value that is allowed, or take the variable away"
    if "http/json" in text:
        advice = "OpenTelemetry Python speaks no http/json: http/protobuf goes to the same port and path"
    elif "readable file" in text:
        advice = "mend the path, or mount the file; every TLS handshake fails as it is"
    elif "user in it" in text:
        advice = "send credentials in OTEL_EXPORTER_OTLP_HEADERS; as it is, spans go to localhost"
    elif "never be sent" in text:
        advice = "write what can be sent: a name without blanks and colons, a value in printable ASCII"
    elif "CREDENTIAL_PROVIDER" in text:
        advice = "install the package that has it, or mend its name: spans are sent without its credentials"
    elif "_HEADERS" in text:
        advice = "write name=value,name=value, without quotes; no colon, and blanks in a name are not allowed"
    elif "_ENDPOINT" in text:
        advice = "write scheme and host, such as http://collector:4318; as it is, spans go to localhost"
    elif "OTEL_SDK_DISABLED" in text:
        advice = "OpenTelemetry knows true and false alone: as it is, the SDK is on"
    if strict:
        return broken(
            "variable", f"{text}; fatal, since BREAKER_EXPORTER_STRICT=1: Gunicorn will not start", advice
        )
    return warning("variable", text, advice)


def check_times(settings: Settings, environment: Listening) -> Steps[None]:
    """Whether times lie in the right order."""
    if settings.timeout < _TOO_SHORT:
        yield warning(
            "timeout-short",
            f"the OTLP timeout is {settings.timeout:g} s: a worker under load takes longer for a healthy "
            "answer",
            "leave it at 5 s: nothing waits for it",
        )
    delay = settings.batching.schedule_delay_millis
    if not _DELAYS[0] <= delay < _DELAYS[1]:
        yield warning(
            "schedule-delay",
            f"{SCHEDULE_DELAY.variable} is {delay} ms between two exports",
            "it is in milliseconds, and 5000 suits most: less costs requests, and more loses spans at a "
            "crash or in a full queue",
        )
    name, value = EXPORT_TIMEOUT.variable, settings.batching.export_timeout_millis
    if environment.is_set(name):
        small = value < _LOOKS_LIKE_MS
        yield (warning if small else ok)(
            "bsp-export-timeout",
            f"{name} is {value} ms; OpenTelemetry Python reads it and keeps to no such limit"
            + (", and the value looks like seconds" if small else ""),
            f"the limit is export_timeout, here {settings.export_timeout:g} s: "
            "BREAKER_EXPORTER_EXPORT_TIMEOUT",
        )
    yield ok(
        "timeouts",
        f"OTLP timeout {settings.timeout:g} s < export_timeout {settings.export_timeout:g} s; "
        f"cooldown {settings.cooldown:g} s, doubling up to {settings.max_cooldown:g} s",
    )


def check_credentials(protocol: Protocol, environment: Listening) -> Steps[None]:
    """Tell of credentials that the doctor does not ask for: to get them may cost or change something."""
    name = next(filter(environment.value, VARIABLES[protocol]), None)
    if name and not any(text.startswith(name) for text in environment.complaints):
        yield ok(
            "credential-provider",
            f"credentials come from the provider that {name} names, which is not asked here",
            "an answer of 401 or 403 to the doctor may be for want of them",
        )


def check_sampler(environment: Listening) -> Steps[None]:
    """Whether anything is sampled at all, and whether a ratio that is given counts."""
    name, ratio = SAMPLER.variable, SAMPLER_ARGUMENT.variable
    argument = environment.value(ratio) if environment.is_set(ratio) else None
    sampler = (environment.value(name) or "").lower() if environment.is_set(name) else ""
    if argument is not None and "ratio" not in sampler:
        yield warning(
            "sampler-argument",
            f"{ratio} is {shown(argument)}, and {name} is {sampler or 'not set'}: "
            "the argument does not count",
            f"for that share of the traces set {name}=parentbased_traceidratio, else take it away",
        )
    none = "ratio" in sampler and argument is not None
    if sampler.endswith("always_off") or (none and float(argument or 1) == 0):
        yield warning(
            "sampler-off",
            f"{name} is {sampler}{' of 0' if none else ''}: no trace that begins here is sampled",
            "take the variable away where that is not meant",
        )


def check_endpoint(given: Given, environment: Listening, protocols: tuple[str, ...]) -> Steps[None]:
    """Whether the path of an endpoint for HTTP is right, as far as it is known."""
    if "http/protobuf" not in protocols or given.arguments.endpoint is not None:
        return
    traces, base = ENDPOINT.variables
    if environment.is_set(traces) and urlsplit(environment.value(traces) or "").path in ("", "/"):
        yield warning(
            "traces-endpoint-path",
            f"{traces} has no path, and is used as it is",
            f"add /v1/traces to it, or use {base}, to which that is added",
        )
