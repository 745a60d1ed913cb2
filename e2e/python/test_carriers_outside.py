"""Carriers that write their answers in another way than most, answer late, or do not end what they say."""

import pathlib
import time

import pytest
from carrier import MAIL, MESSAGES, Endless, MailServer
from conftest import PATIENCE, eventually

MIB = 1024 * 1024


def outcome(up, sid):
    def known():
        (attempt,) = up.verify().verifications(sid).fetch().send_code_attempts
        assert attempt["outcome"] != "unknown"
        return attempt["outcome"]

    return eventually(known)


LATIN = b"\xe4\xf6\xfc"
READABLE = {
    "greeting in Latin-1": {"connect": b"220 " + LATIN + b"\r\n"},
    "bare greeting": {"connect": b"220\r\n"},
    "EHLO in Latin-1": {"EHLO": b"250-" + LATIN + b"\r\n250 AUTH PLAIN\r\n"},
    "AUTH in Latin-1": {"AUTH": b"235 " + LATIN + b"\r\n"},
    "MAIL in Latin-1": {"MAIL": b"250 " + LATIN + b"\r\n"},
    "RCPT in Latin-1": {"RCPT": b"250 " + LATIN + b"\r\n"},
    "bare code after the point": {".": b"250\r\n"},
    "tab after the point": {".": b"250\tqueued\r\n"},
    "long text after the point": {".": b"250 " + 5000 * b"a" + b"\r\n"},
    "bare LF after the point": {".": b"250 queued\n"},
    "Latin-1 after the point": {".": b"250 " + LATIN + b"\r\n"},
}


@pytest.mark.regression
def test_a_reply_that_is_written_in_another_way_gives_one_copy(outside):
    server = MailServer()
    up = outside(server)
    for number, (name, replies) in enumerate(READABLE.items()):
        server.replies = replies
        to = f"person{number}@example.org"
        started = up.verify().verifications.create(to=to, channel="email")
        assert outcome(up, started.sid) == "accepted", name
        assert len(server.copies_to(to)) == 1, name


@pytest.mark.regression
def test_a_refusal_in_latin_1_is_one(outside):
    server = MailServer()
    server.replies = {".": b"550 5.1.1 " + LATIN + b"\r\n"}
    up = outside(server)
    started = up.verify().verifications.create(to="person@example.org", channel="email")
    assert outcome(up, started.sid) == "refused"
    assert len(server.copies) == 1


@pytest.mark.regression
def test_a_late_answer_to_the_final_point_gives_one_copy(outside):
    server = MailServer()
    answered = []

    def late(stream):
        time.sleep(20)
        stream.sendall(b"250 queued\r\n")
        answered.append(True)

    server.replies = {".": late}
    up = outside(server)
    started = up.verify().verifications.create(to="person@example.org", channel="email")
    assert outcome(up, started.sid) == "accepted"
    assert (len(server.copies), len(answered)) == (1, 1)


@pytest.mark.regression
def test_what_may_have_been_taken_is_not_repeated(outside):
    server = MailServer()
    server.replies = {".": b"who are you?\r\n"}
    up = outside(server)
    started = up.verify().verifications.create(to="person@example.org", channel="email")
    assert outcome(up, started.sid) not in ("accepted", "refused")
    assert len(server.copies) == 1


@pytest.mark.regression
def test_repeats_that_a_server_asks_for_have_one_message_id(outside):
    server = MailServer()

    def busy_twice(stream):
        stream.sendall(b"451 later\r\n" if len(server.copies) < 3 else b"250 queued\r\n")

    server.replies = {".": busy_twice}
    up = outside(server)
    started = up.verify().verifications.create(to="person@example.org", channel="email")
    assert outcome(up, started.sid) == "accepted"
    ids = [copy["Message-ID"] for copy in server.copies]
    assert len(ids) == 3 and len(set(ids)) == 1
    # No SID of the vault's is in a header.
    (attempt,) = up.verify().verifications(started.sid).fetch().send_code_attempts
    for sid in (started.sid, attempt["attempt_sid"]):
        assert all(sid[2:] not in str(value) for value in server.copies[0].values())


def largest(pid):
    """The most memory that a process has had, in bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


@pytest.mark.parametrize(
    ("place", "first", "again", "to", "channel"),
    [
        pytest.param(MAIL, b"220 ", 16384 * b"a", "person@example.org", "email", marks=pytest.mark.regression),
        (MESSAGES, b"HTTP/1.1 200 OK\r\nx: ", 16384 * b"a", "+12025550123", "sms"),
        (
            MESSAGES,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n",
            16384 * b"a",
            "+12025550123",
            "sms",
        ),
    ],
    ids=["line", "header", "chunk"],
)
def test_an_answer_without_end_does_not_grow_the_enclave(outside, place, first, again, to, channel):
    carrier = Endless(place, first, again, most=64 * MIB)
    up = outside(carrier)
    pid = up.children()["adyton-enclave"]
    before = largest(pid)
    up.verify().verifications.create(to=to, channel=channel)
    assert carrier.ended.acquire(timeout=PATIENCE)
    assert largest(pid) - before < 4 * MIB
    # What the sockets in between hold is a few MiB at most.
    assert carrier.said[0] < 16 * MIB
