"""A website of another origin, for pages that show comments by the script tag."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Website:
    """Static pages by their paths, all with one Content-Security-Policy."""

    origin: str
    pages: dict[str, str] = field(default_factory=dict)
    policy: str = ""
    """The header that every page comes with."""


@contextmanager
def running_website() -> Iterator[Website]:
    """A website on an address of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    website = Website(f"http://localhost:{server.server_port}")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = website.pages.get(self.path.partition("?")[0])
            kind = "css" if self.path.endswith(".css") else "html"
            self.send_response(200 if page else 404)
            self.send_header("Content-Type", f"text/{kind}; charset=utf-8")
            self.send_header("Content-Security-Policy", website.policy)
            self.end_headers()
            self.wfile.write((page or "").encode())

        def log_message(self, *_args: object) -> None:
            pass

    server.RequestHandlerClass = Handler
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield website
    server.shutdown()
    server.server_close()
    thread.join()
