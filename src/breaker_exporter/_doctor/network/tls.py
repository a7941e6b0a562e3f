"""The TLS handshake, with certificates verified as the exporter does."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from ..._base.environment import Environment
from ..._base.redaction import shown
from ...otlp import _environment as otlp
from ...otlp._settings import CERTIFICATE
from ...otlp._signals import Signal, for_signal
from ..report import Finding, Steps, broken, ok
from .connection import Connected, Place, connect_to, reach
from .protocols import PROBE, Speech, speech_on

_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
"""OpenSSL's words for what is no TLS."""
_NAME_AUTHORITY = "set OTEL_EXPORTER_OTLP_CERTIFICATE to a file with the authority's certificate"
_NAME_HOST = "use the name that the certificate has in the endpoint"
_CERTIFICATE = {
    9: ("not-yet-valid", "is not valid yet", "check the clock of this machine, then the certificate"),
    10: ("expired", "has expired", "renew it on the server; check the clock of this machine"),
    18: ("self-signed", "is self-signed", "name it in OTEL_EXPORTER_OTLP_CERTIFICATE, as a file"),
    19: ("unknown-authority", "is signed by an authority of its own, not trusted here", _NAME_AUTHORITY),
    20: (
        "unknown-authority",
        "is signed by an authority that is not trusted here",
        f"{_NAME_AUTHORITY}; the server may also leave out an intermediate one",
    ),
    62: ("wrong-host", "is for another host", _NAME_HOST),
    64: ("wrong-host", "is for another host", _NAME_HOST),
}
"""OpenSSL's codes (``X509_V_ERR_...``): name of the check, text, advice."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The certificates: those that the server's is verified by, and the client's own."""

    authorities: str | None = None
    """A file or directory; ``None`` for those that come with the exporter."""
    source: str = ""
    """The variable that gives `authorities`."""
    certificate: str | None = None
    key: str | None = None
    http2: bool = False

    @classmethod
    def of(cls, environment: Environment, signal: Signal, *others: str, http2: bool = False) -> Trust:
        """Return what the variables say; `others` name authorities where OpenTelemetry's does not."""
        files = otlp.files(environment, signal)
        names = for_signal(CERTIFICATE, signal).variables if files.certificate else others
        name = next(filter(environment.value, names), "")
        authorities = files.certificate or (environment.value(name) if name else None)
        return cls(authorities, name, files.client_certificate, files.client_key, http2)


def approach(place: Place, trust: Trust, seconds: float) -> Steps[Connected | None]:
    """Resolve, connect, and shake hands where TLS is to be spoken; `seconds` for each step."""
    connected = yield from reach(place, seconds)
    if connected is None or not place.tls:
        return connected
    with connected.socket:
        secured = yield from _secure(place, trust, connected, seconds)
    return None if secured is None else Connected(secured, connected.family, connected.address)


def _secure(place: Place, trust: Trust, connected: Connected, seconds: float) -> Steps[ssl.SSLSocket | None]:
    check = f"{place.prefix}tls"
    context = _new_context()
    try:
        files = f"{shown(trust.authorities)} ({trust.source})"
        _load_authorities(context, trust)
        files = f"{shown(trust.certificate)} and {shown(trust.key)}"
        if trust.certificate:
            context.load_cert_chain(trust.certificate, trust.key, password=lambda: "")
    except OSError as error:
        why = getattr(error, "reason", error.strerror)
        advice = "name PEM files: the authorities' certificates, the client's and the key that belongs to it"
        yield broken(f"{check}-files", f"{files} cannot be used: {why}", advice)
        return None
    context.set_alpn_protocols(["h2"] if trust.http2 else ["http/1.1"])
    connected.socket.settimeout(seconds)
    try:
        secured = context.wrap_socket(connected.socket, server_hostname=place.host)
    except ssl.SSLCertVerificationError as error:
        yield _untrusted(place, trust, error)
    except (OSError, ValueError) as error:
        yield _no_handshake(place, connected, error, seconds)
    else:
        text = f"TLS with {place}: {secured.version()}, certificate verified"
        yield ok(check, text, brief="TLS verified")
        return secured
    return None


def _new_context() -> ssl.SSLContext:
    try:
        # The exporter's own: newer ones verify more strictly than Python does.
        from urllib3.util.ssl_ import create_urllib3_context
    except ImportError:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = create_urllib3_context()
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load_authorities(context: ssl.SSLContext, trust: Trust) -> None:
    authorities = trust.authorities
    if authorities is None:
        try:
            from certifi import where  # as requests has it
        except ImportError:
            context.load_default_certs()
            return
        authorities = where()
    is_directory = Path(authorities).is_dir()
    context.load_verify_locations(**{"capath" if is_directory else "cafile": authorities})


def wants_certificate(place: Place, trust: Trust, connected: Connected) -> bool:
    """Return true if the server ends a connection that shows no certificate of the client's.

    It says so after the handshake (TLS 1.3), in words that are lost where a request is under way already: so
    this is a new connection, on which nothing is sent.
    """
    if not place.tls or trust.certificate:
        return False
    alert = ""
    try:
        context = _new_context()
        _load_authorities(context, trust)
        with (
            connect_to(connected.family, connected.address, PROBE) as plain,
            context.wrap_socket(plain, server_hostname=place.host) as secured,
        ):
            secured.recv(1)
    except OSError as error:
        alert = getattr(error, "reason", None) or ""
    return "CERTIFICATE_REQUIRED" in alert


def _untrusted(place: Place, trust: Trust, error: ssl.SSLCertVerificationError) -> Finding:
    unknown = ("untrusted", "is not trusted", "look at it: openssl s_client -connect HOST:PORT")
    check, text, advice = _CERTIFICATE.get(error.verify_code, unknown)
    if place.prefix:
        advice = advice.replace("OTEL_EXPORTER_OTLP_CERTIFICATE", "SSL_CERT_FILE or Sentry's ca_certs")
    by = f", verified by {shown(trust.authorities)} ({trust.source})" if trust.authorities else ""
    text = f"the certificate of {place} {text} ({error.verify_message}){by}"
    return broken(f"{place.prefix}tls-{check}", text, advice)


def _no_handshake(place: Place, connected: Connected, error: Exception, seconds: float) -> Finding:
    check = f"{place.prefix}tls"
    reason = getattr(error, "reason", None) or type(error).__name__
    speech = speech_on(place, connected, min(seconds, PROBE))
    if speech in (Speech.HTTP1, Speech.HTTP2):
        text = f"{place} speaks plain {speech.value}, and TLS was asked for"
        advice = "write http:// instead of https:// in the endpoint"
        if place.protocol == "gRPC":
            advice += ", and set OTEL_EXPORTER_OTLP_INSECURE=true where it has no scheme"
        return broken(f"{check}-not-spoken", text, advice)
    if reason in _NO_TLS:
        text = f"what {place} answers is no TLS ({reason})"
        advice = "correct the port, or write http:// in the endpoint: another kind of server listens there"
        return broken(f"{check}-not-spoken", text, advice)
    if isinstance(error, TimeoutError):
        text = f"{place} takes the connection, but answers no TLS handshake within {seconds:g} s"
        advice = "look at what listens there: it may speak no TLS, or hang"
        return broken(f"{check}-silent", text, advice)
    advice = "look at what listens there: it may speak no TLS, another version of it, or want a client's key"
    return broken(f"{check}-failed", f"the TLS handshake with {place} failed: {reason}", advice)
