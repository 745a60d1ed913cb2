"""Evidence as a stranger checks it: nonces under one document, `adyton verify`, and nobody in between."""

import asyncio
import base64
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import urllib.parse

import pytest
import requests
import trustme
from conftest import BINARIES, PATIENCE, Up

EVIDENCE = "/.well-known/adyton/evidence"


def verify(*arguments, timeout=PATIENCE):
    run = subprocess.run(
        [BINARIES / "adyton", "verify", *map(str, arguments)], capture_output=True, text=True, timeout=timeout
    )
    return run.returncode, run.stdout, run.stderr


def judged(up, *arguments, url=None, root=None, vault=None):
    """Exit code and the line of JSON."""
    root = root or up.ready["root"]
    code, out, err = verify(
        url or up.ready["api"], "--vault-id", vault or up.ready["vault_id"], "--root", root, "--json", *arguments
    )
    assert out, err
    return code, json.loads(out)


def get(up, path, headers=None):
    return requests.get(up.ready["api"] + path, headers=headers, verify=up.ready["ca"], timeout=10)


def leaf(nonce):
    return hashlib.sha256(b"\0" + b"adyton nonce v1\n" + nonce).digest()


def root_of(nonce, proof):
    """RFC 9162 §2.1.3.2."""
    node, last, value = proof["index"], proof["count"] - 1, leaf(nonce)
    for sibling in map(bytes.fromhex, proof["path"]):
        assert last > 0
        if node & 1 or node == last:
            value = hashlib.sha256(b"\1" + sibling + value).digest()
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            value = hashlib.sha256(b"\1" + value + sibling).digest()
        node, last = node >> 1, last >> 1
    assert last == 0
    return value


async def many(up, nonces):
    """Each nonce on a connection of its own, all at once."""
    api = urllib.parse.urlsplit(up.ready["api"])
    context = ssl.create_default_context(cafile=up.ready["ca"])

    async def one(nonce):
        reader, writer = await asyncio.open_connection(api.hostname, api.port, ssl=context)
        writer.write(f"GET {EVIDENCE}?nonce={nonce.hex()} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200"), answer[:80]
        return json.loads(answer.split(b"\r\n\r\n", 1)[1])

    return await asyncio.gather(*map(one, nonces))


def test_nonces_that_come_together_share_a_document(up):
    nonces = [secrets.token_bytes(32) for _ in range(200)]
    answers = asyncio.run(many(up, nonces))
    for nonce, answer in zip(nonces, answers):
        document = base64.b64decode(answer["document"])
        assert answer["platform"] == "aws-nitro"
        assert root_of(nonce, answer["nonce_proof"]) in document
        assert hashlib.sha256(base64.b64decode(answer["bundle"])).digest() in document
    assert len({answer["document"] for answer in answers}) < len(answers)
    assert max(answer["nonce_proof"]["count"] for answer in answers) > 1


def test_evidence_is_for_anybody_and_a_nonce_has_one_form(up):
    nonce = secrets.token_hex(32)
    assert get(up, f"{EVIDENCE}?nonce={nonce}", {"Host": "somebody.else"}).status_code == 200
    for query in ["", "?nonce=", f"?nonce={nonce[1:]}", f"?nonce={nonce.upper()}A", f"?nonce={nonce}&nonce={nonce}"]:
        answer = get(up, EVIDENCE + query)
        assert (answer.status_code, answer.json()["code"]) == (400, 60200), query
    assert requests.post(up.ready["api"] + EVIDENCE, verify=up.ready["ca"], timeout=10).status_code == 405


@pytest.mark.regression
def test_a_stranger_is_convinced_and_told_of_what(up):
    code, shown = judged(up)
    # Nothing was given to compare the code with.
    assert (code, shown["verified"]) == (3, "identity-only")
    facts = shown["facts"]
    assert facts["vault_id"] == up.ready["vault_id"]
    assert (facts["release"], facts["profile"], facts["freshness"], facts["reveals"]) == ("1", "dev", "none", "")
    policy = (up.data / "adyton.toml").read_bytes()
    assert facts["policy_sha256"] == hashlib.sha256(policy).hexdigest()
    program = hashlib.sha384((BINARIES / "adyton-enclave").read_bytes()).digest()
    assert facts["pcr0"] == hashlib.sha384(bytes(48) + program).hexdigest()
    assert facts["pcr16"] == hashlib.sha384(bytes(48) + hashlib.sha256(policy).digest()).hexdigest()

    assert not shown["code_is_known"]
    assert facts["pcr0"] == up.ready["pcr0"]
    # The policy's register is not the code's.
    code, shown = judged(up, f"--pcr=16={facts['pcr16']}")
    assert (code, shown["verified"]) == (3, "identity-only")
    everything = [f"--pcr={number}={facts[f'pcr{number}']}" for number in (0, 1, 2, 16)]
    code, shown = judged(up, *everything, "--policy", up.data / "adyton.toml", "--max-age", "5")
    assert (code, shown["verified"], shown["code_is_known"]) == (0, True, True)
    asked = [up.ready["api"], "--vault-id", up.ready["vault_id"], "--root", up.ready["root"]]
    code, out, _ = verify(*asked)
    assert code == 3 and out.startswith("Identity only: ") and "It says of itself" in out and "Which code runs" in out and "not AWS" in out, out
    code, out, _ = verify(*asked, everything[0])
    assert code == 0 and "shows what it is" in out and "Register 0 holds" in out and "Which code runs" not in out, out


def test_each_thing_that_is_wrong_has_its_reason(up, start, tmp_path):
    facts = judged(up)[1]["facts"]
    other_root = trustme.CA()
    other_root.cert_pem.write_to_path(tmp_path / "other.pem")
    other = "ab" * 32
    wrong = [
        (judged(up, vault=other), "vault-id"),
        (judged(up, root=tmp_path / "other.pem"), "root"),
        (judged(up, "--policy", other), "policy-hash"),
        (judged(up, "--pcr", f"0={'ab' * 48}"), "measurement"),
        (judged(up, "--pcr", f"8={'ab' * 48}"), "measurement"),
        (judged(up, "--certified"), "freshness"),
        (judged(up, url="https://127.0.0.1:9"), "unreachable"),
    ]
    for (code, shown), refusal in wrong:
        assert (code, shown["verified"], shown["refusal"]) == (1, False, refusal), shown
    (tmp_path / "no.pem").write_text("no certificate")
    code, _, err = verify(
        up.ready["api"], "--vault-id", up.ready["vault_id"], "--root", tmp_path / "no.pem", "--json"
    )
    assert code == 1 and "neither PEM nor DER" in err
    # AWS's root vouches for no laptop.
    code, out, err = verify(up.ready["api"], "--vault-id", up.ready["vault_id"])
    assert code == 1 and "root" in err and not out
    # A register of zeros is debug mode, whoever asks for it.
    code, _, err = verify(up.ready["api"], "--vault-id", up.ready["vault_id"], "--pcr", f"0={'00' * 48}")
    assert code == 2 and "debug mode" in err
    assert facts["pcr3"] == "00" * 48


@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
@pytest.mark.parametrize(("clock", "refusal"), [("+5m", "too-old"), ("-5m", "from-the-future")])
def test_a_stale_document_is_refused(up, clock, refusal):
    command = ["faketime", "-m", "-f", clock, BINARIES / "adyton", "verify", up.ready["api"], "--json"]
    command += ["--vault-id", up.ready["vault_id"], "--root", up.ready["root"]]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE)
    shown = json.loads(run.stdout)
    assert (run.returncode, shown["verified"], shown["refusal"]) == (1, False, refusal), shown


class Relay(threading.Thread):
    """Somebody between: ends TLS with a certificate that the system trusts, and passes on what comes."""

    def __init__(self, upstream, ca):
        super().__init__(daemon=True)
        self.ca = trustme.CA()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert("127.0.0.1", "localhost").configure_cert(self.server)
        self.upstream, self.context = upstream, ssl.create_default_context(cafile=ca)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.seen = b""
        self.start()

    def run(self):
        while True:
            try:
                client = self.server.wrap_socket(self.listener.accept()[0], server_side=True)
            except (OSError, ssl.SSLError):
                continue
            threading.Thread(target=self.relay, args=(client,), daemon=True).start()

    def relay(self, client):
        host, port = self.upstream
        upstream = self.context.wrap_socket(socket.create_connection((host, port)), server_hostname=host)
        try:
            while request := client.recv(65536):
                self.seen += request
                upstream.sendall(request)
                upstream.settimeout(0.5)
                try:
                    while answer := upstream.recv(65536):
                        client.sendall(answer)
                except TimeoutError:
                    continue
        except OSError:
            pass


def test_somebody_between_is_refused_though_the_system_trusts_him(up, tmp_path):
    api = urllib.parse.urlsplit(up.ready["api"])
    between = Relay((api.hostname, api.port), up.ready["ca"])
    between.ca.cert_pem.write_to_path(tmp_path / "system.pem")
    # Who trusts certificates notices nothing.
    trusting = requests.get(between.url + "/health", verify=tmp_path / "system.pem", timeout=10)
    assert trusting.text == "ok\n"
    code, shown = judged(up, url=between.url)
    assert (code, shown["refusal"]) == (1, "not-the-attested-key"), shown
    assert up.ready["auth_token"].encode() not in between.seen


class RateLimits(threading.Thread):
    """A server that answers every request with 429."""

    def __init__(self):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1", "localhost").configure_cert(self.context)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self.listener.getsockname()[1]}"
        self.start()

    def run(self):
        answer = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
        while True:
            try:
                with self.context.wrap_socket(self.listener.accept()[0], server_side=True) as client:
                    while client.recv(65536):
                        client.sendall(answer)
            except (OSError, ssl.SSLError):
                continue


@pytest.mark.regression
def test_a_rate_limit_is_no_broken_vault(tmp_path):
    server = RateLimits()
    asked = [server.url, "--vault-id", "ab" * 32]
    code, out, err = verify(*asked)
    assert code == 1 and not out
    assert err.endswith("shows nothing: the server limits the rate of requests (429): try again after 7 s\n"), err
    code, out, _ = verify(*asked, "--json")
    shown = json.loads(out)
    assert (code, shown["verified"], shown["refusal"], shown["retry_after"]) == (1, False, "rate-limited", 7)


def test_who_watches_sees_a_restart(start):
    up = start()
    facts = judged(up)[1]["facts"]
    command = [BINARIES / "adyton", "verify", up.ready["api"], "--vault-id", up.ready["vault_id"]]
    command += ["--root", up.ready["root"], "--json", "--watch", "--every", "1", "--pcr", f"16={facts['pcr16']}"]
    watching = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert json.loads(watching.stdout.readline())["facts"]["boot_id"] == facts["boot_id"]
        os.kill(up.children()["adyton-enclave"], signal.SIGKILL)
        line = json.loads(watching.stdout.readline())
        while line.get("reachable") is False:
            line = json.loads(watching.stdout.readline())
        assert line["verified"] == "identity-only", "register 16 is the policy's"
        changes = {change["name"]: change for change in line["changes"]}
        assert set(changes) == {"boot_id", "tls_key_sha256"}
        assert changes["boot_id"]["was"] == facts["boot_id"]
    finally:
        watching.kill()
        watching.wait(timeout=10)


@pytest.mark.regression
def test_who_watches_before_there_is_a_vault_goes_on(tmp_path):
    up = Up(tmp_path)
    port = urllib.parse.urlsplit(up.ready["api"]).port
    assert up.stop() == 0
    command = [BINARIES / "adyton", "verify", up.ready["api"], "--vault-id", up.ready["vault_id"]]
    command += ["--root", up.ready["root"], "--json", "--watch", "--every", "1"]
    watching = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert json.loads(watching.stdout.readline())["refusal"] == "unreachable"
        up = Up(tmp_path, listen=f"127.0.0.1:{port}")
        shown = next(shown for shown in map(json.loads, watching.stdout) if shown["verified"])
        assert shown["facts"]["vault_id"] == up.ready["vault_id"]
        assert up.stop() == 0
    finally:
        watching.kill()
        watching.wait(timeout=10)


@pytest.mark.regression
def test_a_root_that_nobody_named_is_aws_and_it_says_so(up, tmp_path):
    code, out, error = verify(up.ready["api"], "--vault-id", up.ready["vault_id"])
    assert code == 1 and not out and "the trusted one is AWS's, 641a" in error and "--root FILE names another" in error
    register = ["--pcr", f"0={up.ready['pcr0']}"]
    command = [BINARIES / "adyton", "settings", "show", "--api", up.ready["api"], "--vault-id", up.ready["vault_id"]]
    run = subprocess.run(list(map(str, command + register)), capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == 1 and "--root FILE names another" in run.stderr and "Nothing was sent" in run.stderr


@pytest.mark.regression
def test_a_wrong_value_of_a_variable_names_the_variable():
    def said(*arguments, **variables):
        command = [BINARIES / "adyton", "verify", "--vault-id", "ab" * 32, *arguments]
        run = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True)
        assert run.returncode == 2
        return run.stderr

    assert "ADYTON_PCR" in said("https://x", ADYTON_PCR="") and "ADYTON_ROOT" in said("https://x", ADYTON_ROOT="")
    assert "ADYTON_API" in said(ADYTON_API="http://x")
    assert "environment" not in said("https://x", "--pcr", "0=00", ADYTON_PCR="")
    help = subprocess.run([BINARIES / "adyton", "verify", "--help"], capture_output=True, text=True).stdout
    assert "Exit codes: 0, " in help and "identity-only" in help


def test_two_vaults_are_compared(up, start, tmp_path):
    code, out, _ = verify(
        up.ready["api"], "--vault-id", up.ready["vault_id"], "--root", up.ready["root"], "--diff", up.ready["api"]
    )
    assert code == 3 and "show the same" in out and "Identity only" in out
    code, shown = judged(up, "--diff", up.ready["api"], "--pcr", f"0={up.ready['pcr0']}")
    assert (code, shown["verified"], shown["differences"]) == (0, True, [])
    code, shown = judged(up, "--diff", up.ready["api"])
    assert (code, shown["verified"], shown["differences"]) == (3, "identity-only", [])
    other = Up(tmp_path / "other")
    try:
        # Two vaults have two ids, and one is demanded of both, unless the other is named.
        code, shown = judged(up, "--diff", other.ready["api"])
        assert (code, shown["refusal"]) == (1, "root"), shown
        code, shown = judged(up, "--diff", other.ready["api"], "--diff-vault-id", other.ready["vault_id"])
        assert (code, shown["refusal"]) == (1, "root"), shown
    finally:
        other.stop()
    # The same platform, another policy: what differs is named.
    beside = Up(tmp_path / "beside", policy=["limits.failed_checks=4"], pretend=up.pretend)
    try:
        code, shown = judged(up, "--diff", beside.ready["api"], "--diff-vault-id", beside.ready["vault_id"])
        names = {difference["name"] for difference in shown["differences"]}
        assert (code, shown["verified"]) == (1, "identity-only")
        assert {"vault_id", "policy_sha256", "pcr16"} <= names and not {"pcr0", "profile", "release"} & names, names
    finally:
        beside.stop()


def test_it_says_what_is_wrong_with_its_arguments():
    for arguments, words in [
        (["http://x", "--vault-id", "ab" * 32], "expected https://HOST"),
        (["https://x", "--vault-id", "ab"], "vault id"),
        (["https://x", "--vault-id", "ab" * 32, "--pcr", "5=00"], "0, 1, 2, 3, 4, 8 or 16"),
        (["https://x", "--vault-id", "ab" * 32, "--pcr", "0=00"], "48 bytes"),
        (["https://x", "--vault-id", "ab" * 32, "--every", "1"], "--watch"),
        (["https://x", "--vault-id", "ab" * 32, "--watch", "--every", "0"], "1.."),
        (["https://x"], "--vault-id"),
    ]:
        code, out, err = verify(*arguments)
        assert code == 2 and not out and re.search(words, err), (arguments, err)
