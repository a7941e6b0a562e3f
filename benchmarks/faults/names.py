"""A name server for the collector's name alone, which can be made to fall silent or to know no name.

A resolver reads ``/etc/resolv.conf`` and asks port 53, so the services run in a mount namespace of their own,
which takes privileges.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from .front import Front, Fronting

_ADDRESS = "127.0.0.53"
_MOST = 512


class Names:
    """The name server, a thread of this process; the mode of `front` says how it answers."""

    def __init__(self, front: Front, directory: Path) -> None:
        self._front = front
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((_ADDRESS, 53))
        self._socket.settimeout(0.1)
        self._closed = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._resolv_conf = directory / "resolv.conf"
        self._resolv_conf.write_text(f"nameserver {_ADDRESS}\n")

    def __enter__(self) -> Names:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._thread.join()
        self._socket.close()

    @property
    def command(self) -> tuple[str, ...]:
        """The command that starts another one so that it asks this server."""
        return _in_namespace(self._resolv_conf)

    def _serve(self) -> None:
        while not self._closed:
            with contextlib.suppress(TimeoutError, dns.exception.DNSException):
                question, whose = self._socket.recvfrom(_MOST)
                if self._front.mode is not Fronting.NAME_HANGS:
                    self._socket.sendto(self._answer(question), whose)

    def _answer(self, question: bytes) -> bytes:
        query = dns.message.from_wire(question)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if self._front.mode is Fronting.NAME_FAILS:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif query.question and query.question[0].rdtype == dns.rdatatype.A:
            response.answer.append(dns.rrset.from_text(query.question[0].name, 1, "IN", "A", "127.0.0.1"))
        wire: bytes = response.to_wire()
        return wire


@functools.cache
def can_be() -> bool:
    """Return whether this process may mount, and take port 53."""
    if shutil.which("unshare") is None:
        return False
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
            trial.bind((_ADDRESS, 53))
        command = (*_in_namespace(Path("/etc/hosts")), "true")
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _in_namespace(resolv_conf: Path) -> tuple[str, ...]:
    script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    return "unshare", "--mount", "sh", "-c", script, str(resolv_conf)
