"""Values of settings that are bad, contradictory or unlikely to be meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from ..._base.redaction import shown
from ..._wiring.batch_settings import BY_SIGNAL, METRIC_INTERVAL, METRIC_TIMEOUT
from ..._wiring.provider_variables import SAMPLER, SAMPLER_ARGUMENT
from ..._wiring.settings import Settings
from ...otlp import _credentials
from ...otlp._settings import ENDPOINT
from ...otlp._signals import METRICS, for_signal
from ..report import Finding, Steps, ok, warning, warning_or_fatal
from .given import Given
from .recording import RecordingEnvironment
from .routes import Route

_TOO_SHORT = 1.0
"""Seconds."""
_DELAYS = 50, 60_000
"""Milliseconds, from which on a schedule delay is odd."""
_INTERVALS = 1_000, 3_600_000
"""The same of the interval of metrics."""
_LOOKS_LIKE_SECONDS = 1000
"""Milliseconds: nobody waits for a collector for less than that."""
_ADVICE = {
    "http/json": "write http/protobuf, for the same port and path: OpenTelemetry Python has no http/json",
    "readable file": "correct the path, or mount the file: every TLS handshake fails without it",
    "user in it": "send credentials in OTEL_EXPORTER_OTLP_HEADERS; until then, all goes to localhost",
    "never be sent": "write a name without blanks and colons, and a value in printable ASCII",
    "CREDENTIAL_PROVIDER": "install its package, or correct its name: until then, there are no credentials",
    "_HEADERS": "write name=value,name=value, without quotes, without colons and without blanks in a name",
    "_ENDPOINT": "write scheme and host, such as http://collector:4318; until then, all goes to localhost",
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


def check_times(signals: Sequence[Settings], environment: RecordingEnvironment) -> Steps[None]:
    """Find times that are too short or too long."""
    for timeout in dict.fromkeys(settings.timeout for settings in signals):
        if timeout < _TOO_SHORT:
            text = f"the OTLP timeout is {timeout:g} s: a healthy answer to a busy worker takes longer"
            yield warning("timeout-short", text, "leave it at 5 s: nothing waits for it")
    for settings in signals:
        yield from (_of_reading if settings.signal is METRICS else _of_batches)(settings, environment)
    both = dict.fromkeys((settings.timeout, settings.export_timeout) for settings in signals)
    times = ", ".join(f"OTLP timeout {short:g} s < export_timeout {long:g} s" for short, long in both)
    of_circuit = f"cooldown {signals[0].cooldown:g} s, doubling up to {signals[0].max_cooldown:g} s"
    waits = " or ".join(f"{seconds:g}" for seconds in dict.fromkeys(short for short, _ in both))
    brief = f"a request ends after {waits} s, a dead collector is retried after {signals[0].cooldown:g} s"
    yield ok("timeouts", f"{times}; {of_circuit}", brief=brief)


def _of_batches(settings: Settings, environment: RecordingEnvironment) -> Iterator[Finding]:
    declared, delay = BY_SIGNAL[settings.signal], settings.batching.schedule_delay_millis
    if not _DELAYS[0] <= delay < _DELAYS[1]:
        text = f"{declared.schedule_delay.variable} is {delay} ms between two exports"
        usual = declared.schedule_delay.default
        advice = f"write {usual} ms: less costs requests, more loses {settings.signal.unit} at a crash or in "
        yield warning("schedule-delay", text, f"{advice}a full queue")
    name, limit = declared.export_timeout.variable, settings.batching.export_timeout_millis
    if environment.is_set(name):
        check = f"{name.split('_')[1].lower()}-export-timeout"
        text = f"{name} is {limit} ms; OpenTelemetry Python reads it, and keeps no such limit"
        advice = f"set BREAKER_EXPORTER_EXPORT_TIMEOUT instead: the limit, here {settings.export_timeout:g} s"
        if limit < _LOOKS_LIKE_SECONDS:
            yield warning(check, f"{text}, and the value looks like seconds", advice)
        else:
            yield ok(check, text, advice)


def _of_reading(settings: Settings, environment: RecordingEnvironment) -> Iterator[Finding]:
    interval, timeout = (seconds * 1000 for seconds in settings.reading)
    if not _INTERVALS[0] <= interval <= _INTERVALS[1]:
        text = f"{METRIC_INTERVAL.variable} is {interval:g} ms between two exports of metrics"
        advice = f"write {METRIC_INTERVAL.default:g} ms: less costs requests, more shows everything late"
        yield warning("metric-export-interval", text, advice)
    if timeout < _LOOKS_LIKE_SECONDS:
        text = f"{METRIC_TIMEOUT.variable} is {timeout:g} ms, which looks like seconds: metrics that take "
        advice = f"write {METRIC_TIMEOUT.default:g} ms"
        yield warning("metric-export-timeout", f"{text}longer to collect and send are not exported", advice)


def check_credentials(routes: Iterable[Route]) -> Steps[None]:
    """Tell of credentials that the doctor does not ask for: to get them may cost or change something."""
    found = {
        next(
            filter(route.environment.value, _credentials.variables(route.protocol, route.signal)), None
        ): route
        for route in routes
    }
    for name, route in found.items():
        if name and not any(text.startswith(name) for text in route.environment.complaints):
            text = f"credentials come from the provider that {name} names, which is not asked here"
            advice = "an answer of 401 or 403 to the doctor may be for want of them"
            yield ok("credential-provider", text, advice)


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


def check_endpoints(given: Given, routes: Iterable[Route]) -> Steps[None]:
    """Find an endpoint of one signal by HTTP that has no path."""
    if given.arguments.endpoint is not None:
        return
    for route in routes:
        own, base = for_signal(ENDPOINT, route.signal).variables
        is_used = route.protocol != "grpc" and route.environment.is_set(own)
        if is_used and urlsplit(route.environment.value(own) or "").path in ("", "/"):
            check = f"{route.signal.word.lower()}-endpoint-path"
            advice = f"add {route.signal.path} to it, or use {base}, to which that is added"
            yield warning(check, f"{own} has no path, and is used as it is", advice)
