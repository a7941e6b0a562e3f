"""The TLS handshake, with certificates verified as the exporter does."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from .._base.redaction import shown
from .finding import Finding, Steps, broken, ok
from .reach import Connected, Place
from .wire import Speech, connect_to, speech_of, speech_on

_PROBE = 1.0
"""Seconds for a look at what else may be spoken there."""
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
"""OpenSSL's words for what is no TLS."""
_CERTIFICATE = {
    9: ("not-yet-valid", "is not valid yet", "check the clock of this machine, then the certificate"),
    10: ("expired", "has expired", "renew it on the server; check the clock of this machine"),
    18: ("self-signed", "is self-signed", "name it in OTEL_EXPORTER_OTLP_CERTIFICATE, as a file"),
    19: (
        "unknown-authority",
        "is signed by an authority of its own, which is not trusted here",
        "set OTEL_EXPORTER_OTLP_CERTIFICATE to a file with the authority's certificate",
    ),
    20: (
        "unknown-authority",
        "is signed by an authority that is not trusted here",
        "set OTEL_EXPORTER_OTLP_CERTIFICATE to a file with the authority's certificate; the server may also "
        "leave out an intermediate one",
    ),
    62: ("wrong-host", "is for another host", "use the name in the endpoint that the certificate has"),
    64: ("wrong-host", "is for another host", "use the name in the endpoint that the certificate has"),
}
"""OpenSSL's codes (``X509_V_ERR_...``), with what they are called here."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What certificates are verified by, and the client's own.

    Attributes:
        authorities: A file or directory; ``None`` for those that come with the exporter.
        source: The variable that `authorities` stands in.
        certificate: The client's, a file.
        key: Of the client's certificate, where it is a file of its own.
        http2: Whether HTTP/2 is asked for.
    """

    authorities: str | None = None
    source: str = ""
    certificate: str | None = None
    key: str | None = None
    http2: bool = False


def secure(place: Place, trust: Trust, connected: Connected, seconds: float) -> Steps[ssl.SSLSocket | None]:
    """A handshake on the connection, which is closed where that fails."""
    check = f"{place.prefix}tls"
    plain = connected.socket
    context = _new_context()
    for load, files, why in (
        (_load_authorities, f"{shown(trust.authorities)} ({trust.source})", "a file of PEM certificates"),
        (
            _load_own,
            f"{shown(trust.certificate)} and {shown(trust.key)}",
            "PEM files, the key the certificate's own",
        ),
    ):
        try:
            load(context, trust)
        except OSError as error:
            plain.close()
            yield broken(
                f"{check}-files",
                f"{files} cannot be used: {getattr(error, 'reason', error.strerror)}",
                f"it must be {why}",
            )
            return None
    plain.settimeout(seconds)
    try:
        secured = context.wrap_socket(plain, server_hostname=place.host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        yield _untrusted(place, trust, error)
        return None
    except (OSError, ValueError) as error:
        plain.close()
        yield _no_handshake(place, connected, error, seconds)
        return None
    yield ok(check, f"TLS with {place}: {secured.version()}, certificate verified")
    return secured


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
    authorities = trust.authorities or _authorities_of_requests()
    if authorities is None:
        context.load_default_certs()
    elif Path(authorities).is_dir():
        context.load_verify_locations(capath=authorities)
    else:
        context.load_verify_locations(cafile=authorities)


def _load_own(context: ssl.SSLContext, trust: Trust) -> None:
    if trust.certificate:
        context.load_cert_chain(trust.certificate, trust.key, password=lambda: "")
    context.set_alpn_protocols(["h2"] if trust.http2 else ["http/1.1"])


def _authorities_of_requests() -> str | None:
    try:
        from certifi import where
    except ImportError:
        return None
    return where()


def spoken(place: Place, connected: Connected, first: bytes) -> Speech:
    """What is spoken there, by an answer's first bytes, or where they do not tell, by new connections."""
    speech = speech_of(first)
    if speech is Speech.UNKNOWN and not place.tls:
        return speech_on(connected.address, connected.family, place.host, _PROBE)
    return speech


def wants_certificate(place: Place, trust: Trust, connected: Connected) -> bool:
    """Whether the server ends a connection that shows no certificate of the client's.

    It says so after the handshake (TLS 1.3), in words that are lost where a request is under way already: so
    this is a new connection, on which nothing is sent.
    """
    if not place.tls or trust.certificate:
        return False
    try:
        context = _new_context()
        _load_authorities(context, trust)
        with connect_to(connected.address, connected.family, _PROBE) as plain:
            secured = context.wrap_socket(plain, server_hostname=place.host)
            with secured:
                secured.recv(1)
    except ssl.SSLError as error:
        return "CERTIFICATE_REQUIRED" in (error.reason or "")
    except OSError:
        pass
    return False


def _untrusted(place: Place, trust: Trust, error: ssl.SSLCertVerificationError) -> Finding:
    check, text, advice = _CERTIFICATE.get(
        error.verify_code, ("untrusted", "is not trusted", "look at it: openssl s_client -connect HOST:PORT")
    )
    if place.prefix:
        advice = advice.replace("OTEL_EXPORTER_OTLP_CERTIFICATE", "SSL_CERT_FILE or Sentry's ca_certs")
    by = f", verified by {shown(trust.authorities)} ({trust.source})" if trust.authorities else ""
    return broken(
        f"{place.prefix}tls-{check}",
        f"the certificate of {place} {text} ({error.verify_message}){by}",
        advice,
    )


def _no_handshake(place: Place, connected: Connected, error: Exception, seconds: float) -> Finding:
    check = f"{place.prefix}tls"
    reason = getattr(error, "reason", None) or type(error).__name__
    speech = speech_on(connected.address, connected.family, place.host, min(seconds, _PROBE))
    if speech in (Speech.HTTP1, Speech.HTTP2):
        return broken(
            f"{check}-not-spoken",
            f"{place} speaks plain {speech.value}, and TLS was asked for",
            "write http:// instead of https:// in the endpoint"
            + (
                ", and set OTEL_EXPORTER_OTLP_INSECURE=true where it has no scheme"
                if place.protocol == "gRPC"
                else ""
            ),
        )
    if reason in _NO_TLS:
        return broken(
            f"{check}-not-spoken",
            f"what {place} answers is no TLS ({reason})",
            "another kind of server listens there: mend the port, or write http:// in the endpoint",
        )
    if isinstance(error, TimeoutError):
        return broken(
            f"{check}-silent",
            f"{place} takes the connection, but answers no TLS handshake within {seconds:g} s",
            "it may be no TLS port, or hang: look at what listens there",
        )
    return broken(
        f"{check}-failed",
        f"the TLS handshake with {place} failed: {reason}",
        "it may speak no TLS, want another version of it or a client's certificate "
        "(OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE)",
    )
