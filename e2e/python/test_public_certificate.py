"""A certificate of a CA that browsers trust, for a key that never leaves the vault."""

import datetime
import http.client
import json
import socket
import ssl
import subprocess
import urllib.parse

import pytest
from conftest import BINARIES, Up
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAME = "verify.adyton.test"
PUBLIC_NAMES = f'api.public_names=["{NAME}"]'
NOW = datetime.datetime.now(datetime.UTC)


def adyton(*arguments):
    run = subprocess.run([BINARIES / "adyton", *map(str, arguments)], capture_output=True, text=True)
    return run.returncode, run.stdout, run.stderr


def named(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(*certificates):
    return "".join(certificate.public_bytes(serialization.Encoding.PEM).decode() for certificate in certificates)


class PublicCa:
    """A CA of two levels, as public ones are."""

    def __init__(self):
        root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = self.certificate("root", root_key.public_key(), "root", root_key, ca=True)
        self.between = self.certificate("between", self.key.public_key(), "root", root_key, ca=True)

    @staticmethod
    def certificate(subject, key, issuer, signer, names=(), days=90, ca=False):
        builder = x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(issuer)).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        end = NOW + datetime.timedelta(days=days)
        builder = builder.not_valid_before(min(NOW, end) - datetime.timedelta(days=1)).not_valid_after(end)
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
            use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(use, critical=False)
        return builder.sign(signer, hashes.SHA256())

    def sign(self, request, names=(NAME,), days=90):
        return self.certificate(NAME, request.public_key(), "between", self.key, names, days)


def asked(up, folder):
    """The vault's request, and the file of its sealed key."""
    out, sealed = folder / "request.pem", folder / "sealed-key.txt"
    files = ["--out", out, "--sealed-key", sealed]
    vault = up.place()
    code, said, error = adyton("certificate", "request", *vault, *files, "--json")
    assert code == 0, error
    assert json.loads(said)["names"] == [NAME]
    request = x509.load_pem_x509_csr(out.read_bytes())
    assert request.is_signature_valid
    assert request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == [NAME]
    return request, sealed


def imported(up, folder, chain, sealed, settings=None):
    file = folder / "chain.pem"
    file.write_text(chain)
    place = up.place()
    files = ["--chain", file, "--sealed-key", sealed, "--file", settings or up.ready["settings"]]
    return adyton("certificate", "import", *place, *files, "--key", up.ready["owner_key"], "--json")


def shown(up, context, name=NAME):
    """The certificate that is shown to who asks for a name, the protocol that is agreed on, and what the vault says there."""
    port = urllib.parse.urlsplit(up.ready["api"]).port
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=name) as connection:
        connection.settimeout(10)
        certificate = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True))
        http_over = http.client.HTTPConnection(name or "127.0.0.1", port)
        http_over.sock = connection
        http_over.request("GET", "/adyton/v1/vault")
        answer = http_over.getresponse()
        assert answer.status == 200, answer.status
        return certificate, connection.selected_alpn_protocol(), json.load(answer)


def trusting(ca):
    return ssl.create_default_context(cadata=pem(ca.root))


def unverified(protocols):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(protocols)
    return context


def key_hash(certificate):
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    return digest.finalize().hex()


def evidence(up):
    code, said, error = adyton(
        "verify", up.ready["api"], "--vault-id", up.ready["vault_id"], "--root", up.ready["root"], "--json"
    )
    assert code == 3, error
    return json.loads(said)["facts"]


def test_a_public_certificate_is_served_by_name_and_survives_restarts(tmp_path):
    up = Up(tmp_path, policy=[PUBLIC_NAMES])
    ca = PublicCa()
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(up, trusting(ca))
    request, sealed = asked(up, tmp_path)
    leaf = ca.sign(request)
    code, _, error = imported(up, tmp_path, pem(leaf, ca.between), sealed)
    assert code == 0, error

    certificate, _, vault = shown(up, trusting(ca))
    assert certificate == leaf
    assert vault["public_certificate_sha256"] == leaf.fingerprint(hashes.SHA256()).hex()
    # By other names, and by none, the vault's own is shown: who trusts its CA file goes on.
    own = ssl.create_default_context(cafile=up.ready["ca"])
    assert shown(up, own, "localhost")[0] != leaf
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(up, own)
    assert up.verify().verifications.create(to="+12025550123", channel="sms").status == "pending"
    # Who wants evidence gets the boot's own key under the public name too.
    attested, protocol, _ = shown(up, unverified(["adyton/1", "http/1.1"]))
    facts = evidence(up)
    assert (key_hash(attested), protocol) == (facts["tls_key_sha256"], "http/1.1")
    assert key_hash(shown(up, unverified(["http/1.1"]))[0]) == key_hash(leaf) != facts["tls_key_sha256"]
    assert up.stop() == 0

    up = Up(tmp_path)
    assert shown(up, trusting(ca))[0] == leaf
    assert evidence(up)["tls_key_sha256"] != facts["tls_key_sha256"], "the boot's own key is another one"
    # A renewal takes its place, whichever boot asked for it.
    (tmp_path / "renewal").mkdir()
    request, sealed = asked(up, tmp_path / "renewal")
    assert request.public_key() != leaf.public_key()
    renewed = ca.sign(request)
    code, _, error = imported(up, tmp_path, pem(renewed, ca.between, ca.root), sealed)
    assert code == 0, error
    assert shown(up, trusting(ca))[0] == renewed
    with open(up.ready["settings"]) as file:
        assert file.read().count("[public_certificate]") == 1
    assert json.loads(up.log_check().stdout)["ok"] is True
    assert up.stop() == 0


def in_force(up):
    """The text of the settings."""
    code, text, error = adyton("settings", "show", *up.place(), "--key", up.ready["owner_key"])
    assert code == 0, error
    return text


@pytest.mark.regression
def test_a_request_that_is_at_a_ca_keeps_its_key(tmp_path):
    up = Up(tmp_path, policy=[PUBLIC_NAMES])
    request, sealed = asked(up, tmp_path)
    kept = sealed.read_bytes()
    # Within one boot it is the same pair, and asking again is no mistake.
    assert asked(up, tmp_path)[0] == request and sealed.read_bytes() == kept
    assert up.stop() == 0
    up = Up(tmp_path)
    files = ["--out", tmp_path / "request.pem", "--sealed-key", sealed]
    code, out, error = adyton("certificate", "request", *up.place(), *files)
    assert code == 1 and not out and "is there already" in error and "Nothing was written" in error
    # Nor is a half of a pair written over, or written beside another one's.
    for file in files[1::2]:
        content = file.read_bytes()
        file.unlink()
        assert adyton("certificate", "request", *up.place(), *files)[0] == 1 and not file.exists()
        file.write_bytes(content)
    assert sealed.read_bytes() == kept
    files[1] = tmp_path / "missing" / "request.pem"
    files[3] = tmp_path / "other-key.txt"
    code, _, error = adyton("certificate", "request", *up.place(), *files)
    assert code == 1 and f"{files[1]}: " in error and not files[3].exists()
    ca = PublicCa()
    code, _, error = imported(up, tmp_path, pem(ca.sign(request), ca.between), sealed)
    assert code == 0, error
    assert up.stop() == 0


@pytest.mark.regression
def test_an_import_changes_nothing_but_the_certificate(tmp_path):
    up = Up(tmp_path, policy=[PUBLIC_NAMES])
    ca = PublicCa()
    request, sealed = asked(up, tmp_path)
    chain, before = pem(ca.sign(request), ca.between), in_force(up)
    stale = tmp_path / "stale.toml"
    for text in ("version = 1\n", before + "\n[limits]\nfailed_checks = 5\n"):
        stale.write_text(text)
        code, _, error = imported(up, tmp_path, chain, sealed, stale)
        assert code == 1 and "not the settings in force" in error and "Nothing was changed" in error, error
        assert in_force(up) == before and stale.read_text() == text
    # What is no sealed key is not sent.
    key = tmp_path / "private.pem"
    mine = ec.generate_private_key(ec.SECP256R1())
    pkcs8, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key.write_bytes(mine.private_bytes(serialization.Encoding.PEM, pkcs8, none))
    code, _, error = imported(up, tmp_path, chain, key)
    assert code == 1 and "--sealed-key: this is a private key" in error and "Nothing was sent" in error
    # Without a file the settings in force get it.
    files = ["--chain", tmp_path / "chain.pem", "--sealed-key", sealed, "--key", up.ready["owner_key"]]
    code, out, error = adyton("certificate", "import", *up.place(), *files)
    assert code == 0 and "The certificate is shown from now on" in out, error
    after = in_force(up)
    assert after.startswith(before) and after.count("[public_certificate]") == 1
    # Twice is once.
    code, out, error = adyton("certificate", "import", *up.place(), *files)
    assert code == 0 and "was in force already" in out and "nothing was changed" in out, error
    assert in_force(up) == after
    assert up.stop() == 0


def test_a_certificate_that_is_not_the_vaults_is_refused(tmp_path):
    up = Up(tmp_path, policy=[PUBLIC_NAMES])
    ca = PublicCa()
    request, sealed = asked(up, tmp_path)
    leaf = ca.sign(request)
    mine = ec.generate_private_key(ec.SECP256R1())
    for chain, refusal in [
        (pem(PublicCa.certificate(NAME, mine.public_key(), "between", ca.key, [NAME]), ca.between), "not for the sealed key"),
        (pem(ca.sign(request, names=[NAME, "www.adyton.test"]), ca.between), "also for www.adyton.test, which is not one of"),
        (pem(ca.sign(request, days=-1), ca.between), "has expired"),
        (pem(leaf, ca.root, ca.between), "then each one's issuer"),
        (pem(leaf, PublicCa().between), "then each one's issuer"),
    ]:
        code, _, error = imported(up, tmp_path, chain, sealed)
        assert code == 1 and "answered 400" in error and refusal in error, error
    code, _, error = imported(up, tmp_path, pem(leaf), sealed)
    assert code == 1 and "--chain: expected" in error
    with open(up.ready["settings"]) as file:
        assert "[public_certificate]" not in file.read(), "the file says what is in force"
    # A vault that stands in for the first, with its chain and its sealed key.
    (tmp_path / "other").mkdir()
    other = Up(tmp_path / "other", policy=[PUBLIC_NAMES])
    code, _, error = imported(other, tmp_path, pem(leaf, ca.between), sealed)
    assert code == 1 and "sealed_key: it does not open" in error, error
    assert other.stop() == 0 and up.stop() == 0


def test_a_vault_without_public_names_asks_for_none(up, tmp_path):
    vault = list(up.place())
    files = ["--out", tmp_path / "request.pem", "--sealed-key", tmp_path / "sealed"]
    code, _, error = adyton("certificate", "request", *vault, *files)
    assert code == 1 and "no public names" in error
    # Another vault's id: what answers there is not asked for anything.
    vault[3] = "ab" * 32
    code, _, error = adyton("certificate", "request", *vault, *files)
    assert code == 1 and not (tmp_path / "request.pem").exists(), error
