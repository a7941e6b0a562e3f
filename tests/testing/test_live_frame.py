"""The picture of the live table: what it says, and that it fits."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pytest
from rich.console import Console

from breaker_exporter.testing import Fault, Signal
from breaker_exporter.testing._arrivals import Row, Source
from breaker_exporter.testing._fault_settings import FaultSetting
from breaker_exporter.testing._live.frame import Glance, frame
from breaker_exporter.testing._live.keys import FAULTS, name, pressed

STATE: Mapping[str, object] = {
    "http_endpoint": "http://127.0.0.1:4318/v1/traces",
    "grpc_endpoint": None,
    "sentry_dsn": "http://fa4e@127.0.0.1:4318/1",
    "control_url": "http://127.0.0.1:4319",
    "requests": 1,
    "open_connections": 2,
}
HEALTHY = FaultSetting()
ROWS = (
    Row(Source.COLLECTOR, "shop/checkout", "spans", 1_234_567, 12, 1_500.0, 0.4),
    Row(Source.COLLECTOR, "shop/checkout", "log records", 42, 0, 0.0, 75.0),
    Row(Source.SENTRY_OTLP, "[red]shop", "spans", 7, 0, 1.4, 2.0),
    Row(Source.SENTRY_ENVELOPE, "\N{CJK UNIFIED IDEOGRAPH-5E97}" * 40, "transaction", 3, None, 0.6, 1.0),
)


def glance(rows: tuple[Row, ...] = ROWS, **fields: object) -> Glance:
    values: dict[str, object] = {"fault": HEALTHY, "alone": {}, "seconds": 61.0, "fault_seconds": 5.0}
    return Glance(state=STATE, rows=rows, **{**values, **fields})  # type: ignore[arg-type]


def picture(shown: Glance, width: int = 80, height: int = 24) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, height=height, color_system=None).print(frame(shown, width, height))
    return file.getvalue().splitlines()


def words(shown: Glance, width: int = 80, height: int = 24) -> list[str]:
    """The lines with one blank between any two words."""
    return [" ".join(line.split()) for line in picture(shown, width, height)]


def test_each_row_says_address_service_items_duplicates_rate_and_age() -> None:
    lines = words(glance())

    assert lines[0] == "What arrives at this collector 1 min 1 s, 1 request, 2 connections open"
    assert lines[2] == "sent to service items received duplicates per s latest"
    assert lines[4] == "collector shop/checkout spans 1,234,567 12 1,500.0 0 s ago"
    assert lines[5] == "collector shop/checkout log records 42 0 0.0 1 min ago"
    assert lines[6] == "Sentry OTLP [red]shop spans 7 0 1.4 2 s ago"
    assert lines[7].startswith("Sentry envelope ")
    assert lines[7].endswith(" transaction 3 - 0.6 1 s ago")


def test_at_first_it_says_how_to_send_something() -> None:
    lines = words(glance(()))

    assert lines[2] == "Nothing has arrived yet. Start your service in another terminal, with"
    assert lines[3] == "export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"


def test_the_fault_and_those_of_signals_alone_are_named() -> None:
    slow, refused = FaultSetting.of("slow", {"seconds": 2}), FaultSetting.of("status", {"status": 404})

    assert "fault none for 5 s" in words(glance())
    shown = glance(fault=slow, alone={Signal.LOGS: refused, Signal.METRICS: HEALTHY})
    expected = "fault slow (seconds=2.0), logs alone: status 404, metrics alone: none for 5 s"
    assert expected in words(shown, 100)


def test_each_key_is_shown_with_its_fault() -> None:
    text = " ".join(words(glance()))

    for key, setting in FAULTS.items():
        assert f"{key} {name(setting)} " in text
    assert {setting.fault for setting in FAULTS.values()} == set(Fault)
    assert "keys for all signals: n none" in text
    assert "Tab keys for traces alone c clear q quit" in text


def test_the_keys_say_whose_fault_they_switch() -> None:
    assert "Tab keys for all signals" in " ".join(words(glance(signal=Signal.METRICS)))
    text = " ".join(words(glance(signal=Signal.TRACES, notice="not this one")))

    assert "keys for traces alone: n none" in text
    assert "Tab keys for logs alone c clear q quit not this one" in text


def test_the_addresses_are_shown() -> None:
    assert words(glance())[-4:] == [
        "OTLP/HTTP http://127.0.0.1:4318",
        "OTLP/gRPC none: pip install breaker-exporter[grpc]",
        "Sentry http://fa4e@127.0.0.1:4318/1",
        "control http://127.0.0.1:4319",
    ]


@pytest.mark.parametrize("rows", [(), ROWS, ROWS * 20], ids=["none", "few", "many"])
@pytest.mark.parametrize("height", [7, 12, 24, 60])
@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_it_fits(rows: tuple[Row, ...], width: int, height: int) -> None:
    lines = picture(glance(rows, notice="x" * 300, alone=dict.fromkeys(Signal, HEALTHY)), width, height)

    assert len(lines) <= height
    console = Console(width=width)
    assert all(console.measure(line).maximum <= width for line in lines)
    assert any(line.startswith("fault") for line in lines)


def test_the_latest_refusal_is_shown() -> None:
    assert "refused: 415, no such type" in words(glance(refusal="415, no such type"))


def test_rows_without_room_are_counted() -> None:
    lines = words(glance(ROWS * 5))

    assert len(lines) == 24
    (more,) = (line for line in lines if line.endswith("more rows"))
    assert more == f"... {20 - sum(' ago' in line for line in lines)} more rows"


def test_a_narrow_terminal_shows_names_and_numbers_first() -> None:
    lines = words(glance(), 45)

    assert lines[2] == "sent to service items received"
    assert "1,234,567" in lines[4]
    assert lines[4].startswith("collector sho")


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"b", "b"),
        (b"BN", "bn"),
        (b"\x1b[A\x1b[1;5Cq", "q"),
        (b"\x1bOPx", "x"),
        (b"\x1b", ""),
        (b"\x1bb", ""),
        (b"export OTEL_EXPORTER", ""),
        (b"\xff\xfe5", "5"),
    ],
)
def test_arrows_and_pasted_text_are_no_keys(data: bytes, keys: str) -> None:
    assert pressed(data) == keys
