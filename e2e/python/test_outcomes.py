"""What a secret decides is not seen from outside, though the host has every operation in a batch of its own and holds its
acknowledgement back as long as it likes (docs/THREATS.md, "The host sees")."""

import base64
import socket
import ssl
import struct
import time
import urllib.parse

import pytest
from acknowledgements import Acknowledgements
from conftest import ENCLAVE, PATIENCE
from test_scopes import Tenant

ROUNDS = 4


class CountedLine:
    """A kept TLS connection that counts the bytes which the host sees."""

    def __init__(self, up):
        api = urllib.parse.urlsplit(up.ready["api"])
        self.socket = socket.create_connection((api.hostname, api.port), timeout=PATIENCE)
        self.incoming, self.outgoing, self.seen = ssl.MemoryBIO(), ssl.MemoryBIO(), [0, 0]
        context = ssl.create_default_context(cafile=up.ready["ca"])
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=api.hostname)
        self.host = api.netloc
        self.basic = base64.b64encode(f"{up.ready['account_sid']}:{up.ready['auth_token']}".encode()).decode()
        self.step(self.tls.do_handshake)
        # Session tickets come with the first answer.
        self.say("GET", "/health")
        self.hear()

    def flush(self):
        if out := self.outgoing.read():
            self.socket.sendall(out)
            self.seen[0] += len(out)

    def step(self, act):
        while True:
            try:
                done = act()
                self.flush()
                return done
            except ssl.SSLWantReadError:
                self.flush()
                piece = self.socket.recv(65536)
                assert piece, "the vault closed the connection"
                self.seen[1] += len(piece)
                self.incoming.write(piece)

    def say(self, method, path, **form):
        body = urllib.parse.urlencode(form)
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Basic {self.basic}\r\n"
        if form:
            head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        self.seen = [0, 0]
        self.step(lambda: self.tls.write(f"{head}\r\n{body}".encode()))

    def hear(self):
        """Status of one whole answer."""
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += self.step(lambda: self.tls.read(65536))
        head, _, body = heard.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
        while len(body) < int(fields["content-length"]):
            body += self.step(lambda: self.tls.read(65536))
        return int(head.split()[1])


def shape(append):
    """What the host sees of an append: its length, the sizes that its header names, and the length of each body."""
    # Length, kind, id, log, expected size, then the record (docs/spec/01-frames.md).
    record = append[4 + 1 + 8 + 2 + 8 :]
    entry, present, bodies, lengths = record[:176], record[176], record[177:], []
    for _ in range(present.bit_count()):
        length = struct.unpack(">I", bodies[:4])[0]
        lengths.append(length)
        bodies = bodies[4 + length :]
    return entry[1:5], present, tuple(lengths)


def eventually(true):
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def seen(line, acknowledgements, method, path, **form):
    """What the host sees of one operation in a batch of its own, and the answer's status."""
    acknowledgements.hold()
    before = len(acknowledgements.appends)
    line.say(method, path, **form)
    eventually(lambda: len(acknowledgements.appends) > before)
    # Held back for a while, as a host may do to be sure that it has this operation alone.
    time.sleep(0.3)
    acknowledgements.release()
    status = line.hear()
    bytes_seen = tuple(line.seen)
    # What follows from it comes at once, or never.
    time.sleep(0.7)
    return (bytes_seen, tuple(shape(append) for append in acknowledgements.appends[before:])), status


@pytest.mark.skipif(ENCLAVE != "process", reason="a machine is behind another bridge")
def test_a_host_that_delays_acknowledgements_does_not_tell_outcomes_apart(start):
    limits = ["limits.failed_checks_refill_seconds=1", "limits.sends_per_number_block_hour=1000"]
    up = start(policy=limits)
    acknowledgements = Acknowledgements(up)
    base = f"/v2/Services/{up.ready['service_sid']}"
    line = CountedLine(up)
    found = {"right": set(), "wrong": set(), "unknown": set(), "a service": set()}
    for round_number in range(ROUNDS):
        numbers = [f"+1202555{round_number:02}{place:02}" for place in range(3)]
        # Both are begun and their messages delivered, and reported, before anything is looked at.
        codes = {}
        for number in numbers[:2]:
            up.verify().verifications.create(to=number, channel="sms")
            codes[number] = up.code(number)
        time.sleep(1.5)
        wrong = "".join(str((int(digit) + 1) % 10) for digit in codes[numbers[1]])
        tries = [
            ("right", numbers[0], codes[numbers[0]], 200),
            ("wrong", numbers[1], wrong, 200),
            ("unknown", numbers[2], wrong, 404),
        ]
        # In another order each round, so that no outcome has a place of its own.
        tries = tries[round_number % 3 :] + tries[: round_number % 3]
        for outcome, number, code, expected in tries:
            form = {"To": number, "Code": code}
            what, status = seen(line, acknowledgements, "POST", f"{base}/VerificationCheck", **form)
            assert status == expected, outcome
            found[outcome].add(what)
        what, status = seen(line, acknowledgements, "POST", "/v2/Services", FriendlyName="Corner Shop")
        assert status == 201
        found["a service"].add(what)
    assert len(found["right"]) == 1, found
    assert found["right"] == found["wrong"] == found["unknown"], found
    # The same eyes do see an operation of another kind.
    assert found["a service"].isdisjoint(found["right"]), found


@pytest.mark.skipif(ENCLAVE != "process", reason="a machine is behind another bridge")
def test_a_look_of_support_is_as_long_whatever_it_finds(start, tmp_path, monkeypatch):
    up = start(policy=["tenants.loosening_hours=1"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", up.ready["ca"])
    acme = Tenant(up, tmp_path / "acme", "Acme")
    support = acme.key("support")
    verify = acme.sdk().services(acme.sdk().services.create(friendly_name="Acme").sid)
    found = {"unknown": "VE" + "0" * 32}
    for outcome, number in (("right", "+12025550101"), ("wrong", "+12025550102")):
        found[outcome] = verify.verifications.create(to=number, channel="sms").sid
        code = up.code(number)
        if outcome == "wrong":
            code = "".join(str((int(digit) + 1) % 10) for digit in code)
        verify.verification_checks.create(to=number, code=code)
    line, lengths = CountedLine(up), {}
    line.basic = base64.b64encode(":".join(support).encode()).decode()
    for outcome, sid in found.items():
        line.say("GET", f"/adyton/v1/support/{sid}")
        assert line.hear() == 200
        lengths[outcome] = tuple(line.seen)
    assert len(set(lengths.values())) == 1, lengths
