"""A stand-in for Sentry: it takes any request, and counts the spans of OTLP requests.

The benchmark stops it (SIGSTOP) for a backend that accepts connections and does not answer.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_counts = {"spans": 0}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(str(_counts["spans"]).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if "otlp" in self.path:
            with contextlib.suppress(Exception):
                request = ExportTraceServiceRequest.FromString(body)
                for of in request.resource_spans:
                    _counts["spans"] += sum(len(scoped.spans) for scoped in of.scope_spans)
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_leave_with, args=(int(sys.argv[2]),), daemon=True).start()
    ThreadingHTTPServer.request_queue_size = 512
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
