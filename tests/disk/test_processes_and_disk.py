"""K8, K9, K12 with real processes: killed at random instants, stopped under the lease, in a row."""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.process
import os
import random
import signal
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from breaker_exporter._core import choice, disk_replay, replay_pace, sender_steps
from breaker_exporter._spool.spool import Spool

from ..retention._retaining import DELIVERED, UNREACHABLE, batch
from ..semantics._waiting import PATIENCE, until
from ._storing import Storing, exporter_on, files, names_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..retention._retaining import Encoded

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload([__name__])


class _World:
    """A backend that all processes share, and the health of each that ended well."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "kept"
        self.directory.mkdir(mode=0o700)
        self._sent, self._health, self._up = root / "sent", root / "health", root / "up"
        self._exported = root / "exported"
        self.children: dict[int, multiprocessing.process.BaseProcess] = {}

    def come_up(self) -> None:
        self._up.touch()

    def go_down(self) -> None:
        self._up.unlink(missing_ok=True)

    def answer(self, payload: Encoded) -> object:
        if not self._up.exists():
            return UNREACHABLE
        self._append(self._sent, payload.names)
        return DELIVERED

    @property
    def sent(self) -> Counter[str]:
        return Counter(name for names in self._read(self._sent) for name in names)

    @property
    def exported(self) -> list[tuple[float, str]]:
        """The time and the name of each item that was exported."""
        return [(at, name) for at, name in self._read(self._exported)]

    @property
    def healths(self) -> list[dict[str, Any]]:
        return self._read(self._health)

    def start(self, seed: int, *, items: int = 10_000) -> int:
        """Start a process that exports until it is killed, or told to end."""
        return self.run(_work, seed, items)

    def run(self, work: Callable[..., None], *arguments: object) -> int:
        """Do `work` with this world in a process of its own."""
        # Forked by a process without threads: this one has some, and what they hold, a child would wait for.
        process = _FORKED.Process(target=work, args=(self, *arguments))
        process.start()
        assert process.pid is not None
        self.children[process.pid] = process
        return process.pid

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        os.kill(pid, number)
        process = self.children.pop(pid)
        process.join(PATIENCE)
        assert process.exitcode in (0, -number)

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "children": {}}

    def work(self, seed: int, items: int) -> None:
        over: list[int] = []
        signal.signal(signal.SIGTERM, lambda *_: over.append(1))
        exporter = exporter_on(
            self.directory, Storing(default=self.answer), name="one", failure_threshold=1, cooldown=0.2
        )
        exporter._look_on_disk(batch("x")[0].resource)
        chance = random.Random(seed)
        for number in range(items):
            if over:
                break
            name = f"{seed}-{number}"
            at = time.time()
            exporter.export(batch(name))
            self._append(self._exported, (at, name))
            time.sleep(chance.uniform(0.001, 0.02))
        while not over:
            time.sleep(0.01)
        exporter.shutdown(10_000)
        self._append(self._health, asdict(exporter.health()))

    def _append(self, path: Path, value: object) -> None:
        line = (json.dumps(value, default=str) + "\n").encode()
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, line)
        os.close(file)

    def _read(self, path: Path) -> list[Any]:
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _hold(world: _World, held: Path) -> None:
    """Take the lease, and stop; give it back when this goes on."""
    service = "unknown_service:python"
    spool = Spool(str(world.directory), service, "spans", "one", limit=1 << 20, keep_newest=True)
    spool.open()
    assert spool.try_lease()
    held.touch()
    os.kill(os.getpid(), signal.SIGSTOP)
    spool.give_back()
    time.sleep(60)


def _work(world: _World, seed: int, items: int) -> None:
    # The pace of a replay is none of this: as fast as can be.
    replay_pace._LONGEST_GAP = 0.002
    sender_steps._LOOK_AGAIN = choice._ASK_DISK_AGAIN = disk_replay._ASK_AGAIN = 0.05
    world.work(seed, items)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[_World]:
    world = _World(tmp_path)
    yield world
    for pid in list(world.children):
        os.kill(pid, signal.SIGCONT)
        world.kill(pid)


def test_killed_at_random_instants_they_lose_nothing_that_is_older_than_a_second(world: _World) -> None:
    chance = random.Random(7)
    killed: list[float] = []
    workers = [world.start(seed) for seed in range(3)]
    seed = 3
    for _ in range(8):
        time.sleep(chance.uniform(0.1, 0.5))
        (world.come_up if chance.random() < 0.4 else world.go_down)()
        victim = chance.choice(workers)
        world.kill(victim)
        killed.append(time.time())
        workers.remove(victim)
        workers.append(world.start(seed))
        seed += 1
    world.come_up()
    for pid in workers:
        world.kill(pid, signal.SIGTERM)
    last = world.start(seed, items=1)
    until(lambda: files(world.directory) == [])
    world.kill(last, signal.SIGTERM)

    sent = world.sent
    lost = [(at, name) for at, name in world.exported if name not in sent]
    # Only what a worker had taken in within a second of its end, by SIGKILL.
    assert all(any(0 <= end - at <= 1.2 for end in killed) for at, name in lost), lost
    assert max(sent.values()) <= 2
    doubled = [name for name, count in sent.items() if count > 1]
    assert len(doubled) <= 8 * 2


def test_the_sums_over_all_processes_that_ended_well_agree(world: _World) -> None:
    """K12: K10, a rolling restart with two generations side by side."""
    first = [world.start(seed, items=60) for seed in range(2)]
    time.sleep(0.5)
    second = [world.start(seed, items=60) for seed in range(2, 4)]
    time.sleep(0.5)
    for pid in first:
        world.kill(pid, signal.SIGTERM)
    world.come_up()
    time.sleep(0.3)
    for pid in second:
        world.kill(pid, signal.SIGTERM)
    last = world.start(4, items=1)
    until(lambda: files(world.directory) == [])
    world.kill(last, signal.SIGTERM)

    total: Counter[str] = Counter()
    for health in world.healths:
        total.update({name: value for name, value in health.items() if isinstance(value, int)})
    assert len(world.healths) == 5
    assert total["dropped"] == total["failed"] == total["refused"] == 0
    assert total["spooled"] == total["recovered"]
    assert total["exported"] == total["received"] == len(world.exported)
    assert sum(world.sent.values()) - total["resent"] <= total["received"] + 2
    assert set(world.sent) == {name for _, name in world.exported}


def test_a_stopped_holder_of_the_lease_keeps_nobody_from_sending_live(world: _World, tmp_path: Path) -> None:
    """K9."""
    inner = Storing(default=UNREACHABLE)
    left = exporter_on(world.directory, inner, name="one", failure_threshold=1)
    for number in range(5):
        left.export(batch(f"left-{number}"))
    left.shutdown()
    holder = world.run(_hold, tmp_path / "held")
    until((tmp_path / "held").exists)
    world.come_up()
    other = world.start(1, items=30)
    until(lambda: sum(name.startswith("1-") for name in world.sent) == 30)
    world.go_down()
    later = world.start(2, items=5)
    until(lambda: sum(name.startswith("2-") for name in names_on(world.directory)) == 5)
    world.come_up()
    assert not any(name.startswith("left") for name in world.sent)

    os.kill(holder, signal.SIGCONT)

    until(lambda: files(world.directory) == [])
    assert {f"left-{number}" for number in range(5)} <= set(world.sent)
    for pid in (other, later):
        world.kill(pid, signal.SIGTERM)


def test_a_killed_holder_of_the_lease_leaves_it_to_the_others(world: _World, tmp_path: Path) -> None:
    workers = [world.start(seed, items=20) for seed in range(3)]
    until(lambda: len(names_on(world.directory)) == 60)
    world.kill(workers[0])
    world.come_up()

    until(lambda: files(world.directory) == [])

    assert len(world.sent) == 60
    for pid in workers[1:]:
        world.kill(pid, signal.SIGTERM)
