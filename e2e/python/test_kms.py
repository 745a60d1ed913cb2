"""Profile kms: a cloud's KMS releases the root key to one enclave under one policy, and refuses everybody else."""

import hashlib
import json
import ssl
import subprocess

import kms
import pytest
from botocore.exceptions import ClientError
from conftest import BINARIES, Up, eventually

NUMBER = "+12025550123"
IMAGE = "kms:RecipientAttestation:ImageSha384"
POLICY = "kms:RecipientAttestation:PCR16"


def adyton(*arguments):
    run = subprocess.run([BINARIES / "adyton", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return run.returncode, run.stdout, run.stderr


def refused_boot(folder):
    command = [BINARIES / "adyton", "up", "--json", "--data", folder / "vault", "--listen", "127.0.0.1:0"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1 and run.stdout == "", run
    return run.stderr


@pytest.fixture(autouse=True)
def names():
    with kms.resolved():
        yield


@pytest.fixture
def on_kms(start):
    return start(profile="kms")


def policy_of(up):
    key = up.ready["kms"]["key"]
    return json.loads(kms.administrator(up.ready["kms"]).get_key_policy(KeyId=key, PolicyName="default")["Policy"])


def put(up, policy):
    key = up.ready["kms"]["key"]
    kms.administrator(up.ready["kms"]).put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))


def wrapped(up):
    """Ciphertext and encryption context, as they lie in the host's files."""
    root = ssl.PEM_cert_to_DER_cert((up.pretend / "nsm-root.pem").read_text())
    key = bytes.fromhex(up.ready["kms"]["key"].rsplit("/", 1)[1].replace("-", ""))
    for file in up.data.iterdir():
        content = file.read_bytes() if file.is_file() else b""
        at, genesis = content.find(key), content.find(hashlib.sha256(root).digest())
        if min(at, genesis) >= 0:
            # id, nonce, secret, tag; and the nonce before the root's hash.
            context = {"adyton-genesis": content[genesis - 32 : genesis].hex()}
            return {"CiphertextBlob": content[at : at + 16 + 12 + 32 + 16], "EncryptionContext": context}
    raise AssertionError("no genesis in the host's files")


def refusal(call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def verified(up):
    verify = up.verify()
    assert verify.verifications.create(to=NUMBER, channel="sms").status == "pending"
    code = up.code(NUMBER)
    # The budgets of wrong codes begin empty at a boot: the first check is answered a second later.
    assert eventually(lambda: verify.verification_checks.create(to=NUMBER, code=code)).status == "approved"


def test_a_vault_boots_verifies_and_starts_again(tmp_path):
    first = Up(tmp_path, profile="kms")
    verified(first)
    options = ["--vault-id", first.ready["vault_id"], "--root", first.ready["root"]]
    code, out, _ = adyton("verify", first.ready["api"], *options, "--json")
    shown = json.loads(out)
    assert (code, shown["facts"]["profile"]) == (3, "kms")
    assert "the administrator of the cloud's KMS can release the root key" in shown["explained"]
    # The key policy names the very registers that evidence shows.
    release = policy_of(first)["Statement"][2]["Condition"]["StringEqualsIgnoreCase"]
    assert release == {IMAGE: shown["facts"]["pcr0"], POLICY: shown["facts"]["pcr16"]}
    subprocess.run(["kill", "-9", str(first.children()["adyton-enclave"])], check=True)
    eventually(lambda: verified(first))
    assert first.stop() == 0
    second = Up(tmp_path)
    assert (second.ready["vault_id"], second.ready["profile"]) == (first.ready["vault_id"], "kms")
    verified(second)
    assert second.stop() == 0
    assert json.loads(second.log_check().stdout)["ok"]


def test_a_profile_is_fixed_at_genesis(tmp_path):
    up = Up(tmp_path)
    assert up.stop() == 0
    code, _, error = adyton("up", "--data", up.data, "--listen", "127.0.0.1:0", "--profile", "kms")
    assert code == 1 and "this vault has another profile, which is fixed at genesis" in error


def test_another_measurement_in_the_key_policy_refuses_the_boot(tmp_path, on_kms):
    good = policy_of(on_kms)
    ours = good["Statement"][2]["Condition"]["StringEqualsIgnoreCase"]
    for register in (IMAGE, POLICY):
        other = json.loads(json.dumps(good))
        other["Statement"][2]["Condition"]["StringEqualsIgnoreCase"][register] = "ab" * 48
        put(on_kms, other)
        # While it runs, nothing asks; what boots is refused by itself, and by the KMS.
        recipient = kms.attested(kms.document(on_kms.ready["nsm"], kms.Recipient().spki))
        role, key = kms.role(on_kms.ready["kms"]), on_kms.ready["kms"]["key"]
        code, message = refusal(role.decrypt, KeyId=key, Recipient=recipient, **wrapped(on_kms))
        assert code == "AccessDeniedException" and "is not authorized to perform: kms:Decrypt" in message
    assert on_kms.stop() == 0
    error = refused_boot(tmp_path)
    expected = f'the key\'s policy: statement "Release": {POLICY}: expected {ours[POLICY]}, got {"ab" * 48}: if this enclave'
    assert expected in error, error


def statement(**members):
    return {"Sid": "Loose", "Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": "*"} | members


LOOSENED = {
    "decrypt without a condition": (
        statement(Action="kms:Decrypt"),
        'statement "Loose": it releases without a condition StringEqualsIgnoreCase on '
        "kms:RecipientAttestation:ImageSha384: expected the one value ",
    ),
    "everything for another principal": (
        statement(Action="kms:*", Principal={"AWS": "arn:aws:iam::111122223333:root"}),
        'statement "Loose": it allows "kms:*": expected only kms:Decrypt and kms:GenerateDataKey with a condition',
    ),
    "grants": (
        statement(Action="kms:CreateGrant", Principal={"AWS": "arn:aws:iam::111122223333:user/administrator"}),
        'statement "Loose": it allows "kms:CreateGrant"',
    ),
}


@pytest.mark.parametrize("name", LOOSENED)
def test_a_loosened_key_policy_refuses_the_boot(tmp_path, on_kms, name):
    added, expected = LOOSENED[name]
    policy = policy_of(on_kms)
    policy["Statement"].append(added)
    put(on_kms, policy)
    assert on_kms.stop() == 0
    error = refused_boot(tmp_path)
    assert expected in error, error


# A key policy as the command prints one, for made-up registers, and how `kms check` judges it with a statement more.
REGISTERS = ["--pcr", f"0={'ab' * 48}", "--pcr", f"16={'cd' * 48}"]
ROLE, ADMINISTRATOR = "arn:aws:iam::111122223333:role/enclave", "arn:aws:iam::111122223333:user/admin"


def printed():
    code, out, error = adyton("kms", "key-policy", *REGISTERS, "--role", ROLE, "--administrator", ADMINISTRATOR)
    assert code == 0, error
    return json.loads(out)


def judged(folder, text, *options):
    file = folder / "key.json"
    file.write_text(text if isinstance(text, str) else json.dumps(text))
    return adyton("kms", "check", file, *REGISTERS, *options)


MFA = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
DENIALS = {
    "its own Decrypt": (statement(Sid="Stop", Effect="Deny", Action="kms:Decrypt"), 'kms:Decrypt: statement "Stop" denies it'),
    "everything without a second factor": (
        statement(Sid="Mfa", Effect="Deny", Action="kms:*", Condition=MFA),
        'kms:DescribeKey: statement "Mfa" denies it',
    ),
    "unless another register": (
        statement(Sid="Other", Effect="Deny", Action="kms:Decrypt", Condition={"StringNotEquals": {POLICY: "00" * 48}}),
        'kms:Decrypt: statement "Other" denies it',
    ),
    "what is not evaluated": (
        statement(Sid="Net", Effect="Deny", Action="kms:*", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}),
        "depending on aws:SourceVpce, which cannot be evaluated here",
    ),
    "two effects": (statement(Effect="Deny", effect="Allow", Action="kms:Decrypt"), 'member "effect" is not evaluated'),
    "all actions but some": (
        {"Sid": "Not", "Effect": "Deny", "Principal": "*", "NotAction": "kms:Put*", "Resource": "*"},
        'statement "Not": member "NotAction" is not evaluated',
    ),
}


@pytest.mark.regression
@pytest.mark.parametrize("name", DENIALS)
def test_a_key_policy_that_no_vault_boots_under_is_refused(tmp_path, name):
    added, expected = DENIALS[name]
    policy = printed()
    assert judged(tmp_path, policy)[0] == 0
    policy["Statement"].append(added)
    code, out, error = judged(tmp_path, policy)
    assert code == 1 and out == "" and expected in error, (out, error)
    code, out, _ = judged(tmp_path, policy, "--json")
    assert code == 1 and expected in json.loads(out)["error"] and not json.loads(out)["ok"]


@pytest.mark.regression
def test_each_action_that_a_boot_lacks_is_named(tmp_path):
    policy = printed()
    del policy["Statement"][1]
    code, _, error = judged(tmp_path, policy)
    assert code == 1
    for action in ("DescribeKey", "ListGrants", "GetKeyPolicy"):
        assert f"kms:{action}: no statement allows it" in error
    assert "kms:Decrypt" not in error
    code, _, error = judged(tmp_path, printed(), "--role", ROLE + "x")
    assert code == 1 and "kms:Decrypt: no statement allows it" in error


@pytest.mark.regression
def test_a_key_policy_that_nobody_may_change_is_accepted_only_on_request(tmp_path):
    policy = printed()
    assert "\n- arn:aws:iam::111122223333:user/admin\n" in judged(tmp_path, policy)[1]
    policy["Statement"].append(statement(Effect="Deny", Action="kms:PutKeyPolicy", Principal="*"))
    code, _, error = judged(tmp_path, policy)
    assert code == 1 and "nobody may kms:PutKeyPolicy" in error and "--allow-unchangeable" in error
    code, out, _ = judged(tmp_path, policy, "--allow-unchangeable")
    assert code == 0 and "Nobody may put another policy" in out
    policy["Statement"][-1]["Condition"] = MFA
    code, out, _ = judged(tmp_path, policy)
    assert code == 0 and "- arn:aws:iam::111122223333:user/admin (under a condition of the policy)" in out


@pytest.mark.regression
def test_who_may_change_a_key_is_somebody(tmp_path):
    account = "arn:aws:iam::111122223333:"
    nobody = ["adm", account + "group/admins", "arn:aws:s3:::bucket", account + "instance-profile/x", account + "role/"]
    nobody += ["arn:aws:iam::1:role/x", account + "rol/adm"]
    for principal in nobody:
        policy = printed()
        policy["Statement"][0]["Principal"] = {"AWS": principal}
        code, out, error = judged(tmp_path, policy)
        assert code == 1 and not out and f'it allows something to "{principal}", which is no principal' in error, error
        # Nor is a policy with it printed.
        for role, administrator in [(principal, ADMINISTRATOR), (ROLE, principal)]:
            code, out, error = adyton("kms", "key-policy", *REGISTERS, "--role", role, "--administrator", administrator)
            assert code == 1 and not out and f'"{principal}"' in error, error
    for principal in ("111122223333", account + "root", account + "role/adm", ROLE.replace("role", "user")):
        policy = printed()
        policy["Statement"][0]["Principal"] = {"AWS": principal}
        assert judged(tmp_path, policy)[0] == 0, principal
    # In one list as `adyton verify` takes them, and as JSON whatever goes wrong.
    registers = f"0={'ab' * 48},16={'cd' * 48}"
    (tmp_path / "key.json").write_text(json.dumps(printed()))
    assert adyton("kms", "check", tmp_path / "key.json", "--pcr", registers)[0] == 0
    code, out, error = adyton("kms", "check", tmp_path / "none.json", "--pcr", registers, "--json")
    assert code == 1 and not error and "none.json: No such file" in json.loads(out)["error"]


@pytest.mark.regression
def test_what_the_aws_command_line_prints_is_read(tmp_path):
    text = json.dumps(printed())
    for output in (json.dumps({"Policy": text, "PolicyName": "default"}, indent=4), text + "\n", text + "\tdefault\n"):
        code, out, error = judged(tmp_path, output)
        assert code == 0 and f"A vault boots with the credentials of: {ROLE}" in out, error
    code, _, error = judged(tmp_path, json.dumps({"Policy": text, "PolicyName": "other"}))
    assert code == 1 and "expected Policy and PolicyName" in error


def test_a_denial_refuses_the_boot(tmp_path, on_kms):
    policy = policy_of(on_kms)
    policy["Statement"].append(statement(Effect="Deny", Action="kms:Decrypt", Condition=MFA))
    put(on_kms, policy)
    assert on_kms.stop() == 0
    error = refused_boot(tmp_path)
    assert 'no vault boots under it; kms:Decrypt: statement "Loose" denies it' in error, error


def test_a_grant_refuses_the_boot(tmp_path, on_kms):
    good = policy_of(on_kms)
    loose = json.loads(json.dumps(good))
    loose["Statement"].append(statement(Action="kms:CreateGrant", Principal={"AWS": "*"}))
    put(on_kms, loose)
    key, administrator = on_kms.ready["kms"]["key"], kms.administrator(on_kms.ready["kms"])
    grantee = on_kms.ready["kms"]["administrator"]["arn"]
    administrator.create_grant(KeyId=key, GranteePrincipal=grantee, Operations=["Decrypt"])
    # The policy is as it was again, and the grant stays: it is how the secret would come out.
    put(on_kms, good)
    assert administrator.decrypt(KeyId=key, **wrapped(on_kms))["Plaintext"]
    assert on_kms.stop() == 0
    error = refused_boot(tmp_path)
    assert "the key has 1 grants, which allow beside its policy: revoke them" in error, error


def test_another_policy_gets_nothing_until_the_administrator_approves_it_too(tmp_path, on_kms):
    owner, file = on_kms.ready["owner_key"], on_kms.data / "adyton.toml"
    before = policy_of(on_kms)["Statement"][2]["Condition"]["StringEqualsIgnoreCase"]
    file.write_text(file.read_text().replace("retention_days = 30", "retention_days = 10"))
    assert adyton("policy", "approve", "--yes", "--data", on_kms.data, "--key", owner)[0] == 0
    # The platform measures whoever connects now: the KMS refuses, whoever brings the document.
    recipient = kms.attested(kms.document(on_kms.ready["nsm"], kms.Recipient().spki))
    role, key = kms.role(on_kms.ready["kms"]), on_kms.ready["kms"]["key"]
    assert refusal(role.decrypt, KeyId=key, Recipient=recipient, **wrapped(on_kms))[0] == "AccessDeniedException"
    assert on_kms.stop() == 0
    error = refused_boot(tmp_path)
    assert f"{POLICY}: expected " in error and f"got {before[POLICY]}" in error, error

    expected = error.split(f"{POLICY}: expected ", 1)[1].split(",", 1)[0]
    cloud = on_kms.ready["kms"]
    registers = ["--pcr", f"0={before[IMAGE]}", "--pcr", f"16={expected}"]
    arns = ["--role", cloud["role"], "--administrator", cloud["administrator"]["arn"]]
    code, policy, _ = adyton("kms", "key-policy", *registers, *arns)
    assert code == 0
    (tmp_path / "key.json").write_text(policy)
    code, out, _ = adyton("kms", "check", tmp_path / "key.json", *registers, "--json")
    checked = json.loads(out)
    assert (code, checked["ok"], checked["releases_to"]) == (0, True, [cloud["role"]])
    changer = {"principal": cloud["administrator"]["arn"], "conditional": False}
    assert (checked["changeable"], checked["changers"]) == (True, [changer])
    others = ["--pcr", f"0={before[IMAGE]}", "--pcr", f"16={before[POLICY]}"]
    code, _, said = adyton("kms", "check", tmp_path / "key.json", *others)
    assert code == 1 and f"{POLICY}: expected {before[POLICY]}, got {expected}" in said
    # The administrator needs a KMS that runs: the vault's is this machine's.
    other = tmp_path / "other"
    other.mkdir()
    platform = Up(other, pretend=on_kms.pretend)
    administrator = kms.administrator(platform.ready["kms"])
    administrator.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    assert platform.stop() == 0
    again = Up(tmp_path)
    assert again.ready["vault_id"] == on_kms.ready["vault_id"]
    verified(again)
    assert again.stop() == 0


def test_a_host_with_every_file_and_every_credential_gets_nothing(tmp_path, on_kms):
    key, secret = on_kms.ready["kms"]["key"], wrapped(on_kms)
    role, administrator = kms.role(on_kms.ready["kms"]), kms.administrator(on_kms.ready["kms"])
    denied = "AccessDeniedException"
    for name, who in (("role", role), ("administrator", administrator)):
        assert refusal(who.decrypt, KeyId=key, **secret)[0] == denied, name
        assert refusal(who.decrypt, **secret)[0] == denied, name
        assert refusal(who.generate_data_key, KeyId=key, NumberOfBytes=32)[0] == denied, name
        assert refusal(who.create_grant, KeyId=key, GranteePrincipal="*", Operations=["Decrypt"])[0] == denied, name
    assert refusal(role.put_key_policy, KeyId=key, PolicyName="default", Policy="{}")[0] == denied
    # A document that nobody's platform signed, and one of another platform.
    signed = kms.document(on_kms.ready["nsm"], kms.Recipient().spki)
    forged = signed[:-1] + bytes([signed[-1] ^ 1])
    code, message = refusal(role.decrypt, KeyId=key, Recipient=kms.attested(forged), **secret)
    assert code == "ValidationException" and "The attestation document is not valid" in message
    other = tmp_path / "other"
    other.mkdir()
    elsewhere = Up(other)
    foreign = kms.document(elsewhere.ready["nsm"], kms.Recipient().spki)
    assert elsewhere.stop() == 0
    assert refusal(role.decrypt, KeyId=key, Recipient=kms.attested(foreign), **secret)[0] == "ValidationException"
    # A document of this enclave that was kept: its key is gone, and what comes is sealed to that.
    answer = role.decrypt(KeyId=key, Recipient=kms.attested(signed), **secret)
    assert not answer.get("Plaintext")
    with pytest.raises(subprocess.CalledProcessError):
        kms.Recipient().opened(answer["CiphertextForRecipient"], tmp_path)
    # Under another genesis the ciphertext is none.
    wrong = secret | {"EncryptionContext": {"adyton-genesis": "00" * 32}}
    code, _ = refusal(role.decrypt, KeyId=key, Recipient=kms.attested(signed), **wrong)
    assert code == "InvalidCiphertextException"


def test_the_administrator_can_release_to_himself(tmp_path, on_kms):
    """What profile on_kms leaves open, and evidence says."""
    key, secret = on_kms.ready["kms"]["key"], wrapped(on_kms)
    administrator = kms.administrator(on_kms.ready["kms"])
    assert refusal(administrator.decrypt, KeyId=key, **secret)[0] == "AccessDeniedException"
    policy = policy_of(on_kms)
    policy["Statement"].append(statement(Action="kms:Decrypt"))
    put(on_kms, policy)
    assert len(administrator.decrypt(KeyId=key, **secret)["Plaintext"]) == 32
