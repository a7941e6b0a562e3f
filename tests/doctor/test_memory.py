"""The memory that all workers may keep, against the cgroup's; retention given in code comes through."""

from __future__ import annotations

from pathlib import Path

import pytest

from breaker_exporter import Retention
from breaker_exporter._doctor import memory
from breaker_exporter._doctor.report import Finding

from ..semantics.test_cgroup import MIB, tree
from ._findings import bad, diagnosed, in_force, taken
from .test_conf import GEVENT, MAKE, looked_at


def found(tmp_path: Path, workers: int, limit: int | None, memory_of_each: int = 16 * MIB) -> Finding:
    root = tree(tmp_path, "0::/\n", {"memory.max": "max" if limit is None else str(limit)})
    (finding,) = taken(memory.examine(workers, Retention(memory=memory_of_each), root))
    return finding


@pytest.mark.parametrize(
    ("workers", "limit", "kept", "expected"),
    [
        (4, 2048, 16, "each process keeps up to 16 MiB in an outage, 4 workers 64 MiB; the cgroup may use "),
        (0, 2048, 16, "each process keeps up to 16 MiB in an outage; the cgroup may use 2,048 MiB"),
        (1, 2048, 16, "each process keeps up to 16 MiB in an outage; the cgroup may use 2,048 MiB"),
        (2, None, 16, "each process keeps up to 16 MiB in an outage, 2 workers 32 MiB; no cgroup limits"),
        (
            2,
            96,
            16,
            "each process keeps up to 1.5 MiB in an outage (of 16 MiB: 1/64 of what the cgroup may use)",
        ),
        (9, 96, 0, "nothing is kept in an outage: BREAKER_EXPORTER_RETAIN_MEMORY is 0"),
    ],
)
def test_what_all_workers_keep_is_told(
    tmp_path: Path, workers: int, limit: int | None, kept: int, expected: str
) -> None:
    """K6."""
    finding = found(tmp_path, workers, limit and limit * MIB, kept * MIB)

    assert bad([finding]) == []
    assert finding.check == "retention"
    assert finding.text.startswith(expected)


def test_many_workers_are_warned_of(tmp_path: Path) -> None:
    finding = found(tmp_path, workers=16, limit=1024 * MIB)

    assert bad([finding]) == ["warning retention-memory"]
    assert "16 workers 256 MiB; the cgroup may use 1,024 MiB" in finding.text
    assert finding.advice.startswith(f"lower BREAKER_EXPORTER_RETAIN_MEMORY to {8 * MIB}, ")
    lowered = taken(memory.examine(16, Retention(memory=8 * MIB), tmp_path))
    assert bad(lowered) == []


def test_gunicorns_number_of_workers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--workers 3")

    assert looked_at(None)[1].workers == 3
    monkeypatch.delenv("GUNICORN_CMD_ARGS")
    assert looked_at("workers = 5\n")[1].workers == 5


def test_a_retention_in_code_is_brought_back_from_the_configuration(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("BREAKER_EXPORTER_RETAIN_MAX_AGE", "60")
    Path("gunicorn.conf.py").write_text(
        GEVENT
        + MAKE
        + "from breaker_exporter import Retention\n"
        + "telemetry = Telemetry(retention=Retention(memory=1048576, keep='oldest'))\n"
        + "post_fork, post_worker_init, worker_exit = hooks(telemetry)\n"
    )

    found = diagnosed(capsys)

    settings = found.settings()
    assert settings["retention_memory"] == (1_048_576, "code")
    assert settings["retention_max_age"] == (86_400.0, "code")
    assert settings["retention_keep"] == ("oldest", "code")
    assert "keeps up to 1 MiB" in found.text


def test_the_table_names_variables_of_retention() -> None:
    _, force = in_force({"BREAKER_EXPORTER_RETAIN_MEMORY": "0"})
    rows = {row.name: (row.value, row.unit, row.source) for row in force.rows}

    assert rows["retention_memory"] == (0, "bytes", "BREAKER_EXPORTER_RETAIN_MEMORY")
    assert rows["retention_max_age"] == (86_400.0, "s", "default")
    assert rows["retention_replay_rate"] == (4.0, "", "default")
    assert rows["retention_keep"] == ("newest", "", "default")
