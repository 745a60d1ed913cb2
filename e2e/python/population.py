"""Many tenants of one vault, without the command line: their tokens are sealed and their requests signed here."""

import asyncio
import base64
import hashlib
import json
import os
import pathlib
import secrets
import ssl
import sys
import urllib.parse

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "vectors"))

from spec import hpke  # noqa: E402
from spec.wire import lp, u32  # noqa: E402

# Connections that make requests at once.
CLIENTS = 32


class Vault:
    """What a client must know of a vault to seal and sign for it."""

    def __init__(self, up):
        self.id = up.ready["vault_id"]
        public = requests.get(up.ready["api"] + "/adyton/v1/vault", verify=up.ready["ca"], timeout=30).json()
        self.key = bytes.fromhex(public["hpke_key"])

    def seal(self, value, purpose, *places):
        """A sealed value (docs/spec/06-sealed-values.md) in base64."""
        info, aad = hpke.vault_info(bytes.fromhex(self.id)), hpke.place(purpose, *places)
        return base64.b64encode(hpke.sealed_value(self.key, os.urandom(32), info, aad, value.encode())).decode()


class Tenant:
    """A tenant with an Ed25519 key; `service` is the SID of the service that it made."""

    def __init__(self, vault, name="Acme"):
        self.vault, self.name = vault, name
        self.account, self.token = "AC" + secrets.token_hex(16), secrets.token_hex(16)
        self.ssh_key = Ed25519PrivateKey.generate()
        self.sequence = 0
        self.service = None

    def public_key(self):
        return lp("ssh-ed25519") + lp(self.ssh_key.public_key().public_bytes_raw())

    def basic(self):
        return base64.b64encode(f"{self.account}:{self.token}".encode()).decode()

    def introduction(self):
        """The request that makes this tenant."""
        return self.post("/adyton/v1/tenants", json.dumps({
            "account_sid": self.account,
            "friendly_name": self.name,
            "sealed_token": self.vault.seal(self.token, "tenant token", self.account),
            "ssh_key": "ssh-ed25519 " + base64.b64encode(self.public_key()).decode(),
        }))

    def form(self, path, **fields):
        return self.post(path, urllib.parse.urlencode(fields), "application/x-www-form-urlencoded")

    def signed(self, action, body):
        """This tenant's next signed request (docs/spec/08-signed-requests.md)."""
        self.sequence += 1
        text = (
            f"adyton request v1\nvault {self.vault.id}\nsigner {self.account}\nsequence {self.sequence}\n"
            f"action {action}\nsha256 {hashlib.sha256(body.encode()).hexdigest()}\n"
        )
        fields = lp("adyton") + lp("") + lp("sha512")
        signature = self.ssh_key.sign(b"SSHSIG" + fields + lp(hashlib.sha512(text.encode()).digest()))
        blob = b"SSHSIG" + u32(1) + lp(self.public_key()) + fields + lp(lp("ssh-ed25519") + lp(signature))
        lines = base64.encodebytes(blob).decode()
        armored = f"-----BEGIN SSH SIGNATURE-----\n{lines}-----END SSH SIGNATURE-----\n"
        request = {"action": action, "signer": self.account, "sequence": self.sequence, "body": body}
        return self.post("/adyton/v1/requests", json.dumps(request | {"signatures": [armored]}))

    def post(self, path, body, kind="application/json"):
        return self.request("POST", path, f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n", body)

    def get(self, path):
        return self.request("GET", path)

    def request(self, method, path, headers="", body=""):
        """Bytes of a request without the line that names the host."""
        return f"{method} {path} HTTP/1.1\r\nAuthorization: Basic {self.basic()}\r\n{headers}", body


class Line:
    """One connection to a vault."""

    @classmethod
    async def open(cls, up, checked=True):
        """`checked`: the vault's certificate is demanded, and valid by this machine's clock."""
        line, api = cls(), urllib.parse.urlsplit(up.ready["api"])
        line.host = api.netloc
        context = ssl.create_default_context(cafile=up.ready["ca"])
        if not checked:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        line.reader, line.writer = await asyncio.open_connection(api.hostname, api.port, ssl=context)
        return line

    async def say(self, request):
        head, body = request
        self.writer.write(f"{head}Host: {self.host}\r\n\r\n{body}".encode())
        await self.writer.drain()

    async def hear(self):
        """Status and body of an answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split()[1])
        length = head.partition(b"content-length: ")[2].split(b"\r\n")[0]
        body = await self.reader.readexactly(int(length or 0))
        return status, json.loads(body) if body else None

    async def ask(self, request):
        await self.say(request)
        return await self.hear()

    def close(self):
        self.writer.transport.abort()


def ask_all(up, asked, clients=CLIENTS, checked=True):
    """What each request was answered, in the order of the requests."""
    waiting, answers = list(enumerate(asked))[::-1], {}

    async def client():
        line = await Line.open(up, checked)
        while waiting:
            number, request = waiting.pop()
            answers[number] = await line.ask(request)
        line.close()

    async def all_clients():
        await asyncio.gather(*(client() for _ in range(clients)))

    asyncio.run(all_clients())
    return [answers[number] for number in range(len(answers))]


def tenants(up, count):
    """So many new tenants."""
    made = [Tenant(vault) for vault in [Vault(up)] * count]
    statuses = [status for status, _ in ask_all(up, [tenant.introduction() for tenant in made])]
    assert statuses == [201] * count, set(statuses)
    return made
