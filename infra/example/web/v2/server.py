"""A small web server: `/` says which version it is, `/healthz` says whether it works.

New in 1.1.0: prices in several currencies. The rates come from CURRENCY_RATES.
"""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VERSION = Path(__file__).with_name("VERSION").read_text().strip()
GREETING = os.environ.get("GREETING", "hello")


def rates():
    """Units of each currency for one euro, such as {"USD": 1.1}."""
    return json.loads(os.environ["CURRENCY_RATES"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/":
            self.answer(200, f"{GREETING} from web {VERSION}\n")
        elif self.path == "/prices":
            self.answer(200, json.dumps({name: round(20 * rate, 2) for name, rate in rates().items()}) + "\n")
        elif self.path == "/healthz":
            self.health()
        else:
            self.answer(404, "not found\n")

    def health(self):
        try:
            rates()
        except (KeyError, ValueError) as error:
            self.answer(503, f"no currency rates: {type(error).__name__}: {error}\n")
        else:
            self.answer(200, "ok\n")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    # The next version binds the port while connections of the last one are still closing.
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    print(f"web {VERSION} listens on {server.server_address[0]}:{server.server_address[1]}", flush=True)
    server.serve_forever()
