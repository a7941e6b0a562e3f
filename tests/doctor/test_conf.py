"""Gunicorn's configuration: hooks, their order, the worker class, and what was given in code."""

from __future__ import annotations

import importlib
import os
import socket
from pathlib import Path

import pytest

from breaker_exporter._doctor.gunicorn import configuration as conf
from breaker_exporter._doctor.gunicorn.configuration import Conf
from breaker_exporter._doctor.report import Finding, Report

from ._findings import bad

LINE = "from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit\n"
GEVENT = 'worker_class = "gevent"\n'
MAKE = "from breaker_exporter.gunicorn import hooks\nfrom breaker_exporter.telemetry import Telemetry\n"
OWN = "".join(
    f"def {name}({arguments}):\n    {{{name}}}\n"
    for name, arguments in (("post_fork", "s, w"), ("post_worker_init", "w"), ("worker_exit", "s, w"))
)


def looked_at(
    source: str | None, path: str | None = None, deadline: float = 20.0
) -> tuple[list[Finding], Conf]:
    if source is not None:
        Path("gunicorn.conf.py").write_text(source)
    report = Report(lambda _: None)
    return report.findings, report.take(conf.examine(path, deadline))


def test_nothing_there_is_nothing_wrong() -> None:
    findings, found = looked_at(None)

    assert [finding.check for finding in findings] == ["conf-none"]
    assert found.given.arguments.timeout is None
    assert found.graceful_timeout == 30


def test_without_a_file_the_variable_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "-k gevent --graceful-timeout 12")
    findings, found = looked_at(None)

    assert [finding.check for finding in findings] == ["conf-none", "worker-class"]
    assert found.gevent
    assert found.graceful_timeout == 12


def test_the_two_lines_of_the_readme_are_well(capfd: pytest.CaptureFixture[str]) -> None:
    chatter = "import sys\nprint('x' * 100_000)\nsys.stderr.write('y' * 100_000)\n"
    findings, found = looked_at(chatter + GEVENT + LINE)

    assert bad(findings) == []
    assert [finding.check for finding in findings] == ["worker-class", "hooks", "gevent-patch"]
    assert (found.path, found.gevent) == ("gunicorn.conf.py", True)
    assert capfd.readouterr() == ("", "")


def test_what_is_given_in_code_and_in_the_environment_is_brought_back() -> None:
    findings, found = looked_at(
        MAKE
        + "import os\nfrom breaker_exporter.sentry import Sentry, SentryMode\n"
        + "from breaker_exporter.telemetry import Profile\n"
        + 'os.environ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "3"\nos.environ["PATH"] = "/nowhere"\n'
        + 'raw_env = ["OTEL_SERVICE_NAME=raw=shop", "OTHER=1"]\ngraceful_timeout = 20\n'
        + "telemetry = Telemetry(cooldown=4.0, headers={'x-key': 'abc'}, profile=Profile.DEVELOPMENT,\n"
        + "    service_name='shop', endpoint='http://collector:4318',\n"
        + "    sentry=Sentry(dsn='x', mode=SentryMode.OTLP))\n"
        + "post_fork, post_worker_init, worker_exit = hooks(telemetry)\n"
    )

    assert bad(findings) == []
    assert found.changes == {"OTEL_EXPORTER_OTLP_TIMEOUT": "3", "OTEL_SERVICE_NAME": "raw=shop"}
    arguments, sentry = found.given.arguments, found.given.sentry
    assert (arguments.cooldown, arguments.headers) == (4.0, {"x-key": "abc"})
    assert (arguments.endpoint, arguments.profile and arguments.profile.value) == (
        "http://collector:4318",
        "development",
    )
    assert found.given.service_name == "shop"
    assert sentry is not None
    assert (sentry.dsn, sentry.mode and sentry.mode.value) == ("x", "otlp")
    assert found.graceful_timeout == 20


SSL = "warning ssl-early"
CASES = {
    "hooks missing": (GEVENT, ["broken hooks-missing"]),
    "hooks renamed": (
        "from breaker_exporter.gunicorn import post_fork as a, post_worker_init as b, worker_exit as c\n",
        ["broken hooks-missing"],
    ),
    "hooks kept together": (MAKE + "made = hooks(Telemetry())\n", ["broken hooks-missing"]),
    "two of three": (
        "from breaker_exporter.gunicorn import post_fork, worker_exit\n",
        ["broken hook-missing"],
    ),
    "the first missing": (
        "from breaker_exporter.gunicorn import post_worker_init, worker_exit\n",
        ["warning hook-missing"],
    ),
    "one misspelt": (
        "from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit as workers_exit\n",
        ["broken hook-missing"],
    ),
    "wrong slots": (
        MAKE + "post_fork, worker_exit, post_worker_init = hooks(Telemetry())\n",
        ["broken conf-setting", "broken hook-wrong-slot", "broken hook-wrong-slot"],
    ),
    "overridden": (LINE + "def post_fork(s, w): pass\n", ["broken hook-overridden"]),
    "unknown": (
        LINE.replace(", worker_exit", "") + "def worker_exit(s, w): print()\n",
        ["warning hook-unknown"],
    ),
    "of several": (
        MAKE
        + "".join(
            f"{name} = hooks(Telemetry()).{name}\n"
            for name in ("post_fork", "post_worker_init", "worker_exit")
        ),
        ["broken hooks-of-several"],
    ),
    "requests at the top": ("import requests\n" + GEVENT + LINE, ["broken ssl-before-patch"]),
    "patched too late": (
        "import requests\nfrom gevent import monkey\nmonkey.patch_all()\n" + GEVENT + LINE,
        ["broken ssl-before-patch"],
    ),
    "patched in time": (
        "from gevent import monkey\nmonkey.patch_all()\nimport requests\n" + GEVENT + LINE,
        [],
    ),
    "requests and no gevent": ("import requests\nthreads = 4\n" + LINE, []),
    "requests and who knows": ("import requests\n" + LINE, [SSL]),
    "patched for nothing": (
        "from gevent import monkey\nmonkey.patch_all()\n" + LINE,
        ["warning patched-without-gevent"],
    ),
    "preloaded": ("preload_app = True\n" + GEVENT + LINE, ["warning preload-before-patch"]),
    "provider": (
        "from opentelemetry import trace\nfrom opentelemetry.sdk.trace import TracerProvider\n"
        "trace.set_tracer_provider(TracerProvider())\n" + LINE,
        ["warning provider-in-conf"],
    ),
    "thread": (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n" + LINE,
        ["warning threads-in-conf"],
    ),
    "eventlet": ('worker_class = "eventlet"\n' + LINE, ["broken worker-class"]),
    "no such class": ('worker_class = "nowhere.Worker"\n' + LINE, ["broken worker-class"]),
    "tornado": ('worker_class = "gunicorn.workers.base.Worker"\n' + LINE, ["warning worker-class"]),
    "subclass": (
        "from gunicorn.workers.ggevent import GeventWorker\n"
        "class Own(GeventWorker): pass\nworker_class = Own\n" + LINE,
        [],
    ),
    "misspelt setting": ("graceful_timeuot = 60\n" + LINE, ["warning conf-name"]),
    "bad value": ('workers = "many"\n' + LINE, ["broken conf-setting"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_configuration_has_its_diagnosis(case: str) -> None:
    source, expected = CASES[case]

    findings, _ = looked_at(source)

    assert bad(findings) == expected
    assert all(finding.advice for finding in findings if finding.level.value != "ok")


def test_the_line_that_brings_ssl_is_named_but_no_other_source() -> None:
    Path("mine.py").write_text("def load(dsn): import requests\n")
    findings, _ = looked_at("import mine\nmine.load('canary5ecret')\n" + GEVENT + LINE)
    (finding,) = [each for each in findings if each.check == "ssl-before-patch"]
    assert "line 2 (urllib3" in finding.text
    assert "canary5ecret" not in finding.text

    thread = (
        "import importlib as i, threading as t\nthread = t.Thread(target=i.import_module, args=['mine'])\n"
    )
    Path("mine.py").write_text("import requests\n")
    findings, _ = looked_at(thread + "thread.start()\nthread.join()\n" + GEVENT + LINE)
    assert "a thread of it (urllib3" in findings[-1].text
    findings, _ = looked_at("import mine\n" + GEVENT + LINE)
    assert "line 1: import mine (urllib3" in findings[-1].text


def test_sentry_does_not_belong_there() -> None:
    pytest.importorskip("sentry_sdk")
    init = (
        "import sentry_sdk\nsentry_sdk.init('http://key@127.0.0.1:1/1', auto_enabling_integrations=False)\n"
    )

    assert bad(looked_at(init + GEVENT + LINE)[0]) == ["broken ssl-before-patch", "broken sentry-in-conf"]
    assert "warning sentry-in-conf" in bad(looked_at(init + LINE)[0])


FAILURES = {
    "import sys\nsys.modules['breaker_exporter._doctor.gunicorn.order'] = None\n": "import of",
    "x = 1 / 0\n": "ZeroDivisionError: division by zero (gunicorn.conf.py:1)",
    "import os\n\nx = os.environ['MISSING_NAME']\n": "KeyError: 'MISSING_NAME' (gunicorn.conf.py:3)",
    "raise RuntimeError('no vault\\nat https://me:5ecret@vault/x?key=5ecret')\n": (
        "RuntimeError: no vault at https://***@vault/x?*** (gunicorn.conf.py:1)"
    ),
    "import os\nraise RuntimeError('no ' + os.environ['VAULT_TOKEN'])\n": (
        "RuntimeError: no *** (gunicorn.conf.py:2)"
    ),
    "import os\nraise RuntimeError('at ' + os.environ['DATABASE'].split(':')[2])\n": (
        "RuntimeError: at ***@database/x (gunicorn.conf.py:2)"
    ),
    "API_KEY = 'canary5ecret'\nraise RuntimeError(f'not {API_KEY}')\n": (
        "RuntimeError: not *** (gunicorn.conf.py:2)"
    ),
    "raise RuntimeError\n": "RuntimeError (gunicorn.conf.py:1)",
    "open('/no/such/file')\n": (
        "FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file' (gunicorn.conf.py:1)"
    ),
    "\ndef x(:\n": "SyntaxError: invalid syntax (gunicorn.conf.py:2)",
    "import broken_syntax\n": "invalid syntax (gunicorn.conf.py:1, raised in broken_syntax.py:3)",
    "\0": "Error",
    "import nowhere\n": "ModuleNotFoundError: No module named 'nowhere' (gunicorn.conf.py:1)",
    "import sys\nsys.exit('good bye')\n": "SystemExit: good bye (gunicorn.conf.py:2)",
    MAKE + "Telemetry(timeout=0)\n": "ValueError: timeout must be a finite number of seconds, above 0",
    "import os\nos._exit(3)\n": "it ends the process, with status 3",
}


@pytest.mark.parametrize("source", FAILURES)
def test_a_configuration_that_fails_is_one_line(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Type, message and place of what was raised, and no secret of the environment or of its own."""
    monkeypatch.setenv("VAULT_TOKEN", "canary5ecret")
    monkeypatch.setenv("DATABASE", "postgres://me:5ecret@database/x")
    Path("broken_syntax.py").write_text("\n\ndef x(:\n")
    findings, _ = looked_at(source)

    assert bad(findings) == ["broken conf-raises"]
    assert FAILURES[source] in findings[0].text
    assert "5ecret" not in findings[0].text


@pytest.mark.parametrize(("name", "meant"), [("gevnet", "gevent"), ("gthreads", "gthread")])
def test_a_worker_class_that_is_nearly_right_is_told_the_right_one(name: str, meant: str) -> None:
    findings, _ = looked_at(f"worker_class = {name!r}\n" + LINE)

    assert bad(findings) == ["broken worker-class"]
    assert findings[0].advice == f'did you mean "{meant}"?'


def test_a_telemetry_that_nothing_starts_is_told_how_to_be_hooked() -> None:
    findings, _ = looked_at("from breaker_exporter.telemetry import Telemetry\nmine = Telemetry()\n")

    assert bad(findings) == ["broken hooks-missing"]
    assert "hooks(...), with your Telemetry in it" in findings[-1].advice


def test_the_child_does_nothing_where_it_is_only_imported() -> None:
    assert callable(importlib.import_module("breaker_exporter._doctor.gunicorn.child").main)


def test_it_is_read_as_python_reads_it() -> None:
    Path("gunicorn.conf.py").write_bytes(b"\xef\xbb\xbf" + (GEVENT + LINE).encode())
    assert bad(looked_at(None)[0]) == []
    Path("gunicorn.conf.py").write_bytes(b"# coding: latin-1\nname = '\xe4'\n" + (GEVENT + LINE).encode())
    assert bad(looked_at(None)[0]) == []


def test_one_that_hangs_is_given_up_and_the_line_is_told() -> None:
    findings, found = looked_at("import threading\nthreading.Event().wait()\n", deadline=6.0)

    assert bad(findings) == ["broken conf-hangs"]
    assert "; it is at gunicorn.conf.py:2 in threading.py:" in findings[0].text
    assert found.given.arguments.timeout is None


def test_one_that_hangs_where_it_cannot_be_seen_is_given_up_too() -> None:
    unseen = "import faulthandler, threading\nfaulthandler.cancel_dump_traceback_later()\n"
    findings, _ = looked_at(unseen + "threading.Event().wait()\n", deadline=6.0)

    assert bad(findings) == ["broken conf-hangs"]
    assert findings[0].text.endswith("was not evaluated within 6 s")


def test_one_that_hangs_and_hears_no_signal_is_told_with_its_line_too() -> None:
    deaf = "import signal, threading\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
    findings, _ = looked_at(deaf + "threading.Event().wait()\n", deadline=6.0)

    assert "; it is at gunicorn.conf.py:3 in threading.py:" in findings[0].text


@pytest.mark.parametrize("path", ["nowhere.py", "file:nowhere.py", "python:nowhere", "python:nowhere.deeper"])
def test_one_that_does_not_exist(path: str) -> None:
    findings, _ = looked_at(None, path)

    assert bad(findings) == ["broken conf-missing"]


def test_one_can_be_named_as_gunicorn_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.py").write_text(GEVENT + LINE)
    for path in ("mine.py", "file:mine.py", "python:mine"):
        findings, found = looked_at(None, path)
        assert bad(findings) == []
        assert found.gevent
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--config mine.py -k sync")
    findings, found = looked_at("import nowhere\n")
    assert (found.path, found.gevent) == ("mine.py", False)


def test_a_variable_that_gunicorn_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--nonsense 4")
    findings, _ = looked_at(LINE)

    assert bad(findings) == ["broken conf-setting"]


@pytest.mark.parametrize("kind", ["gevent", "gevent_pywsgi", "gunicorn.workers.ggevent.GeventWorker"])
def test_what_a_worker_class_needs_beside_gevent_is_named(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As Gunicorn 26.1 and newer without its extra gevent."""
    missing = "raise ModuleNotFoundError(\"No module named 'packaging'\", name='packaging')\n"
    (tmp_path / "missing" / "packaging").mkdir(parents=True)
    (tmp_path / "missing" / "packaging" / "__init__.py").write_text(missing)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'missing'}:{os.environ.get('PYTHONPATH', '')}")
    findings, _ = looked_at(f"worker_class = {kind!r}\n" + LINE)

    assert bad(findings) == ["broken worker-class"]
    assert findings[0].text == f"the worker class {kind!r} cannot be loaded: No module named 'packaging'"
    assert 'pip install --upgrade "breaker-exporter[gunicorn]"' in findings[0].advice


@pytest.mark.parametrize(
    ("worker", "text"),
    [
        ("nowhere.Worker", "No module named 'nowhere'"),
        ("gunicorn.workers.nowhere.Worker", "No module named 'gunicorn.workers.nowhere'"),
        ("shop", "Entry point ('gunicorn.workers', 'shop') not found"),
        ("gunicorn.util.nowhere", "there is no such class"),
    ],
)
def test_a_worker_class_that_is_not_there_is_told_by_its_reason(worker: str, text: str) -> None:
    findings, _ = looked_at(f"worker_class = {worker!r}\n" + LINE)

    assert bad(findings) == ["broken worker-class"]
    assert text in findings[0].text
    assert findings[0].advice.startswith("correct worker_class")


def test_where_gunicorn_or_gevent_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("gevent", "gunicorn"):
        (tmp_path / f"no-{name}" / name).mkdir(parents=True)
        (tmp_path / f"no-{name}" / name / "__init__.py").write_text(f"raise ImportError('no {name}')\n")
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'no-gevent'}:{before}")
    findings, _ = looked_at(GEVENT + LINE)
    assert bad(findings) == ["broken worker-class"]
    assert "no gevent" in findings[0].text
    assert "breaker-exporter[gunicorn]" in findings[0].advice

    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'no-gunicorn'}:{before}")
    findings, _ = looked_at(LINE)
    assert bad(findings) == ["broken gunicorn-missing"]
    assert [finding.check for finding in findings] == ["gunicorn-missing", "hooks"]
    Path("gunicorn.conf.py").unlink()
    assert bad(looked_at(None)[0]) == []


def test_a_lazy_object_is_none_of_gunicorns_settings() -> None:
    """Like Django's settings, which set themselves up when they are asked for their class."""
    lazy = "class Lazy:\n    @property\n    def __class__(self): raise RuntimeError\nsettings = Lazy()\n"

    assert bad(looked_at(GEVENT + LINE + lazy)[0]) == []


@pytest.mark.parametrize("command", ["exec sleep 60", "trap '' TERM; sleep 60"])
def test_what_it_starts_is_not_left_behind(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        findings, _ = looked_at(
            "import socket, subprocess\n"
            f"held = socket.create_connection(('127.0.0.1', {listening.getsockname()[1]}))\n"
            f"subprocess.Popen(['sh', '-c', {command!r}], pass_fds=[held.fileno()])\n" + GEVENT + LINE
        )
        with listening.accept()[0] as held:
            held.settimeout(5)
            assert held.recv(1) == b""  # nobody holds it any more
    assert bad(findings) == []
