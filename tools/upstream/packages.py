"""OpenTelemetry's packages whose tests are run, and their tests, which come with their sdists."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .ways import TAKERS


@dataclass(frozen=True)
class Package:
    """A package with tests.

    Attributes:
        key: Its short name here, with which the names of its tests begin.
        name: Its name on the package index.
        ways: The ways in which its tests are run.
        words: Only the files of tests with one of these words are run; none: all of them.
    """

    key: str
    name: str
    ways: tuple[str, ...]
    words: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The installed version."""
        return version(self.name)

    def files(self, source: Path) -> list[str]:
        """Return the files of tests to run, relative to the unpacked sdist."""
        return [str(path.relative_to(source)) for path in sorted(self._found(source))]

    def _found(self, source: Path) -> Iterator[Path]:
        for path in (source / "tests").rglob("test_*.py"):
            text = path.read_text()
            if not self.words or any(word in text for word in self.words):
                yield path


PACKAGES = (
    Package(
        "sdk",
        "opentelemetry-sdk",
        ("wrapped", "retained"),
        tuple(taker.__name__ for taker in TAKERS),
    ),
    Package("http", "opentelemetry-exporter-otlp-proto-http", ("wrapped", "retained", "ours")),
    Package("grpc", "opentelemetry-exporter-otlp-proto-grpc", ("wrapped", "retained")),
    Package("common", "opentelemetry-exporter-otlp-proto-common", ("ours",)),
)


def unpacked(package: Package, directory: Path) -> Path:
    """Return the folder of a package's sdist in its installed version, downloaded at most once."""
    name = f"{package.name.replace('-', '_')}-{package.version}"
    source = directory / name
    if not source.exists():
        # pip asks the backend of what it downloads for metadata: hatchling is in this environment.
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet")
        options = ("--no-deps", "--no-build-isolation", "--no-binary", package.name)
        subprocess.run(
            [*pip, *options, "--dest", directory, f"{package.name}=={package.version}"], check=True
        )
        with tarfile.open(directory / f"{name}.tar.gz") as sdist:
            sdist.extractall(directory, filter="data")
    return source
