"""``python -m tools.upstream``: runs the tests of all packages in each way, and says what they show."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from .packages import PACKAGES, Package, unpacked
from .report import concluded
from .verdict import Result, Verdict, judge, missing, read
from .ways import WAYS

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / ".venv-upstream" / "sdists"
TRIES = 3
"""Some tests wait a fixed time for a thread: what fails once is tried again, alone."""
_LONGEST = 600
"""Seconds for one run of a package's tests."""


def main() -> int:
    """Run them; return the exit status."""
    options = _parser().parse_args()
    listed = read()
    began = time.monotonic()
    verdicts: dict[tuple[str, str], Verdict] = {}
    tests: dict[str, list[str]] = {}
    for package in PACKAGES:
        if options.only not in package.key:
            continue
        source = unpacked(package, SOURCES)
        for way in package.ways:
            if options.way not in (None, way):
                continue
            print(f"{package.name} {package.version}, {way}", flush=True)
            results = _run(package, source, way, package.files(source))
            for _ in range(TRIES - 1):
                failed = [result.test for result in judge(results.values(), way, listed).failed]
                if failed:
                    print("once more:", *failed, sep="\n    ", flush=True)
                    results |= _run(package, source, way, [_id_of(package, test) for test in failed])
            verdicts[f"{package.key} {package.version}", way] = judge(results.values(), way, listed)
            tests.setdefault(way, []).extend(results)
    is_whole = options.way is None and not options.only
    return concluded(verdicts, missing(listed, tests) if is_whole else [], time.monotonic() - began)


def _run(package: Package, source: Path, way: str, arguments: Sequence[str]) -> dict[str, Result]:
    """Run tests in a process of their own; return the results by name."""
    with TemporaryDirectory(prefix="upstream-") as directory:
        path = Path(directory) / "results.json"
        # Not this repository's settings: what is run is theirs.
        theirs = ("-c", "pyproject.toml", "-p", "no:cacheprovider", "-W", "ignore")
        ours = ("-p", "tools.upstream.plugin", "--timeout=120", f"--way={way}", f"--results={path}")
        scripts = Path(sys.executable).parent  # some tests start "python"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--quiet", "--tb=short", *theirs, *ours, *arguments],
            cwd=source,
            env={**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST,
            check=False,
        )
        if not path.exists():
            sys.stderr.write(done.stdout)
            raise SystemExit(f"pytest ended with status {done.returncode} and without results")
        found = json.loads(path.read_text())
    return {_name_of(package, test): Result(_name_of(package, test), **found[test]) for test in found}


def _name_of(package: Package, test: str) -> str:
    return f"{package.key}/{test.removeprefix('tests/')}"


def _id_of(package: Package, name: str) -> str:
    return f"tests/{name.removeprefix(f'{package.key}/')}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.upstream", description=__doc__)
    parser.add_argument(
        "--only", default="", metavar="KEY", help="only this package: sdk, http, grpc, common"
    )
    parser.add_argument("--way", choices=sorted(WAYS), help="only this way")
    return parser


if __name__ == "__main__":
    sys.exit(main())
