"""AWS's own library as a client of the pretend KMS, the laptop's platform as an insider asks it, and OpenSSL."""

import contextlib
import http.client
import json
import socket
import struct
import subprocess
from unittest import mock

import boto3
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

NAME = "kms.adyton.test"


def client(kms, credentials):
    """`kms`: what `adyton up --json` says of it."""
    _, port = kms["address"].rsplit(":", 1)
    return boto3.client(
        "kms",
        region_name="eu-central-1",
        endpoint_url=f"https://{NAME}:{port}",
        verify=kms["ca"],
        aws_access_key_id=credentials["access_key_id"],
        aws_secret_access_key=credentials["secret_access_key"],
        aws_session_token=credentials["session_token"],
        config=Config(retries={"max_attempts": 1, "mode": "standard"}, connect_timeout=5, read_timeout=10),
    )


@contextlib.contextmanager
def resolved():
    """The KMS's name is this machine."""
    real = socket.getaddrinfo

    def local(host, *arguments, **named):
        return real("127.0.0.1" if host == NAME else host, *arguments, **named)

    with mock.patch("socket.getaddrinfo", local):
        yield


def administrator(kms):
    return client(kms, kms["administrator"])


def role(kms):
    """By the credentials that the metadata service gives to everybody on the host."""
    return client(kms, role_credentials(kms))


def role_credentials(kms):
    imds = http.client.HTTPConnection(kms["imds"], timeout=5)

    def ask(method, path, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        imds.request(method, path, headers=headers)
        answer = imds.getresponse()
        return answer.status, answer.read().decode()

    path = "/latest/meta-data/iam/security-credentials/"
    assert ask("GET", path)[0] == 401, "version 1 of the service is off"
    assert ask("PUT", "/latest/api/token")[0] == 400
    status, token = ask("PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds="60")
    assert status == 200
    status, name = ask("GET", path, X_aws_ec2_metadata_token=token)
    assert (status, name) == (200, "adyton-enclave")
    status, answer = ask("GET", path + name, X_aws_ec2_metadata_token=token)
    assert status == 200 and ask("GET", path + "other", X_aws_ec2_metadata_token=token)[0] == 404
    answer = json.loads(answer)
    return {
        "access_key_id": answer["AccessKeyId"],
        "secret_access_key": answer["SecretAccessKey"],
        "session_token": answer["Token"],
    }


class Recipient:
    """A key pair of ours."""

    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)
        self.spki = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def opened(self, envelope, folder):
        """What OpenSSL makes of an envelope."""
        key, file = folder / "recipient.pem", folder / "envelope.ber"
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.write_bytes(envelope)
        command = ["openssl", "cms", "-decrypt", "-inform", "DER", "-in", file, "-inkey", key]
        return subprocess.run(command, capture_output=True, check=True).stdout


def document(nsm, public_key):
    """A document of the laptop's platform over a key: on hardware only an enclave gets one."""
    request = b"\xa1\x6bAttestation\xa3\x69user_data\xf6\x65nonce\xf6\x6apublic_key"
    request += b"\x59" + struct.pack(">H", len(public_key)) + public_key
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(5)
        stream.connect(nsm)
        stream.sendall(struct.pack(">I", len(request)) + request)
        answer = b""
        while len(answer) < 4 or len(answer) < 4 + struct.unpack(">I", answer[:4])[0]:
            answer += stream.recv(65536)
    head = b"\xa1\x6bAttestation\xa1\x68document\x59"
    assert answer[4:].startswith(head), answer[4:40]
    return answer[4 + len(head) + 2 :]


def attested(document):
    return {"AttestationDocument": document, "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
