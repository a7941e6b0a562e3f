"""Syntax of a shell in a value of a variable, where no shell was: quotation marks, names in braces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..report import FATAL, Steps, broken, warning
from .names import known

_MORE = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "GUNICORN_CMD_ARGS")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "grpc_proxy", "no_grpc_proxy")
_LISTS = ("OTEL_RESOURCE_ATTRIBUTES", "_HEADERS")
"""Ends of names of variables that hold pairs."""
_UNEXPANDED = re.compile(r"\$\{\w+\}|\$\(\w+\)|\{\{.*\}\}")


def quoted(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with quotation marks as a part of their value, each with the place of these."""
    return dict(_quoted(variables))


def check(variables: Mapping[str, str], complaints: list[str], strict: bool) -> Steps[None]:
    """Find such values, of variables that are read here.

    Args:
        variables: All of the process.
        complaints: What is wrong with variables already: one whose quotes are to blame is told here.
        strict: True if a complaint is fatal.
    """
    for name, place in sorted(quoted(variables).items()):
        is_fatal = strict and any(text.startswith(name) for text in complaints)
        yield (broken if is_fatal else warning)(
            "value-quoted",
            f"there are quotation marks {place} {name}, and they are a part of its value" + FATAL * is_fatal,
            "remove them: a shell does that, Docker's --env-file and Kubernetes' manifests keep them",
        )
    for name in sorted(filter(_is_read, variables)):
        if found := _UNEXPANDED.search(variables[name]):
            yield warning(
                "value-unexpanded",
                f"{name} holds {found[0]}, which nothing has replaced by a value",
                "write the value: Docker's --env-file replaces nothing, and Kubernetes only $(NAME) of a "
                "variable that stands before it",
            )


def is_quoted(text: str) -> bool:
    """Return true for text in quotation marks."""
    stripped = text.strip()
    return len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "'\""


def _quoted(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in filter(_is_read, variables):
        pairs = (pair.partition("=") for pair in variables[name].split(",") if name.endswith(_LISTS))
        if is_quoted(variables[name]):
            yield name, "around"
        elif keys := [key.strip() for key, _, value in pairs if is_quoted(value)]:
            yield name, f"around the value of {', '.join(keys)} in"


def _is_read(name: str) -> bool:
    return name in known() or name in _MORE or name.lower() in _PROXIES
