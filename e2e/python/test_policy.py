"""Who may change what a vault obeys: its owners, by their SSH keys, and only in their turn."""

import hashlib
import json
import os
import pty
import re
import shlex
import shutil
import ssl
import subprocess
import urllib.request

import pytest
import trustme
from conftest import BINARIES, PATIENCE, Up, eventually


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
    assert "owners approve it as release 2 with `adyton policy approve --data DIR --key OWNER-KEY`" in refused_boot(tmp_path)
    code, _, error = adyton("policy", "approve", "--yes", "--data", up.data, "--key", stranger)
    assert code == 1 and "not one of the signers'" in error
    assert not (up.data / "approvals").exists()
    code, out, _ = adyton("policy", "approve", "--yes", "--data", up.data, "--key", key, "--json")
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


# A policy's text before and behind the bytes of the custody's certificate.
CUSTODY = r"(\[custody\].*?-----BEGIN CERTIFICATE-----\n).*?(-----END)"


@pytest.mark.regression
def test_what_no_boot_takes_is_not_approved(tmp_path):
    up = Up(tmp_path)
    key, policy = up.ready["owner_key"], up.data / "adyton.toml"
    assert up.stop() == 0
    first, approvals = policy.read_text(), up.data / "approvals"
    root = re.search(r"\[attestation\]\nroot = \"\"\"\n(.*?)\"\"\"", first, re.DOTALL)[1]
    other = trustme.CA().cert_pem.bytes().decode()
    arn = "arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c-0000-4000-8000-00112233aabb"
    small = f'port = 443\nkey = "{arn}"\ncredentials = "instance-role"\n'
    for words, changed in [
        ("attestation.root: fixed at genesis", first.replace(root, other)),
        ("profile: fixed at genesis", first.replace('"dev"', '"kms"').replace("port = 443\n", small, 1)),
        ("custody.trust: what stands there in PEM", re.sub(CUSTODY, r"\1MAA=\n\2", first, flags=re.DOTALL)),
        ("api.names: fixed at genesis", first.replace('["localhost"]', '["localhost", "verify.example.com"]')),
        ("api.addresses: fixed at genesis", first.replace('["127.0.0.1"]', '["127.0.0.1", "127.0.0.2"]')),
    ]:
        assert changed != first
        policy.write_text(changed)
        assert adyton("policy", "check", policy)[0] == 0, "by itself it is a policy"
        code, out, error = adyton("policy", "approve", "--yes", "--data", up.data, "--key", key)
        assert code == 1 and words in error and "Nothing was signed" in error and not out, error
        assert not approvals.exists()
        code, _, error = adyton("policy", "check", policy, "--data", up.data)
        assert code == 1 and words in error
        error = refused_boot(tmp_path)
        if "fixed at genesis" not in words:
            continue
        # `up` asks its pretend KMS for the key before it starts a vault of profile kms.
        assert words in error or words.startswith("profile")
        (tmp_path / "first.toml").write_text(first)
        code, out, _ = adyton("policy", "diff", tmp_path / "first.toml", policy)
        assert code == 0 and "no boot takes" in out, out
    # The next good one is not in the way of anything.
    policy.write_text(first.replace("retention_days = 30", "retention_days = 10"))
    assert adyton("policy", "check", policy, "--data", up.data)[0] == 0
    # However the file is named, it is the folder's.
    command = [BINARIES / "adyton", "policy", "approve", "--yes", "--data", ".", "--policy", "adyton.toml", "--key", key]
    run = subprocess.run(list(map(str, command)), cwd=up.data, capture_output=True, text=True)
    assert run.returncode == 0 and "the vault takes it at its next boot" in run.stdout, run
    up = Up(tmp_path)
    assert vault(up)["release"] == 2
    assert up.stop() == 0


def on_a_terminal(answer, *arguments):
    """Runs a command whose stdin and output are a terminal's, and answers its question."""
    parent, child = pty.openpty()
    command = list(map(str, (BINARIES / "adyton", *arguments)))
    run = subprocess.Popen(command, stdin=child, stdout=child, stderr=child)
    os.close(child)
    said = b""
    try:
        while b"[y/N]" not in said:
            said += os.read(parent, 4096)
        os.write(parent, answer.encode() + b"\n")
        while True:
            said += os.read(parent, 4096)
    except OSError:
        # The other end is closed: it has ended.
        pass
    finally:
        os.close(parent)
    return run.wait(timeout=60), said.decode()


@pytest.mark.regression
def test_an_approval_is_shown_asked_for_and_loses_no_signature(tmp_path, stranger):
    up = Up(tmp_path)
    key, policy = up.ready["owner_key"], up.data / "adyton.toml"
    assert up.stop() == 0
    other = subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "second"], check=True)
    assert other.returncode == 0
    # Two owners from release 2 on.
    second = (tmp_path / "second.pub").read_text().strip()
    lines = policy.read_text().splitlines()
    (keys,) = [line for line in lines if line.startswith("keys = ")]
    two = policy.read_text().replace(keys, keys[:-1] + f', "{second}"]').replace("threshold = 1", "threshold = 2")
    policy.write_text(two)
    approve = ("policy", "approve", "--data", up.data, "--key", key)
    approval = up.data / "approvals" / "2.json"

    # Without a terminal and without --yes nothing is signed, and it says what to do.
    code, out, error = adyton(*approve)
    assert code == 1 and "owners" in out and "give --yes" in error and not approval.exists()
    assert adyton(*approve, "--json")[0] == 1 and not approval.exists()
    # On a terminal it asks after it has shown the difference.
    for answer in ("", "n", "yes please"):
        code, said = on_a_terminal(answer, *approve)
        assert code == 1 and "owners.threshold" in said and "nothing was signed" in said and not approval.exists(), said
    code, said = on_a_terminal("y", *approve)
    assert code == 0 and said.index("owners.threshold") < said.index("[y/N]") < said.index("Approved as release 2"), said
    up = Up(tmp_path)
    assert vault(up)["release"] == 2
    assert up.stop() == 0

    # One of two signed; another text does not take the place of what was signed.
    third = two.replace("retention_days = 30", "retention_days = 20")
    policy.write_text(third)
    code, out, error = adyton(*approve, "--yes", "--json")
    assert code == 0 and json.loads(out)["missing"] == 1, error
    approval = up.data / "approvals" / "3.json"
    kept = approval.read_bytes()
    policy.write_text(third.replace("retention_days = 20", "retention_days = 21"))
    for who in (key, tmp_path / "second"):
        code, out, error = adyton("policy", "approve", "--yes", "--data", up.data, "--key", who)
        assert code == 1 and "holds a signature of another policy, SHA-256 " in error and "Nothing was signed" in error
        assert hashlib.sha256(third.encode()).hexdigest() in error
    assert approval.read_bytes() == kept
    approval.write_bytes(kept[:-10])
    code, _, error = adyton(*approve, "--yes")
    assert code == 1 and str(approval) in error and approval.read_bytes() == kept[:-10]
    # The same text goes on where it was; signing twice adds nothing.
    approval.write_bytes(kept)
    policy.write_text(third)
    assert adyton(*approve, "--yes")[0] == 0 and len(json.loads(approval.read_text())["signatures"]) == 1
    code, out, _ = adyton("policy", "approve", "--yes", "--data", up.data, "--key", tmp_path / "second")
    assert code == 0 and "Approved as release 3" in out
    up = Up(tmp_path)
    assert vault(up)["release"] == 3
    # Any one of them reads the settings; to change them takes both.
    up_place = (*up.place(), "--json")
    for who in (key, tmp_path / "second"):
        code, out, error = adyton("settings", "show", *up_place, "--key", who)
        assert code == 0 and json.loads(out)["text"] == open(up.ready["settings"]).read(), error
    changed = tmp_path / "changed.toml"
    changed.write_text(open(up.ready["settings"]).read() + "\n[limits]\nfailed_checks = 5\n")
    code, _, error = adyton("settings", "set", *up_place, "--file", changed, "--key", key)
    assert code == 1 and "answered 403" in error
    assert up.stop() == 0


@pytest.mark.regression
def test_settings_are_shown_to_an_owner_and_compared_before_they_are_signed(tmp_path, stranger):
    up = Up(tmp_path)
    place, key, file = up.place(), up.ready["owner_key"], tmp_path / "settings.toml"
    text = open(up.ready["settings"]).read()
    # The exact text in force, for owners alone.
    code, out, error = adyton("settings", "show", *place, "--key", key)
    assert (code, out) == (0, text), error
    code, out, _ = adyton("settings", "show", *place, "--key", key, "--json")
    shown = json.loads(out)
    assert shown["sha256"] == hashlib.sha256(text.encode()).hexdigest() == vault(up)["settings_sha256"]
    for other in (stranger, up.ready["tenant_key"]):
        code, out, error = adyton("settings", "show", *place, "--key", other)
        assert (code, out) == (1, "") and "not one of the signers'" in error
    code, out, _ = adyton("settings", "show", *place)
    assert code == 0 and "pretend-mail" not in out and shown["sha256"] in out
    # Looking takes no turn of the owners'.
    assert vault(up)["owners_sequence"] == 1

    changed = text.replace("pretend-mail", "#pretend-mail") + "\n[limits]\nfailed_checks = 5\n"
    file.write_text(changed)
    # A credential that a route needs does not go unasked.
    set_it = ("settings", "set", *place, "--file", file, "--key", key)
    loss = "this removes credential pretend-mail, which route pretend-mail needs"
    for how in ((), ("--json",)):
        code, out, error = adyton(*set_it, *how)
        assert code == 1 and loss in error and "give --yes" in error, error
    code, said = on_a_terminal("n", *set_it)
    assert code == 1 and said.index("credentials.pretend-mail: removed") < said.index("[y/N]"), said
    assert "nothing was signed" in said and vault(up)["owners_sequence"] == 1
    code, out, error = adyton(*set_it, "--yes")
    assert code == 0 and out.splitlines()[:2] == ["credentials.pretend-mail: removed", "limits.failed_checks: 5 is added"]
    assert "warning: route pretend-mail has no credential pretend-mail: no message leaves by it" in error
    file.write_text(text)
    code, out, error = adyton("settings", "set", *place, "--file", file, "--key", key, "--json")
    said = json.loads(out)
    assert said["changes"] == ["credentials.pretend-mail: added", "limits.failed_checks: 5 is removed"]
    assert (code, said["warnings"], said["sequence"]) == (0, [], 3)
    file.write_text("version = ")
    before = vault(up)
    code, out, error = adyton("settings", "set", *place, "--file", file, "--key", key)
    assert (code, out) == (1, "") and "the settings: TOML parse error" in error and vault(up) == before
    # A restart gives back the same.
    assert up.stop() == 0
    up = Up(tmp_path)
    assert adyton("settings", "show", *up.place(), "--key", key)[1] == text
    assert up.stop() == 0


@pytest.mark.regression(starts=False)
def test_settings_that_another_owner_changes_meanwhile_are_not_replaced_unseen(tmp_path):
    up = Up(tmp_path)
    place, key = up.place(), up.ready["owner_key"]
    mine, theirs = tmp_path / "mine.toml", tmp_path / "theirs.toml"
    text = open(up.ready["settings"]).read()
    mine.write_text(text + "\n[limits]\nfailed_checks = 5\n")
    theirs.write_text(text + "\n[limits]\nsends_per_destination_hour = 2\n")
    # An owner's second signature takes a while, as a key that is touched does; another owner is done in between.
    folder = tmp_path / "bin"
    folder.mkdir()
    other = [str(BINARIES / "adyton"), "settings", "set", *map(str, place), "--file", str(theirs), "--key", str(key)]
    wrapper = folder / "ssh-keygen"
    wrapper.write_text(
        f"""#!/bin/sh
count=$(cat {tmp_path}/count 2>/dev/null || echo 0)
echo $((count + 1)) > {tmp_path}/count
if [ "$count" = 1 ]; then PATH={shlex.quote(os.environ["PATH"])} {shlex.join(other)} >&2; fi
exec {shutil.which("ssh-keygen")} "$@"
"""
    )
    wrapper.chmod(0o755)
    run = subprocess.run(
        [BINARIES / "adyton", "settings", "set", *place, "--file", mine, "--key", key],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert run.returncode == 1 and "another request of the owners came in between" in run.stderr, run.stderr
    assert adyton("settings", "show", *place, "--key", key)[1] == theirs.read_text()
    # What is in force already is said to be.
    code, out, error = adyton("settings", "set", *place, "--file", theirs, "--key", key)
    assert code == 0 and out.startswith("These settings are in force already: nothing was changed."), error
    assert up.stop() == 0


def test_settings_are_signed_bounded_and_taken_in_turn(tmp_path, stranger):
    up = Up(tmp_path)
    file = tmp_path / "settings.toml"

    def change(text, key, named=None):
        file.write_text(text)
        place = ("--api", up.ready["api"], "--root", up.ready["root"], "--json")
        named_id = named or up.ready["vault_id"]
        # No credential stands in these texts.
        return adyton("settings", "set", *place, "--yes", "--vault-id", named_id, "--file", file, "--key", key)

    key, before = up.ready["owner_key"], vault(up)
    sequence = before["owners_sequence"]
    tighter = "version = 1\n[limits]\nfailed_checks = 5\n"
    code, _, error = change(tighter, stranger)
    assert code == 1 and "answered 403" in error and "not one of the signers'" in error
    code, _, error = change(tighter, key, named="ab" * 32)
    assert code == 1 and "Nothing was sent" in error
    code, _, error = change("version = 1\n[limits]\nfailed_checks = 21\n", key)
    assert code == 1 and "limits.failed_checks: looser than the policy allows" in error
    code, _, error = change("version = 1\n[limit]\n", key)
    assert code == 1 and "limit: unknown key; did you mean limits?" in error
    code, _, error = change("", key)
    assert code == 1 and "missing field `version`" in error
    assert vault(up) == before
    code, out, _ = change(tighter, key)
    assert (code, json.loads(out)["sequence"]) == (0, sequence + 1)
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
        place = (*up.place(), "--json")
        return adyton("settings", "set", *place, "--file", file, "--key", up.ready["owner_key"])

    def seal(name, secret):
        code, out, error = adyton(
            "seal", *up.place(), "--data", up.data, "--for", name, text=secret
        )
        assert code == 0, error
        return f'{name} = "{out.strip()}"'

    before = vault(up)
    moved = text.replace(mail, messages.replace("pretend-messages", "pretend-mail"))
    code, _, error = set_to(moved)
    assert code == 1 and "answered 400" in error
    assert "credentials.pretend-mail: it does not open for route pretend-mail (mail.adyton.test:465)" in error
    # What the route could not use is not sealed.
    refused = adyton("seal", *up.place(), "--data", up.data, "--for", "pretend-messages", text="no colon")
    assert refused[:2] == (1, "") and "user:password" in refused[2] and "nothing was sealed" in refused[2]
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
    assert attempt["outcome"] == "gave_up"


def test_a_tighter_policy_boots_over_looser_settings(tmp_path):
    up = Up(tmp_path)
    with open(up.ready["settings"]) as file:
        text = file.read()
    settings, policy = tmp_path / "settings.toml", up.data / "adyton.toml"
    settings.write_text(text + "\n[limits]\nfailed_checks = 15\n")
    place = (*up.place(), "--json")
    assert adyton("settings", "set", *place, "--file", settings, "--key", up.ready["owner_key"])[0] == 0
    assert up.stop() == 0
    policy.write_text(policy.read_text().replace("[limits]\n", "[limits]\nfailed_checks = 10\n"))
    code, out, error = adyton("policy", "approve", "--yes", "--data", up.data, "--key", up.ready["owner_key"])
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


@pytest.mark.regression
def test_seal_says_what_is_wrong_with_the_policy_it_is_given(up, tmp_path):
    sealing, policy = ("seal", *up.place(), "--for", "pretend-mail"), up.data / "adyton.toml"
    for arguments, words in [
        ((), "name the policy that says where the credential is for"),
        (("--policy", policy, "--data", up.data), "both name a policy: leave one of them out"),
        (("--policy", tmp_path / "none.toml"), f"{tmp_path / 'none.toml'}: No such file"),
        (("--policy", "ab" * 32), "a hash does not say where the credential is for"),
    ]:
        code, out, error = adyton(*sealing, *arguments, text="user:password")
        assert code == 1 and not out and words in error, error
    parent, child = pty.openpty()
    command = list(map(str, (BINARIES / "adyton", *sealing, "--policy", policy)))
    run = subprocess.run(command, stdin=child, capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == 1 and "a terminal shows what is typed" in run.stderr
    os.close(parent)
    os.close(child)
