"""Delivery: a carrier that fails on request, and the vault's mail client against a real server."""

import contextlib
import email
import email.policy
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.request

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from carrier import HttpServer, MailServer
from conftest import BINARIES, PATIENCE, eventually

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


def outcomes(up, sid):
    """What became of each attempt of a verification, once it is known of all."""

    def known():
        found = [attempt["outcome"] for attempt in up.verify().verifications(sid).fetch().send_code_attempts]
        assert "unknown" not in found
        return found

    return eventually(known)


@pytest.mark.parametrize("fault", ["failure", "busy"])
def test_a_carrier_that_fails_is_asked_again_and_sends_once(up, fault):
    set_faults(up.ready, {STUCK: fault})
    create = up.verify().verifications.create
    started = create(to=STUCK, channel="sms")
    assert started.status == "pending"
    # Another number's message does not wait for it.
    create(to=FINE, channel="sms")
    code = up.code(FINE)
    assert up.messages(STUCK) == []
    set_faults(up.ready, {})
    up.code(STUCK)
    assert up.verify().verification_checks.create(to=FINE, code=code).status == "approved"
    assert outcomes(up, started.sid) == ["accepted"]
    assert len(up.messages(STUCK)) == 1


@pytest.mark.parametrize(("fault", "arrived"), [("close", 0), ("late", 1)])
def test_a_message_that_is_not_confirmed_is_sent_again_only_when_somebody_asks(up, fault, arrived):
    set_faults(up.ready, {STUCK: fault})
    create = up.verify().verifications.create
    started = create(to=STUCK, channel="sms")
    create(to=FINE, channel="sms")
    up.code(FINE)
    assert outcomes(up, started.sid) == ["unconfirmed"]
    set_faults(up.ready, {})
    assert len(up.messages(STUCK)) == arrived
    create(to=STUCK, channel="sms")
    up.code(STUCK, arrived + 1)
    assert outcomes(up, started.sid) == ["unconfirmed", "accepted"]


@pytest.mark.regression
def test_a_message_of_a_verification_that_is_over_does_not_arrive(up):
    verify = up.verify()
    set_faults(up.ready, {STUCK: "failure"})
    verify.verifications.create(to=STUCK, channel="sms")
    verify.verifications(STUCK).update(status="canceled")
    started = verify.verifications.create(to=STUCK, channel="sms")
    verify.verifications.create(to=STUCK, channel="sms")
    set_faults(up.ready, {})
    code = up.code(STUCK)
    # Longer than a message waits between two tries.
    time.sleep(25)
    assert len(up.messages(STUCK)) == 1, "one of three: one was canceled, one superseded"
    assert outcomes(up, started.sid) == ["withdrawn", "accepted"]
    assert verify.verification_checks.create(to=STUCK, code=code).status == "approved"


class CuttingHost(threading.Thread):
    """A host that forwards what the vault sends to a carrier and never brings the carrier's answer back."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.route = f"carrier.adyton.test:443=127.0.0.1:{self.listener.getsockname()[1]}"
        self.carrier, self.cuts, self.forwarded = None, True, 0
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.relay, args=(client,), daemon=True).start()

    def relay(self, client):
        with client, socket.create_connection(self.carrier) as carrier, contextlib.suppress(OSError):
            client.settimeout(PATIENCE)
            carrier.settimeout(PATIENCE)
            asked = threading.Event()
            threading.Thread(target=self.answers, args=(client, carrier, asked), daemon=True).start()
            while head := exactly(client, 5):
                record = head + exactly(client, int.from_bytes(head[3:5]))
                # The handshake's own records are short; the request is not.
                if head[0] == 23 and len(record) > 200 and self.cuts and not asked.is_set():
                    self.forwarded += 1
                    asked.set()
                    # What is left of the request, and time for the carrier to answer; then both are closed.
                    client.settimeout(0.5)
                carrier.sendall(record)

    def answers(self, client, carrier, asked):
        with contextlib.suppress(OSError):
            while data := carrier.recv(65536):
                if not asked.is_set():
                    client.sendall(data)

    def stop(self):
        self.listener.close()


def exactly(connection, count):
    data = b""
    while len(data) < count and (part := connection.recv(count - len(data))):
        data += part
    return data


@pytest.mark.regression
def test_a_host_that_cuts_the_carriers_answers_gets_a_message_sent_once(start):
    host = CuttingHost()
    up = start(extra=["--route", host.route])
    arguments = pathlib.Path(f"/proc/{up.children()['adyton-host']}/cmdline").read_bytes().split(b"\0")
    # The route that this one takes the place of stands before it.
    (before, _) = [argument.decode() for argument in arguments if argument.startswith(b"carrier.adyton.test:443=")]
    host.carrier = ("127.0.0.1", int(before.rsplit(":", 1)[1]))
    started = up.verify().verifications.create(to=FINE, channel="sms")
    up.code(FINE)
    # Longer than a message waits between two tries.
    time.sleep(25)
    assert (host.forwarded, len(up.messages(FINE))) == (1, 1)
    assert outcomes(up, started.sid) == ["unconfirmed"]
    host.cuts = False
    up.verify().verifications.create(to=FINE, channel="sms")
    up.code(FINE, 2)
    assert outcomes(up, started.sid) == ["unconfirmed", "accepted"]
    host.stop()


@pytest.mark.regression
def test_a_server_error_after_which_the_carrier_may_have_the_message_is_not_repeated(up):
    set_faults(up.ready, {FINE: "taken-then-error"})
    started = up.verify().verifications.create(to=FINE, channel="sms")
    assert outcomes(up, started.sid) == ["unconfirmed"]
    assert len(up.messages(FINE)) == 1


def test_a_success_whose_body_is_cut_off_is_a_message_taken(up):
    set_faults(up.ready, {FINE: "cut"})
    started = up.verify().verifications.create(to=FINE, channel="sms")
    assert outcomes(up, started.sid) == ["accepted"]
    assert len(up.messages(FINE)) == 1


@pytest.mark.parametrize("fault", ["suspended", "no-redaction"])
def test_a_carrier_that_refuses_the_sender_ends_in_giving_up_and_is_reported(up, fault):
    set_faults(up.ready, {FINE: fault})
    started = up.verify().verifications.create(to=FINE, channel="sms")
    assert outcomes(up, started.sid) == ["gave_up"]
    assert up.messages(FINE) == []
    eventually(lambda: senders_refused(up, 1))


def senders_refused(up, count):
    """That so many events say that a carrier refuses the sender."""
    with urllib.request.urlopen(up.ready["metrics"], timeout=10) as answer:
        assert f"\nadyton_senders_refused_total {count}\n".encode() in answer.read()


def second_mail_route(policy):
    """The policy with another mail route behind its own: the same server, another sender. It has the credential of the route for
    texts, which `up` seals and which is left without one."""
    policy = policy.replace('credential = "pretend-messages"', 'credential = "none"')
    (_, route) = policy.split('[[routes]]\nname = "pretend-mail"\n')
    route = route.replace("codes@adyton.test", "codes@second.test")
    route = route.replace('credential = "pretend-mail"', 'credential = "pretend-messages"')
    return f'{policy}\n[[routes]]\nname = "second-mail"\n{route}'


# What mail servers say of the sender by codes that others have for the recipient.
SENDER_REFUSED = {
    "daily limit of recipients, to RCPT": {"RCPT": b"550 5.1.90 you've reached your daily limit for recipients\r\n"},
    "daily limit of recipients": {".": b"550 5.1.90 you've reached your daily limit for recipients\r\n"},
    "may not send as": {".": b"554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException\r\n"},
    "account is not verified": {".": b"554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException\r\n"},
    "submission quota": {".": b"554 5.2.2 submission quota exceeded\r\n"},
    "throttled": {".": b"550 5.2.251 Sender throttled due to continuous mailbox full errors.\r\n"},
    "unusual activity": {".": b"550 5.4.6 Unusual sending activity detected. Please try after sometime\r\n"},
    "no way to authenticate": {"EHLO": b"250-mail\r\n250 AUTH XOAUTH2\r\n"},
}
RECIPIENT_REFUSED = {
    "no such mailbox": {"RCPT": b"550 5.1.1 no such mailbox\r\n"},
    "disabled": {"RCPT": b"550 5.2.1 disabled\r\n"},
    "full": {"RCPT": b"552 5.2.2 full\r\n"},
}


@pytest.mark.regression
def test_mail_that_one_server_refuses_for_its_sender_goes_over_the_next(outside):
    server = MailServer()
    up = outside(server, second_mail_route)
    server.only = "adyton.test"
    for number, (name, replies) in enumerate((SENDER_REFUSED | RECIPIENT_REFUSED).items()):
        server.replies = replies
        to = f"person{number}@example.org"
        started = up.verify().verifications.create(to=to, channel="email")
        expected = (["accepted"], 1) if name in SENDER_REFUSED else (["refused"], 0)
        found = outcomes(up, started.sid)
        by_second = [copy for copy in server.copies_to(to) if "codes@second.test" in copy["From"]]
        assert (found, len(by_second)) == expected, name
    eventually(lambda: senders_refused(up, 1))


@pytest.mark.regression
def test_mail_server_without_usable_auth_is_reported(outside):
    server = MailServer()
    server.replies = {"EHLO": b"250-mail\r\n250-SIZE 1\r\n250 HELP\r\n"}
    up = outside(server)
    started = up.verify().verifications.create(to="person@example.org", channel="email")
    assert outcomes(up, started.sid) == ["gave_up"]
    eventually(lambda: senders_refused(up, 1))


def created(body, line=b"Server: x"):
    head = b"HTTP/1.1 201 Created\r\n" + line + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


QUEUED = b'{"sid":"SM01","status":"queued"}'
ANSWERS = {
    "408": (b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", "unconfirmed"),
    "409": (b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", "unconfirmed"),
    "303": (b"HTTP/1.1 303 See Other\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "unconfirmed"),
    "999": (b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", "unconfirmed"),
    "a code as text": (created(b'{"status":"failed","error_code":"30005"}'), "refused"),
    "a refusal's code as text": (
        b'HTTP/1.1 400 No\r\nContent-Length: 16\r\n\r\n{"code":"21211"}',
        "refused",
    ),
    "a warning among the fields": (created(QUEUED, b"PHP Warning: Unable to load x"), "accepted"),
    "a blank in a field's name": (created(QUEUED, b"Some -Test: x"), "accepted"),
    "a blank before the colon": (created(QUEUED, b"X-Foo : x"), "accepted"),
    "a folded field": (created(QUEUED, b"X-Foo: a\r\n b"), "accepted"),
}


@pytest.mark.regression
@pytest.mark.parametrize("names", [("408",), tuple(name for name in ANSWERS if name != "408")], ids=["408", "others"])
def test_request_is_posted_once_whatever_the_answer(outside, names):
    server = HttpServer()
    up = outside(server)
    for number, name in enumerate(names):
        server.answer, expected = ANSWERS[name]
        to = f"+120255501{number:02}"
        started = up.verify().verifications.create(to=to, channel="sms")
        assert (outcomes(up, started.sid), server.asked.count(to)) == ([expected], 1), name


def test_a_policy_may_leave_what_is_kept_to_the_account(start):
    up = start(policy=['[routes].content_retention="account-default"'])
    set_faults(up.ready, {FINE: "no-redaction"})
    up.verify().verifications.create(to=FINE, channel="sms")
    up.code(FINE)


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
            return "550 5.1.1 no such mailbox"
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
        ("refused@example.org", "Err(Recipient)"),
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
    assert {outcome for _, outcome in outcomes} == {"Err(Sender)"}
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
        ("refused@example.org", "Err(Recipient)"),
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
