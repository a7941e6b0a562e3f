"""``python -m breaker_exporter``: the commands, each a package of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ._base.command_line import until_nobody_reads
from ._demo import command as demo
from ._doctor import command as doctor
from ._sizing import command as retention
from ._spool_command import command as spool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, or list the commands; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m breaker_exporter",
        description="A circuit breaker around any OpenTelemetry span exporter.",
        epilog="A collector that shows what arrives, and fails by a key: python -m breaker_exporter.testing",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    demo.configure(commands.add_parser("demo", help="run two services through one outage, side by side"))
    doctor.configure(commands.add_parser("doctor", help="find mistakes in the telemetry of this environment"))
    retention.configure(commands.add_parser("retention", help="compute the memory that an outage takes"))
    spool.configure(commands.add_parser("spool", help="show, send or delete what an outage left on disk"))
    options = parser.parse_args(arguments)
    if "run" not in options:
        parser.print_help()
        return 0
    status: int = options.run(options)
    return status


if __name__ == "__main__":
    sys.exit(until_nobody_reads(main))
