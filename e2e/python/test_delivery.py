"""Delivery: a carrier that fails on request, and the vault's mail client against a real server."""

import email
import email.policy
import json
import os
import pathlib
import re
import ssl
import subprocess
import urllib.request

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from conftest import BINARIES, eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
STUCK, FINE = "+12025550199", "+12025550123"


def set_faults(ready, faults):
    request = urllib.request.Request(
        f"{ready['phone']}/faults",
        data=json.dumps(faults).encode(),
        headers={"content-type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 204


def has_ended(verification):
    """Fails while the outcome of an attempt is not known."""
    assert "unknown" not in [attempt["outcome"] for attempt in verification.fetch().send_code_attempts]


@pytest.mark.parametrize("fault", ["failure", "busy", "close", "late"])
def test_a_carrier_that_fails_is_asked_again_and_sends_once(up, fault):
    set_faults(up.ready, {STUCK: fault})
    create = up.verify().verifications.create
    started = create(to=STUCK, channel="sms")
    assert started.status == "pending"
    # Another number's message does not wait for it.
    create(to=FINE, channel="sms")
    code = up.code(FINE)
    if fault != "late":
        assert up.messages(STUCK) == []
    set_faults(up.ready, {})
    up.code(STUCK)
    assert up.verify().verification_checks.create(to=FINE, code=code).status == "approved"
    # Nothing is sent after the attempt has ended. Had a repeat been taken for a new message, it would be there by then.
    eventually(lambda: has_ended(up.verify().verifications(started.sid)))
    assert len(up.messages(STUCK)) == 1


def test_a_refused_number_gets_nothing_and_stays_pending(up):
    set_faults(up.ready, {STUCK: "refuse"})
    verify = up.verify()
    started = verify.verifications.create(to=STUCK, channel="sms")
    verify.verifications.create(to=FINE, channel="sms")
    up.code(FINE)
    set_faults(up.ready, {})
    verify.verifications.create(to=STUCK, channel="sms")
    up.code(STUCK)
    assert len(up.messages(STUCK)) == 1, "the refused attempt is not tried again, the resend is"
    assert started.status == "pending"


class Postmaster:
    """What a mail server does with what it is told."""

    def __init__(self):
        self.mails, self.auths = [], []

    def authenticate(self, server, session, envelope, mechanism, data):
        self.auths.append((data.login, data.password))
        return AuthResult(success=(data.login, data.password) == (b"vault", b"correct horse"), handled=False)

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK"


@pytest.fixture
def authority(tmp_path):
    ca = trustme.CA()
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("carrier.adyton.test").configure_cert(context)
    return path, context


class AnyPort(Controller):
    """Listens on a port that the system picks."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def serve():
    """Starts mail servers; `tls` is when TLS begins, `none` if never."""
    running = []

    def begin(postmaster, tls, context):
        options = {"hostname": "127.0.0.1", "port": 0, "authenticator": postmaster.authenticate, "auth_required": True}
        if tls == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        elif tls == "implicit":
            # aiosmtpd knows of TLS only what STARTTLS did; here everything is inside it.
            options |= {"ssl_context": context, "auth_require_tls": False}
        else:
            options |= {"auth_require_tls": False}
        controller = AnyPort(postmaster, **options)
        controller.start()
        running.append(controller)
        return controller.port

    yield begin
    for controller in running:
        controller.stop()


def deliver(tls, port, ca, login="vault:correct horse"):
    """How the vault's own client fared with three mails."""
    environment = dict(os.environ, ADYTON_TEST_SMTP="\t".join([tls, f"127.0.0.1:{port}", str(ca), login]))
    command = ["cargo", "test", "--quiet", "--locked", "-p", "adyton-enclave", "--lib", "--"]
    command += ["--ignored", "--exact", "--nocapture", "delivery::tests::mail::against_a_real_server"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stderr
    return re.findall(r"outcome (\S+) (.+)", run.stdout)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_real_mail_server_with_tls_and_auth(tls, authority, serve):
    ca, context = authority
    postmaster = Postmaster()
    outcomes = deliver(tls, serve(postmaster, tls, context), ca)
    assert outcomes == [
        ("one@example.org", "Ok(())"),
        ("refused@example.org", "Err(Refused)"),
        ("two@example.org", "Ok(())"),
    ]
    assert {(login, password) for login, password in postmaster.auths} == {(b"vault", b"correct horse")}
    assert [to for _, to, _ in postmaster.mails] == [["one@example.org"], ["two@example.org"]]
    sender, _, content = postmaster.mails[0]
    assert sender == "codes@example.com"
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert mail["From"].addresses[0].addr_spec == "codes@example.com"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "975310" not in "".join(f"{name}{value}" for name, value in mail.items())
    assert mail.get_content_type() == "multipart/alternative"
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain.get_content().strip() == "Your Example verification code is: 975310"
    assert html.get_content().strip() == "<p>Ihr Code für Example: <b>975310</b></p>"
    first, second = (email.message_from_bytes(content)["Message-ID"] for _, _, content in postmaster.mails)
    assert first != second


def test_a_wrong_password_sends_nothing(authority, serve):
    ca, context = authority
    postmaster = Postmaster()
    outcomes = deliver("implicit", serve(postmaster, "implicit", context), ca, "vault:wrong")
    assert {outcome for _, outcome in outcomes} == {"Err(NotThisRoute)"}
    assert postmaster.mails == []


def test_a_server_without_starttls_is_told_no_password(authority, serve):
    ca, context = authority
    postmaster = Postmaster()
    outcomes = deliver("starttls", serve(postmaster, "none", context), ca)
    assert {outcome for _, outcome in outcomes} == {"Err(Transport(Tls(NotOffered)))"}
    assert (postmaster.mails, postmaster.auths) == ([], [])


def test_a_server_of_another_authority_is_told_no_password(authority, serve, tmp_path):
    _, context = authority
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    for tls in ["implicit", "starttls"]:
        postmaster = Postmaster()
        outcomes = deliver(tls, serve(postmaster, tls, context), other)
        assert {outcome for _, outcome in outcomes} == {"Err(Transport(Tls(Issuer)))"}
        assert (postmaster.mails, postmaster.auths) == ([], [])


@pytest.fixture
def pretend(tmp_path):
    """The pretend world alone: what it says of itself."""
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    # Nothing asks this platform for evidence, so what it measures does not matter.
    measured = ["--enclave", BINARIES / "adyton-enclave", "--policy", tmp_path / "adyton.toml"]
    command = [BINARIES / "adyton-pretend", "--dir", tmp_path / "pretend", "--runtime", runtime, *measured]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield json.loads(process.stdout.readline())
    process.terminate()
    process.wait(timeout=10)


def test_the_pretend_mail_server_puts_mail_on_the_phone(pretend):
    set_faults(pretend, {"refused@example.org": "refuse", "two@example.org": "busy"})
    port = int(pretend["mail"].rsplit(":", 1)[1])
    outcomes = deliver("implicit", port, pretend["tls_ca"], pretend["credentials"]["pretend-mail"])
    assert outcomes == [
        ("one@example.org", "Ok(())"),
        ("refused@example.org", "Err(Refused)"),
        ("two@example.org", "Err(Busy(None))"),
    ]
    with urllib.request.urlopen(f"{pretend['phone']}/messages", timeout=10) as answer:
        (mail,) = json.load(answer)
    assert (mail["to"], mail["from"], mail["channel"]) == ("one@example.org", "codes@example.com", "email")
    assert mail["subject"] == "Your Example verification"
    assert mail["body"] == "Your Example verification code is: 975310"


def test_metrics_come_from_the_closed_list(up):
    up.verify().verifications.create(to=FINE, channel="sms")
    up.code(FINE)
    with urllib.request.urlopen(up.ready["metrics"], timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = answer.read().decode().splitlines()
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert samples["adyton_ready"] == samples["adyton_boots_total"] == "1"
    # Sums come once a minute, whatever happens; a label is a word of the closed list.
    assert samples['adyton_messages_total{outcome="accepted"}'] == "0"
    assert all(re.fullmatch(r'adyton_[a-z_]+(\{[a-z]+="[a-z_]+"\})?', name) for name in samples), samples
    assert all(value.isdigit() for value in samples.values())


def test_an_attempt_tells_what_became_of_it(up):
    verify = up.verify()
    set_faults(up.ready, {STUCK: "refuse"})
    expected = {FINE: "accepted", STUCK: "refused"}
    for number, outcome in expected.items():
        started = verify.verifications.create(to=number, channel="sms")
        assert [attempt["outcome"] for attempt in started.send_code_attempts] == ["unknown"]

        def known(sid=started.sid):
            (attempt,) = verify.verifications(sid).fetch().send_code_attempts
            assert attempt["outcome"] != "unknown"
            return attempt["outcome"]

        assert eventually(known) == outcome
