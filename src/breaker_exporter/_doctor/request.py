"""The empty OTLP/HTTP request, as the exporter would send it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from ..otlp._settings import Compression
from .tls import Trust

if TYPE_CHECKING:
    import requests


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how traces are posted.

    Attributes:
        url: With credentials, if it has any.
        headers: Those that are configured.
        compression: Of the body.
        trust: For TLS.
        timeout: The exporter's own, in seconds.
    """

    url: str
    headers: Mapping[str, str]
    compression: Compression
    trust: Trust
    timeout: float


def prepared(target: Target) -> requests.PreparedRequest:
    """The request as the exporter would send it, with what a URL or a netrc file has of credentials."""
    import requests

    with requests.Session() as session:
        sent = requests.Request("POST", target.url, headers=headers_of(target), data=body_of(target))
        if any(name.lower() == "authorization" for name in target.headers):
            sent.auth = lambda request: request
        return session.prepare_request(sent)


def headers_of(target: Target) -> dict[str, str]:
    encoding = {} if target.compression == "none" else {"content-encoding": target.compression}
    ours = {"accept-encoding": "identity", "content-type": "application/x-protobuf"}
    agent = {"user-agent": f"breaker-exporter/{version('breaker-exporter')} doctor"}
    return {**ours, **agent, **target.headers, **encoding}


def body_of(target: Target) -> bytes:
    from ..otlp._send.compression import compressed

    return compressed(b"", target.compression, lambda: None)
