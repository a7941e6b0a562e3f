"""The faulty collector as tests use it: starts, asks and ends its process."""

from __future__ import annotations

import atexit
from types import TracebackType
from urllib.parse import urlsplit

from ._fault_settings import FaultSetting, connections_mode, signal_alone
from ._faults import Connections, Fault, Signal
from ._process import CollectorProcess
from ._reception import Reception


class FaultyCollector(Reception):
    """A real OTLP receiver of all signals on loopback ports, whose fault is switched at run time.

    It runs in a process of its own, is started by ``with`` or ``start()``, and ends with ``close()`` or with
    this process, however that ends. HTTP takes ``POST`` to ``/v1/traces``, ``/v1/logs`` and ``/v1/metrics``
    with protobuf, plain, gzip or deflate; gRPC takes ``Export`` of the three services. A process forked from
    this one may use it and cannot end it.

    The HTTP port is a fake Sentry server too, for ``sentry_dsn``: it takes envelopes, and traces and logs by
    OTLP, below ``/api/1/`` with the DSN's key, likewise plain, gzip or deflate. No brotli, which
    ``sentry_sdk`` uses where it is installed;
    ``_experiments={"transport_compression_algo": "gzip"}`` switches it off.

    Used as a context manager::

        with FaultyCollector() as collector:
            exporter = OTLPSpanExporter(collector.http_endpoint)
            collector.fault = Fault.BLACKHOLE

    One signal may have a fault alone: ``collector.set_fault(Fault.STATUS, status=404, signal=Signal.LOGS)``.

    The same by hand: ``curl -d '{"fault": "slow", "seconds": 3}' $CONTROL_URL/fault``.

    Args:
        http_port: The HTTP port; 0 for any free one.
        grpc_port: The gRPC port, likewise.
        control_port: The port of the control URL, likewise.

    Raises:
        ValueError: A port is not a number from 0 to 65535.
    """

    def __init__(self, *, http_port: int = 0, grpc_port: int = 0, control_port: int = 0) -> None:
        self._ports = {"http_port": http_port, "grpc_port": grpc_port, "control_port": control_port}
        for name, port in self._ports.items():
            if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65_535:
                raise ValueError(f"{name} must be a port from 0 (any free one) to 65535, not {port!r}")
        super().__init__()

    def __repr__(self) -> str:
        if self._process is None:
            return "<FaultyCollector, not running>"
        grpc = self._running.state["grpc_endpoint"]
        return f"<FaultyCollector: HTTP {self.http_endpoint}, gRPC {grpc}, control {self.control_url}>"

    def start(self) -> FaultyCollector:
        """Start it; does nothing if it runs already.

        Raises:
            RuntimeError: It cannot start: a port is taken, or the OTLP protobufs are not installed.
        """
        if self._process is None:
            self._process = CollectorProcess(**self._ports)
            atexit.register(self.close)
        return self

    def close(self) -> None:
        """End it and wait for its end; does nothing if it does not run."""
        process, self._process = self._process, None
        if process is not None:
            atexit.unregister(self.close)
            process.stop()

    def __enter__(self) -> FaultyCollector:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def http_endpoint(self) -> str:
        """The URL traces are posted to, as ``OTLPSpanExporter(endpoint=...)`` takes it."""
        return str(self._running.state["http_endpoint"])

    def http_endpoint_of(self, signal: Signal) -> str:
        """Return the URL that requests of `signal` are posted to, as its exporter's ``endpoint`` takes it."""
        return f"{self.http_base}/v1/{Signal(signal).value}"

    @property
    def http_base(self) -> str:
        """The URL without a path, as ``OTEL_EXPORTER_OTLP_ENDPOINT`` takes it."""
        return f"http://{urlsplit(self.http_endpoint).netloc}"

    @property
    def sentry_dsn(self) -> str:
        """The DSN of a fake Sentry project on the HTTP port: same key and project each time, no secret.

        Items of envelopes are in ``latest_sentry_items``; spans sent by OTLP count with all other spans.
        """
        return str(self._running.state["sentry_dsn"])

    @property
    def grpc_endpoint(self) -> str:
        """The URL of the gRPC port, as exporter and environment take it.

        Raises:
            RuntimeError: There is none: grpcio is not installed.
        """
        endpoint = self._running.state["grpc_endpoint"]
        if endpoint is None:
            raise RuntimeError("no gRPC port without grpcio: pip install 'breaker-exporter[grpc]'")
        return str(endpoint)

    @property
    def control_url(self) -> str:
        """The URL that does the same by HTTP from this machine: ``GET /state``, ``POST /fault`` and so on."""
        return str(self._running.state["control_url"])

    @property
    def fault(self) -> Fault:
        """The fault that was set last for all signals. Setting it is ``set_fault`` with its defaults."""
        return Fault(self._running.ask("GET", "/state")["fault"])

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self.set_fault(fault)

    def set_fault(
        self,
        fault: Fault,
        *,
        seconds: float | None = None,
        interval: float | None = None,
        status: int | None = None,
        retry_after: float | str | None = None,
        rejected: int | None = None,
        code: str | None = None,
        limit: int | None = None,
        connections: Connections | None = None,
        signal: Signal | None = None,
    ) -> None:
        """Switch the fault; it is in force when this returns.

        ``Fault`` says what each does, which of these settings it takes, and whether the items count.

        Args:
            fault: The fault.
            seconds: Delay of a ``SLOW`` answer.
            interval: Seconds between the bytes of a ``DRIP``.
            status: HTTP status of ``STATUS``.
            retry_after: Seconds, or an HTTP date, for the client to wait.
            rejected: Items of each request that ``PARTIAL_SUCCESS`` rejects.
            code: Status of gRPC's for ``STATUS``, such as ``OUT_OF_RANGE``.
            limit: Bytes above which a request is ``TOO_LARGE``.
            connections: The fate of open connections; by default ``BLACKHOLE`` keeps them (and they fall
                silent), and so does a fault of one signal alone; every other fault drops them.
            signal: The one signal whose fault it is, the others being as before; ``None`` for all of them,
                which ends what one had alone.

        Raises:
            ValueError: A value is not allowed, or a setting is not one of this fault's.
        """
        given = {
            "seconds": seconds,
            "interval": interval,
            "status": status,
            "retry_after": retry_after,
            "rejected": rejected,
            "code": code,
            "limit": limit,
        }
        setting = FaultSetting.of(fault, given)
        alone = signal_alone(signal, setting.fault)
        mode = connections_mode(connections, setting.fault, alone)
        fields = {**setting.as_json(), "connections": mode.value}
        self._running.ask("POST", "/fault", fields if alone is None else {**fields, "signal": alone.value})

    def renew(self) -> None:
        """Make it as new: no fault, nothing received, no connections, and other ports.

        Ports that were asked for by number stay; the others are out of reach of what an
        earlier test left running.
        """
        self._running.state = self._running.ask("POST", "/renew")
