"""The versions that are installed, against those that this package declares."""

from __future__ import annotations

import importlib
import platform
import re
from collections.abc import Iterable
from importlib import metadata

from ..otlp._packages import cause_of
from .check import BROKEN, OK, WARNING, Check
from .report import Report, Steps, broken, ok, warning

CHECKS = (
    Check("versions", (OK,), "the versions of Python and of all packages that matter here"),
    Check("python-untested", (OK,), "this Python is newer than the newest that the package was tested with"),
    Check(
        "package-missing",
        (BROKEN,),
        "a package is missing without which nothing can be sent as it is configured",
        "install the extra that is named, such as `breaker-exporter[otlp]`",
    ),
    Check("package-too-old", (BROKEN,), "a package is older than this one needs", "upgrade it"),
    Check(
        "package-unusable",
        (BROKEN,),
        "a package is installed, and cannot be imported",
        "install it anew, with what it needs",
    ),
    Check(
        "packages-mixed",
        (WARNING,),
        "OpenTelemetry's packages are of several releases",
        "install them in one go",
    ),
)
_OURS = "breaker-exporter"
_HTTP = "opentelemetry-exporter-otlp-proto-http"
_LOOKED_AT = (
    *("opentelemetry-api", "opentelemetry-sdk", "pybreaker", _HTTP, "requests", "urllib3"),
    *("grpcio", "gevent", "greenlet", "gunicorn", "sentry-sdk"),
)
_IN_BRIEF = {
    _OURS: _OURS,
    "opentelemetry-sdk": "OpenTelemetry",
    "python": "Python",
    "gunicorn": "Gunicorn",
    "gevent": "gevent",
}
_EXTRAS = {_HTTP: "otlp", "requests": "otlp", "urllib3": "otlp", "grpcio": "grpc", "sentry-sdk": "sentry"}
_MODULES = {
    _HTTP: "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "grpcio": "grpc",
    "requests": "requests",
    "urllib3": "urllib3",
    "sentry-sdk": "sentry_sdk",
}
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*\(?>=\s*([0-9.]+)")
_PYTHON = re.compile(r"Programming Language :: Python :: (\d+\.\d+)")


def look(report: Report) -> Steps[None]:
    """Note all versions in the report, and find those that do not fit."""
    report.versions["python"] = python = platform.python_version()
    report.versions["platform"] = platform.platform(terse=True)
    for name in (_OURS, *_LOOKED_AT):
        report.versions[name] = _version(name)
    names = [f"{name} {version}" for name, version in report.versions.items() if version]
    short = [f"{said} {report.versions[name]}" for name, said in _IN_BRIEF.items() if report.versions[name]]
    yield ok("versions", ", ".join(names), brief=", ".join(short))
    newest = newest_python()
    if newest and number(python)[:2] > number(newest):
        yield ok("python-untested", f"Python {python} is newer than the newest tested, {newest}")
    yield from check(["opentelemetry-sdk", "pybreaker"])
    found = {name: version for name, version in report.versions.items() if name.startswith("opentelemetry-")}
    there = {name: version for name, version in found.items() if version}
    if len({number(version)[:2] for version in there.values()}) > 1:
        mixed = ", ".join(f"{name} {version}" for name, version in there.items())
        text = f"OpenTelemetry's packages are of several releases: {mixed}"
        yield warning("packages-mixed", text, "install them in one go, so that pip takes one release of all")


def check(names: Iterable[str]) -> Steps[bool]:
    """Return true if these distributions are installed, new enough and can be imported."""
    is_fine, least = True, minimums()
    for name in names:
        version, minimum = _version(name), least.get(name, "0")
        extra = f'"{_OURS}[{_EXTRAS[name]}]"' if name in _EXTRAS else _OURS
        finding = None
        if version is None:
            todo = ("install it:", f"pip install {extra}")
            finding = broken("package-missing", f"{name} is not installed", f"pip install {extra}", todo=todo)
        elif number(version) < number(minimum):
            text = f"{name} {version} is installed, and {minimum} or newer is needed"
            todo = ("upgrade it:", f"pip install --upgrade {extra}")
            finding = broken("package-too-old", text, f"pip install --upgrade {extra}", todo=todo)
        elif why := _unusable(_MODULES.get(name, "")):
            text = f"{name} {version} is installed, and cannot be imported: {why}"
            todo = ("install it anew, with what it needs:", f"pip install --force-reinstall {extra}")
            finding = broken("package-unusable", text, " ".join(todo), todo=todo)
        if finding:
            is_fine = False
            yield finding
    return is_fine


def minimums() -> dict[str, str]:
    """Return the oldest version of each distribution that this package declares, by its metadata."""
    try:
        requirements = metadata.requires(_OURS) or []
    except metadata.PackageNotFoundError:  # run from a source tree
        return {}
    return {match[1]: match[2] for match in map(_REQUIREMENT.match, requirements) if match}


def newest_python() -> str | None:
    """Return the newest Python that this package supports, by its metadata; ``None`` in a source tree."""
    try:
        classifiers = metadata.metadata(_OURS).get_all("Classifier") or []
    except metadata.PackageNotFoundError:
        return None
    return max((match[1] for match in map(_PYTHON.fullmatch, classifiers) if match), key=number, default=None)


def number(version: str) -> tuple[int, ...]:
    """Return a version as something that can be compared, as far as its numbers go."""
    return tuple(map(int, re.findall(r"\d+", version.partition("+")[0])[:3]))


def _unusable(module: str) -> str | None:
    try:
        if module:
            importlib.import_module(module)
    except Exception as error:
        return cause_of(error)
    return None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
