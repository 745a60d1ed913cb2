"""A client that says what no HTTP library would say."""

import base64
import json
import socket
import ssl
import urllib.parse

LARGE = 10_000_000


def basic(credentials):
    """The header with a user's SID and token."""
    return b"Authorization: Basic " + base64.b64encode(":".join(credentials).encode()) + b"\r\n"


class Wire:
    """One connection to a vault, byte by byte."""

    def __init__(self, up, tls=True, small_window=False, patience=60):
        api = urllib.parse.urlsplit(up.ready["api"])
        self.host = api.netloc
        self.socket = socket.socket()
        self.socket.settimeout(patience)
        if small_window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect((api.hostname, api.port))
        if tls:
            context = ssl.create_default_context(cafile=up.ready["ca"])
            self.socket = context.wrap_socket(self.socket, server_hostname=api.hostname)
        self.basic = basic((up.ready["account_sid"], up.ready["auth_token"]))

    def head(self, method, path, *headers, host=None):
        """A request's head, up to where further headers could follow."""
        start = method + b" " + path + b" HTTP/1.1\r\nHost: " + (host or self.host.encode()) + b"\r\n"
        return start + self.basic + b"".join(header + b"\r\n" for header in headers)

    def say(self, data):
        self.socket.sendall(data)
        return self

    def hear(self):
        """What comes until the server ends the connection."""
        heard = b""
        try:
            while piece := self.socket.recv(65536):
                heard += piece
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            pass
        return heard

    def close(self):
        self.socket.close()


def answer(heard):
    """Status, our code and the headers of an answer; the code is None where HTTP itself refused."""
    head, _, body = heard.partition(b"\r\n\r\n")
    if not head:
        return None, None, {}
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    found = json.loads(body) if headers.get("content-type") == "application/json" else {}
    return int(status.split()[1]), found.get("code"), headers


def ask(up, path, *headers, method=b"GET", body=b"", host=None):
    """One request on a connection of its own; lengths are not added."""
    wire = Wire(up)
    try:
        wire.say(wire.head(method, path, b"Connection: close", *headers, host=host) + b"\r\n" + body)
        return answer(wire.hear())
    finally:
        wire.close()


def post(up, path, body, *headers, **options):
    length = b"Content-Length: %d" % len(body)
    return ask(up, path, length, *headers, method=b"POST", body=body, **options)
