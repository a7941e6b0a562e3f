"""Exporters that are shut down in the end; certificates; silence for the official encoder."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from breaker_exporter.otlp import CooperativeOTLPSpanExporter, OTLPGrpcSpanExporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._grpc_server import MakeGrpc
    from ._server import Make


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes exporters that are shut down at the end."""
    made: list[CooperativeOTLPSpanExporter] = []

    def make(*args: Any, **kwargs: Any) -> CooperativeOTLPSpanExporter:
        made.append(CooperativeOTLPSpanExporter(*args, **kwargs))
        return made[-1]

    yield make
    for exporter in made:
        exporter.shutdown()


@pytest.fixture
def make_grpc() -> Iterator[MakeGrpc]:
    """Makes exporters that are shut down at the end."""
    made: list[OTLPGrpcSpanExporter] = []

    def make(*args: Any, **kwargs: Any) -> OTLPGrpcSpanExporter:
        made.append(OTLPGrpcSpanExporter(*args, **kwargs))
        return made[-1]

    yield make
    for exporter in made:
        exporter.shutdown()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> str:
    """The file that the certificates of `tls` are verified by."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


@pytest.fixture(autouse=True, scope="module")
def quiet_official() -> Iterator[None]:
    logger = logging.getLogger("opentelemetry")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(before)
