"""What others make of our KMS: AWS's library as a client of the simulator, moto as another simulator, OpenSSL as a recipient,
and AWS's own description of the requests that the enclave sends."""

import base64
import json

import boto3
import botocore.session
import kms
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from conftest import Up
from moto import mock_aws

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
    up = Up(tmp_path_factory.mktemp("opinion"), profile="small")
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
