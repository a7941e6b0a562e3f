"""The lease (K9): one spool of one process on a host has it, and loses it with its process."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._spool.lease import LeaseFile

from ..semantics._children import in_child
from ..semantics._waiting import start, until
from ._files import fill, found, limited, no_rest
from ._processes import Line, process

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter._spool.spool import Spool

    from .conftest import Make


def holder(make: Make) -> Callable[[Line], None]:
    """What a process does that takes the lease, says so, and gives it back when it is told to."""

    def hold(line: Line) -> None:
        spool = make()
        assert spool.try_lease()
        line.say("has it")
        line.hear()
        spool.give_back()
        line.say("gave it back")
        line.hear()

    return hold


def test_one_spool_at_a_time_has_it(make: Make) -> None:
    first, second, elsewhere = make(), make(), make("logs")

    assert first.try_lease()
    assert first.try_lease()
    assert not second.try_lease()
    assert elsewhere.try_lease()
    assert (first.is_leased, second.is_leased) == (True, False)

    first.give_back()
    first.give_back()
    assert second.try_lease()
    assert (first.is_leased, second.is_leased) == (False, True)


def test_who_closes_gives_it_back(make: Make) -> None:
    first, second = make(), make()
    assert first.try_lease()

    first.close()

    assert not first.is_leased
    assert second.try_lease()


def test_who_closes_another_spool_of_the_folder_does_not_free_it(make: Make) -> None:
    """The kernel frees a process's lock when the process closes any descriptor of the file."""
    first, second = make(), make()
    assert first.try_lease()

    second.open()
    second.close()

    in_child(lambda: _is_taken(make()))


def test_a_process_is_told_from_another(make: Make) -> None:
    with process(holder(make)) as other:
        assert other.hear() == "has it"
        spool = make()
        assert not spool.try_lease()

        other.say()
        assert other.hear() == "gave it back"
        assert spool.try_lease()


def test_a_holder_that_is_killed_frees_it(make: Make) -> None:
    with process(holder(make)) as other:
        other.hear()
        spool = make()
        assert not spool.try_lease()

        other.kill()

        assert spool.try_lease()


def test_a_forked_orphan_does_not_keep_it(make: Make) -> None:
    def fork_and_say(line: Line) -> None:
        spool = make()
        assert spool.try_lease()
        if os.fork() == 0:
            line.hear()  # until the test ends
            os._exit(0)
        line.say("has it")
        line.hear()

    with process(fork_and_say) as other:
        other.hear()
        spool = make()
        other.kill()

        assert spool.try_lease()
        other.say()


def test_a_holder_that_is_stopped_keeps_it(make: Make) -> None:
    with process(holder(make)) as other:
        other.hear()
        other.stop()
        spool = make()

        assert not spool.try_lease()
        assert not spool.wait_for_lease(0.01)


def test_a_child_starts_without_it_and_does_not_disturb_its_parents(make: Make) -> None:
    """K11: nor do the copies of its parent's spools."""
    spool = make()
    fill(spool, 1)
    assert spool.try_lease()

    def check() -> None:
        assert not spool.is_leased
        with pytest.raises(FileNotFoundError):
            spool.try_lease()
        spool.give_back()
        spool.close()
        spool.open()
        assert not spool.try_lease()
        fill(spool, 1)
        spool.close()
        own = make()
        assert not own.try_lease()
        own.close()

    in_child(check)

    assert spool.is_leased
    assert len(found(spool)) == 2
    in_child(lambda: _is_taken(make()))
    spool.give_back()
    in_child(lambda: _is_free(make()))


def test_a_child_may_have_it_once_its_parent_gave_it_back(make: Make) -> None:
    spool = make()
    assert spool.try_lease()

    def take(line: Line) -> None:
        line.hear()
        spool.open()
        line.say("has it" if spool.try_lease() else "has it not")
        line.hear()

    with process(take) as child:
        spool.give_back()
        child.say()
        assert child.hear() == "has it"
        assert not spool.try_lease()


def test_who_waits_gets_it_as_soon_as_it_is_given_back(make: Make) -> None:
    with process(holder(make)) as other:
        other.hear()
        spool = make()
        waiting = start(lambda: spool.wait_for_lease(20))
        until(lambda: _is_waited_for(spool))

        other.say()

        assert waiting.result(20)
        assert spool.is_leased
        assert spool.wait_for_lease(0)


def test_a_wait_may_be_given_up_and_taken_up_again(make: Make) -> None:
    with process(holder(make)) as other:
        other.hear()
        spool = make()
        assert not spool.wait_for_lease(0.001)
        assert not spool.try_lease()
        other.say()

        assert spool.wait_for_lease(20)


def test_a_wait_that_was_given_up_keeps_nothing(make: Make) -> None:
    with process(holder(make)) as other:
        other.hear()
        spool = make()
        assert not spool.wait_for_lease(0.001)
        other.say()
        other.hear()

        until(spool.try_lease)  # its thread gives back what it got
        spool.give_back()

        assert spool.wait_for_lease(20)
        spool.give_back()
        in_child(lambda: _is_free(make()))


def test_who_closes_while_its_thread_waits_leaves_the_file_to_that(make: Make) -> None:
    """A number that is closed under it is soon another file's, and that one's lock would be freed."""
    with process(holder(make)) as other:
        other.hear()
        spool = make()
        assert not spool.wait_for_lease(0.001)
        spool.close()
        assert _is_open(f"{spool.path}/lease")
        other.say()
        other.hear()

        until(lambda: _is_free_for(make))

    assert not _is_open(f"{spool.path}/lease")


def test_who_waits_waits_for_other_spools_of_the_process_too(make: Make) -> None:
    first, second = make(), make()
    assert first.try_lease()
    assert not second.wait_for_lease(0.001)

    first.give_back()

    assert second.wait_for_lease(20)


def test_a_wait_for_what_cannot_be_locked_ends(make: Make) -> None:
    lease = LeaseFile(1_000_000, (0, 0))

    assert not lease.wait(0.5)
    assert not lease.wait(0.5)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        lease.claim()


def test_a_lease_whose_file_was_removed_is_given_up(make: Make) -> None:
    """Another process would make a new one, and both had it."""
    spool = make()
    Path(spool.path, "lease").unlink()

    with pytest.raises(FileNotFoundError):
        spool.try_lease()
    spool.open()
    assert spool.try_lease()


def test_a_lease_whose_file_is_removed_while_it_is_held_is_given_up(make: Make) -> None:
    spool = make()
    assert spool.try_lease()
    Path(spool.path, "lease").unlink()

    with pytest.raises(FileNotFoundError):
        spool.try_lease()
    assert not spool.is_leased


def test_a_lease_whose_file_was_replaced_is_given_up(make: Make) -> None:
    spool = make()
    Path(spool.path, "lease").unlink()
    os.mkfifo(Path(spool.path, "lease"))

    with pytest.raises(FileNotFoundError):
        spool.try_lease()


def test_the_holder_alone_reads_while_two_processes_drain(make: Make) -> None:
    """Each batch is in one hand at a time, and is counted once."""
    spool = make()
    fill(spool, 60)

    def drain(line: Line) -> None:
        own, removed = make(), 0
        while own.has_any():
            if own.try_lease():
                for name in own.names(no_rest)[:4]:
                    assert own.read(name) is not None
                    removed += own.remove(name)
                own.give_back()
        line.say(str(removed))

    with process(drain) as one, process(drain) as other:
        assert int(one.hear()) + int(other.hear()) == 60
    assert not spool.has_any()


def test_a_process_without_descriptors_says_so(make: Make) -> None:
    spool = make()
    lowest = os.dup(0)
    os.close(lowest)
    with limited(resource.RLIMIT_NOFILE, lowest):
        assert not spool.has_any()
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
            spool.names(no_rest)


def _is_open(path: str) -> bool:
    return path in {os.path.realpath(f"/proc/self/fd/{file}") for file in os.listdir("/proc/self/fd")}


def _is_free_for(make: Make) -> bool:
    spool = make()
    try:
        return spool.try_lease()
    finally:
        spool.close()


def _is_taken(spool: Spool) -> None:
    assert not spool.try_lease()


def _is_free(spool: Spool) -> None:
    assert spool.try_lease()


def _is_waited_for(spool: Spool) -> bool:
    """The kernel lists who waits behind a lock."""
    inode = os.stat(spool.path + "/lease").st_ino
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and f":{inode} " in line for line in lines)
