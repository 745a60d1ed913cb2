"""Who may change what a vault obeys: its owners, by their SSH keys, and only in their turn."""

import json
import shutil
import ssl
import subprocess
import urllib.request

import pytest
from conftest import BINARIES, Up, eventually


def adyton(*arguments, text=""):
    run = subprocess.run([BINARIES / "adyton", *map(str, arguments)], input=text, capture_output=True, text=True)
    return run.returncode, run.stdout, run.stderr


def vault(up):
    context = ssl.create_default_context(cafile=up.ready["ca"])
    with urllib.request.urlopen(f"{up.ready['api']}/adyton/v1/vault", context=context, timeout=10) as answer:
        return json.load(answer)


def refused_boot(folder):
    """What `up` says when the enclave refuses the policy in the folder."""
    command = [BINARIES / "adyton", "up", "--json", "--data", folder / "vault", "--listen", "127.0.0.1:0"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1 and run.stdout == "", run
    return run.stderr


@pytest.fixture
def stranger(tmp_path):
    key = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key


def test_a_policy_boots_once_its_owner_approved_it(tmp_path, stranger):
    up = Up(tmp_path)
    key, policy = up.ready["owner_key"], up.data / "adyton.toml"
    assert vault(up)["release"] == 1
    assert up.stop() == 0
    first = policy.read_text()
    second = first.replace("retention_days = 30", "retention_days = 10")
    assert second != first

    policy.write_text(second)
    assert "owners approve it as release 2 with `adyton policy approve`" in refused_boot(tmp_path)
    code, _, error = adyton("policy", "approve", "--data", up.data, "--key", stranger)
    assert code == 1 and "not one of the signers'" in error
    assert not (up.data / "approvals").exists()
    code, out, _ = adyton("policy", "approve", "--data", up.data, "--key", key, "--json")
    approved = json.loads(out)
    assert (code, approved["release"], approved["missing"]) == (0, 2, 0)
    assert approved["changes"] == [["tightens", "retention_days: bodies are kept: 30 becomes 10"]]

    # What was approved is this policy, and no other.
    policy.write_text(second.replace("retention_days = 10", "retention_days = 11"))
    assert "it is of another policy or release" in refused_boot(tmp_path)
    policy.write_text(second)
    up = Up(tmp_path)
    assert vault(up)["release"] == 2
    assert json.loads(up.log_check().stdout)["release"] == 2
    assert up.stop() == 0

    # The first one is over, and an approval is for one release.
    policy.write_text(first)
    assert "as release 3" in refused_boot(tmp_path)
    approvals = up.data / "approvals"
    shutil.copy(approvals / "2.json", approvals / "3.json")
    assert "it is of another policy or release" in refused_boot(tmp_path)
    forged = json.loads((approvals / "2.json").read_text())
    (approvals / "3.json").write_text(json.dumps(forged | {"sequence": 3, "body": first}))
    assert "not of this text by this key" in refused_boot(tmp_path)
    (approvals / "3.json").unlink()
    policy.write_text(second)
    up = Up(tmp_path)
    assert vault(up)["release"] == 2
    assert up.stop() == 0


def test_settings_are_signed_bounded_and_taken_in_turn(tmp_path, stranger):
    up = Up(tmp_path)
    file = tmp_path / "settings.toml"

    def change(text, key, named=None):
        file.write_text(text)
        place = ("--api", up.ready["api"], "--ca", up.ready["ca"], "--json")
        return adyton("settings", "set", *place, "--vault", named or up.ready["vault_id"], "--file", file, "--key", key)

    key, before = up.ready["owner_key"], vault(up)
    sequence = before["owners_sequence"]
    tighter = "version = 1\n[limits]\nfailed_checks = 5\n"
    code, _, error = change(tighter, stranger)
    assert code == 1 and "answered 403" in error and "not one of the signers'" in error
    code, _, error = change(tighter, key, named="ab" * 32)
    assert code == 1 and "nothing was signed" in error
    code, _, error = change("version = 1\n[limits]\nfailed_checks = 21\n", key)
    assert code == 1 and "limits.failed_checks: looser than the policy allows" in error
    code, _, error = change("version = 1\n[limit]\n", key)
    assert code == 1 and "limit: unknown key; did you mean limits?" in error
    code, _, error = change("", key)
    assert code == 1 and "missing field `version`" in error
    assert vault(up) == before
    code, out, _ = change(tighter, key)
    assert (code, json.loads(out)) == (0, {"sequence": sequence + 1})
    after = vault(up)
    assert after["owners_sequence"] == sequence + 1
    assert after["settings_sha256"] != before["settings_sha256"]

    # A restart keeps them; what was signed once is not taken again.
    assert up.stop() == 0
    up = Up(tmp_path)
    kept = vault(up)
    assert (kept["owners_sequence"], kept["settings_sha256"]) == (after["owners_sequence"], after["settings_sha256"])
    assert json.loads(up.log_check().stdout)["ok"] is True
    assert up.stop() == 0


def test_credentials_belong_to_one_place(tmp_path):
    up = Up(tmp_path)
    with open(up.ready["settings"]) as file:
        text = file.read()
    (messages,) = [line for line in text.splitlines() if line.startswith("pretend-messages = ")]
    (mail,) = [line for line in text.splitlines() if line.startswith("pretend-mail = ")]

    def set_to(text):
        file = tmp_path / "settings.toml"
        file.write_text(text)
        place = ("--api", up.ready["api"], "--ca", up.ready["ca"], "--json")
        return adyton("settings", "set", *place, "--vault", up.ready["vault_id"], "--file", file, "--key", up.ready["owner_key"])

    def seal(name, secret):
        code, out, error = adyton(
            "seal", "--vault", up.ready["vault_id"], "--data", up.data, "--for", name, text=secret
        )
        assert code == 0, error
        return f'{name} = "{out.strip()}"'

    before = vault(up)
    moved = text.replace(mail, messages.replace("pretend-messages", "pretend-mail"))
    code, _, error = set_to(moved)
    assert code == 1 and "answered 400" in error
    assert "credentials.pretend-mail: it does not open for route pretend-mail (mail.adyton.test:465)" in error
    code, _, error = set_to(text.replace(messages, seal("pretend-messages", "no colon")))
    assert code == 1 and "credentials.pretend-messages: the credential does not have the form" in error
    assert vault(up) == before
    # A new secret for the same place does.
    verify = up.verify()
    assert set_to(text.replace(messages, seal("pretend-messages", "AC00000000000000000000000000000001:wrong")))[0] == 0
    started = verify.verifications.create(to="+12025550123", channel="sms")
    eventually(lambda: outcome_known(verify, started.sid))
    assert up.messages("+12025550123") == [], "the carrier knows another token"
    assert set_to(text)[0] == 0
    verify.verifications.create(to="+12025550123", channel="sms")
    up.code("+12025550123")
    assert up.stop() == 0


def outcome_known(verify, sid):
    (attempt,) = verify.verifications(sid).fetch().send_code_attempts
    assert attempt["outcome"] == "refused"


def test_a_tighter_policy_boots_over_looser_settings(tmp_path):
    up = Up(tmp_path)
    with open(up.ready["settings"]) as file:
        text = file.read()
    settings, policy = tmp_path / "settings.toml", up.data / "adyton.toml"
    settings.write_text(text + "\n[limits]\nfailed_checks = 15\n")
    place = ("--api", up.ready["api"], "--ca", up.ready["ca"], "--json")
    named = ["--vault", up.ready["vault_id"]]
    assert adyton("settings", "set", *place, *named, "--file", settings, "--key", up.ready["owner_key"])[0] == 0
    assert up.stop() == 0
    policy.write_text(policy.read_text().replace("[limits]\n", "[limits]\nfailed_checks = 10\n"))
    code, out, error = adyton("policy", "approve", "--data", up.data, "--key", up.ready["owner_key"])
    assert code == 0 and "limits.failed_checks: 20 becomes 10" in out, error
    up = Up(tmp_path)
    assert vault(up)["release"] == 2
    verify = up.verify()
    verify.verifications.create(to="+12025550123", channel="sms")
    up.code("+12025550123")
    assert up.stop() == 0


@pytest.mark.regression
@pytest.mark.parametrize(
    "name, to",
    [("vault.example", "vault.example.vault.example"), ("a.b.c.d.example.com", "a.b.c.example.com")],
)
def test_a_public_name_that_sdks_rewrite_is_refused(up, tmp_path, name, to):
    """`e2e/node/hosts.test.js` shows that the SDK does."""
    policy = (up.data / "adyton.toml").read_text()
    names = 'names = ["localhost"]'
    assert names in policy
    file = tmp_path / "changed.toml"
    public = f'{names}\npublic_names = ["{name}"]'
    for key, changed in (("api.names", f'names = ["{name}"]'), ("api.public_names[0]", public)):
        file.write_text(policy.replace(names, changed))
        code, _, error = adyton("policy", "check", file)
        assert code == 1 and f"{key}: some official SDKs (Node.js, Java, Go) call {to} instead of {name}" in error
        file.write_text(policy.replace(names, changed.replace(name, "verify.example.com")))
        assert adyton("policy", "check", file)[0] == 0
