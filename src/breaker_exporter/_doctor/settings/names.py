"""Names of variables: those that anything here reads, and those that are nearly right."""

from __future__ import annotations

import difflib
import functools
import importlib
from collections.abc import Mapping

from ..._all_settings import DECLARED, OURS
from ..._base.variable_names import misspelt
from ..report import Steps, warning_or_fatal

_MODULES = (
    "opentelemetry.environment_variables",
    "opentelemetry.sdk.environment_variables",
    "opentelemetry.instrumentation.environment_variables",
)
"""Modules in which OpenTelemetry lists its variables."""
_CREDENTIALS = tuple(
    f"OTEL_PYTHON_EXPORTER_OTLP_{way}{signal}_CREDENTIAL_PROVIDER"
    for way in ("HTTP", "GRPC")
    for signal in ("", "_TRACES", "_METRICS", "_LOGS")
)
"""Newer releases of OpenTelemetry's exporters read these."""
_FILLERS = {"OTEL", "OTLP", "OLTP", "EXPORT", "EXPORTER", "EXPORTERS"}
"""Words in names of an exporter's variables that are left out or mixed up."""
_ALIKE = 0.88
_FIRST_WORDS = ("OTEL", "OTLP", "SENTRY")


@functools.cache
def known() -> frozenset[str]:
    """Return the variables that this package, OpenTelemetry or Sentry reads, as far as they are listed."""
    found = {*_CREDENTIALS, *(name for setting in DECLARED for name in setting.variables)}
    for module in _MODULES:
        try:
            values = vars(importlib.import_module(module)).values()
        except ImportError:
            continue
        found.update(value for value in values if isinstance(value, str) and value.startswith("OTEL_"))
    return frozenset(found)


def check(variables: Mapping[str, str], *, strict: bool = False) -> Steps[None]:
    """Find names that are nearly right; of this package, one is fatal if `strict`."""
    ours = dict(misspelt(variables, OURS))
    for name in sorted(set(variables) - known()):
        near = ours.get(name) or _near(name.upper())
        # Others have variables in the other name spaces too: there only what is nearly right is a mistake.
        if near or name in ours:
            is_fatal = strict and name in ours and bool(variables[name].strip())
            text = f"{name} is no variable that anything here reads"
            advice = f"did you mean {near}?" if near else "remove it"
            todo = (f"rename {name} to {near} where it is set" if near else f"remove {name}",)
            yield warning_or_fatal("variable-unknown", text, advice, is_fatal=is_fatal, todo=todo)


def _near(name: str) -> str | None:
    """Return the name that was meant by one in upper case."""
    words = name.split("_")
    if not difflib.get_close_matches(words[0], _FIRST_WORDS, 1, 0.75):
        return None
    if near := difflib.get_close_matches(name, sorted(known()), 1, _ALIKE):
        return near[0]
    meant = "OTEL_EXPORTER_OTLP_" + "_".join(word for word in words if word not in _FILLERS)
    return meant if words[0] == "OTEL" and meant in known() else None
