"""Certificates that the vault obtains by itself: the CA sees its answer inside TLS, and the key is born inside."""

import datetime
import json
import ssl
import subprocess
import urllib.parse
import urllib.request

import pytest
from acme_server import HOST, AcmeServer, Ca, pem, unpadded
from conftest import BINARIES, Up, eventually
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from test_public_certificate import (
    NAME,
    PUBLIC_NAMES,
    PublicCa,
    asked,
    evidence,
    imported,
    key_hash,
    shown,
    trusting,
    unverified,
)

SECOND = "codes.adyton.test"
TWO_NAMES = f'api.public_names=["{NAME}", "{SECOND}"]'


class Vault(Up):
    """A vault whose policy names a CA of this test, which proves names at the vault's port."""

    def __init__(self, folder, ca, names=PUBLIC_NAMES):
        ca.vault = None
        super().__init__(folder, policy=[names, *ca.policy], extra=["--route", ca.route])
        ca.vault = urllib.parse.urlsplit(self.ready["api"]).port

    def asked(self, path="/adyton/v1/acme"):
        context = ssl.create_default_context(cafile=self.ready["ca"])
        with urllib.request.urlopen(self.ready["api"] + path, context=context, timeout=10) as answer:
            return json.load(answer)


@pytest.fixture
def ca():
    server = AcmeServer()
    yield server
    server.stop()


def certified(up, ca, count):
    """Waits until the CA gave so many certificates and the vault shows the last one."""

    def once():
        assert len(ca.issued) >= count, (up.asked(), ca.refusals)
        certificate, _, vault = shown(up, trusting(ca.ca))
        assert certificate == ca.issued[-1]
        return vault

    return eventually(once)


def test_a_certificate_is_obtained_shown_kept_and_renewed(tmp_path, ca):
    up = Vault(tmp_path, ca, TWO_NAMES)
    certified(up, ca, 1)
    assert shown(up, trusting(ca.ca), SECOND)[0] == ca.issued[0]
    status = up.asked()
    account = f"https://{HOST}/account/1"
    assert (status["account"], status["directory"]) == (account, f"https://{HOST}/directory")
    assert (status["failures"], status["last_failure"]) == (0, None)
    validity = ca.issued[0].not_valid_before_utc, ca.issued[0].not_valid_after_utc
    due = validity[0] + (validity[1] - validity[0]) * 2 / 3
    assert abs(datetime.datetime.fromisoformat(status["renews_at"]) - due) < datetime.timedelta(seconds=5)
    assert ca.accounts[account]["contact"] == ["mailto:jo@example.com"]
    vault = up.place()
    run = subprocess.run([BINARIES / "adyton", "certificate", "account", *vault], capture_output=True, text=True)
    assert f'issue "CA; accounturi={account}; validationmethods=tls-alpn-01"' in run.stdout, run.stderr
    # Each name was proven inside TLS, and nothing else was served on that connection.
    assert sorted(ca.proofs) == [(SECOND, b""), (NAME, b"")]
    # Who asks as a CA does, when no CA was asked, is shown nothing.
    with pytest.raises(ssl.SSLError):
        shown(up, unverified(["acme-tls/1"]))
    attested, protocol, _ = shown(up, unverified(["adyton/1", "http/1.1"]))
    assert (key_hash(attested), protocol) == (evidence(up)["tls_key_sha256"], "http/1.1")
    assert up.stop() == 0
    checked = json.loads(up.log_check().stdout)
    assert checked["ok"] is True
    assert checked["certificates"] == [ca.issued[0].fingerprint(SHA256()).hex()], "an auditor compares CAs' logs with it"

    # A restart asks for nothing: account, key and chain are in the public log, and the keys open for this vault only.
    up = Vault(tmp_path, ca, TWO_NAMES)
    assert shown(up, trusting(ca.ca))[0] == ca.issued[0]
    assert up.asked()["account"] == account
    assert (len(ca.issued), len(ca.accounts), len(ca.orders)) == (1, 1, 1)
    assert up.stop() == 0
    for file in up.data.rglob("*"):
        assert not file.is_file() or b"PRIVATE KEY" not in file.read_bytes()


@pytest.mark.regression
def test_a_certificate_of_seconds_is_not_taken_and_no_other_is_ordered(tmp_path):
    server = AcmeServer(Ca(life=30))
    try:
        up = Vault(tmp_path, server)
        eventually(lambda: up.asked()["last_failure"].index("would have to be renewed within an hour"))
        assert (len(server.accounts), len(server.orders), len(server.issued)) == (1, 1, 1)
        assert up.stop() == 0
    finally:
        server.stop()


def test_what_the_owners_import_goes_first(tmp_path, ca):
    up = Vault(tmp_path, ca)
    certified(up, ca, 1)
    own = PublicCa()
    request, sealed = asked(up, tmp_path)
    leaf = own.sign(request)
    code, _, error = imported(up, tmp_path, pem(leaf, own.between), sealed)
    assert code == 0, error
    certificate, _, vault = shown(up, trusting(own))
    assert certificate == leaf
    assert vault["public_certificate_sha256"] == leaf.fingerprint(SHA256()).hex()
    assert up.stop() == 0
    up = Vault(tmp_path, ca)
    assert shown(up, trusting(own))[0] == leaf
    assert up.stop() == 0


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("caa", "the CA refused: caa: a CAA record of a name does not allow this CA or this account (`adyton certificate account`)"),
        ("unproven", "the CA refused: unauthorized: a name was not proven, or the account is deactivated (then the owners sign settings with [acme] retired_account)"),
        ("dns", "the CA offers no tls-alpn-01"),
        ("elsewhere", "the CA names an address that is not at its host"),
        ("key", "public_certificate.chain: the first certificate is not for the sealed key"),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_is_shown(tmp_path, ca, mood, said):
    ca.mood = mood
    up = Vault(tmp_path, ca)

    def failed():
        status = up.asked()
        assert status["failures"] == 1
        return status

    assert eventually(failed)["last_failure"] == said
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(up, trusting(ca.ca))
    # Codes go on.
    assert up.verify().verifications.create(to="+12025550123", channel="sms").status == "pending"
    assert up.stop() == 0


@pytest.mark.regression
def test_half_of_all_nonces_may_be_refused(tmp_path, ca):
    ca.refused_nonces = 0.5
    up = Vault(tmp_path, ca, TWO_NAMES)
    certified(up, ca, 1)
    assert ca.refusals.count("badNonce") > 2 and set(ca.refusals) == {"badNonce"}
    assert (len(ca.orders), up.asked()["failures"]) == (1, 0)
    assert up.stop() == 0


@pytest.mark.regression
@pytest.mark.parametrize("path", ["/directory", "/new-nonce", "/new-account", "/new-order", "/auth", "/chall", "/order", "/finalize", "/cert"])
@pytest.mark.parametrize("status", [429, 503])
def test_one_temporary_answer_ends_no_order(tmp_path, ca, path, status):
    ca.faults = [(path, status, 2)]
    up = Vault(tmp_path, ca)
    certified(up, ca, 1)
    assert ca.faults == []
    assert (len(ca.orders), len(ca.issued), up.asked()["failures"]) == (1, 1, 0)
    hit = next(place for place, (_, asked) in enumerate(ca.requests) if asked.startswith(path))
    assert ca.requests[hit + 1][0] - ca.requests[hit][0] >= 2, "as long as it was asked to wait"
    assert up.stop() == 0


@pytest.mark.regression
def test_an_order_is_resumed_after_a_long_wait_was_asked_and_after_a_restart(tmp_path, ca):
    ca.faults = [("/certificate", 503, 3600)]
    up = Vault(tmp_path, ca)
    status = eventually(lambda: failed_once(up))
    said = "the CA cannot answer now: rateLimited: it wants to be asked again after 3600 s"
    assert (status["last_failure"], len(ca.orders), len(ca.issued)) == (said, 1, 1)
    left = datetime.datetime.fromisoformat(status["renews_at"]) - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(seconds=3480) < left <= datetime.timedelta(seconds=3600)
    assert up.stop() == 0
    # The next boot has order and key from the public log: the certificate that was given is fetched, and no other is asked for.
    up = Vault(tmp_path, ca)
    certified(up, ca, 1)
    assert (len(ca.accounts), len(ca.orders), len(ca.issued)) == (1, 1, 1)
    assert up.stop() == 0
    assert json.loads(up.log_check().stdout)["ok"] is True


@pytest.mark.regression
def test_owners_replace_an_account_that_the_ca_does_not_know_any_more(tmp_path, ca):
    account = f"https://{HOST}/account/1"
    ca.faults = [("/certificate", 503, 3600)]
    up = Vault(tmp_path, ca)
    eventually(lambda: failed_once(up))
    assert up.stop() == 0
    ca.accounts[account]["jwk"] = None
    up = Vault(tmp_path, ca)
    status = eventually(lambda: failed_once(up))
    wanted = f'[acme] retired_account = "{account}"'
    assert status["last_failure"].endswith(f"for another account the owners sign settings with {wanted}")
    with open(up.ready["settings"]) as settings:
        text = settings.read() + "\n" + wanted.replace("] ", "]\n") + "\n"
    file = tmp_path / "settings.toml"
    file.write_text(text)
    command = [BINARIES / "adyton", "settings", "set", *up.place(), "--file", file, "--key", up.ready["owner_key"]]
    set_to = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert set_to.returncode == 0, set_to.stderr
    certified(up, ca, 2)
    assert up.asked()["account"] == f"https://{HOST}/account/2"
    assert (len(ca.accounts), len(ca.orders)) == (2, 2)
    assert up.stop() == 0


@pytest.mark.regression
@pytest.mark.parametrize(("path", "status"), [("/certificate", 522), ("/order", 520), ("/chall", 599)])
def test_a_fault_of_the_network_before_the_ca_leaves_the_order(tmp_path, ca, path, status):
    ca.faults = [(path, status, 2)]
    up = Vault(tmp_path, ca)
    certified(up, ca, 1)
    assert (ca.faults, len(ca.orders), len(ca.issued), up.asked()["failures"]) == ([], 1, 1, 0)
    assert up.stop() == 0


@pytest.mark.regression
def test_a_chain_may_be_the_leaf_alone(tmp_path, ca):
    ca.alone = True
    up = Vault(tmp_path, ca)

    def once():
        certificate, _, _ = shown(up, unverified(["http/1.1"]))
        assert certificate == ca.issued[-1]

    eventually(once)
    assert up.stop() == 0


@pytest.mark.regression(starts=False)
def test_an_account_is_bound_to_the_one_that_the_owners_have_at_the_ca(tmp_path, ca):
    key = bytes(range(32))
    ca.external = ("kid-1", key)
    ca.vault = None
    names = [PUBLIC_NAMES, *ca.policy, 'acme.external_account="ca-account"']
    up = Up(tmp_path, policy=names, extra=["--route", ca.route])
    ca.vault = urllib.parse.urlsplit(up.ready["api"]).port
    unbound = ExternalVault(up)
    missing = "the settings have no credential ca-account (acme.external_account)"
    eventually(lambda: unbound.failed(missing))
    assert ca.requests == [], "the CA is not asked without it"

    def seal(plaintext):
        command = [BINARIES / "adyton", "seal", *up.place(), "--data", up.data, "--for", "ca-account"]
        return subprocess.run(command, input=plaintext, capture_output=True, text=True, timeout=60)

    # The command line seals nothing that the vault could not use.
    refused = seal(f"kid 1:{unpadded(key)}")
    assert (refused.returncode, refused.stdout) == (1, "") and "the KEY-ID of KEY-ID:KEY has" in refused.stderr
    refused = seal("kid-1:short")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "expected KEY-ID:KEY, the key of 32 to 64 bytes in base64url" in refused.stderr
    sealed = seal(f"kid-1:{unpadded(key)}")
    assert sealed.returncode == 0, sealed.stderr
    with open(up.ready["settings"]) as settings:
        text = settings.read().replace("[credentials]\n", f'[credentials]\nca-account = "{sealed.stdout.strip()}"\n')
    file = tmp_path / "settings.toml"
    file.write_text(text)
    command = [BINARIES / "adyton", "settings", "set", *up.place(), "--file", file]
    set_to = subprocess.run(
        [*command, "--key", up.ready["owner_key"], "--json"], capture_output=True, text=True, timeout=60
    )
    assert set_to.returncode == 0, set_to.stderr
    certified(unbound, ca, 1)
    assert up.stop() == 0


class ExternalVault:
    """What `certified` asks of a vault."""

    def __init__(self, up):
        self.up, self.ready = up, up.ready

    def asked(self):
        context = ssl.create_default_context(cafile=self.ready["ca"])
        with urllib.request.urlopen(self.ready["api"] + "/adyton/v1/acme", context=context, timeout=10) as answer:
            return json.load(answer)

    def failed(self, said):
        # Settings end the wait, and `up` signs the first ones: there may be two attempts.
        status = self.asked()
        assert status["failures"] >= 1 and said in status["last_failure"]


@pytest.mark.regression
def test_the_vaults_own_certificate_lives_a_day(up):
    certificate, _, _ = shown(up, ssl.create_default_context(cafile=up.ready["ca"]), "localhost")
    now, hour = datetime.datetime.now(datetime.UTC), datetime.timedelta(hours=1)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    assert end - begin == 25 * hour
    assert now - 2 * hour < begin <= now - hour and end > now + 15 * hour, "clocks may be off"
    with open(up.ready["ca"], "rb") as file:
        ca = x509.load_pem_x509_certificate(file.read())
    assert (ca.not_valid_before_utc.year, ca.not_valid_after_utc.year) == (1975, 4096), "as long as the vault"
    assert key_hash(certificate) == evidence(up)["tls_key_sha256"]


def test_a_server_that_only_has_the_name_is_told_nothing(tmp_path, ca):
    impostor = AcmeServer()
    try:
        up = Up(tmp_path, policy=[PUBLIC_NAMES, *ca.policy], extra=["--route", impostor.route])
        status = eventually(lambda: failed_once(up))
        assert status["last_failure"] == "the CA: the certificate's issuer is not the one that the policy trusts"
        assert impostor.accounts == {} and impostor.nonces == set()
        assert up.stop() == 0
    finally:
        impostor.stop()


def failed_once(up):
    context = ssl.create_default_context(cafile=up.ready["ca"])
    with urllib.request.urlopen(up.ready["api"] + "/adyton/v1/acme", context=context, timeout=10) as answer:
        status = json.load(answer)
    assert status["failures"] == 1
    return status


def test_without_a_ca_in_the_policy_there_is_none(up):
    run = subprocess.run(
        ["curl", "-s", "--cacert", up.ready["ca"], up.ready["api"] + "/adyton/v1/acme"], capture_output=True, text=True
    )
    assert json.loads(run.stdout)["status"] == 404
    # Nor does it take part in a challenge.
    with pytest.raises(ssl.SSLError):
        shown(up, unverified(["acme-tls/1"]), "localhost")
