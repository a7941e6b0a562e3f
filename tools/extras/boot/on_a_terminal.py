"""Runs the collector by hand on a pseudo-terminal: waits for its table, presses keys, waits for its end."""

from __future__ import annotations

import os
import subprocess
import sys

COMMAND = (sys.executable, "-m", "breaker_exporter.testing", "--http-port", "0", "--grpc-port", "0")

ours, theirs = os.openpty()
environment = {**os.environ, "TERM": "xterm"}
with subprocess.Popen(COMMAND, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
    os.close(theirs)
    shown = ""
    for expected, keys in (("Nothing has arrived yet", b"bq"), ("Received nothing in", b"")):
        while expected not in shown:
            try:
                shown += os.read(ours, 65_536).decode()
            except OSError as gone:  # the command has ended, and with it the terminal
                raise SystemExit(f"{expected!r} was not shown: {shown}") from gone
        os.write(ours, keys)
sys.stdout.write(shown)
raise SystemExit(process.returncode)
