"""What others make of our KMS: AWS's library as a client of the simulator, moto as another simulator, also of the enclave itself,
OpenSSL as a recipient, and AWS's own description of the requests that the enclave sends."""

import base64
import datetime
import json
import ssl
import subprocess
import threading

import boto3
import botocore.session
import kms
import pytest
import werkzeug.serving
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from conftest import BINARIES, PATIENCE, Up
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from moto import mock_aws
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

# What the enclave sends (inside/enclave/src/custody/kms, `a_request_names_key_genesis_and_recipient`).
KEY = "arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c-0000-4000-8000-00112233aabb"
OF_ALL = {
    "KeyId": KEY,
    "EncryptionContext": {"adyton-genesis": "07" * 32},
    "Recipient": {"AttestationDocument": b"document", "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
}
REQUESTS = {
    "GenerateDataKey": OF_ALL | {"NumberOfBytes": 32},
    "Decrypt": OF_ALL | {"CiphertextBlob": b"blob", "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"},
    "DescribeKey": {"KeyId": KEY},
    "ListGrants": {"KeyId": KEY},
    "GetKeyPolicy": {"KeyId": KEY, "PolicyName": "default"},
}
# What the enclave reads of a key.
PROPERTIES = {
    "Enabled": True, "KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "Origin": "AWS_KMS",
    "KeyManager": "CUSTOMER", "MultiRegion": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    up = Up(tmp_path_factory.mktemp("opinion"), profile="kms")
    yield up
    up.stop()


@pytest.fixture
def administrator(vault):
    with kms.resolved():
        yield kms.administrator(vault.ready["kms"])


@pytest.mark.parametrize("action", REQUESTS)
def test_requests_are_those_of_awss_model(action):
    model = botocore.session.get_session().get_service_model("kms")
    assert (model.metadata["targetPrefix"], model.metadata["jsonVersion"]) == ("TrentService", "1.1")
    report = ParamValidator().validate(REQUESTS[action], model.operation_model(action).input_shape)
    assert not report.has_errors(), report.generate_report()
    members = model.operation_model(action).output_shape.members
    read = {
        "GenerateDataKey": ["KeyId", "CiphertextBlob", "CiphertextForRecipient", "Plaintext"],
        "Decrypt": ["KeyId", "CiphertextForRecipient", "Plaintext"],
        "DescribeKey": ["KeyMetadata"],
        "ListGrants": ["Grants", "Truncated"],
        "GetKeyPolicy": ["Policy", "PolicyName"],
    }[action]
    assert set(read) <= set(members)


def life_of_a_key(client):
    """What a simulator says of a new key: properties, policy, grants."""
    made = client.create_key(KeyUsage="ENCRYPT_DECRYPT", MultiRegion=False)["KeyMetadata"]
    described = client.describe_key(KeyId=made["Arn"])["KeyMetadata"]
    assert described["Arn"] == made["Arn"]
    properties = {name: described[name] for name in PROPERTIES}
    policy = client.get_key_policy(KeyId=made["Arn"], PolicyName="default")["Policy"]
    grants = client.list_grants(KeyId=made["Arn"])
    assert (grants["Grants"], grants["Truncated"]) == ([], False)
    other = json.loads(policy)
    other["Statement"][0]["Sid"] = "Changed"
    client.put_key_policy(KeyId=made["Arn"], PolicyName="default", Policy=json.dumps(other))
    assert json.loads(client.get_key_policy(KeyId=made["Arn"], PolicyName="default")["Policy"]) == other
    [statement] = json.loads(policy)["Statement"]
    return properties, (statement["Effect"], statement["Action"], statement["Resource"])


def test_a_new_key_is_what_moto_makes(administrator):
    with mock_aws():
        theirs = life_of_a_key(boto3.client("kms", region_name="eu-central-1"))
    ours = life_of_a_key(administrator)
    assert ours == theirs == (PROPERTIES, ("Allow", "kms:*", "*"))


def test_what_is_unknown_is_refused_as_by_moto(administrator):
    def refused(client):
        with pytest.raises(ClientError) as error:
            client.describe_key(KeyId="0f1e2d3c-0000-4000-8000-00112233aabb")
        return error.value.response["Error"]["Code"]

    with mock_aws():
        theirs = refused(boto3.client("kms", region_name="eu-central-1"))
    assert refused(administrator) == theirs == "NotFoundException"


def test_openssl_opens_what_is_sealed_to_a_recipient(vault, administrator, tmp_path):
    key = administrator.create_key()["KeyMetadata"]["Arn"]
    recipient = kms.Recipient()
    attested = kms.attested(kms.document(vault.ready["nsm"], recipient.spki))
    made = administrator.generate_data_key(KeyId=key, NumberOfBytes=32, EncryptionContext={"a": "b"}, Recipient=attested)
    assert not made.get("Plaintext")
    secret = recipient.opened(made["CiphertextForRecipient"], tmp_path)
    plain = administrator.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert len(secret) == 32 and plain["Plaintext"] == secret


def test_signatures_that_are_none(vault):
    cloud = vault.ready["kms"]
    good = cloud["administrator"]
    wrong_secret = good | {"secret_access_key": base64.b64encode(bytes(30)).decode()}
    unknown = good | {"access_key_id": "AKIA" + "0" * 16}
    with kms.resolved():
        role = kms.role_credentials(cloud)
        for credentials, expected in [
            (wrong_secret, "InvalidSignatureException"),
            (unknown, "UnrecognizedClientException"),
            (role | {"session_token": None}, "UnrecognizedClientException"),
            (role | {"session_token": "other"}, "UnrecognizedClientException"),
        ]:
            with pytest.raises(ClientError) as error:
                kms.client(cloud, credentials).describe_key(KeyId=cloud["key"])
            assert error.value.response["Error"]["Code"] == expected


def certified(pretend, folder):
    """A server's TLS, under the CA that the vault's policy pins."""
    issuer = x509.load_pem_x509_certificate((pretend / "tls-ca.pem").read_bytes())
    signer = load_pem_private_key((pretend / "tls-ca.key").read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(issuer.subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(kms.NAME)]), critical=True)
    file = folder / "moto.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture
def moto(vault, tmp_path):
    """moto as a server, in place of the vault's KMS."""
    application = DomainDispatcherApplication(create_backend_app)
    context = certified(vault.pretend, tmp_path)
    server = werkzeug.serving.make_server("127.0.0.1", 0, application, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with kms.resolved():
        yield vault.ready["kms"] | {"address": f"127.0.0.1:{server.server_port}"}
    server.shutdown()
    thread.join()


def boot(vault, moto, key, folder):
    """What the enclave says that is to be born under this key: it is refused."""
    data = folder / "moto"
    data.mkdir(exist_ok=True)
    policy = folder / "adyton.toml"
    policy.write_text((vault.data / "adyton.toml").read_text().replace(vault.ready["kms"]["key"], key))
    ingress, service = f"unix:{folder / 'in'}", f"unix:{folder / 'out'}"
    routes = [f"{kms.NAME}:443={moto['address']}", f"169.254.169.254:80={moto['imds']}"]
    command = [BINARIES / "adyton-host", "--data", data, "--listen", "127.0.0.1:0", "--ingress", ingress]
    command += ["--service", service, *[argument for route in routes for argument in ("--route", route)]]
    host = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert host.stdout.readline()
        command = [BINARIES / "adyton-enclave", "--ingress", ingress, "--service", service, "--policy", policy]
        run = subprocess.run([*command, "--nsm", vault.ready["nsm"]], capture_output=True, text=True, timeout=PATIENCE)
        assert run.returncode == 1
        return run.stderr
    finally:
        host.terminate()
        host.wait(timeout=PATIENCE)


def test_the_enclave_refuses_a_kms_that_knows_no_attestation(vault, moto, tmp_path):
    """The enclave's own client against moto, which answers as AWS does but gives secrets in the clear."""
    client = kms.administrator(moto)
    key = client.create_key(KeyUsage="ENCRYPT_DECRYPT", MultiRegion=False)["KeyMetadata"]["Arn"]
    by_default = boot(vault, moto, key, tmp_path)
    assert 'the key\'s policy: statement "Enable IAM User Permissions": it allows "kms:*"' in by_default, by_default

    command = [BINARIES / "adyton", "verify", vault.ready["api"], "--vault-id", vault.ready["vault_id"]]
    shown = subprocess.run([*command, "--root", vault.ready["root"], "--json"], capture_output=True, text=True, timeout=PATIENCE)
    facts = json.loads(shown.stdout)["facts"]
    command = [BINARIES / "adyton", "kms", "key-policy", "--pcr", f"0={facts['pcr0']}", "--pcr", f"16={facts['pcr16']}"]
    command += ["--role", moto["role"], "--administrator", moto["administrator"]["arn"]]
    policy = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    client.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    in_the_clear = boot(vault, moto, key, tmp_path)
    assert "the KMS's answer holds the secret in the clear" in in_the_clear, in_the_clear

    client.create_grant(KeyId=key, GranteePrincipal=moto["role"], Operations=["Decrypt"])
    granted = boot(vault, moto, key, tmp_path)
    assert "the key has 1 grants" in granted, granted
