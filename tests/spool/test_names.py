"""Names of files and folders (K7): safe, bounded, different for different things, ordered by age."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from breaker_exporter._spool.files import oldest_first
from breaker_exporter._spool.names import BATCH, DAMAGED, UNFINISHED, FileName, folder_name, text_of

from ._clock import DAY, Clock
from ._files import no_rest


def in_order(names: set[FileName], clock: Clock) -> list[FileName]:
    found = [(str(name), name) for name in names]
    return [name for _, name in oldest_first(found, clock(), no_rest)]


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


@pytest.mark.parametrize("suffix", [BATCH, UNFINISHED, DAMAGED])
def test_a_name_is_read_as_it_was_made(clock: Clock, suffix: str) -> None:
    name = FileName.new(clock(), suffix)

    assert FileName.parsed(str(name)) == name


def test_two_names_of_one_moment_differ(clock: Clock) -> None:
    moment = clock()

    assert str(FileName.new(moment, BATCH)) != str(FileName.new(moment, BATCH))


@pytest.mark.parametrize(
    "change",
    [
        lambda name: f"{name}\n",
        lambda name: f"x{name}",
        lambda name: name.replace(BATCH, ".batcH"),
        lambda name: name.replace(BATCH, ".other"),
        lambda name: name.replace("-", "\n", 1),
        lambda name: f"../{name}",
        lambda name: "\N{ARABIC-INDIC DIGIT ONE}" + name[1:],
        lambda name: "lease",
        lambda name: "",
    ],
)
def test_another_name_is_none_of_ours(clock: Clock, change: object) -> None:
    assert callable(change)

    assert FileName.parsed(change(str(FileName.new(clock(), BATCH)))) is None


def test_the_oldest_comes_first_also_after_the_clock_was_set(clock: Clock) -> None:
    names = []
    for seconds in (0, DAY, -2 * DAY):
        clock.set_wall(seconds)
        names += [FileName.new(clock(), BATCH), FileName.new(clock(), BATCH)]
        clock.advance(1)

    assert in_order(set(names), clock) == names


def test_files_of_one_moment_come_as_they_were_written(clock: Clock) -> None:
    """Parts of one batch have its age."""
    moment = clock()
    names = [FileName.new(moment, BATCH) for _ in range(200)]

    assert in_order(set(names), clock) == names


def test_ten_thousand_files_are_brought_into_order_with_rests(clock: Clock) -> None:
    names = [FileName.new(clock(), BATCH) for _ in range(10_000)]
    rested: list[None] = []

    found = [(str(name), name) for name in set(names)]
    ordered = oldest_first(found, clock(), lambda: rested.append(None))

    assert [name for _, name in ordered] == names
    assert len(rested) >= 100


def test_what_is_from_the_future_comes_behind_what_is_there(clock: Clock) -> None:
    early = FileName.new(clock(), BATCH)
    clock.advance(DAY)
    future = FileName.new(clock(), BATCH)
    clock.reboot()
    clock.set_wall(-2 * DAY)
    late = FileName.new(clock(), BATCH)
    clock.advance(1)

    assert in_order({future, early, late}, clock) == [late, early, future]


@settings(deadline=None, derandomize=True)
@given(ANY_TEXT)
@example("")
@example(".")
@example("..")
@example("../../etc")
@example("a\0b\nc")
@example("\ud800")
def test_any_text_makes_one_safe_component_of_a_path(text: str) -> None:
    name = folder_name(text)

    assert name.isascii()
    assert name.isprintable()
    assert not set(name) & set("/\\ \0")
    assert not name.startswith(".")
    assert 0 < len(name) <= 200


@settings(deadline=None, derandomize=True)
@given(ANY_TEXT, ANY_TEXT)
@example("", "%")
@example("", "%25")
@example("a/b", "a%2Fb")
@example("a" * 250, "a" * 251)
@example(".a", "%2Ea")
def test_different_texts_have_different_names(one: str, other: str) -> None:
    assert (folder_name(one) == folder_name(other)) == (one == other)


@pytest.mark.parametrize("text", ["", "checkout", "shop/checkout", "..", "Größe %"])
def test_the_text_can_be_told_from_the_name(text: str) -> None:
    assert text_of(folder_name(text)) == text
