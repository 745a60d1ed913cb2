"""What a connection costs, how long it is kept, and HTTP's own rules, byte by byte."""

import asyncio
import concurrent.futures
import gzip
import json
import pathlib
import re
import resource
import socket
import ssl
import subprocess
import threading
import time

import pytest
import requests
import trustme
from conftest import BINARIES, PATIENCE
from crowd import Crowd, all_at_once
from test_tenants import api_key
from test_verification import NUMBER
from wire import Wire, answer, ask, basic, post

SERVICES = b"/v2/Services"
# What docs/LIMITS.md says that a connection costs at most, without bodies and answers.
CONNECTION_KIB = 112


def test_a_connections_cost_is_the_documented_one():
    limits = (pathlib.Path(__file__).parents[2] / "docs/LIMITS.md").read_text()
    (documented,) = re.findall(r"^\| connections: buffers of TLS and HTTP \| [0-9,]+ \| ([0-9,]+) \|", limits, re.MULTILINE)
    assert int(documented.replace(",", "")) == CONNECTION_KIB * 1024


def resident_kib(up):
    status = pathlib.Path(f"/proc/{up.children()['adyton-enclave']}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def fill(up, count):
    """Makes services, many at once."""
    form = {"FriendlyName": "A name of thirty letters here", "WebOtpDomain": "login.verify-service.example.com"}
    forms = [(number, SERVICES.decode(), form) for number in range(count)]
    answers = all_at_once(up, forms, clients=50)
    assert {status for status, _, _ in answers.values()} == {201}


@pytest.mark.regression
def test_pages_that_nobody_reads_cost_no_more_than_their_connections(up):
    fill(up, 1000)
    page = b"/v2/Services?PageSize=1000"
    # The page is the largest one.
    whole = Wire(up).say(Wire(up).head(b"GET", page, b"Connection: close") + b"\r\n").hear()
    assert whole.startswith(b"HTTP/1.1 200 OK\r\n") and len(whole) > 700_000
    before, count, most = resident_kib(up), 1000, 0

    def greedy(_):
        wire = Wire(up, small_window=True)
        # Several, so that what the machine's own buffers take is full.
        return wire.say((wire.head(b"GET", page) + b"\r\n") * 8)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        wires = []
        for wire in pool.map(greedy, range(count)):
            wires.append(wire)
            if len(wires) % 20 == 0:
                most = max(most, resident_kib(up))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        most = max(most, resident_kib(up))
        time.sleep(0.2)
    assert most - before < count * CONNECTION_KIB, f"{(most - before) / count:.0f} KiB for each connection"
    for wire in wires:
        wire.close()
    assert up.client().verify.v2.services(up.ready["service_sid"]).fetch().sid == up.ready["service_sid"]


def test_a_list_is_whole_however_it_is_asked_for(up):
    fill(up, 130)
    services = up.client().verify.v2.services
    everything = [service.sid for service in services.list()]
    assert len(everything) == len(set(everything)) == 131
    for sizes in [{"page_size": 1000}, {"page_size": 100}, {"page_size": 17}, {"limit": 131}, {"limit": 1000}, {}]:
        assert [service.sid for service in services.list(**sizes)] == everything, sizes
    assert [service.sid for service in services.list(limit=40, page_size=16)] == everything[:40]
    # As large as it was asked for: SDKs that count pages depend on it.
    for size in (1, 16, 17, 32, 100):
        page = services.page(page_size=size)
        assert len(list(page)) == size and page.next_page_url
    assert services.page(page_size=131).next_page_url is None
    assert services.page(page_size=1000).next_page_url is None
    # A client of HTTP/1.0 knows no chunks.
    wire = Wire(up)
    asked = wire.head(b"GET", SERVICES + b"?PageSize=1000").replace(b"HTTP/1.1", b"HTTP/1.0")
    heard = wire.say(asked + b"\r\n").hear()
    assert heard.startswith(b"HTTP/1.0 200 OK\r\n") and b"chunked" not in heard and heard.count(b'"sid"') == 131


@pytest.mark.regression
def test_a_connection_is_reused_after_a_while(up):
    def reused(after):
        wire = Wire(up)
        request = wire.head(b"GET", b"/health") + b"\r\n"
        for _ in range(2):
            heard = b""
            wire.say(request)
            while not heard.endswith(b"\r\n\r\nok\n"):
                piece = wire.socket.recv(4096)
                assert piece, f"closed after {after} s"
                heard += piece
            assert b"\r\nconnection: keep-alive\r\n" in heard
            assert int(re.search(rb"\r\nkeep-alive: timeout=(\d+)\r\n", heard)[1]) >= 90
            time.sleep(after)
        wire.close()

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        list(pool.map(reused, [9, 9.5, 9.9, 10, 10.1, 12] * 4))


@pytest.mark.regression
def test_one_host_in_any_spelling_and_no_other(up):
    name, _, port = Wire(up).host.partition(":")
    for host in [b"LOCALHOST.:%s" % port.encode(), b"localhost:", b"localhost.", b"localhost:0%s" % port.encode()]:
        status, _, _ = ask(up, SERVICES, host=host)
        assert status == 200, host
    for path in (b"/health", SERVICES):
        for lines in [b"", b"Host: localhost\r\nHost: localhost\r\n", b"Host: a@localhost\r\n", b"Host: localhost:x\r\n"]:
            wire = Wire(up)
            heard = wire.say(b"GET " + path + b" HTTP/1.1\r\nConnection: close\r\n" + lines + wire.basic + b"\r\n").hear()
            assert answer(heard)[:2] == (400, 60200), (path, lines)
    assert ask(up, SERVICES, host=b"evil.example")[:2] == (421, 20421)
    # HTTP/1.0 need not name one, and has no part in what depends on it.
    assert Wire(up).say(b"GET /health HTTP/1.0\r\n\r\n").hear().startswith(b"HTTP/1.0 200 OK\r\n")
    assert answer(Wire(up).say(b"GET /v2/Services HTTP/1.0\r\n\r\n").hear())[:2] == (421, 20421)


@pytest.mark.regression
def test_a_target_that_is_a_whole_address_names_the_host(up):
    whole = f"{up.ready['api']}/v2/Services".encode()
    for host in (b"evil.example", b"localhost:1", b""):
        wire = Wire(up)
        asked = b"GET " + whole + b" HTTP/1.1\r\nConnection: close\r\nHost: " + host + b"\r\n" + wire.basic + b"\r\n"
        heard = wire.say(asked).hear()
        assert answer(heard)[0] == 200, host
        # Addresses are built from the target, too.
        assert f'"url":"{up.ready["api"]}/v2/Services?PageSize=50&Page=0"'.encode() in heard, host
    assert ask(up, b"https://evil.example/v2/Services")[:2] == (421, 20421)
    assert ask(up, whole, b"Host: localhost")[:2] == (400, 60200), "a second one"
    # Without such a target an empty field names no host.
    wire = Wire(up)
    heard = wire.say(b"GET /v2/Services HTTP/1.1\r\nConnection: close\r\nHost:\r\n" + wire.basic + b"\r\n").hear()
    assert answer(heard)[:2] == (421, 20421)


@pytest.mark.regression
def test_a_body_in_a_coding_is_neither_read_nor_sent(up):
    path = f"/v2/Services/{up.ready['service_sid']}/Verifications".encode()
    form = f"To={NUMBER.replace('+', '%2B')}&Channel=sms".encode()
    compressed = gzip.compress(form)
    for coding in (b"gzip", b"br", b"identity, gzip"):
        for body in (form, compressed):
            status, code, headers = post(up, path, body, b"Content-Encoding: " + coding)
            assert (status, code, headers.get("accept-encoding")) == (415, 20415, "identity"), coding
    chunked = lambda body: b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"  # noqa: E731
    for lines, expected in [
        ([b"Transfer-Encoding: gzip, chunked"], (501, 20501)),
        ([b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"], (501, 20501)),
        ([b"Transfer-Encoding: identity, chunked"], (501, 20501)),
        ([b"Transfer-Encoding: chunked, chunked"], (400, 60200)),
        ([b"Transfer-Encoding: chunked, gzip"], (400, None)),
    ]:
        assert ask(up, path, *lines, method=b"POST", body=chunked(form))[:2] == expected, lines
    # A client that asks first is told before it sends.
    wire = Wire(up)
    headers = (b"Expect: 100-continue", b"Content-Encoding: gzip", b"Content-Length: %d" % len(compressed))
    assert answer(wire.say(wire.head(b"POST", path, *headers) + b"\r\n").hear())[:2] == (415, 20415)
    assert up.messages(NUMBER) == []
    assert post(up, path, form, b"Content-Encoding: identity")[0] == 201
    assert ask(up, path, b"Transfer-Encoding: Chunked", method=b"POST", body=chunked(form))[0] == 201
    assert ask(up, SERVICES, b"Content-Encoding: gzip")[0] == 200, "nothing is encoded"


@pytest.mark.regression
def test_a_scheme_may_be_followed_by_several_blanks(up):
    wire = Wire(up)
    for scheme in [b"Basic  ", b"BASIC     ", b"basic "]:
        heard = Wire(up).say(wire.head(b"GET", SERVICES, b"Connection: close").replace(b"Basic ", scheme) + b"\r\n").hear()
        assert answer(heard)[0] == 200, scheme


@pytest.mark.regression
def test_methods_of_a_path_are_named(up):
    for path, allowed in [(SERVICES, {"get", "head", "post", "options"}), (b"/health", {"get", "head", "options"})]:
        for method, status in [(b"OPTIONS", 204), (b"PUT", 405), (b"TRACE", 405), (b"BREW", 405)]:
            found, _, headers = ask(up, path, method=method)
            assert found == status and set(headers["allow"].split(",")) == allowed, (method, path, headers)
            assert status != 204 or "content-length" not in headers, "RFC 9110, 8.6"
    assert ask(up, b"*", method=b"OPTIONS")[0] == 204
    assert ask(up, b"/nowhere", method=b"OPTIONS")[:2] == (404, 20404)


def until_silent(wire, seconds=2):
    """What comes until nothing more does."""
    heard = b""
    wire.socket.settimeout(seconds)
    try:
        while piece := wire.socket.recv(65536):
            heard += piece
    except TimeoutError:
        return heard, False
    return heard, True


def test_versions_and_connections_are_those_of_the_rfc(up):
    old = b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    heard, ended = until_silent(Wire(up).say(old * 2))
    assert heard.count(b"HTTP/1.0 200 OK\r\n") == heard.count(b"connection: keep-alive\r\n") == 2 and not ended
    heard, ended = until_silent(Wire(up).say(b"GET /health HTTP/1.0\r\n\r\n"))
    assert heard.count(b"HTTP/1.0 200 OK\r\n") == 1 and ended
    wire = Wire(up)
    heard, ended = until_silent(wire.say((wire.head(b"GET", b"/health", b"Connection: foo, Close") + b"\r\n") * 2))
    assert heard.count(b"HTTP/1.1 200 OK\r\n") == 1 and b"connection: close\r\n" in heard and ended
    assert b"keep-alive" not in heard


@pytest.mark.regression
def test_a_client_that_asks_first_is_told_before_it_sends(up):
    def begun(length, expect=b"Expect: 100-continue"):
        wire = Wire(up)
        return wire.say(wire.head(b"POST", SERVICES, expect, b"Content-Length: %d" % length) + b"\r\n")

    # Too large: refused at once, and it never was asked to go on.
    heard = begun(10_000_000).hear()
    assert answer(heard)[:2] == (413, 20413) and b"connection: close\r\n" in heard
    wire = begun(16)
    assert wire.socket.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
    heard, ended = until_silent(wire.say(b"FriendlyName=Two"))
    assert heard.startswith(b"HTTP/1.1 201 Created\r\n") and not ended
    # What a client of HTTP/1.0 expects is ignored.
    wire = Wire(up)
    asked = wire.head(b"POST", SERVICES, b"Expect: 100-continue", b"Content-Length: 16").replace(b"HTTP/1.1", b"HTTP/1.0")
    assert wire.say(asked + b"\r\nFriendlyName=Two").hear().startswith(b"HTTP/1.0 201 Created\r\n")


def test_curl_gets_the_answer_to_a_large_body(up, tmp_path):
    large = tmp_path / "large"
    large.write_bytes(b"FriendlyName=" + b"1" * 3_000_000)
    credentials = f"{up.ready['account_sid']}:{up.ready['auth_token']}"
    curl = ["curl", "-sS", "--cacert", up.ready["ca"], "-u", credentials, "-w", "%{http_code}", "-m", str(PATIENCE)]
    run = subprocess.run([*curl, "--data-binary", f"@{large}", up.ready["api"] + "/v2/Services"], capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout.endswith("413"), run.stdout + run.stderr
    assert post(up, SERVICES, b"FriendlyName=Small")[0] == 201


@pytest.fixture
def wide(start):
    """A vault that serves thousands of connections at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16_384 if hard == resource.RLIM_INFINITY else min(hard, 16_384)
    if wanted < 8192:
        pytest.skip(f"8192 descriptors are needed, {wanted} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def everybody_passes(up):
    """What a stranger, an owner and an application get, each on a new connection."""
    options = {"verify": up.ready["ca"], "headers": {"Connection": "close"}, "timeout": PATIENCE}

    def get(path):
        return requests.get(up.ready["api"] + path, **options).status_code

    got = {path: get(path) for path in ("/health", "/ready", "/.well-known/adyton/binding", "/adyton/v1/vault")}
    got["evidence"] = get("/.well-known/adyton/evidence?nonce=" + "ab" * 32)
    shown = [BINARIES / "adyton", "settings", "show", *up.place(), "--json", "--key", up.ready["owner_key"]]
    got["signed"] = subprocess.run(shown, capture_output=True, timeout=PATIENCE).returncode
    path = f"/v2/Services/{up.ready['service_sid']}/Verifications"
    auth = (up.ready["account_sid"], up.ready["auth_token"])
    form = {"To": NUMBER, "Channel": "sms"}
    got["start"] = requests.post(up.ready["api"] + path, form, auth=auth, **options).status_code
    return got


PASSED = {
    "/health": 200,
    "/ready": 200,
    "/.well-known/adyton/binding": 200,
    "/adyton/v1/vault": 200,
    "evidence": 200,
    "signed": 0,
    "start": 201,
}


@pytest.mark.regression
def test_what_is_withheld_keeps_nobody_from_anything(wide, tmp_path):
    """2,200 connections announce what they do not send. Together it would be more than all that strangers may hold."""
    key = api_key(wide, tmp_path / "support.json", "support")
    answered = set()

    def head(method, path, length, basic=b""):
        start = b"%s %s HTTP/1.1\r\nHost: localhost\r\n%s" % (method, path, basic)
        return start + (b"Content-Length: %d\r\n\r\n" % length if length else b"Transfer-Encoding: chunked\r\n\r\n")

    async def run():
        # Answers that may be large, one byte of their requests missing; then smaller ones, for what is left.
        crowd = await Crowd.open(wide, 2200)
        await crowd.say(head(b"GET", b"/adyton/v1/account", 1), 0, 2040)
        await crowd.say(head(b"GET", b"/.well-known/adyton/evidence", 1), 2040, 2080)
        await crowd.say(head(b"GET", b"/health", 1), 2080, 2200)
        yield await asyncio.to_thread(everybody_passes, wide)
        await crowd.say(b"x", 0, 2040)
        answered.update(await crowd.statuses(0, 2040))
        crowd.close()
        # The largest bodies to be signed, half of which come and are not completed; then smaller ones.
        crowd = await Crowd.open(wide, 2200)
        await crowd.say(head(b"POST", b"/adyton/v1/requests", None), 0, 2060)
        for length, first in [(8000, 2060), (1000, 2100), (100, 2160)]:
            await crowd.say(head(b"POST", b"/adyton/v1/requests", length), first, first + 40)
        await crowd.say(b"8000\r\n" + b"x" * 0x8000, 0, 2060)
        yield await asyncio.to_thread(everybody_passes, wide)
        crowd.close()
        # The narrowest key of the account.
        crowd = await Crowd.open(wide, 1300)
        await crowd.say(head(b"GET", b"/adyton/v1/account", None, basic(key)))
        yield await asyncio.to_thread(everybody_passes, wide)
        crowd.close()

    async def passed():
        return [got async for got in run()]

    assert asyncio.run(asyncio.wait_for(passed(), 240)) == [PASSED] * 3
    assert answered <= {401, 408}
    # Where no body is taken, none is waited for.
    for path in (b"/health", b"/ready", b"/.well-known/adyton/evidence", b"/.well-known/adyton/binding"):
        wire = Wire(wide, patience=5)
        heard = wire.say(wire.head(b"GET", path, b"Content-Length: 1") + b"\r\n").hear()
        assert answer(heard)[:2] == (400, 60200) and b"connection: close\r\n" in heard


class Busy(threading.Thread):
    """A server that refuses its first requests and then answers as a vault does."""

    def __init__(self, folder, refusals):
        super().__init__(daemon=True)
        ca = trustme.CA()
        self.ca = folder / "busy.pem"
        ca.cert_pem.write_to_path(self.ca)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("localhost").configure_cert(self.context)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.answers = [*refusals, self.vault()]
        self.start()

    def vault(self):
        zeros = "00" * 32
        hashes = dict.fromkeys(("vault_id", "policy_hash", "hpke_key", "settings_sha256"), zeros)
        body = json.dumps({**hashes, "release": 1, "profile": "dev", "freshness": "none", "owners_sequence": 0})
        return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def run(self):
        while True:
            try:
                with self.context.wrap_socket(self.listener.accept()[0], server_side=True) as client:
                    while client.recv(65536):
                        client.sendall(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            except (OSError, ssl.SSLError):
                continue

    def show(self):
        url = f"https://localhost:{self.listener.getsockname()[1]}"
        command = [BINARIES / "adyton", "settings", "show", "--api", url, "--vault-id", "00" * 32, "--json"]
        return subprocess.run([*command, "--trust-operator", self.ca], capture_output=True, text=True, timeout=PATIENCE)


def refusal(status, after):
    body = b'{"code":20%d,"message":"Later","more_info":"","status":%d}' % (status, status)
    head = b"HTTP/1.1 %d Later\r\nRetry-After: %d\r\nContent-Length: %d\r\n\r\n" % (status, after, len(body))
    return head + body


@pytest.mark.regression
def test_the_command_line_waits_as_it_is_asked_to(tmp_path):
    shown = Busy(tmp_path, [refusal(429, 1), refusal(503, 2)]).show()
    assert shown.returncode == 0 and json.loads(shown.stdout)["vault_id"] == "00" * 32, shown.stderr
    assert "(429): trying again in 1 s" in shown.stderr and "(503): trying again in 2 s" in shown.stderr
    # For longer than a minute it does not wait.
    shown = Busy(tmp_path, [refusal(429, 61)]).show()
    assert shown.returncode == 1 and "the vault answered 429 (20429): Later" in shown.stderr
    assert "trying again" not in shown.stderr
