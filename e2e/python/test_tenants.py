"""Tenants, their keys and their signatures: by the command line, and by the official SDK with each kind of key."""

import json
import socket
import subprocess
import time

import pytest
import requests
import trustme
from conftest import BINARIES, Up, eventually
from test_verification import NUMBER, refusal
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

OTHER = "+12025550124"


def adyton(*arguments):
    run = subprocess.run([BINARIES / "adyton", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return run.returncode, run.stdout, run.stderr


def place(up):
    return (*up.place(), "--json")


def key_pair(folder, name):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    return folder / name


def client(up, user, secret, account=None):
    made = Client(user, secret, account_sid=account)
    made.verify.base_url = up.ready["api"]
    return made


def api_key(up, out, *scopes, tenant=None, key=None):
    """An API key made by the command line: its SID and secret."""
    whose = ("--tenant", tenant or up.ready["tenant"], "--key", key or up.ready["tenant_key"])
    scopes = [argument for scope in scopes for argument in ("--scope", scope)]
    code, _, error = adyton("key", "create", *place(up), *whose, *scopes, "--out", out)
    assert code == 0, error
    made = json.loads(out.read_text())
    assert out.stat().st_mode & 0o777 == 0o600
    return made["key_sid"], made["key_secret"]


def test_what_each_scope_may_do(up, tmp_path):
    account, service = up.ready["account_sid"], up.ready["service_sid"]
    up.client()  # names the CA
    keys = {scope: api_key(up, tmp_path / f"{scope}.json", scope) for scope in ("verify", "admin", "support")}
    sdk = {scope: client(up, *key, account) for scope, key in keys.items()}
    forbidden, stranger = (403, 20403), (401, 20003)

    started = sdk["verify"].verify.v2.services(service).verifications.create(to=NUMBER, channel="sms")
    code = up.code(NUMBER)
    for scope in ("admin", "support"):
        of_service = sdk[scope].verify.v2.services(service)
        assert refusal(lambda: of_service.verifications.create(to=OTHER, channel="sms")) == forbidden  # noqa: B023
        assert refusal(lambda: of_service.verification_checks.create(to=NUMBER, code=code)) == forbidden  # noqa: B023
    assert sdk["admin"].verify.v2.services(service).fetch().sid == service
    for scope in ("verify", "support"):
        services = sdk[scope].verify.v2.services
        assert refusal(lambda: services(service).update(friendly_name="Mine")) == forbidden  # noqa: B023
        assert refusal(lambda: services.create(friendly_name="Mine")) == forbidden  # noqa: B023
        assert refusal(lambda: services(service).delete()) == forbidden  # noqa: B023

    def look(user, secret, sid=started.sid):
        url = f"{up.ready['api']}/adyton/v1/support/{sid}"
        return requests.get(url, auth=(user, secret), verify=up.ready["ca"], timeout=10)

    seen = eventually(lambda: look(*keys["support"]))
    assert seen.json() == {
        "sid": started.sid,
        "status": "pending",
        "reason": None,
        "channel": "sms",
        "country": "+1",
        "attempts": ["accepted"],
    }
    text = seen.text.replace(started.sid, "")
    assert code not in text and NUMBER[-4:] not in text, "no digits"
    assert look(*keys["verify"]).status_code == look(*keys["admin"]).status_code == 403
    assert look(account, up.ready["auth_token"]).status_code == 403
    unknown = look(*keys["support"], sid="VE" + "0" * 32)
    assert unknown.json() | {"sid": ""} == {
        "sid": "",
        "status": "unknown",
        "reason": None,
        "channel": None,
        "country": None,
        "attempts": [],
    }
    sdk["verify"].verify.v2.services(service).verification_checks.create(to=NUMBER, code=code)
    over = look(*keys["support"]).json()
    assert (over["status"], over["reason"]) == ("unknown", "approved")

    # A wrong secret, and a key that is gone.
    assert refusal(lambda: client(up, keys["admin"][0], "0" * 32, account).verify.v2.services(service).fetch()) == stranger
    whose = ("--tenant", up.ready["tenant"], "--key", up.ready["tenant_key"])
    code, _, error = adyton("key", "remove", *place(up), *whose, keys["admin"][0])
    assert code == 0, error
    assert refusal(lambda: sdk["admin"].verify.v2.services(service).fetch()) == stranger
    code, out, _ = adyton("tenant", "show", *place(up), "--tenant", up.ready["tenant"])
    shown = {key["key_sid"]: key["scopes"] for key in json.loads(out)["keys"]}
    assert shown == {keys["verify"][0]: ["verify"], keys["support"][0]: ["support"]}


def test_two_tenants_are_strangers(up, tmp_path):
    key, file = key_pair(tmp_path, "second"), tmp_path / "second.json"
    code, out, error = adyton(
        "tenant", "create", *place(up), "--tenant", file, "--name", "Second", "--ssh-key", f"{key}.pub"
    )
    assert code == 0, error
    tenant = json.loads(file.read_text())
    first = up.verify()
    sid = first.verifications.create(to=NUMBER, channel="sms").sid
    second = client(up, tenant["account_sid"], tenant["auth_token"]).verify.v2
    assert second.services.list() == []

    def answers(service, verification):
        calls = [
            lambda: second.services(service).fetch(),
            lambda: second.services(service).verifications.create(to=NUMBER, channel="sms"),
            lambda: second.services(service).verifications(verification).fetch(),
            lambda: second.services(service).verification_checks.create(to=NUMBER, code="123456"),
        ]
        found = []
        for call in calls:
            with pytest.raises(TwilioRestException) as caught:
                call()
            text = caught.value.msg.replace(service, "VA").replace(verification, "VE")
            found.append((caught.value.status, caught.value.code, caught.value.details, text))
        return found

    assert answers(up.ready["service_sid"], sid) == answers("VA" + "0" * 32, "VE" + "0" * 32)
    # Its key does not sign for the first one, and its SSH key answers as that of an account that is nowhere.
    (tmp_path / "thief.json").write_text(json.dumps(json.load(open(up.ready["tenant"]))))
    code, _, error = adyton("tenant", "reset", *place(up), "--tenant", tmp_path / "thief.json", "--key", key)
    assert code == 1 and "answered 403" in error and "not one of the signers'" in error
    nowhere = json.loads((tmp_path / "thief.json").read_text()) | {"account_sid": "AC" + "0" * 32}
    (tmp_path / "nowhere.json").write_text(json.dumps(nowhere))
    code, _, again = adyton("tenant", "reset", *place(up), "--tenant", tmp_path / "nowhere.json", "--key", key)
    assert (code, again) == (1, error)


def test_a_reset_is_the_tenants_alone_and_counts_once(tmp_path):
    up = Up(tmp_path)
    up.client()
    tenant, key = up.ready["tenant"], up.ready["tenant_key"]
    sid, secret = api_key(up, tmp_path / "key.json", "verify", "admin")
    service = up.ready["service_sid"]
    assert client(up, sid, secret, up.ready["account_sid"]).verify.v2.services(service).fetch().sid == service
    # Not even the owners' key resets a tenant.
    code, _, error = adyton("tenant", "reset", *place(up), "--tenant", tenant, "--key", up.ready["owner_key"])
    assert code == 1 and "not one of the signers'" in error
    code, _, error = adyton("tenant", "reset", *place(up), "--tenant", tenant, "--key", key)
    assert code == 0, error
    renewed = json.loads(open(tenant).read())
    assert renewed["auth_token"] != up.ready["auth_token"]
    for user, token in ((sid, secret), (up.ready["account_sid"], up.ready["auth_token"])):
        old = client(up, user, token, up.ready["account_sid"])
        assert refusal(lambda: old.verify.v2.services(service).fetch()) == (401, 20003)  # noqa: B023
    assert client(up, up.ready["account_sid"], renewed["auth_token"]).verify.v2.services(service).fetch().sid == service
    # A restart keeps it.
    assert up.stop() == 0
    up = Up(tmp_path)
    assert up.ready["auth_token"] == renewed["auth_token"]
    assert up.verify().fetch().sid == service
    assert up.stop() == 0


def test_what_was_signed_is_not_taken_twice(up, tmp_path):
    up.client()
    account, key = up.ready["account_sid"], up.ready["tenant_key"]
    first, second = (api_key(up, tmp_path / f"{count}.json", "verify")[0] for count in range(2))
    body = json.dumps({"remove": [first]})

    def signed(sequence, text=body, action="tenant-keys", signer=account):
        import hashlib

        message = (
            f"adyton request v1\nvault {up.ready['vault_id']}\nsigner {signer}\nsequence {sequence}\n"
            f"action {action}\nsha256 {hashlib.sha256(text.encode()).hexdigest()}\n"
        )
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "adyton", "-f", key]
        armored = subprocess.run(command, input=message.encode(), capture_output=True, check=True).stdout.decode()
        return {"action": action, "signer": signer, "sequence": sequence, "body": text, "signatures": [armored]}

    def post(request, **options):
        url = f"{up.ready['api']}/adyton/v1/requests"
        answer = requests.post(url, json=request, verify=up.ready["ca"], timeout=10, **options)
        return answer.status_code, answer.json()

    # Two keys were two requests.
    once = signed(3)
    assert post(once) == (200, {"action": "tenant-keys", "sequence": 3})
    status, refused = post(once)
    assert (status, refused["code"], refused["details"]) == (409, 20409, {"expected": "4"})
    assert post(signed(7))[1]["details"] == {"expected": "4"}
    # The signature is over this body, this action and this vault.
    assert post(signed(4) | {"body": '{"reset":true}'})[0] == 403
    assert post(signed(4) | {"action": "service-loosen"})[0] == 403
    assert post(signed(4, action="settings", signer="owners"))[0] == 403
    assert post(signed(4, action="settings"))[1]["code"] == 20403
    for text, field in (
        ("{", "body"),
        ("{}", "body"),
        ('{"more":1}', "more: there is no such member"),
        (f'[false,null,["{second}"],[]]', "body"),
        ('{"remove":["SK1"]}', "remove"),
        ('{"reset":true}', "sealed_token"),
        (f'{{"add":[{{"key_sid":"{second}","scopes":["root"],"sealed_secret":""}}]}}', "scopes"),
    ):
        status, refused = post(signed(4, text))
        assert (status, refused["code"]) == (400, 60200) and field in refused["message"], text
    assert post(signed(4))[0] == 404, "that key is gone already"
    # Whatever was refused did not count.
    text = json.dumps({"remove": [second]})
    assert post(signed(4, text)) == (200, {"action": "tenant-keys", "sequence": 4})


def test_owners_admit_tenants(tmp_path):
    up = Up(tmp_path)
    assert up.stop() == 0
    policy = up.data / "adyton.toml"
    policy.write_text(policy.read_text().replace('admission = "open"', 'admission = "owners"'))
    code, _, error = adyton("policy", "approve", "--yes", "--data", up.data, "--key", up.ready["owner_key"])
    assert code == 0, error
    up = Up(tmp_path)
    up.client()
    key, file, request = key_pair(tmp_path, "second"), tmp_path / "second.json", tmp_path / "request.json"
    create = ("tenant", "create", *place(up), "--tenant", file, "--name", "Second", "--ssh-key", f"{key}.pub")
    code, _, error = adyton(*create)
    assert code == 1 and "answered 403" in error and "admits no tenant without its owners' signature" in error
    assert adyton(*create, "--request", request)[0] == 0
    code, _, error = adyton("tenant", "admit", *place(up), "--request", request, "--key", key)
    assert code == 1 and "not one of the signers'" in error
    code, out, error = adyton("tenant", "admit", *place(up), "--request", request, "--key", up.ready["owner_key"])
    tenant = json.loads(file.read_text())
    assert (code, json.loads(out)) == (0, {"account_sid": tenant["account_sid"]})
    assert client(up, tenant["account_sid"], tenant["auth_token"]).verify.v2.services.list() == []
    assert up.stop() == 0


def test_a_weaker_service_waits_for_notice(start, tmp_path):
    up = start(policy=["tenants.loosening_hours=1"])
    up.client()
    service, tenant, key = up.ready["service_sid"], up.ready["tenant"], up.ready["tenant_key"]
    services = up.client().verify.v2.services
    assert services(service).update(code_length=8).code_length == 8
    assert refusal(lambda: services(service).update(code_length=6)) == (403, 20403)
    loosen = ("tenant", "loosen", *place(up), "--tenant", tenant, "--service", service, "--code-length", 6)
    code, _, error = adyton(*loosen, "--key", key_pair(tmp_path, "stranger"))
    assert code == 1 and "not one of the signers'" in error
    code, out, error = adyton(*loosen, "--key", key)
    assert code == 0, error
    pending = json.loads(out)
    due = time.mktime(time.strptime(pending["effective"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert (pending["code_length"], pending["custom_code_enabled"]) == (6, False)
    assert 3500 < due - time.time() <= 3600, "an hour of notice"
    assert services(service).fetch().code_length == 8, "not yet"
    # The signature is not enough: an admin's token is needed besides.
    verify_only = api_key(up, tmp_path / "verify.json", "verify")
    thief = json.loads(open(tenant).read()) | {"auth_token": "0" * 32}
    (tmp_path / "thief.json").write_text(json.dumps(thief))
    code, _, error = adyton(*loosen, "--key", key, "--tenant", tmp_path / "thief.json")
    assert code != 0
    url = f"{up.ready['api']}/adyton/v1/services/{service}/loosening"
    refused = requests.delete(url, auth=verify_only, verify=up.ready["ca"], timeout=10)
    assert (refused.status_code, refused.json()["code"]) == (403, 20403)
    auth = (up.ready["account_sid"], up.ready["auth_token"])
    taken_back = requests.delete(url, auth=auth, verify=up.ready["ca"], timeout=10)
    assert (taken_back.status_code, taken_back.json()["pending_loosening"]) == (200, None)


def test_support_does_not_look_too_often(up, tmp_path):
    up.client()
    started = up.verify().verifications.create(to=NUMBER, channel="sms")
    first, second = (api_key(up, tmp_path / f"{count}.json", "support") for count in range(2))
    url = f"{up.ready['api']}/adyton/v1/support/{started.sid}"
    with requests.Session() as session:
        session.verify = up.ready["ca"]
        looks = 0
        while (answer := session.get(url, auth=first, timeout=10)).status_code == 200:
            looks += 1
        assert (looks, answer.status_code, answer.json()["code"]) == (600, 429, 20429)
        assert 0 < int(answer.headers["Retry-After"]) <= 3600
        # Another key of the same tenant has no budget of its own, and applications go on.
        assert session.get(url, auth=second, timeout=10).status_code == 429
    assert up.verify().verifications.create(to=OTHER, channel="sms").status == "pending"


class Listener:
    """Counts who connects."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(0)
        self.url = f"https://127.0.0.1:{self.socket.getsockname()[1]}"

    def was_asked(self):
        try:
            self.socket.accept()[0].close()
            return True
        except BlockingIOError:
            return False


@pytest.mark.regression
def test_only_a_public_key_leaves(up, tmp_path):
    key = key_pair(tmp_path, "second")
    line = (tmp_path / "second.pub").read_text()
    (tmp_path / "garbage.pub").write_text("garbage\n")
    (tmp_path / "two.pub").write_text(line + line)
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", tmp_path / "rsa"], check=True)
    file, request, server = tmp_path / "t.json", tmp_path / "request.json", Listener()
    elsewhere = ("--api", server.url, *up.place()[2:])
    for name, words in [
        ("second", f"this is a private key. Nothing was sent or written: name its public key, {key}.pub"),
        ("garbage.pub", "not an SSH public key"),
        ("two.pub", "not an SSH public key"),
        ("rsa.pub", "RSA keys do not sign here"),
        ("missing.pub", "No such file"),
    ]:
        for extra in ((), ("--request", request)):
            create = ("tenant", "create", *elsewhere, "--tenant", file, "--name", "X", "--ssh-key", tmp_path / name)
            code, out, error = adyton(*create, *extra)
            assert code == 1 and not out and words in error and str(tmp_path / name) in error, error
            assert not file.exists() and not request.exists() and not server.was_asked()
    # Nor does an owner hand on what is no request, a tenant's file for instance.
    for content in (open(up.ready["tenant"]).read(), key.read_text(), line, "{}"):
        request.write_text(content)
        code, out, error = adyton("tenant", "admit", *elsewhere, "--request", request, "--key", up.ready["owner_key"])
        assert code == 1 and "Nothing was sent" in error and not server.was_asked(), error
        assert up.ready["auth_token"] not in error


@pytest.mark.regression
def test_what_fails_on_this_side_leaves_nothing_behind(up, tmp_path):
    out, file = tmp_path / "key.json", tmp_path / "t.json"
    create = ("key", "create", *place(up), "--tenant", up.ready["tenant"], "--scope", "verify", "--out", out)
    locked = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", locked], check=True)
    for key in ("/nokey", locked):
        code, _, error = adyton(*create, "--key", key)
        assert code == 1 and "did not sign" in error and "may not know" not in error and not out.exists(), error
    nobody = ["https://127.0.0.1:1" if argument == up.ready["api"] else argument for argument in create]
    code, _, error = adyton(*nobody, "--key", up.ready["tenant_key"])
    assert code == 1 and "cannot be reached" in error and not out.exists()
    assert adyton(*create, "--key", up.ready["tenant_key"])[0] == 0
    code, _, error = adyton(*create[:-1], tmp_path / "no/key.json", "--key", up.ready["tenant_key"])
    assert code == 1 and f"{tmp_path / 'no/key.json'}: " in error
    # A tenant that the vault refuses, or whose request cannot be written, was not made.
    public = f"{key_pair(tmp_path, 'second')}.pub"
    made = ("tenant", "create", *place(up), "--tenant", file, "--ssh-key", public)
    assert adyton(*made, "--name", "x" * 65)[0] == 1 and not file.exists()
    assert adyton(*made, "--name", "Second", "--request", tmp_path / "no/request.json")[0] == 1 and not file.exists()
    # What is there already stays: a key, a link, and the tenant's own file by either name.
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for there in (tmp_path / "second", tmp_path / "link"):
        kept = (tmp_path / "second").read_bytes()
        code, _, error = adyton(*made, "--name", "Second", "--request", there)
        assert code == 1 and f"{there}: is there already; name another file" in error and not file.exists(), error
        assert (tmp_path / "second").read_bytes() == kept and there.is_symlink() == (there.name == "link")
    for same in (file, tmp_path / "." / "no" / ".." / "t.json", tmp_path / "here" / "t.json"):
        (tmp_path / "here").is_symlink() or (tmp_path / "here").symlink_to(tmp_path)
        (tmp_path / "no").mkdir(exist_ok=True)
        code, _, error = adyton(*made, "--name", "Second", "--request", same)
        assert code == 1 and "--tenant and --request name the same file" in error and not file.exists(), error


@pytest.mark.regression
def test_a_file_is_one_tenants(up, tmp_path):
    file, first, second = tmp_path / "t.json", key_pair(tmp_path, "first"), key_pair(tmp_path, "second")

    def create(name, key):
        return adyton("tenant", "create", *up.place(), "--tenant", file, "--name", name, "--ssh-key", f"{key}.pub")

    assert create("One", first)[0] == 0
    kept = file.read_bytes()
    assert create("One", first)[0] == 0, "the same command again finishes what was begun"
    for name, key in [("Two", first), ("One", second)]:
        code, out, error = create(name, key)
        assert code == 1 and not out and "(One) is a tenant already: name another file with --tenant" in error, error
    assert file.read_bytes() == kept


@pytest.mark.regression
def test_a_tenant_that_trusted_the_operator_first_learns_its_vaults_root(up, tmp_path):
    file, key = tmp_path / "t.json", key_pair(tmp_path, "second")
    place = ("--api", up.ready["api"], "--vault-id", up.ready["vault_id"], "--tenant", file)
    create = ("tenant", "create", *place, "--name", "X", "--ssh-key", f"{key}.pub")
    code, _, error = adyton(*create, "--trust-operator", up.ready["ca"])
    assert code == 0, error
    assert "root" not in json.loads(file.read_text())
    show = ("tenant", "show", *place)
    code, _, error = adyton(*show)
    assert code == 1 and "--root" in error, error
    code, _, error = adyton(*show, "--root", up.ready["root"])
    assert code == 0, error
    # From now on it names it.
    assert adyton(*show)[0] == 0 and json.loads(file.read_text())["root"]
    other = tmp_path / "other.pem"
    other.write_bytes(trustme.CA().cert_pem.bytes())
    code, _, error = adyton(*show, "--root", other)
    assert code == 1 and "is not the root that the tenant's file names" in error
