"""Values that a shell was to change, and did not: quotation marks that are kept, names in braces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .finding import Finding, Steps, broken, warning
from .names import known

_MORE = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "GUNICORN_CMD_ARGS")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "grpc_proxy", "no_grpc_proxy")
_LISTS = ("OTEL_RESOURCE_ATTRIBUTES", "_HEADERS")
"""Ends of names of variables that hold pairs."""
_UNEXPANDED = re.compile(r"\$\{\w+\}|\$\(\w+\)|\{\{.*\}\}")


def quoted(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that have quotation marks as a part of their value, each with where."""
    return dict(_quoted(variables))


def check(variables: Mapping[str, str], complaints: list[str], strict: bool) -> Steps[None]:
    """Find such values, of variables that mean something here.

    Args:
        variables: All of the process.
        complaints: What is wrong with variables already: one whose quotes are to blame is told here.
        strict: Where a complaint is fatal.
    """
    for name, where in sorted(quoted(variables).items()):
        is_fatal = strict and any(text.startswith(name) for text in complaints)
        yield _kept(name, where, is_fatal)
    for name in sorted(variables):
        if _means_something(name) and (found := _UNEXPANDED.search(variables[name])):
            yield warning(
                "value-unexpanded",
                f"{name} holds {found[0]}, in place of which nothing has put a value",
                "write the value: Docker's --env-file puts none in, and Kubernetes only for $(NAME) of a "
                "variable that stands before it",
            )


def is_quoted(text: str) -> bool:
    """True for text in quotation marks."""
    stripped = text.strip()
    return len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "'\""


def _quoted(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, text in variables.items():
        if not _means_something(name):
            continue
        if is_quoted(text):
            yield name, "around"
        elif name.endswith(_LISTS):
            pairs = (pair.partition("=") for pair in text.split(","))
            if keys := [key.strip() for key, _, value in pairs if is_quoted(value)]:
                yield name, f"around the value of {', '.join(keys)} in"


def _kept(name: str, where: str, is_fatal: bool) -> Finding:
    return (broken if is_fatal else warning)(
        "value-quoted",
        f"there are quotation marks {where} {name}, and they are a part of its value"
        + ("; fatal, since BREAKER_EXPORTER_STRICT=1: Gunicorn will not start" if is_fatal else ""),
        "take them away: a shell removes them, Docker's --env-file and Kubernetes' manifests keep them",
    )


def _means_something(name: str) -> bool:
    return name in known() or name in _MORE or name.lower() in _PROXIES
