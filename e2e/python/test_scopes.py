"""Every scope over every endpoint, what one tenant is told of another, and what it takes to make a service weaker."""

import datetime
import hashlib
import json
import pathlib
import re
import subprocess

import pytest
import requests
from conftest import BINARIES, eventually
from test_verification import NUMBER, refusal
from twilio.rest import Client

WAIT = 60


class Tenant:
    """A tenant of its own, made by the real command line."""

    def __init__(self, up, folder, name):
        folder.mkdir()
        self.up, self.folder, self.name = up, folder, name
        self.file, self.ssh_key = folder / "tenant.json", make_key(folder / "ssh")
        self.run("tenant", "create", "--name", name, "--ssh-key", f"{self.ssh_key}.pub")

    def place(self):
        return (*self.up.place(), "--tenant", self.file, "--json")

    def run(self, *words):
        return ran(*words, *self.place())

    def error(self, *words):
        return failed(*words, *self.place())

    @property
    def kept(self):
        return json.loads(self.file.read_text())

    def token(self):
        return self.kept["account_sid"], self.kept["auth_token"]

    def key(self, *scopes):
        """A new key: SID and secret."""
        arguments = [argument for scope in scopes for argument in ("--scope", scope)]
        out = self.folder / f"{len(list(self.folder.iterdir()))}.json"
        self.run("key", "create", *arguments, "--out", out, "--key", self.ssh_key)
        made = json.loads(out.read_text())
        return made["key_sid"], made["key_secret"]

    def keys(self):
        return {key["key_sid"]: key["scopes"] for key in self.run("key", "list")["keys"]}

    def sdk(self, credentials=None):
        """The official SDK, as whoever has these credentials."""
        user, secret = credentials or self.token()
        client = Client(user, secret, self.kept["account_sid"])
        client.verify.base_url = self.up.ready["api"]
        return client.verify.v2

    def http(self, method, path, credentials=None, **options):
        auth = credentials or self.token()
        url = self.up.ready["api"] + path
        return requests.request(method, url, auth=auth, verify=self.up.ready["ca"], timeout=30, **options)

    def signed(self, sequence, body, action="tenant-keys", key=None):
        """A signed request, by `ssh-keygen` and these lines alone (docs/spec/08)."""
        account, vault = self.kept["account_sid"], self.kept["vault_id"]
        digest = hashlib.sha256(body.encode()).hexdigest()
        text = f"adyton request v1\nvault {vault}\nsigner {account}\nsequence {sequence}\n"
        text += f"action {action}\nsha256 {digest}\n"
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "adyton", "-f", key or self.ssh_key]
        run = subprocess.run(command, input=text, capture_output=True, text=True, timeout=WAIT, check=True)
        return {"action": action, "signer": account, "sequence": sequence, "body": body, "signatures": [run.stdout]}

    def post(self, request, credentials=None):
        return self.http("POST", "/adyton/v1/requests", credentials, json=request)


def adyton(*words):
    return subprocess.run([BINARIES / "adyton", *map(str, words)], capture_output=True, text=True, timeout=WAIT)


def ran(*words):
    run = adyton(*words)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def failed(*words):
    run = adyton(*words)
    assert (run.returncode, run.stdout) == (1, ""), run
    return run.stderr


def answer(response):
    body = response.json()
    return response.status_code, body["code"], body["message"]


@pytest.fixture
def vault(start, monkeypatch):
    # One hour is the least that a policy may let a loosening wait.
    up = start(policy=["tenants.loosening_hours=1"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", up.ready["ca"])
    return up


@pytest.fixture
def acme(vault, tmp_path):
    return Tenant(vault, tmp_path / "acme", "Acme")


def make_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True, timeout=WAIT)
    return path


def test_two_tenants_are_kept_apart(vault, acme, tmp_path):
    other = Tenant(vault, tmp_path / "other", "Other")
    service = acme.sdk().services.create(friendly_name="Acme").sid
    verify = acme.sdk().services(service)
    started = verify.verifications.create(to=NUMBER, channel="sms").sid
    key, secret = acme.key("verify", "admin", "support")
    unknown = "0" * 32

    def told(path, method="GET", **options):
        """What the other tenant is told, but for the SID that it asked for."""
        response = other.http(method, path, **options)
        return response.status_code, re.sub("[0-9a-f]{32}", "SID", response.text)

    for path in (
        "/v2/Services/VA{}",
        "/v2/Services/VA{}/Verifications/VE" + started[2:],
        "/v2/Services/VA{}/Verifications/%2B12025550123",
    ):
        known = told(path.format(service[2:]))
        assert known == told(path.format(unknown))
        assert known[0] == 404 and json.loads(known[1])["code"] == 20404
    for method, data in (("POST", {"FriendlyName": "Mine"}), ("DELETE", None)):
        known = told(f"/v2/Services/{service}", method, data=data)
        assert known == told(f"/v2/Services/VA{unknown}", method, data=data)
        assert known[0] == 404
    known = told(f"/adyton/v1/services/{service}/loosening", "DELETE")
    assert known == told(f"/adyton/v1/services/VA{unknown}/loosening", "DELETE") and known[0] == 404
    support = other.key("support")
    looks = [told(f"/adyton/v1/support/{sid}", credentials=support) for sid in (started, f"VE{unknown}")]
    assert looks[0] == looks[1] and looks[0][0] == 200 and json.loads(looks[0][1])["status"] == "unknown"
    own = other.sdk().services.create(friendly_name="Other").sid
    assert [listed.sid for listed in other.sdk().services.list()] == [own]
    # Another's key is unknown too, whoever asks; and so is the tenant itself, to whoever signs.
    remove = ("key", "remove", "--key", other.ssh_key)
    mine, theirs = other.error(*remove, key), other.error(*remove, f"SK{unknown}")
    assert mine == theirs and "answered 404 (20404)" in mine and "`adyton key list --tenant " in mine
    body = json.dumps({"remove": [key]})
    refused = answer(other.post(acme.signed(2, body, key=other.ssh_key)))
    ghost = Tenant.__new__(Tenant)
    ghost.file = tmp_path / "nobody.json"
    ghost.file.write_text(json.dumps(acme.kept | {"account_sid": f"AC{unknown}"}))
    assert refused == answer(other.post(ghost.signed(2, body, key=other.ssh_key)))
    assert refused == (403, 20403, "The signatures are refused: a signature is of a key that is not one of the signers'")
    # Meanwhile nothing of it has touched the first one.
    assert acme.sdk((key, secret)).services(service).fetch().friendly_name == "Acme"
    assert verify.verification_checks.create(to=NUMBER, code=vault.code(NUMBER)).status == "approved"


def test_each_scope_over_each_endpoint(vault, acme):
    service = acme.sdk().services.create(friendly_name="Acme").sid
    started = acme.sdk().services(service).verifications.create(to=NUMBER, channel="sms").sid
    key = {scope: acme.key(scope) for scope in ("verify", "admin", "support")}
    of = f"/v2/Services/{service}"
    to = "%2B12025550123"
    endpoints = {
        ("POST", f"{of}/Verifications"): ("verify", {"To": NUMBER, "Channel": "sms"}),
        ("GET", f"{of}/Verifications/{started}"): ("verify", None),
        ("POST", f"{of}/VerificationCheck"): ("verify", {"To": NUMBER, "Code": "000000"}),
        ("POST", f"{of}/Verifications/{to}"): ("verify", {"Status": "canceled"}),
        ("GET", "/v2/Services"): ("admin", None),
        ("POST", "/v2/Services"): ("admin", {"FriendlyName": "Another"}),
        ("GET", of): ("admin", None),
        ("POST", of): ("admin", {"CodeLength": "8"}),
        ("DELETE", f"/adyton/v1/services/{service}/loosening"): ("admin", None),
        ("GET", "/adyton/v1/account"): ("admin", None),
        ("GET", f"/adyton/v1/support/{started}"): ("support", None),
        ("DELETE", of): ("admin", None),
    }
    scope = (403, 20403, "This key may not do this: another scope is needed")
    for (method, path), (needed, data) in endpoints.items():
        for held in key:
            if held != needed:
                response = acme.http(method, path, key[held], data=data)
                assert answer(response) == scope, (method, path, held)
    # The account's own token may do everything but look over support's shoulder.
    assert answer(acme.http("GET", f"/adyton/v1/support/{started}")) == scope
    for (method, path), (needed, data) in endpoints.items():
        response = acme.http(method, path, key[needed], data=data)
        assert response.status_code in (200, 201, 204), (method, path, response.text)
    # By the SDK: a key's SID and secret in place of account and token.
    sdk = acme.sdk(key["verify"])
    assert refusal(lambda: sdk.services.create(friendly_name="x")) == (403, 20403)
    another = acme.sdk(key["admin"]).services.create(friendly_name="Another").sid
    assert sdk.services(another).verifications.create(to=NUMBER, channel="sms").status == "pending"
    wrong = (key["verify"][0], key["admin"][1])
    assert refusal(lambda: acme.sdk(wrong).services(another).verifications(NUMBER).fetch()) == (401, 20003)


def test_keys_survive_a_restart(start, monkeypatch, tmp_path):
    first = start()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", first.ready["ca"])
    acme = Tenant(first, tmp_path / "acme", "Acme")
    keys = {scope: acme.key(scope) for scope in ("verify", "admin")}
    gone = acme.key("admin")
    acme.run("key", "remove", gone[0], "--key", acme.ssh_key)
    service = acme.sdk(keys["admin"]).services.create(friendly_name="Acme").sid
    assert first.stop() == 0
    second = start()
    acme.up = second
    assert acme.keys() == {sid: [scope] for scope, (sid, _) in keys.items()}
    assert acme.sdk(keys["admin"]).services(service).fetch().sid == service
    started = acme.sdk(keys["verify"]).services(service).verifications.create(to=NUMBER, channel="sms")
    assert started.status == "pending"
    assert refusal(lambda: acme.sdk(gone).services(service).fetch()) == (401, 20003)
    assert refusal(lambda: acme.sdk(keys["verify"]).services(service).fetch()) == (403, 20403)


def test_a_loosening_takes_two_proofs_waits_and_can_be_taken_back(vault, acme, tmp_path):
    sdk = acme.sdk()
    service = sdk.services.create(friendly_name="Acme", code_length=6).sid
    assert sdk.services(service).update(code_length=8).code_length == 8, "stronger is immediate"
    # Neither a key alone nor a signature alone, nor one of each of two tenants.
    alone = answer(acme.http("POST", f"/v2/Services/{service}", data={"CodeLength": "6"}))
    assert alone[:2] == (403, 20403) and "the tenant's signature" in alone[2]
    request = acme.signed(1, json.dumps({"service_sid": service, "code_length": 6}), "service-loosen")
    url = vault.ready["api"] + "/adyton/v1/requests"
    authenticate = (401, 20003, "Authenticate")
    assert answer(requests.post(url, json=request, verify=vault.ready["ca"], timeout=30)) == authenticate
    other = Tenant(vault, tmp_path / "other", "Other")
    assert answer(acme.post(request, other.token())) == authenticate
    wrong_key = acme.signed(1, request["body"], "service-loosen", key=other.ssh_key)
    assert answer(acme.post(wrong_key)) == (
        403,
        20403,
        "The signatures are refused: a signature is of a key that is not one of the signers'",
    )
    verify = acme.key("verify")
    again = acme.signed(2, request["body"], "service-loosen")
    assert answer(acme.post(again, verify)) == (403, 20403, "This key may not do this: another scope is needed")
    loosen = ("tenant", "loosen", "--service", service, "--key", acme.ssh_key, "--code-length")
    for length, wanted in (("5", "code_length: expected a number from 6 to 10"), ("8", "it makes the service no weaker"), ("9", "no weaker")):
        refused = acme.error(*loosen, length)
        assert "answered 400 (60200)" in refused and wanted in refused
    assert acme.run("tenant", "show")["pending_loosenings"] == []

    pending = acme.run(*loosen, "6")
    effective = datetime.datetime.fromisoformat(pending["effective"].replace("Z", "+00:00"))
    left = effective - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(minutes=30) < left <= datetime.timedelta(hours=1)
    assert (pending["code_length"], pending["custom_code_enabled"]) == (6, False)
    # Notice: whoever looks sees it, and codes are what they were.
    assert acme.http("GET", f"/v2/Services/{service}").json()["pending_loosening"] == pending
    assert acme.run("tenant", "show")["pending_loosenings"] == [{"service_sid": service} | pending]
    assert other.run("tenant", "show")["pending_loosenings"] == []
    sdk.services(service).verifications.create(to=NUMBER, channel="sms")
    assert len(vault.code(NUMBER)) == 8

    assert acme.run("tenant", "withdraw", "--service", service) == {"service_sid": service, "code_length": 8}
    assert acme.run("tenant", "show")["pending_loosenings"] == []
    assert acme.http("GET", f"/v2/Services/{service}").json()["pending_loosening"] is None
    # What was signed for it has counted.
    replayed = acme.post(again)
    assert answer(replayed)[:2] == (409, 20409) and replayed.json()["details"] == {"expected": "3"}


def test_support_sees_no_digits_and_not_too_often(vault, acme):
    service = acme.sdk().services.create(friendly_name="Acme").sid
    verify = acme.sdk().services(service)
    started = verify.verifications.create(to=NUMBER, channel="sms").sid
    code = vault.code(NUMBER)
    support = acme.key("support")

    def look(sid):
        return acme.http("GET", f"/adyton/v1/support/{sid}", support)

    def sent():
        seen = look(started).json()
        assert seen["attempts"] == ["accepted"], seen
        return seen

    # The carrier's answer may still be on its way.
    seen = eventually(sent)
    expected = {"sid": started, "status": "pending", "reason": None, "channel": "sms", "country": "+1"}
    assert seen == expected | {"attempts": ["accepted"]}
    text = look(started).text.replace(started, "")
    assert code not in text and not re.search("[0-9]{2}", text), "no digits but the calling code's"
    assert NUMBER[2:] not in text and NUMBER[-4:] not in text
    verify.verification_checks.create(to=NUMBER, code=code)
    over = look(started).json()
    assert over == expected | {"status": "unknown", "reason": "approved", "channel": None, "country": None, "attempts": []}
    assert look("VE" + "0" * 32).json()["reason"] is None
    for attempt in range(1000):
        response = look(started)
        if response.status_code == 429:
            break
    assert answer(response)[:2] == (429, 20429)
    assert 0 < int(response.headers["Retry-After"]) <= 3600
    # Another key of the same tenant has no budget of its own, and applications go on.
    assert acme.http("GET", f"/adyton/v1/support/{started}", acme.key("support")).status_code == 429
    assert verify.verifications.create(to=NUMBER, channel="sms").status == "pending"


def test_what_was_begun_and_lost_is_finished_and_what_was_refused_leaves_nothing(vault, acme, tmp_path):
    stranger, before, begun = make_key(tmp_path / "stranger"), acme.kept, acme.folder / "tenant.json.next"
    refused = acme.error("tenant", "reset", "--key", stranger)
    assert "answered 403 (20403): The signatures are refused" in refused
    assert f"{stranger} signed, and only the tenant's own SSH key counts." in refused
    assert acme.kept == before and not begun.exists()
    out = tmp_path / "key.json"
    refused = acme.error("key", "create", "--scope", "verify", "--out", out, "--key", vault.ready["owner_key"])
    assert "answered 403 (20403)" in refused and not out.exists()
    assert acme.keys() == {}
    # The vault has taken a reset, and its answer was lost.
    acme.run("tenant", "reset", "--key", acme.ssh_key)
    after = acme.kept
    assert after["auth_token"] != before["auth_token"]
    begun.write_text(json.dumps(after))
    acme.file.write_text(json.dumps(before))
    refused = acme.error("tenant", "show")
    assert "answered 401 (20003)" in refused and "makes another one" in refused
    acme.run("tenant", "reset", "--key", acme.ssh_key)
    assert acme.kept == after and not begun.exists()
    assert acme.run("tenant", "show")["next_sequence"] == 3


def test_bodies_have_their_form(vault, acme):
    def create(**changes):
        body = {"account_sid": "AC" + "1" * 32, "friendly_name": "x", "sealed_token": "AQE="}
        body |= {"ssh_key": pathlib.Path(f"{acme.ssh_key}.pub").read_text().strip()}
        body = {name: value for name, value in (body | changes).items() if value is not None}
        return answer(acme.http("POST", "/adyton/v1/tenants", json=body))

    invalid = lambda told: (400, 60200, f"Invalid parameter: {told}")  # noqa: E731
    closed = "it does not open: expected base64 of 32 to 64 letters and digits, sealed to this vault for this use"
    whole = "expected a JSON object with the texts account_sid, friendly_name, sealed_token and ssh_key"
    assert create() == invalid(f"sealed_token: {closed}")
    assert create(ssh_key=None) == invalid(f"ssh_key: it is missing; {whole}")
    assert create(auth_token="x") == invalid("auth_token: there is no such member")
    for account in ("AC1", "AC" + "0" * 32):
        refused = invalid("account_sid: expected AC and 32 hexadecimal digits, not all of them 0")
        assert create(account_sid=account) == refused
    long = "friendly_name: expected 1 to 64 characters, none of them a control character"
    assert create(friendly_name="a" * 65) == invalid(long)
    assert create(ssh_key="ssh-ed25519")[2].startswith("Invalid parameter: ssh_key: not an SSH public key")
    in_order = ["AC" + "1" * 32, "x", "AQE=", "ssh-ed25519 AAAA"]
    assert answer(acme.http("POST", "/adyton/v1/tenants", json=in_order)) == invalid(f"body: {whole}")

    scopes = "expected verify, admin or support, one or more of them, each once"
    changes = (
        "expected a JSON object with one or more of reset (true or false), sealed_token (a text), remove (a list of texts) and "
        "add (a list of objects with key_sid, scopes and sealed_secret)"
    )
    key = {"key_sid": "SK" + "1" * 32, "scopes": ["verify"], "sealed_secret": "AQE="}
    for body, refusal_ in (
        ({"reset": True}, invalid("sealed_token: expected a new token with reset, which leaves no other")),
        (
            {"reset": True, "sealed_token": "AQE=", "remove": ["SK" + "1" * 32]},
            invalid("remove: expected none with reset, which removes every key"),
        ),
        ({"add": [key | {"scopes": ["verify", "verify"]}]}, invalid(f"scopes: {scopes}")),
        ({"add": [key | {"scopes": ["root"]}]}, invalid(f"scopes: {scopes}")),
        ({"add": [key]}, invalid(f"sealed_secret: {closed}")),
        ([], invalid(f"body: {changes}")),
    ):
        assert answer(acme.post(acme.signed(1, json.dumps(body)))) == refusal_, body
    assert acme.run("tenant", "show")["next_sequence"] == 1, "what was refused has not counted"
