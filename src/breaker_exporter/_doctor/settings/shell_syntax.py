"""Syntax of a shell in a value of a variable, where no shell was: quotation marks, names in braces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..report import Steps, warning, warning_or_fatal
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

    Where a complaint is fatal (`strict`), so are the quotation marks of a variable that has one.
    """
    for name, place in sorted(quoted(variables).items()):
        is_fatal = strict and any(text.startswith(name) for text in complaints)
        text = f"there are quotation marks {place} {name}, and they are a part of its value"
        advice = "remove them: a shell does that, Docker's --env-file and Kubernetes' manifests keep them"
        todo = (f"remove the quotation marks {place} {name}",)
        yield warning_or_fatal("value-quoted", text, advice, is_fatal=is_fatal, todo=todo)
    for name in sorted(filter(_is_read, variables)):
        if found := _UNEXPANDED.search(variables[name]):
            text = f"{name} holds {found[0]}, which nothing has replaced by a value"
            advice = "write the value: Docker's --env-file replaces nothing, Kubernetes an earlier $(NAME)"
            yield warning("value-unexpanded", text, advice)


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
