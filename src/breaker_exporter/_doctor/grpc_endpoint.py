"""What OpenTelemetry's gRPC exporter makes of an endpoint."""

from __future__ import annotations

from urllib.parse import urlsplit

from .._base.environment import Environment
from ..otlp._endpoints import GRPC_PORT
from .finding import Steps, ok, warning
from .reach import Place

_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")


def place_of(target: str, tls: bool) -> Place | None:
    """Host and port of what gRPC takes for a target; ``None`` for a Unix socket and the like."""
    if target.startswith(("unix", "ipv4:", "ipv6:", "xds:", "vsock:")):
        return None
    name = target.removeprefix("dns:").rpartition("/")[2]
    host, colon, port = name.rpartition(":")
    if not colon or host.endswith(":") or name.endswith("]"):
        host, port = name, "443"
    if not port.isdecimal():
        return None
    return Place("the collector", "", host.strip("[]"), int(port), tls, "gRPC")


def proxy_of(target: str, environment: Environment) -> tuple[str | None, str]:
    """The proxy that gRPC would go through, and what variable has it (its ``environment_variables.md``)."""
    name, exempting = _proxy_and_exemption(target, environment)
    return (None, "") if name is None or exempting else (environment.value(name), name)


def check_proxy(target: str, environment: Environment) -> Steps[None]:
    """Tell of a proxy that gRPC does not use, though a variable has one."""
    name, exempting = _proxy_and_exemption(target, environment)
    if name and exempting:
        yield ok(
            "proxy-exempt",
            f"gRPC goes straight to {target}: {exempting} exempts it from the proxy that {name} has",
        )
    unread = [
        each for each in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "all_proxy") if environment.value(each)
    ]
    if name is None and unread:
        yield ok(
            "proxy-unread",
            f"gRPC goes straight to {target}: it reads {', '.join(_PROXIES)}, and not {', '.join(unread)}",
        )


def _proxy_and_exemption(target: str, environment: Environment) -> tuple[str | None, str | None]:
    name = next(filter(environment.value, _PROXIES), None)
    place = place_of(target, tls=False)
    if name is None or place is None:
        return None, None
    exempting = next(filter(environment.value, ("no_grpc_proxy", "no_proxy")), "")
    ends = filter(None, map(str.strip, (environment.value(exempting) or "").split(",")))
    return name, exempting if any(place.host.endswith(end) for end in ends) else None


def wants_tls(endpoint: str, insecure: tuple[str, bool] | None) -> bool:
    """Whether OpenTelemetry's exporter speaks TLS there: https always, else a variable, else all but http."""
    scheme = urlsplit(endpoint).scheme
    if scheme == "https":
        return True
    return scheme != "http" if insecure is None else not insecure[1]


def examine(endpoint: str) -> Steps[None]:
    """What can be seen of a gRPC endpoint without asking anybody."""
    scheme, has_scheme, rest = endpoint.partition("://")
    authority, slash, path = rest.partition("/")
    if not has_scheme or scheme not in ("http", "https"):
        return
    if slash and path:
        yield warning(
            "grpc-endpoint-path",
            "the endpoint has a path, which gRPC ignores",
            "leave it out; with a path, HTTP may have been meant: OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        )
    if ":" not in authority.rpartition("]")[2]:
        yield warning(
            "grpc-endpoint-port",
            "the endpoint has no port, for which gRPC takes 443",
            f"write the port, which is usually {GRPC_PORT}",
        )
