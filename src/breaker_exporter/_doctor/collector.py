"""From the settings in force to what is asked of the collector, protocol by protocol."""

from __future__ import annotations

from urllib.parse import urlsplit

from .._wiring.provider_variables import importable
from ..otlp import _environment as variables
from ..otlp._settings import CERTIFICATE
from . import grpc_endpoint, http, request, rpc, versions
from .finding import Steps, warning
from .listening import InForce
from .table import endpoint_of
from .tls import Trust

_PATIENCE = 2.0, 15.0
"""Seconds beyond the exporter's timeout to wait for an answer, and at most."""


def examine(force: InForce, step: float) -> Steps[None]:
    """Ask the collector, by each protocol that spans go by; `step` seconds for each step."""
    # Longer than the exporter waits: a collector that is too slow is to be told from one that is silent.
    patience = max(step, min(force.settings.timeout + _PATIENCE[0], _PATIENCE[1]))
    with importable(force.environment):
        yield from _ask(force, step, patience)


def _ask(force: InForce, step: float, patience: float) -> Steps[None]:
    for protocol in force.protocols:
        package = f"opentelemetry-exporter-otlp-proto-{'grpc' if protocol == 'grpc' else 'http'}"
        needed = [package] if protocol == "grpc" else [package, "requests", "urllib3"]
        can_ask = yield from versions.check(needed)
        if protocol == "grpc":
            yield from _by_grpc(force, step, patience, can_ask)
        else:
            yield from _by_http(force, step, patience, can_ask)


def _by_http(force: InForce, step: float, patience: float, can_ask: bool) -> Steps[None]:
    environment, settings = force.environment, force.settings
    target = request.Target(
        endpoint_of("http/protobuf", settings, environment),
        {**variables.headers(environment, "http/protobuf"), **(settings.headers or {})},
        variables.compression(environment, "http/protobuf"),
        _trust(force, ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), http2=False),
        settings.timeout,
    )
    is_tls = urlsplit(target.url).scheme == "https"
    if is_tls and environment.value("SSL_CERT_FILE") and not target.trust.authorities:
        yield warning(
            "ssl-cert-file",
            "SSL_CERT_FILE is set, and the exporter for HTTP does not read it",
            "set OTEL_EXPORTER_OTLP_CERTIFICATE, or REQUESTS_CA_BUNDLE",
        )
    if can_ask:
        yield from http.examine(target, step, patience)
    else:
        yield from http.approach(target, step)


def _by_grpc(force: InForce, step: float, patience: float, can_ask: bool) -> Steps[None]:
    environment, settings = force.environment, force.settings
    endpoint = endpoint_of("grpc", settings, environment)
    yield from grpc_endpoint.examine(endpoint)
    tls = grpc_endpoint.wants_tls(endpoint, variables.insecure(environment))
    name = urlsplit(endpoint).netloc or endpoint
    yield from grpc_endpoint.check_proxy(name, environment)
    target = rpc.Target(
        name,
        grpc_endpoint.place_of(name, tls),
        tls,
        settings.headers if settings.headers is not None else variables.headers(environment, "grpc"),
        variables.compression(environment, "grpc") == "gzip",
        _trust(force, ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",), http2=True),
        settings.timeout,
        *grpc_endpoint.proxy_of(name, environment),
    )
    yield from rpc.examine(target, step, patience, can_ask)


def _trust(force: InForce, more: tuple[str, ...], *, http2: bool) -> Trust:
    files = variables.files(force.environment)
    name, authorities = CERTIFICATE.variable, files.certificate
    if authorities is None:
        name = next((name for name in more if force.environment.value(name)), "")
        authorities = force.environment.value(name) if name else None
    return Trust(authorities, name, files.client_certificate, files.client_key, http2)
