"""Hooks of one's own: whether they call ours, as far as code can be read."""

from __future__ import annotations

import pytest

from breaker_exporter._doctor import hooks as reading
from breaker_exporter.gunicorn import hooks
from breaker_exporter.telemetry import Telemetry

MADE = "from breaker_exporter.gunicorn import hooks\nfrom breaker_exporter.telemetry import Telemetry\n"


def state(source: str, slot: str = "post_fork") -> str:
    namespace: dict[str, object] = {}
    exec(compile(source, "gunicorn.conf.py", "exec"), namespace)
    return reading.inspect_slots(namespace, source)[slot].state


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", "missing"),
        ("post_fork = None", "missing"),
        ("from breaker_exporter.gunicorn import *", "ours"),
        (MADE + "post_fork, post_worker_init, worker_exit = hooks(Telemetry())", "ours"),
        (MADE + "post_fork, *_ = hooks(Telemetry())\ndef post_fork(s, w): pass", "overridden"),
        ("from breaker_exporter.gunicorn import *\ndef post_fork(s, w): post_fork(s, w)", "overridden"),
        (MADE + "ours = hooks(Telemetry())\ndef post_fork(s, w): ours.post_fork(s, w)", "calls-ours"),
        (MADE + "ours = hooks(Telemetry())\ndef post_fork(s, w): ours.worker_exit(s, w)", "unknown"),
        (MADE + "ours = Telemetry()\ndef post_fork(s, w): ours.prepare()", "calls-ours"),
        (MADE + "ours = Telemetry()\ndef post_fork(s, w): ours.stop()", "unknown"),
        ("import breaker_exporter.gunicorn as be\ndef post_fork(s, w): be.post_fork(s, w)", "calls-ours"),
        (
            "import breaker_exporter.gunicorn\n"
            "def post_fork(s, w): breaker_exporter.gunicorn.post_fork(s, w)",
            "calls-ours",
        ),
        (
            "def post_fork(s, w):\n    from breaker_exporter.gunicorn import post_fork\n    post_fork(s, w)",
            "calls-ours",
        ),
        (
            "from breaker_exporter.gunicorn import post_fork as ours\n"
            "def also(s, w): ours(s, w)\ndef post_fork(s, w):\n    def inner(): also(s, w)\n    inner()",
            "calls-ours",
        ),
        (
            "import functools\nfrom breaker_exporter.gunicorn import post_fork as ours\n"
            "def later(of, s, w): of(s, w)\npost_fork = functools.partial(later, ours)",
            "unknown",
        ),
        (
            "import functools\nfrom breaker_exporter.gunicorn import post_fork as ours\n"
            "def later(x, s, w): ours(s, w)\npost_fork = functools.partial(later, 1)",
            "calls-ours",
        ),
        (
            "import functools\nfrom breaker_exporter.gunicorn import post_fork as ours\n"
            "def outer(of):\n    @functools.wraps(of)\n    def inner(s, w): of(s, w)\n    return inner\n"
            "post_fork = outer(ours)",
            "calls-ours",
        ),
        (
            "from breaker_exporter.gunicorn import post_fork as ours\n"
            "class A:\n    def hook(self, s, w): ours(s, w)\npost_fork = A().hook",
            "calls-ours",
        ),
        ("import breaker_exporter\ndef post_fork(s, w): breaker_exporter.post_fork", "unknown"),
        ("post_fork = print", "unknown"),
    ],
)
def test_whether_a_hook_is_ours_or_calls_ours(source: str, expected: str) -> None:
    assert state(source) == expected


def test_a_hook_in_the_wrong_slot_says_where_it_belongs() -> None:
    namespace = {"worker_exit": hooks(Telemetry()).post_fork}

    slot = reading.inspect_slots(namespace, "")["worker_exit"]

    assert (slot.state, slot.note) == ("wrong-slot", "post_fork")


def test_what_they_start_is_found_wherever_it_stands() -> None:
    first, second = Telemetry(), Telemetry()
    ours = hooks(first)

    assert reading.telemetries({"post_fork": ours.post_fork, "other": second}) == [first]
    assert reading.telemetries({"pf": ours.post_fork, "all": hooks(second)}) == [first, second]
    assert reading.telemetries({"a": first, "b": 1}) == [first]
    assert reading.strays({"pf": ours.post_fork, "all": ours, "x": 1}) == {
        "pf": "post_fork",
        "all": "post_fork, post_worker_init, worker_exit",
    }


LAZY = """
class Lazy:
    @property
    def __class__(self): raise RuntimeError("not configured")
"""
OURS = "from breaker_exporter.gunicorn import post_fork as ours\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            OURS + "def make():\n    def post_fork(s, w):\n        late()\n        ours(s, w)\n"
            "    return post_fork\n    def late(): pass\npost_fork = make()",
            "calls-ours",
        ),
        (LAZY + "lazy = Lazy()\n" + OURS + "def post_fork(s, w): lazy, ours(s, w)", "calls-ours"),
        (LAZY + "post_fork = Lazy()", "unknown"),
        (
            "import xmlrpc.client\nproxy = xmlrpc.client.ServerProxy('http://127.0.0.1:9')\n"
            + OURS
            + "def post_fork(s, w): proxy.up(), ours(s, w)",
            "calls-ours",
        ),
        (
            "class Any:\n    def __call__(self, *_): pass\n    def __getattr__(self, name): return Any()\n"
            "client = Any()\n" + OURS + "def post_fork(s, w): client.up(), ours(s, w)",
            "calls-ours",
        ),
        ("class Any:\n    def __getattr__(self, name): return Any()\npost_fork = Any()", "unknown"),
        ("class Any:\n    def __getattr__(self, name): raise OSError\npost_fork = Any()", "unknown"),
        (
            "import types\nlazy = types.ModuleType('lazy')\ndef fail(name): raise OSError\n"
            "lazy.__getattr__ = fail\n" + OURS + "def post_fork(s, w): lazy.post_fork, ours(s, w)",
            "calls-ours",
        ),
    ],
)
def test_what_cannot_be_looked_at_is_unknown_and_no_failure(source: str, expected: str) -> None:
    assert state(source) == expected


def test_a_lazy_object_is_nothing_of_ours() -> None:
    namespace: dict[str, object] = {}
    exec(LAZY + "lazy = Lazy()", namespace)

    assert reading.strays(namespace) == {}
    assert reading.telemetries(namespace) == []
