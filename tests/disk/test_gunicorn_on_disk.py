"""P8 with real Gunicorns: sixteen workers, stops, recycling, kills and two generations in an outage."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from breaker_exporter.testing import Fault

from ..semantics._waiting import PATIENCE, until
from ._services import Load, Relay, Shop, kill_all, lost_too_late

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from breaker_exporter.testing import FaultyCollector

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
SIXTEEN = 16
SLOWLY = 3 * PATIENCE
"""Seconds, where sixteen workers share two cores."""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def has_taken(shop: Shop, collector: FaultyCollector) -> bool:
    """Return whether nothing lies on disk any more, and all spans have arrived."""
    return not shop.files and collector.span_ids >= shop.ended.keys()


def check_sums(sums: Counter[str], items: int) -> None:
    """Check that each item is accounted for as exported, over all processes."""
    assert sums["failed"] == sums["refused"] == sums["dropped"] == sums["retained"] == 0
    assert sums["spooled"] == sums["recovered"] > 0
    assert sums["received"] == sums["exported"] == items


def test_sixteen_workers_share_one_spool_and_one_replay(shop: Shop, collector: FaultyCollector) -> None:
    """K9, K12: at most one of them replays at a time, each batch once, and their sums agree."""
    with (
        Relay(collector) as relay,
        shop.gunicorn(relay.endpoint, "--workers", str(SIXTEEN)) as service,
    ):
        with Load(service, SIXTEEN):
            until(lambda: len({each.worker for each in shop.ended.values()}) == SIXTEEN, within=SLOWLY)
            until(lambda: len(shop.files) >= 3 * SIXTEEN, within=SLOWLY)
        assert len({path.parent for path in shop.files}) == 1
        until(lambda: shop.items_on_disk == len(shop.ended), within=SLOWLY)  # from now on all is replayed

        relay.open()
        until(lambda: has_taken(shop, collector), within=SLOWLY)
        assert service.terminate().returncode == 0

    assert relay.most_at_a_time == 1
    assert relay.requests >= 3 * SIXTEEN
    assert collector.span_ids == shop.ended.keys()
    assert collector.duplicates == 0
    healths = shop.healths
    assert len(healths) == SIXTEEN
    assert sum(health["recovered"] != 0 for health in healths.values()) > 1  # in turn
    check_sums(shop.sums(), len(shop.ended))


def test_sixteen_workers_killed_with_their_gunicorn_lose_their_last_second_alone(
    shop: Shop, collector: FaultyCollector
) -> None:
    """K8: by SIGKILL in the outage, and the next Gunicorn delivers the rest by itself."""
    collector.fault = Fault.REFUSE
    with (
        shop.gunicorn(collector.http_base, "--workers", str(SIXTEEN)) as service,
        Load(service, SIXTEEN) as load,
    ):
        until(lambda: len({each.worker for each in shop.ended.values()}) == SIXTEEN, within=SLOWLY)
        load.slowest = 0.0  # without the time of their start
        until(lambda: len(shop.files) >= 3 * SIXTEEN, within=SLOWLY)
        killed = kill_all(service)
        busy = 0.5 + load.slowest
    ended, left = shop.ended, shop.items_on_disk
    collector.fault = Fault.NONE

    with shop.gunicorn(collector.http_base, "--workers", str(SIXTEEN)) as service:
        until(lambda: not shop.files, within=SLOWLY)
        assert service.terminate().returncode == 0

    assert len(collector.span_ids) == left > 0
    assert lost_too_late(shop, collector.span_ids, killed, busy) == set()
    assert collector.duplicates == 0
    assert shop.ended == ended  # nobody has asked the second one for anything
    sums = shop.sums()
    assert sums["recovered"] == sums["exported"] == left
    assert sums["dropped"] == sums["failed"] == sums["refused"] == 0


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGQUIT])
def test_two_generations_side_by_side_lose_nothing(
    shop: Shop, collector: FaultyCollector, by: signal.Signals
) -> None:
    """A rolling restart in the outage: SIGUSR2, then the end of the old Gunicorn beside the new one."""
    collector.fault = Fault.REFUSE

    def masters() -> set[int]:
        return {each.master for each in shop.ended.values()}

    def is_asked(master: int, since: int) -> bool:
        """Return whether a generation has served requests since so many spans had ended."""
        return any(each.master == master for each in list(shop.ended.values())[since:])

    with shop.gunicorn(collector.http_base, "--workers", "2") as old:
        with Load(old, 4):
            until(lambda: shop.files)
            os.kill(old.pid, signal.SIGUSR2)
            until(lambda: len(masters()) == 2, within=SLOWLY)
            (new,) = masters() - {old.pid}
            side_by_side = len(shop.ended)
            until(lambda: is_asked(old.pid, side_by_side) and is_asked(new, side_by_side))
            os.kill(old.pid, by)
            until(lambda: len(shop.healths) == 2)  # each of its workers has ended well
            alone = len(shop.ended)
            until(lambda: is_asked(new, alone))
            assert collector.counts().spans == 0
            collector.fault = Fault.NONE
            until(lambda: collector.counts().spans)
        until(lambda: has_taken(shop, collector), within=SLOWLY)
        os.kill(new, signal.SIGTERM)
        old.wait()

    assert collector.span_ids >= shop.ended.keys()
    assert collector.duplicates == 0
    assert len(shop.healths) == 4
    check_sums(shop.sums(), len(collector.span_ids))


def test_workers_recycled_in_an_outage_lose_nothing(shop: Shop, collector: FaultyCollector) -> None:
    """K10: ``max_requests``."""
    collector.fault = Fault.REFUSE
    with shop.gunicorn(collector.http_base, "--workers", "2", "--max-requests", "10") as service:
        with Load(service, 4):
            until(lambda: len(shop.healths) >= 4, within=SLOWLY)
            collector.fault = Fault.NONE
            until(lambda: collector.counts().spans, within=SLOWLY)
        until(lambda: has_taken(shop, collector), within=SLOWLY)
        assert service.terminate().returncode == 0

    assert len({each.worker for each in shop.ended.values()}) >= 4
    assert collector.span_ids >= shop.ended.keys()
    assert collector.duplicates == 0
    check_sums(shop.sums(), len(collector.span_ids))


def test_a_stop_in_an_outage_and_a_start_after_it_lose_nothing(
    shop: Shop, collector: FaultyCollector
) -> None:
    """K10: SIGTERM under load."""
    collector.fault = Fault.REFUSE
    with shop.gunicorn(collector.http_base, "--workers", "2") as service, Load(service, 4):
        until(lambda: shop.files)
        assert service.terminate().returncode == 0
    sums = shop.sums()
    assert sums["received"] == sums["spooled"] == shop.items_on_disk >= len(shop.ended)
    assert collector.counts().spans == 0
    collector.fault = Fault.NONE

    with shop.gunicorn(collector.http_base, "--workers", "2") as service:
        until(lambda: has_taken(shop, collector), within=SLOWLY)
        assert service.terminate().returncode == 0

    assert collector.duplicates == 0
    check_sums(shop.sums(), len(collector.span_ids))
