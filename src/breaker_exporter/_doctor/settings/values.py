"""Values of settings that are bad, contradictory or unlikely to be meant."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from ..._base.redaction import shown
from ..._wiring.batch_settings import EXPORT_TIMEOUT, SCHEDULE_DELAY
from ..._wiring.provider_variables import SAMPLER, SAMPLER_ARGUMENT
from ..._wiring.settings import Settings
from ...otlp._credentials import VARIABLES
from ...otlp._settings import ENDPOINT, Protocol
from ..report import Steps, ok, warning, warning_or_fatal
from .given import Given
from .recording import RecordingEnvironment

_TOO_SHORT = 1.0
"""Seconds."""
_DELAYS = 50, 60_000
"""Milliseconds, from which on a schedule delay is odd."""
_LOOKS_LIKE_SECONDS = 1000
"""Milliseconds: nobody waits for a collector for less than that."""
_ADVICE = {
    "http/json": "write http/protobuf, for the same port and path: OpenTelemetry Python has no http/json",
    "readable file": "correct the path, or mount the file: every TLS handshake fails without it",
    "user in it": "send credentials in OTEL_EXPORTER_OTLP_HEADERS; until then, spans go to localhost",
    "never be sent": "write a name without blanks and colons, and a value in printable ASCII",
    "CREDENTIAL_PROVIDER": "install its package, or correct its name: spans are sent without credentials",
    "_HEADERS": "write name=value,name=value, without quotes, without colons and without blanks in a name",
    "_ENDPOINT": "write scheme and host, such as http://collector:4318; until then, spans go to localhost",
    "OTEL_SDK_DISABLED": "write true or false, which OpenTelemetry knows alone: until then, the SDK is on",
    "": "write a value that is allowed, or remove the variable",
}
"""By words in what the environment complains of; the first that fits."""


def check_complaints(environment: RecordingEnvironment, reported: Iterable[str] = ()) -> Steps[None]:
    """Find what the environment complains of, without those of variables that are `reported` already."""
    for text in environment.complaints:
        if text.startswith(tuple(reported)):
            continue
        if "milliseconds" in text:
            check = "timeout-milliseconds" if "OpenTelemetry" in text else "time-milliseconds"
            yield warning(check, text, "write seconds: 5, not 5000")
        elif "; cut to" in text:
            yield warning("timeout-cut", text, "set a timeout of 5 s or less, which suits nearly everybody")
        else:
            advice = next(advice for words, advice in _ADVICE.items() if words in text)
            yield warning_or_fatal("variable", text, advice, is_fatal=environment.strict)


def check_times(settings: Settings, environment: RecordingEnvironment) -> Steps[None]:
    """Find times that are too short or too long."""
    if settings.timeout < _TOO_SHORT:
        text = f"the OTLP timeout is {settings.timeout:g} s: a healthy answer to a busy worker takes longer"
        yield warning("timeout-short", text, "leave it at 5 s: nothing waits for it")
    delay = settings.batching.schedule_delay_millis
    if not _DELAYS[0] <= delay < _DELAYS[1]:
        text = f"{SCHEDULE_DELAY.variable} is {delay} ms between two exports"
        advice = "write 5000 ms: less costs requests, more loses spans at a crash or in a full queue"
        yield warning("schedule-delay", text, advice)
    name, limit = EXPORT_TIMEOUT.variable, settings.batching.export_timeout_millis
    if environment.is_set(name):
        text = f"{name} is {limit} ms; OpenTelemetry Python reads it, and keeps no such limit"
        advice = f"set BREAKER_EXPORTER_EXPORT_TIMEOUT instead: the limit, here {settings.export_timeout:g} s"
        if limit < _LOOKS_LIKE_SECONDS:
            yield warning("bsp-export-timeout", f"{text}, and the value looks like seconds", advice)
        else:
            yield ok("bsp-export-timeout", text, advice)
    times = f"OTLP timeout {settings.timeout:g} s < export_timeout {settings.export_timeout:g} s"
    longest = f"{settings.max_cooldown:g} s"
    yield ok("timeouts", f"{times}; cooldown {settings.cooldown:g} s, doubling up to {longest}")


def check_credentials(protocol: Protocol, environment: RecordingEnvironment) -> Steps[None]:
    """Tell of credentials that the doctor does not ask for: to get them may cost or change something."""
    name = next(filter(environment.value, VARIABLES[protocol]), None)
    if name and not any(text.startswith(name) for text in environment.complaints):
        text = f"credentials come from the provider that {name} names, which is not asked here"
        yield ok("credential-provider", text, "an answer of 401 or 403 to the doctor may be for want of them")


def check_sampler(environment: RecordingEnvironment) -> Steps[None]:
    """Find a sampler that samples nothing, and a ratio that does not count."""
    name, argument_name = SAMPLER.variable, SAMPLER_ARGUMENT.variable
    argument = environment.value(argument_name) if environment.is_set(argument_name) else None
    sampler = (environment.value(name) or "").lower() if environment.is_set(name) else ""
    if argument is not None and "ratio" not in sampler:
        text = f"{argument_name} is {shown(argument)}, and does not count: {name} is {sampler or 'not set'}"
        advice = f"for that share of the traces set {name}=parentbased_traceidratio, else remove it"
        yield warning("sampler-argument", text, advice)
    is_none = "ratio" in sampler and argument is not None and float(argument) == 0
    if sampler.endswith("always_off") or is_none:
        text = f"{name} is {sampler}{' of 0' if is_none else ''}: no trace that begins here is sampled"
        yield warning("sampler-off", text, "remove the variable where that is not meant")


def check_endpoint(given: Given, environment: RecordingEnvironment, protocols: Iterable[str]) -> Steps[None]:
    """Find an endpoint for traces by HTTP that has no path."""
    traces, base = ENDPOINT.variables
    is_used = "http/protobuf" in protocols and given.arguments.endpoint is None and environment.is_set(traces)
    if is_used and urlsplit(environment.value(traces) or "").path in ("", "/"):
        advice = f"add /v1/traces to it, or use {base}, to which that is added"
        yield warning("traces-endpoint-path", f"{traces} has no path, and is used as it is", advice)
