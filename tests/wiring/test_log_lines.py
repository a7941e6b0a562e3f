"""The log of a service, as an operator reads it: at the start, in an outage, at the end (G1, G2, G5, G6)."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter import gunicorn
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import Fault, FaultyCollector

from .._gunicorn import GunicornService
from ..semantics._processes import run_code
from ..semantics._waiting import until
from .test_gunicorn import APP, BY_ENVIRONMENT, to

OWN_LOGGING = """
import logging, sys
logging.basicConfig(level="INFO", format="mine: %(levelname)s %(message)s", stream=sys.stderr)
"""
STAMP = r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[(\d+)\] "
"""As Gunicorn has it: time and pid."""


def about(text: str, *words: str) -> list[str]:
    return [line for line in text.splitlines() if any(word in line for word in words)]


@pytest.mark.parametrize("worker", ["sync", "gevent"])
def test_lines_are_written_to_gunicorns_error_log_with_time_pid_and_level(
    collector: FaultyCollector, worker: str
) -> None:
    """The lines of a deployment during an outage, too: what was lost is in the last one of each worker."""
    env = to(
        collector,
        OTEL_SERVICE_NAME="shop",
        OTEL_BSP_SCHEDULE_DELAY="50",
        BREAKER_EXPORTER_FAILURE_THRESHOLD="2",
        BREAKER_EXPORTER_COOLDOWN="0.1",
        BREAKER_EXPORTER_MAX_COOLDOWN="0.1",
    )
    with GunicornService(APP, conf=BY_ENVIRONMENT, env=env, args=["-k", worker]) as service:

        def ask_until(pattern: str) -> None:
            until(lambda: service.get() and re.search(pattern, service.output), within=20)

        service.wait_for_line("telemetry started")
        collector.fault = Fault.REFUSE
        ask_until("circuit opened")
        collector.fault = Fault.NONE
        ask_until("circuit closed")
        collector.fault = Fault.REFUSE
        until(lambda: service.get() and service.output.count("circuit opened") == 2, within=20)
        service.terminate()

    who = re.escape(f"collector ({collector.http_base})")
    started, opened, closed, _, stopped = about(
        service.output, "telemetry started", "circuit opened", "circuit closed", "stopped"
    )
    settings = "failure_threshold 2, cooldown 0.1 s, max_cooldown 0.1 s"
    place = f"collector ({collector.http_base}, OTLP by http/protobuf)"
    assert re.search(STAMP + r"\[INFO\] telemetry started: service shop, spans go to ", started)
    assert started.endswith(f"spans go to {place}; not the defaults: {settings}")
    assert re.search(
        STAMP + rf"\[WARNING\] {who}: circuit opened: .*; \d+ spans? kept, 0 lost so far", opened
    )
    assert re.search(STAMP + rf"\[WARNING\] {who}: circuit closed after [\d.]+ s; .* 0 lost in this", closed)
    assert re.search(STAMP + rf"\[WARNING\] {who}: stopped: \d+ spans? exported, \d+ lost since", stopped)
    assert len({line.split("]")[1] for line in (started, opened, closed, stopped)}) == 1, "the worker's pid"


def test_where_the_application_sets_up_logging_its_handlers_write_the_lines(
    collector: FaultyCollector,
) -> None:
    with GunicornService(OWN_LOGGING + APP, conf=BY_ENVIRONMENT, env=to(collector)) as service:
        service.get()
        service.terminate()

    found = about(service.output, "telemetry started", "stopped")
    assert [line.partition(":")[0] for line in found] == ["mine", "mine"]


DISABLING = """
import logging.config
logging.config.dictConfig({{
    "version": 1,
    "formatters": {{"mine": {{"format": "mine: %(message)s"}}}},
    "handlers": {{"console": {{"class": "logging.StreamHandler", "formatter": "mine"}}}},
    {where}: {{"level": "INFO", "handlers": ["console"]}},
}})
"""


@pytest.mark.parametrize(
    ("where", "begins"),
    [
        pytest.param('"root"', "mine: ", id="root"),
        pytest.param('"loggers": {"app": {}}, "filters"', r"\[.*\] \[INFO\] ", id="no_root"),
    ],
)
def test_a_dictconfig_that_disables_existing_loggers_does_not_silence_ours(
    collector: FaultyCollector, where: str, begins: str
) -> None:
    """It does so by default, and the hooks have imported ours before; G6 holds for Gunicorn's as well."""
    source = DISABLING.format(where=where)
    if "filters" in where:
        source = source.replace(': {"level": "INFO", "handlers": ["console"]},', ": {},")
    with GunicornService(source + APP, conf=BY_ENVIRONMENT, env=to(collector)) as service:
        service.get()
        service.terminate()

    found = about(service.output, "telemetry started", "stopped")
    assert len(found) == 2
    assert all(re.match(begins, line) for line in found)


WITHOUT_HOOKS = """
import logging
{made}
logging.getLogger("breaker_exporter").disabled = True
handler = logging.StreamHandler()
handler.setFormatter(logging.Formatter("[gunicorn] %(levelname)s %(message)s"))
logging.getLogger("gunicorn.error").addHandler(handler)
logging.getLogger("gunicorn.error").setLevel("INFO")
{used}
"""


@pytest.mark.parametrize(
    ("made", "used"),
    [
        pytest.param(
            "from breaker_exporter._zero_code import HTTPSpanExporter\n"
            "made = HTTPSpanExporter(); made.make()",
            "made.export([]); made.export([]); made.shutdown()",
            id="zero_code",
        ),
        pytest.param(
            "from breaker_exporter.telemetry import Telemetry\nmade = Telemetry()",
            "made.start(); made.stop(); made.start(); made.stop()",
            id="telemetry",
        ),
    ],
)
def test_inside_gunicorn_lines_are_written_to_its_error_log_without_hooks_too(made: str, used: str) -> None:
    """Zero code is made while the interpreter starts: before anybody, Gunicorn too, has set up logging."""
    lines = run_code(WITHOUT_HOOKS.format(made=made, used=used)).splitlines()

    begins = [
        "[gunicorn] INFO telemetry started: ",
        "[gunicorn] INFO collector (http://localhost:4318): stopped: ",
    ]
    assert len(lines) in (2, 4)
    assert all(line.startswith(begins[n % 2]) for n, line in enumerate(lines))


LEVELS = """
import logging, sys
from types import SimpleNamespace
from gunicorn.config import Config
from gunicorn.glogging import Logger
from breaker_exporter._wiring.gunicorn_log import write_to_error_log

config = Config()
config.set("loglevel", "warning")
server = SimpleNamespace(log=Logger(config))
take_back = write_to_error_log(server)
logger = logging.getLogger("breaker_exporter")
logger.setLevel("DEBUG")
logger.warning("loud enough")
logger.info("too quiet for the error log")
server.log.error_log.handlers[0].setLevel("ERROR")
logger.warning("too quiet for its handler")
server.log.error_log.handlers[0].setLevel("NOTSET")
(ours,) = logger.handlers
ours.addFilter(lambda record: "filtered" not in record.msg)
logger.warning("filtered")
take_back()
assert not logger.handlers
"""


def test_levels_and_filters_of_gunicorns_error_log_apply() -> None:
    lines = run_code(LEVELS).splitlines()

    assert [line.partition("] [WARNING] ")[2] for line in lines] == ["loud enough"]


EXPORTED = """
import logging, warnings
from types import SimpleNamespace
from gunicorn.config import Config
from gunicorn.glogging import Logger
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from breaker_exporter._wiring.gunicorn_log import write_to_error_log

warnings.simplefilter("ignore")
write_to_error_log(SimpleNamespace(log=Logger(Config())))
logging.getLogger().addHandler(LoggingHandler(logger_provider=LoggerProvider()))
logging.getLogger("breaker_exporter").warning("lost")
logging.getLogger().addHandler(logging.NullHandler())
logging.getLogger("breaker_exporter").warning("heard by another")
"""


def test_a_handler_that_exports_logs_is_no_place_for_our_lines() -> None:
    """L3, G6: it takes two of them only."""
    lines = run_code(EXPORTED).splitlines()

    assert [line.partition("] [WARNING] ")[2] for line in lines] == ["lost"]


def test_a_server_without_an_error_log_changes_nothing() -> None:
    class Server:
        log = object()

    made = gunicorn.hooks(Telemetry())
    before = logging.getLogger("breaker_exporter").handlers[:]

    made.post_fork(Server(), None)
    made.worker_exit(Server(), None)

    assert logging.getLogger("breaker_exporter").handlers == before


def test_the_line_at_the_start_names_service_destinations_and_changed_settings(
    collector: FaultyCollector, caplog: pytest.LogCaptureFixture
) -> None:
    """G5."""
    caplog.set_level(logging.INFO, logger="breaker_exporter")
    provider = TracerProvider(resource=Resource({"service.name": "shop\n"}))
    for telemetry in (
        Telemetry(provider=provider, endpoint=collector.http_endpoint),
        Telemetry(
            provider=provider, endpoint=collector.grpc_endpoint, protocol="grpc", timeout=3, cooldown=90
        ),
    ):
        telemetry.start()
        telemetry.stop()

    lines = [record.getMessage() for record in caplog.records]
    http, grpc = (line for line in lines if "started" in line)
    assert http == (
        f"telemetry started: service shop, spans go to collector ({collector.http_base}, "
        "OTLP by http/protobuf); all circuit and retention settings are the defaults"
    )
    place = collector.grpc_endpoint.replace("http://", "grpc://")
    assert grpc == (
        f"telemetry started: service shop, spans go to collector ({place}, OTLP by grpc); "
        "not the defaults: cooldown 90 s, timeout 3 s"
    )
    assert [line.partition(": ")[2] for line in lines if "stopped" in line] == [
        "stopped: 0 spans exported, none lost"
    ] * 2


OUTAGE = """
from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail, succeed
from tests.semantics._spans import spans

clock = ManualClock()
exporter = CircuitBreakerSpanExporter(
    ScriptedExporter([fail, succeed]), name="otlp", failure_threshold=1, cooldown=10, clock=clock
)
exporter.export(spans(1))
clock.advance(10)
exporter.export(spans(1))
"""
LOGGING = {
    "none, as with Flask": "",
    "Django's": "import django.conf; django.conf.settings.configure(); import django; django.setup()",
    "uvicorn's": "import logging.config, uvicorn.config as c; logging.config.dictConfig(c.LOGGING_CONFIG)",
}


@pytest.mark.parametrize("how", LOGGING)
@pytest.mark.parametrize("first", [True, False])
def test_both_lines_of_an_outage_are_seen_with_the_logging_that_frameworks_come_with(
    how: str, *, first: bool
) -> None:
    """G1: a pair has one level."""
    for name in ("django", "uvicorn"):
        if name in LOGGING[how]:
            pytest.importorskip(name, reason="needs the group services")
    imports = "import breaker_exporter._base.log\n" if first else ""

    output = run_code(imports + LOGGING[how] + OUTAGE, path=Path(__file__).parents[2])

    assert re.findall(r"otlp: circuit (\w+)", output) == ["opened", "closed"]
