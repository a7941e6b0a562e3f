"""The checks of the way to the collector, to a proxy and to Sentry: name, connection, TLS."""

from __future__ import annotations

from ..check import BROKEN, OK, WARNING, Check

SENTRY, _PROXY = "sentry-", "proxy-"
"""Prefixes of the names of checks: for the connection to Sentry, and for that to a proxy."""
_TO_ALL = (_PROXY, SENTRY)
_TO_SENTRY = (SENTRY,)
CHECKS = (
    Check(
        "port",
        (BROKEN,),
        "the port is none: ports are 1 to 65535",
        "correct the endpoint",
        _TO_ALL,
    ),
    Check(
        "dns",
        (OK,),
        "the name resolves",
        prefixes=_TO_ALL,
    ),
    Check(
        "dns-slow",
        (WARNING,),
        "the name resolves after more than 1 s, for which each connection waits",
        "look for a dead name server or a slow search domain in `/etc/resolv.conf`",
        _TO_ALL,
    ),
    Check(
        "dns-timeout",
        (BROKEN,),
        "the name was not resolved in time",
        "look at `/etc/resolv.conf` and the network's DNS",
        _TO_ALL,
    ),
    Check(
        "dns-unavailable",
        (BROKEN,),
        "the resolver has no answer now",
        "check that this machine or container reaches its DNS server",
        _TO_ALL,
    ),
    Check(
        "dns-unknown-name",
        (BROKEN,),
        "the name does not resolve",
        "check its spelling; a short name resolves only in its own network or namespace",
        _TO_ALL,
    ),
    Check(
        "tcp",
        (OK,),
        "the port takes connections",
        prefixes=_TO_ALL,
    ),
    Check(
        "tcp-one-address-fails",
        (OK, WARNING),
        "one of several addresses takes no connection; a warning unless it refuses at once",
        "take the address out of DNS",
        _TO_ALL,
    ),
    Check(
        "tcp-refused",
        (BROKEN,),
        "nothing listens there",
        "start the collector, or correct host and port; in a container, localhost is the container itself",
        _TO_ALL,
    ),
    Check(
        "tcp-timeout",
        (BROKEN,),
        "no connection comes about in time",
        "look for a firewall or network policy that drops packets, or a host that is down",
        _TO_ALL,
    ),
    Check(
        "tcp-unreachable",
        (BROKEN,),
        "there is no route to the host",
        "check the network, and IPv6 where the address is one",
        _TO_ALL,
    ),
    Check(
        "tcp-failed",
        (BROKEN,),
        "no connection, for another reason",
        "check host and port",
        _TO_ALL,
    ),
    Check(
        "tls",
        (OK,),
        "the TLS handshake succeeds, and the certificate is verified",
        prefixes=_TO_SENTRY,
    ),
    Check(
        "tls-files",
        (BROKEN,),
        "a file of certificates or the client's key cannot be used",
        "name PEM files that exist and belong together",
        _TO_SENTRY,
    ),
    Check(
        "tls-not-spoken",
        (BROKEN,),
        "TLS was asked for, and the port speaks none",
        "write `http://` in the endpoint, or correct the port",
        _TO_SENTRY,
    ),
    Check(
        "tls-silent",
        (BROKEN,),
        "the port takes the connection, and answers no TLS handshake in time",
        "look at what listens there",
        _TO_SENTRY,
    ),
    Check(
        "tls-failed",
        (BROKEN,),
        "the TLS handshake fails for another reason",
        "look at what listens there: it may speak another version of TLS, or want a client's key",
        _TO_SENTRY,
    ),
    Check(
        "tls-not-yet-valid",
        (BROKEN,),
        "the certificate is not valid yet",
        "check the clock of this machine, then the certificate",
        _TO_SENTRY,
    ),
    Check(
        "tls-expired",
        (BROKEN,),
        "the certificate has expired",
        "renew it on the server; check the clock of this machine",
        _TO_SENTRY,
    ),
    Check(
        "tls-self-signed",
        (BROKEN,),
        "the certificate is self-signed",
        "name it in `OTEL_EXPORTER_OTLP_CERTIFICATE`",
        _TO_SENTRY,
    ),
    Check(
        "tls-unknown-authority",
        (BROKEN,),
        "the certificate is signed by an authority that is not trusted here",
        "name the authority's certificate in `OTEL_EXPORTER_OTLP_CERTIFICATE`",
        _TO_SENTRY,
    ),
    Check(
        "tls-wrong-host",
        (BROKEN,),
        "the certificate is for another host",
        "use the name that the certificate has",
        _TO_SENTRY,
    ),
    Check(
        "tls-untrusted",
        (BROKEN,),
        "the certificate is not trusted for another reason",
        "look at it: `openssl s_client -connect HOST:PORT`",
        _TO_SENTRY,
    ),
)
