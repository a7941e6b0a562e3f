"""Objects of which each gevent hub has its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from breaker_exporter._concurrency import one_a_hub
from breaker_exporter._concurrency.one_a_hub import OneAHub, leave_hub

from ._children import in_child

T = TypeVar("T")


class Made:
    """Closed by its holder."""

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


def one_a_hub_of_made() -> OneAHub[Made]:
    return OneAHub(Made(), Made, Made.close)


def elsewhere(call: Callable[[], T]) -> T:
    """The result of `call` on a thread that has ended by then."""
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


@pytest.fixture
def _patched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets are gevent's; threads are the interpreter's, as those are that have hubs of their own."""
    monkeypatch.setattr(one_a_hub, "is_patched", lambda module: module == "socket")


def test_where_sockets_are_not_gevents_all_threads_share_one_that_no_thread_ends() -> None:
    """A server with a thread for each request would have a connection for each."""
    objects = one_a_hub_of_made()

    def use() -> Made:
        made = objects.here
        leave_hub()
        return made

    assert elsewhere(use) is objects.here
    assert objects.known == (objects.here,)
    assert not objects.here.is_closed


@pytest.mark.usefixtures("_patched")
def test_each_thread_has_its_own_until_it_ends() -> None:
    objects = one_a_hub_of_made()

    others = [elsewhere(lambda: objects.here) for _ in range(3)]

    assert len({objects.here, objects.here, *others}) == 4
    assert [other.is_closed for other in others] == [True] * 3
    assert objects.known == (objects.here,)
    assert not objects.here.is_closed


@pytest.mark.usefixtures("_patched")
def test_a_thread_that_leaves_its_hub_closes_what_is_its_own_alone() -> None:
    objects, unused = one_a_hub_of_made(), one_a_hub_of_made()

    def leave() -> tuple[Made, bool, Made]:
        first = objects.here
        leave_hub()
        return first, first.is_closed, objects.here

    first, was_closed, second = elsewhere(leave)

    assert was_closed
    assert first is not second
    assert not objects.here.is_closed
    assert unused.known == ()


@pytest.mark.usefixtures("_patched")
def test_one_that_cannot_be_closed_is_let_go() -> None:
    def fail(_: Made) -> None:
        raise ValueError("operation on destroyed loop")

    objects = OneAHub(Made(), Made, fail)
    elsewhere(lambda: objects.here)

    assert objects.known == ()


@pytest.mark.usefixtures("_patched")
def test_in_a_child_the_threads_of_the_parent_close_nothing() -> None:
    """Its pools may be locked for ever, by threads that are not there."""
    objects, arrived, go_on = one_a_hub_of_made(), threading.Event(), threading.Event()

    def hold() -> None:
        _ = objects.here
        arrived.set()
        go_on.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert arrived.wait(20)

    def check() -> None:
        (other,) = objects.known
        assert not other.is_closed

    in_child(check)
    go_on.set()
    thread.join()
    assert objects.known == ()


@pytest.mark.usefixtures("_patched")
def test_an_owner_that_is_gone_leaves_nothing_behind() -> None:
    owners = [one_a_hub_of_made()]
    made = owners[0].here
    before = len(one_a_hub._all)

    owners.clear()

    assert not made.is_closed  # its owner's to close, or whoever else holds it
    assert len(one_a_hub._all) == before - 1


@pytest.mark.usefixtures("_patched")
def test_an_owner_that_goes_while_a_hub_is_left_is_passed_over() -> None:
    others: list[OneAHub[Made]] = []
    first = OneAHub(Made(), Made, lambda _: others.clear())
    others.append(one_a_hub_of_made())
    last = one_a_hub_of_made()

    def leave() -> bool:
        _, made = first.here, last.here
        leave_hub()
        return made.is_closed

    assert elsewhere(leave)
    assert others == []
