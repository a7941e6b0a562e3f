"""The checks of the collector: proxies before it, the protocol that it speaks, and its answers."""

from __future__ import annotations

from ..check import BROKEN, OK, WARNING, Check
from . import way_checks

CHECKS = (
    Check(
        "grpc-endpoint-path",
        (WARNING,),
        "the endpoint has a path, which gRPC ignores",
        "remove it, or set `OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`",
    ),
    Check(
        "grpc-endpoint-port",
        (WARNING,),
        "the endpoint has no port, for which gRPC takes 443",
        "write the port, usually 4317",
    ),
    Check(
        "ssl-cert-file",
        (WARNING,),
        "`SSL_CERT_FILE` is set, and the exporter for HTTP does not read it",
        "set `OTEL_EXPORTER_OTLP_CERTIFICATE` or `REQUESTS_CA_BUNDLE`",
    ),
    Check(
        "proxy",
        (OK, WARNING),
        "requests go through a proxy; a warning where the host is one of this machine or network",
        "where that is not meant, put the host into `NO_PROXY`",
    ),
    Check(
        "proxy-exempt",
        (OK,),
        "requests go straight to the collector, since its host is exempt from the proxy",
    ),
    Check(
        "proxy-unread",
        (OK,),
        "a proxy is set in a variable that gRPC does not read",
    ),
    Check(
        "proxy-malformed",
        (BROKEN,),
        "the proxy's URL has no host, or no port that is one",
        "correct the variable",
    ),
    *way_checks.CHECKS,
    Check(
        "http2",
        (OK,),
        "the port speaks HTTP/2, which gRPC needs",
    ),
    Check(
        "tls-wanted",
        (BROKEN,),
        "the port speaks TLS, and was asked without",
        "write `https://` in the endpoint",
    ),
    Check(
        "tls-client-certificate",
        (BROKEN,),
        "the collector wants a certificate of its clients",
        "set `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE` and `OTEL_EXPORTER_OTLP_CLIENT_KEY`",
    ),
    Check(
        "http-meets-grpc",
        (BROKEN,),
        "the port speaks HTTP/2 alone, as gRPC does, and was asked by HTTP/1",
        "use the port for HTTP, usually 4318, or `OTEL_EXPORTER_OTLP_PROTOCOL=grpc`",
    ),
    Check(
        "grpc-meets-http",
        (BROKEN,),
        "the port speaks HTTP/1, and gRPC needs HTTP/2",
        "use the port for gRPC, usually 4317, or `OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`",
    ),
    Check(
        "grpc-no-connection",
        (BROKEN,),
        "gRPC cannot connect, where the doctor could",
        "look at the proxies that gRPC reads, and at its certificates",
    ),
    Check(
        "otlp",
        (OK,),
        "an empty OTLP request for a signal is answered well",
    ),
    Check(
        "otlp-slow",
        (WARNING,),
        "it is answered well after more than 1 s",
        "look at the collector's load",
    ),
    Check(
        "otlp-too-slow",
        (BROKEN,),
        "it is answered after the exporter's timeout",
        "look at the collector's load, or raise `OTEL_EXPORTER_OTLP_TIMEOUT`",
    ),
    Check(
        "otlp-partial",
        (WARNING,),
        "the answer is a success that rejects items, or has a warning (`partial_success`)",
        "look at the collector's log",
    ),
    Check(
        "http-STATUS",
        (BROKEN,),
        "the answer is that HTTP status, such as `http-401`; [Answers](answers.md) says what the "
        "exporter makes of it",
        "401, 403: look at `OTEL_EXPORTER_OTLP_HEADERS`; 404: correct the path, or turn off a signal "
        "that the backend does not take (`OTEL_LOGS_EXPORTER=none`); 5xx: look at the collector's log",
    ),
    Check(
        "grpc-STATUS",
        (BROKEN,),
        "the same of a gRPC status, such as `grpc-unauthenticated`",
        "`grpc-unimplemented`: correct host and port, or turn off a signal that the backend does not take",
    ),
    Check(
        "http-redirect",
        (WARNING, BROKEN),
        "the endpoint redirects; broken where it does so to another host, which gets no data",
        "make that address the endpoint, if it is right",
    ),
    Check(
        "http-wrong-content",
        (WARNING, BROKEN),
        "the answer is a success, and no OTLP: data would count as exported, and be lost; a warning "
        "where it may be OTLP",
        "look at host, port and path of the endpoint",
    ),
    Check(
        "headers-unusable",
        (BROKEN,),
        "the request cannot be sent: a header or the path holds what is not allowed",
        "write names in lower case, values in printable ASCII",
    ),
    Check(
        "otlp-silent",
        (BROKEN,),
        "the collector takes the connection, and answers nothing in time",
        "look at its log and load, or at what listens there",
    ),
    Check(
        "otlp-drips",
        (BROKEN,),
        "the answer comes bit by bit, and is not whole in time",
        "look at the load of the collector and of proxies",
    ),
    Check(
        "otlp-reset",
        (BROKEN,),
        "the connection is reset in the middle of the request",
        "look for a collector that crashes, and for proxies and firewalls on the way",
    ),
    Check(
        "otlp-truncated",
        (BROKEN,),
        "the answer breaks off",
        "look at the logs of the collector and of a proxy before it",
    ),
    Check(
        "otlp-garbage",
        (BROKEN,),
        "what comes is neither HTTP nor TLS, or has no end",
        "correct the port: another kind of server listens there",
    ),
    Check(
        "otlp-no-answer",
        (BROKEN,),
        "the connection is closed without an answer",
        "look at what listens there: it may be no OTLP receiver, or a proxy without a backend",
    ),
    Check(
        "otlp-not-reached",
        (BROKEN,),
        "the request fails on its way through a proxy or after a redirect",
        "look at the proxy, or at the address of the redirect",
    ),
)
OF_SENTRY = (
    Check(
        "sentry",
        (OK,),
        "whether Sentry is on, and that its DSN is well-formed; nothing is sent to it",
    ),
    Check(
        "sentry-dsn",
        (BROKEN,),
        "the DSN is malformed, and Sentry stays off",
        "write one like `https://key@o0.ingest.sentry.io/0`",
    ),
    Check(
        "sentry-proxy",
        (OK,),
        "events or spans go to Sentry through a proxy",
    ),
)
