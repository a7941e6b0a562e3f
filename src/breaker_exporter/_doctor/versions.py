"""Which versions are here, and whether they are what this package declares."""

from __future__ import annotations

import importlib
import platform
import re
from collections.abc import Iterable
from importlib import metadata

from ..otlp._packages import cause_of
from .report import Report, Steps, broken, ok, warning

_OURS = "breaker-exporter"
_LOOKED_AT = (
    *("opentelemetry-api", "opentelemetry-sdk", "pybreaker"),
    *("opentelemetry-exporter-otlp-proto-http", "requests", "urllib3"),
    *("opentelemetry-exporter-otlp-proto-grpc", "grpcio"),
    *("gevent", "greenlet", "gunicorn", "sentry-sdk"),
)
_EXTRAS = {
    "opentelemetry-exporter-otlp-proto-http": "otlp",
    "requests": "otlp",
    "urllib3": "otlp",
    "opentelemetry-exporter-otlp-proto-grpc": "grpc",
    "gevent": "gevent",
    "gunicorn": "gunicorn",
    "sentry-sdk": "sentry",
}
_MODULES = {
    "opentelemetry-exporter-otlp-proto-http": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry-exporter-otlp-proto-grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
    "requests": "requests",
    "urllib3": "urllib3",
    "sentry-sdk": "sentry_sdk",
}
_ALWAYS = ("opentelemetry-sdk", "pybreaker")
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*\(?>=\s*([0-9.]+)")
_PYTHON = re.compile(r"Programming Language :: Python :: (\d+)\.(\d+)")


def collect(report: Report) -> None:
    """Note all versions in the report."""
    report.versions["python"] = platform.python_version()
    report.versions["platform"] = platform.platform(terse=True)
    for name in (_OURS, *_LOOKED_AT):
        report.versions[name] = _version(name)


def look(report: Report) -> Steps[None]:
    """What is here at all."""
    collect(report)
    names = [f"{name} {version}" for name, version in report.versions.items() if version]
    yield ok("versions", ", ".join(names))
    newest = newest_python()
    if newest and number(platform.python_version())[:2] > number(newest):
        yield ok(
            "python-untested", f"Python {platform.python_version()} is newer than the newest tested, {newest}"
        )
    yield from check(_ALWAYS)
    yield from _check_same_release()


def check(names: Iterable[str]) -> Steps[bool]:
    """Whether these distributions are here, and new enough."""
    fine = True
    least = minimums()
    for name in names:
        version, minimum = _version(name), least.get(name, "0")
        extra = f'"{_OURS}[{_EXTRAS[name]}]"' if name in _EXTRAS else _OURS
        if version is None:
            fine = False
            yield broken("package-missing", f"{name} is not installed", f"pip install {extra}")
        elif number(version) < number(minimum):
            fine = False
            yield broken(
                "package-too-old",
                f"{name} {version} is installed, and {minimum} or newer is needed",
                f"pip install --upgrade {extra}",
            )
        elif why := _unusable(_MODULES.get(name, "")):
            fine = False
            yield broken(
                "package-unusable",
                f"{name} {version} is installed, and cannot be imported: {why}",
                f"install it anew, with what it needs: pip install --force-reinstall {extra}",
            )
    return fine


def minimums() -> dict[str, str]:
    """The oldest version of each distribution that this package declares, by its metadata."""
    found = (_REQUIREMENT.match(requirement) for requirement in _requirements(_OURS))
    return {match[1]: match[2] for match in found if match}


def extras_with(name: str, *, of: str) -> list[str]:
    """The extras of the installed distribution `of` that bring `name`, without that for its tests."""
    pattern = re.compile(rf"{re.escape(name)}\b.*;.*\bextra\s*==\s*['\"]([\w.-]+)")
    found = (pattern.match(requirement) for requirement in _requirements(of))
    return [match[1] for match in found if match and match[1] != "testing"]


def _requirements(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # run from a source tree
        return []


def newest_python() -> str | None:
    """The newest Python that this package supports, by its metadata; ``None`` in a source tree."""
    try:
        classifiers = metadata.metadata(_OURS).get_all("Classifier") or []
    except metadata.PackageNotFoundError:
        return None
    found = [match for match in map(_PYTHON.fullmatch, classifiers) if match]
    return max((".".join(match.groups()) for match in found), key=number, default=None)


def number(version: str) -> tuple[int, ...]:
    """A version as something that can be compared, as far as its numbers go."""
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


def _check_same_release() -> Steps[None]:
    """OpenTelemetry's parts are released together, and pip can be talked into mixing them."""
    found = {
        name: version
        for name in _LOOKED_AT
        if name.startswith("opentelemetry-") and (version := _version(name))
    }
    if len({number(version)[:2] for version in found.values()}) > 1:
        mixed = ", ".join(f"{name} {version}" for name, version in found.items())
        yield warning(
            "packages-mixed",
            f"OpenTelemetry's packages are of several releases: {mixed}",
            "install them in one go, so that pip takes one release of all",
        )
