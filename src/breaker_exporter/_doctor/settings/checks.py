"""The checks of settings: variables, exporters, the service's name."""

from __future__ import annotations

from ..check import BROKEN, OK, WARNING, Check

CHECKS = (
    Check(
        "variable",
        (WARNING, BROKEN),
        "a variable has a value that is not allowed, and the default holds; broken with "
        "`BREAKER_EXPORTER_STRICT=1`, with which Gunicorn does not start",
        "write a value that is allowed, or remove the variable",
    ),
    Check(
        "variable-unknown",
        (WARNING, BROKEN),
        "a variable is nearly one that is read, and nothing reads it; broken with "
        "`BREAKER_EXPORTER_STRICT=1` where it begins with `BREAKER_EXPORTER_`",
        "correct its name, or remove it",
    ),
    Check(
        "value-quoted",
        (WARNING, BROKEN),
        "quotation marks are a part of a value; broken with `BREAKER_EXPORTER_STRICT=1` where that makes "
        "it one that is not allowed",
        "remove them: Docker's `--env-file` and Kubernetes' manifests keep them",
    ),
    Check(
        "value-unexpanded",
        (WARNING,),
        "a value holds `${NAME}`, `$(NAME)` or `{{ ... }}`, which nothing has replaced",
        "write the value itself",
    ),
    Check(
        "sdk-disabled",
        (WARNING,),
        "`OTEL_SDK_DISABLED` is true: no telemetry is made or sent, and no collector was asked",
        "remove the variable where that is not meant",
    ),
    Check(
        "exporter-unusable",
        (BROKEN,),
        "an exporter is installed, and cannot be loaded",
        "install what it needs, or remove its name",
    ),
    Check(
        "exporter-unknown",
        (WARNING, BROKEN),
        "an exporter is named that is not installed; broken with `BREAKER_EXPORTER_STRICT=1` and with "
        "`opentelemetry-instrument`, which then sets nothing up",
        "write `otlp`, or install the package with that exporter",
    ),
    Check(
        "exporter-none",
        (WARNING,),
        "`none` turns traces off, or a signal for which other exporters are named, too",
        "remove it where that is not meant",
    ),
    Check(
        "exporter-twice",
        (WARNING,),
        "two exporters send a signal by the same protocol, so everything twice",
        "keep one of them",
    ),
    Check(
        "exporter-unguarded",
        (WARNING,),
        "`opentelemetry-instrument` makes an exporter without a circuit beside ours; for a variable that "
        "is not set, it takes `otlp`",
        "name only exporters that begin with `breaker_`, or `none`",
    ),
    Check(
        "exporter-other",
        (OK,),
        "a signal goes to an exporter of another package, which is not looked at",
    ),
    Check(
        "zero-code-missing",
        (WARNING,),
        "an exporter for `opentelemetry-instrument` is named, and `opentelemetry-distro` is missing",
        "`pip install opentelemetry-distro`; with hooks or `Telemetry`, write `otlp` in place of that name",
    ),
    Check(
        "service-name-missing",
        (WARNING,),
        "the service has no name: its telemetry arrives as that of `unknown_service`",
        "set `OTEL_SERVICE_NAME`",
    ),
    Check(
        "resource-attributes",
        (WARNING,),
        "`OTEL_RESOURCE_ATTRIBUTES` has parts that are no `name=value`, which OpenTelemetry leaves out",
        "write `name=value,name=value`, with commas in a value as `%2C`",
    ),
    Check(
        "instance-id",
        (OK,),
        "a `service.instance.id` was given: metrics have each process's id behind it, since workers that "
        "share one overwrite each other's sums",
    ),
    Check(
        "log-handler",
        (OK, WARNING, BROKEN),
        "which handler brings records of Python's `logging` to the exporters, or which variable keeps "
        "them out; a warning where a package is missing for it, broken with `BREAKER_EXPORTER_STRICT=1`",
        "install the package that is named",
    ),
    Check(
        "SIGNAL-endpoint-path",
        (WARNING,),
        "the endpoint of one signal has no path, and is used as it is",
        "add the path, such as `/v1/traces`, or use `OTEL_EXPORTER_OTLP_ENDPOINT`, to which it is added",
    ),
    Check(
        "credential-provider",
        (OK,),
        "a package provides the credentials, and was not asked for them: an answer of 401 or 403 may be "
        "for want of them",
    ),
    Check(
        "timeouts",
        (OK,),
        "the times in force: of a request, of an export, and until a collector that failed is asked again",
    ),
    Check(
        "timeout-milliseconds",
        (WARNING,),
        "a timeout of OpenTelemetry's looks like milliseconds, and is read as seconds",
        "write seconds",
    ),
    Check(
        "time-milliseconds",
        (WARNING,),
        "another time looks like milliseconds, and is read as seconds",
        "write seconds",
    ),
    Check(
        "timeout-cut",
        (WARNING,),
        "the timeout of a request is above `BREAKER_EXPORTER_EXPORT_TIMEOUT`, and was cut",
        "set a timeout of 5 s or less",
    ),
    Check(
        "timeout-short",
        (WARNING,),
        "the timeout of a request is below 1 s: a healthy answer to a busy worker takes longer",
        "leave it at 5 s",
    ),
    Check(
        "schedule-delay",
        (WARNING,),
        "the time between two exports is below 50 ms, or is 60 s or more",
        "leave it at its default",
    ),
    Check(
        "bsp-export-timeout",
        (OK, WARNING),
        "`OTEL_BSP_EXPORT_TIMEOUT` is set, and OpenTelemetry Python keeps no such limit; a warning where "
        "it looks like seconds",
        "set `BREAKER_EXPORTER_EXPORT_TIMEOUT` instead",
    ),
    Check(
        "blrp-export-timeout",
        (OK, WARNING),
        "the same of `OTEL_BLRP_EXPORT_TIMEOUT`",
        "set `BREAKER_EXPORTER_EXPORT_TIMEOUT` instead",
    ),
    Check(
        "metric-export-interval",
        (WARNING,),
        "the time between two exports of metrics is below 1 s or above an hour",
        "leave it at its default",
    ),
    Check(
        "metric-export-timeout",
        (WARNING,),
        "`OTEL_METRIC_EXPORT_TIMEOUT` looks like seconds, and is read as milliseconds",
        "write milliseconds",
    ),
    Check(
        "sampler-argument",
        (WARNING,),
        "`OTEL_TRACES_SAMPLER_ARG` is set, and the sampler takes none",
        "set `OTEL_TRACES_SAMPLER=parentbased_traceidratio`, or remove the argument",
    ),
    Check(
        "sampler-off",
        (WARNING,),
        "no trace that begins here is sampled",
        "remove the sampler where that is not meant",
    ),
)
