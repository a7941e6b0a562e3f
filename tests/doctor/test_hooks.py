"""Hooks in a configuration: which are ours, and under which names."""

from __future__ import annotations

import pytest

from breaker_exporter._doctor.gunicorn import hooks as reading
from breaker_exporter.gunicorn import hooks
from breaker_exporter.telemetry import Telemetry

from ._findings import taken

MADE = "from breaker_exporter.gunicorn import hooks\nfrom breaker_exporter.telemetry import Telemetry\n"
OTHERS = "from breaker_exporter.gunicorn import post_worker_init, worker_exit\n"
OURS = "from breaker_exporter.gunicorn import post_fork as ours\n"
LAZY = """
class Lazy:
    @property
    def __class__(self): raise RuntimeError("not configured")
"""


def checks(source: str) -> dict[str, str]:
    """The checks that are made, each with its text."""
    namespace: dict[str, object] = {}
    exec(compile(source, "gunicorn.conf.py", "exec"), namespace)
    steps = reading.check("gunicorn.conf.py", namespace, source, needed=True, sets_exporter=False)
    return {finding.check: finding.text for finding in taken(steps)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", "hooks-missing"),
        (OTHERS + "post_fork = None", "hook-missing"),
        ("from breaker_exporter.gunicorn import *", "hooks"),
        (MADE + "post_fork, post_worker_init, worker_exit = hooks(Telemetry())", "hooks"),
        (OTHERS + "from breaker_exporter.gunicorn import *\ndef post_fork(s, w): pass", "hook-overridden"),
        (OTHERS + OURS + "def post_fork(s, w): ours(s, w)", "hook-own"),
        (OTHERS + "post_fork = print", "hook-unknown"),
        (
            OTHERS + "class Any:\n    def __getattr__(self, name): raise OSError\npost_fork = Any()",
            "hook-unknown",
        ),
        (OTHERS + LAZY + "post_fork = Lazy()", "hook-unknown"),
    ],
)
def test_a_hook_is_ours_or_not(source: str, expected: str) -> None:
    assert list(checks(source)) == [expected]


def test_a_hook_of_the_users_own_is_told_with_its_line_and_not_read() -> None:
    unknown = checks(OTHERS + "def post_fork(s, w): pass")["hook-unknown"]
    own = checks(OTHERS + OURS + "def post_fork(s, w): ours(s, w)")["hook-own"]

    assert unknown.startswith("post_fork (line 2) is your own, and the doctor does not see")
    assert own == "post_fork (line 3) is your own, and is taken to call ours, which is ours"


def test_a_hook_in_the_wrong_slot_says_where_it_belongs() -> None:
    found = checks("import breaker_exporter.gunicorn as be\nworker_exit = be.post_fork\n")

    assert found["hook-wrong-slot"] == "worker_exit is our hook for post_fork"


def test_what_they_start_is_found_wherever_it_stands() -> None:
    first, second = Telemetry(), Telemetry()
    ours = hooks(first)

    assert reading.telemetries({"post_fork": ours.post_fork, "other": second}) == [first]
    assert reading.telemetries({"pf": ours.post_fork, "all": hooks(second)}) == [first, second]
    assert reading.telemetries({"a": first, "b": 1}) == [first]


def test_names_that_gunicorn_does_not_look_at_are_told() -> None:
    source = MADE + "all = hooks(Telemetry())\npf = all.post_fork\nx = 1\n"

    assert "all (post_fork, post_worker_init, worker_exit), pf (post_fork)" in checks(source)["hooks-missing"]


def test_a_lazy_object_is_nothing_of_ours() -> None:
    namespace: dict[str, object] = {}
    exec(LAZY + "lazy = Lazy()", namespace)

    assert reading.telemetries(namespace) == []


def next_lines(source: str) -> tuple[str, ...]:
    """What is to be done about missing hooks."""
    namespace: dict[str, object] = {}
    exec(compile(source, "gunicorn.conf.py", "exec"), namespace)
    steps = reading.check("gunicorn.conf.py", namespace, source, needed=True, sets_exporter=False)
    (finding,) = taken(steps)
    return finding.todo


def test_the_lines_to_add_are_told_and_they_are_enough() -> None:
    sentence, line = next_lines("")
    assert sentence == "add this line to gunicorn.conf.py:"
    assert list(checks(line)) == ["hooks"]

    source = MADE + "telemetry = Telemetry()\n"
    sentence, *lines = next_lines(source)
    assert sentence == "add these lines to gunicorn.conf.py:"
    assert list(checks(source + "\n".join(lines))) == ["hooks"]

    sentence, line = next_lines(OTHERS)
    assert sentence == "import all three hooks in gunicorn.conf.py:"
    assert list(checks(line)) == ["hooks"]


def test_a_telemetry_without_a_name_has_no_lines_that_are_sure() -> None:
    assert next_lines(MADE + "made = hooks(Telemetry())") == ()
