"""The world outside of a run, in one container: a resolver and a web server that remember who came. Runs alone.

With FILES and CERTIFICATE it is a package registry: HTTPS on port 443, and FILES by host and path.
"""

import http.server
import json
import os
import socketserver
import ssl
import struct
import threading
from pathlib import Path

FILES: dict[str, list[str]] = json.loads(os.environ.get("FILES", "{}"))
CERTIFICATE = os.environ.get("CERTIFICATE", "")
SEEN: list[str] = []
NAMES: dict[str, list[str]] = json.loads(os.environ["NAMES"])
QUERIES: list[str] = []
VISITS: list[str] = []


class Resolver(socketserver.BaseRequestHandler):
    """Answers A questions from NAMES, each with the next of its addresses, to be kept for no time at all."""

    def handle(self) -> None:
        data, sock = self.request
        labels: list[str] = []
        at = 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        question = data[12 : at + 5]
        kind = struct.unpack(">H", data[at + 1 : at + 3])[0]
        name = ".".join(labels).lower()
        QUERIES.append(name)
        addresses = NAMES.get(name, []) if kind == 1 else []
        address = (addresses.pop(0) if len(addresses) > 1 else addresses[0]) if addresses else ""
        flags, count = (0x8180, 1) if address else (0x8180 if name in NAMES else 0x8183, 0)
        answer = data[:2] + struct.pack(">HHHHH", flags, 1, count, 0, 0) + question
        if address:
            answer += struct.pack(">HHHIH", 0xC00C, 1, 1, 0, 4) + bytes(int(part) for part in address.split("."))
        sock.sendto(answer, self.client_address)


class Web(http.server.BaseHTTPRequestHandler):
    """Says hello, sends much, redirects anywhere, and tells the test what it saw."""

    def do_GET(self) -> None:
        if self.path == "/state":
            body = json.dumps({"queries": QUERIES, "visits": VISITS, "seen": SEEN}).encode()
        else:
            VISITS.append(self.path)
            body = b"x" * int(self.path[5:]) if self.path.startswith("/big/") else b"hello from outside\n"
        if CERTIFICATE and self.path != "/state":
            self.registry()
            return
        redirect = self.path.startswith("/to/")
        self.send_response(302 if redirect else 200)
        if redirect:
            self.send_header("Location", "http://" + self.path[4:])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def registry(self) -> None:
        """One file, whose bytes are those of Latin-1; or a redirection."""
        SEEN.append(json.dumps(dict(self.headers)))
        status, kind, content = FILES.get(self.headers.get("Host", "") + self.path, ["404", "text/plain", "none"])
        body = b"" if status == "301" else content.encode("latin-1")
        self.send_response(int(status))
        self.send_header("Content-Type" if body else "Location", kind if body else content)
        self.send_header("Cache-Control", "max-age=0" if "json" in kind else "max-age=3600")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


for port in (443, 80, 8443):
    server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Web)  # noqa: S104 - all of a test's own network
    if CERTIFICATE and port == 443:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        Path("/tmp/certificate.pem").write_text(CERTIFICATE)  # noqa: S108 - in the container
        context.load_cert_chain("/tmp/certificate.pem")  # noqa: S108 - the same
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
socketserver.UDPServer(("0.0.0.0", 53), Resolver).serve_forever()  # noqa: S104 - the same
