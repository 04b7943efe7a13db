"""The proxy's configuration with a real HAProxy in front of two small servers: what it tells them of the caller, what it keeps to
itself, whom it leaves alone, and that a stream of events arrives while it is being written.

usage: proxy.py <haproxy>
"""

import contextlib
import http.client
import http.server
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

from problems import end, text_of

READY_WITHIN = 10.0
# The second event of a stream is written this long after the first, which must not wait for it.
PAUSE = 2.0


class Backend(http.server.BaseHTTPRequestHandler):
    """Answers with the headers it was sent, or with two events."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/readyz":
            self.answer(200 if self.server.ready else 503, b"")
        elif self.path.endswith("/events"):
            self.stream()
        else:
            self.answer(200, str(self.headers).encode())

    def do_POST(self):
        self.server.posts += 1
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Backend", self.server.name)
        self.end_headers()
        self.wfile.write(body)

    def stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for pause in (PAUSE, 0):
            self.wfile.write(b"data: event\n\n")
            time.sleep(pause)
        self.close_connection = True

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name, ready):
        super().__init__(("127.0.0.1", 0), Backend)
        self.name, self.ready, self.posts = name, ready, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """HAProxy hangs up on a health check as soon as it knows enough."""


def ask(port, path, headers=None, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_WITHIN)
    connection.request(method, path, headers=headers or {})
    return connection.getresponse()


@contextlib.contextmanager
def proxy(haproxy, servers):
    """HAProxy with our configuration, except for where it listens, whom it asks, and how many connections it is built for."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    lines = "\n".join(f"    server {one.name} 127.0.0.1:{one.server_port}" for one in servers)
    config = text_of("deploy/haproxy/haproxy.cfg").replace("bind :8080", f"bind 127.0.0.1:{port}")
    config = re.sub(r"(?m)^    maxconn \d+$", "    maxconn 500", config)
    config = re.sub(r"(?m)^    server-template .*$", lines, config)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
        path = pathlib.Path(folder, "haproxy.cfg")
        path.write_text(config, encoding="utf-8")
        with subprocess.Popen([haproxy, "-f", path], stdout=log, stderr=log) as process:
            try:
                wait_until_healthy(port, process, log)
                yield port
            finally:
                process.terminate()


def wait_until_healthy(port, process, log):
    """Until it has found out who is ready."""
    give_up = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < give_up:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if ask(port, "/proxy-health").status == 200 and "ill is DOWN" in said(log):
                return
        time.sleep(0.1)
    sys.exit(f"HAProxy did not get ready within {READY_WITHIN:.0f} s:\n{said(log)}")


def said(log):
    log.seek(0)
    return log.read()


def problems(port, ill, well):
    lies = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Forwarded": "for=203.0.113.9"}
    heard = http.client.parse_headers(ask(port, "/sales", lies))
    for name, wanted in (("X-Forwarded-For", ["127.0.0.1"]), ("X-Forwarded-Proto", ["http"]), ("Forwarded", None)):
        if heard.get_all(name) != wanted:
            yield f"a client that lies about {name}: the API hears {heard.get_all(name)} instead of {wanted}"
    for path in ("/metrics", "/%6detrics", "/METRICS"):
        if ask(port, path).status != 404:
            yield f"{path} is answered to anybody"
    asked = {ask(port, "/sales").headers["X-Backend"] for _ in range(6)}
    if asked != {well.name}:
        yield f"requests go to {asked}, although only {well.name} is ready"
    if ask(port, "/orders", method="POST").status != 502 or ill.posts + well.posts != 1:
        yield f"a POST whose connection broke was sent {ill.posts + well.posts} times: it may be sent once only"
    for path in ("/sales/events", "/orders/events"):
        began = time.monotonic()
        if ask(port, path).readline() != b"data: event\n" or time.monotonic() - began > PAUSE / 2:
            yield f"{path}: the first event waited for {time.monotonic() - began:.1f} s"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    ill, well = Server("ill", ready=False), Server("well", ready=True)
    with proxy(sys.argv[1], [ill, well]) as port:
        found = list(problems(port, ill, well))
    end(found)
