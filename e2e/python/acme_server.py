"""A CA that speaks ACME (RFC 8555), as strict as a test needs: signatures, nonces, accounts, and TLS-ALPN-01 (RFC 8737)."""

import base64
import datetime
import hashlib
import http.server
import hmac
import json
import random
import secrets
import socket
import ssl
import threading
import time

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOST = "acme.adyton.test"
ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


def unpadded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pem(*certificates):
    return "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in certificates)


class Problem(Exception):
    def __init__(self, kind, status=403, headers=None):
        self.kind, self.status, self.headers = kind, status, headers or {}


class Ca:
    """Root, issuer, and what it signs; lives are given in seconds."""

    def __init__(self, life=90 * 86400):
        self.life = life
        root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = self.signed("root", root_key.public_key(), "root", root_key, ca=True)
        self.between = self.signed("between", self.key.public_key(), "root", root_key, ca=True)
        self.tls_key = ec.generate_private_key(ec.SECP256R1())
        self.tls = self.signed(HOST, self.tls_key.public_key(), "between", self.key, names=[HOST])

    def signed(self, subject, key, issuer, signer, names=(), life=None, ca=False):
        now = datetime.datetime.now(datetime.UTC)
        named = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])  # noqa: E731
        builder = x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(issuer)).public_key(key)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now)
        builder = builder.not_valid_after(now + datetime.timedelta(seconds=life or 365 * 86400))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
            use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(use, critical=False)
        return builder.sign(signer, hashes.SHA256())


class AcmeServer:
    """Serves until it is stopped. `vault` is the port at which names are proven, once a vault has one; `mood` names what goes
    wrong."""

    def __init__(self, ca=None):
        self.ca, self.vault, self.mood = ca or Ca(), None, None
        self.nonces, self.accounts, self.orders, self.issued = set(), {}, [], []
        self.proofs, self.refusals, self.requests = [], [], []
        # Part of the nonces that are refused; identifier and key of the external account that is demanded; whether a chain is the
        # leaf alone; and faults, each for the next request whose path begins so: path, status, Retry-After.
        self.refused_nonces, self.external, self.alone, self.faults = 0, None, False, []
        self.random = random.Random(6)
        server = self
        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"acme": server}))
        self.port = self.httpd.server_address[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.load(context)
        self.httpd.socket = context.wrap_socket(self.httpd.socket, server_side=True)
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def load(self, context):
        import tempfile

        with tempfile.NamedTemporaryFile("w") as file:
            private = self.ca.tls_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            file.write(private.decode() + pem(self.ca.tls, self.ca.between))
            file.flush()
            context.load_cert_chain(file.name)

    @property
    def route(self):
        return f"{HOST}:443=127.0.0.1:{self.port}"

    @property
    def policy(self):
        trust = json.dumps(pem(self.ca.root))
        return [f'acme.host="{HOST}"', "acme.port=443", 'acme.path="/directory"', f"acme.trust={trust}", 'acme.contact="jo@example.com"']

    def stop(self):
        self.httpd.shutdown()
        self.httpd.server_close()

    def url(self, path):
        host = "elsewhere.example" if self.mood == "elsewhere" and path.startswith("/order") else HOST
        return f"https://{host}{path}"

    def nonce(self):
        nonce = secrets.token_urlsafe(12)
        self.nonces.add(nonce)
        return nonce

    def verified(self, path, body):
        """The key and payload of a request whose signature, nonce and place hold (RFC 8555 §6)."""
        body = json.loads(body)
        protected = json.loads(decoded(body["protected"]))
        if protected["nonce"] not in self.nonces:
            raise Problem("badNonce", 400)
        self.nonces.discard(protected["nonce"])
        if self.random.random() < self.refused_nonces:
            raise Problem("badNonce", 400)
        if protected["url"] != f"https://{HOST}{path}" or protected["alg"] != "ES256":
            raise Problem("malformed", 400)
        if ("jwk" in protected) != (path == "/new-account"):
            raise Problem("malformed", 400)
        if "jwk" in protected:
            jwk = protected["jwk"]
        else:
            jwk = self.accounts.get(protected["kid"], {}).get("jwk")
            if jwk is None:
                raise Problem("accountDoesNotExist", 400)
        x, y = (int.from_bytes(decoded(jwk[part]), "big") for part in "xy")
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        signature = decoded(body["signature"])
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        try:
            signed = f"{body['protected']}.{body['payload']}".encode()
            key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise Problem("malformed", 400) from None
        payload = json.loads(decoded(body["payload"])) if body["payload"] else None
        return jwk, protected.get("kid"), payload

    def demand_external(self, jwk, payload):
        """The binding of RFC 8555 §7.3.4, if this CA demands one."""
        if self.external is None:
            return
        kid, key = self.external
        binding = payload.get("externalAccountBinding")
        if binding is None:
            raise Problem("externalAccountRequired")
        protected = json.loads(decoded(binding["protected"]))
        assert protected == {"alg": "HS256", "kid": protected["kid"], "url": f"https://{HOST}/new-account"}, protected
        signed = f"{binding['protected']}.{binding['payload']}".encode()
        right = hmac.compare_digest(hmac.new(key, signed, hashlib.sha256).digest(), decoded(binding["signature"]))
        if protected["kid"] != kid or not right or json.loads(decoded(binding["payload"])) != jwk:
            raise Problem("unauthorized")

    def prove(self, name, token, jwk):
        """TLS-ALPN-01: asks the vault for a name, and reads the extension of what it shows."""
        canonical = json.dumps({key: jwk[key] for key in ("crv", "kty", "x", "y")}, separators=(",", ":"))
        expected = hashlib.sha256(f"{token}.{unpadded(hashlib.sha256(canonical.encode()).digest())}".encode()).digest()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["acme-tls/1"])
        # A vault asks as soon as it runs, which may be before the test knows its port.
        deadline = time.monotonic() + 9
        while self.vault is None and time.monotonic() < deadline:
            time.sleep(0.02)
        with context.wrap_socket(socket.create_connection(("127.0.0.1", self.vault), 10), server_hostname=name) as tls:
            if tls.selected_alpn_protocol() != "acme-tls/1":
                return False
            shown = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
            # Nothing is served on such a connection.
            tls.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            self.proofs.append((name, tls.recv(100)))
        extension = shown.extensions.get_extension_for_oid(ACME_IDENTIFIER)
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        value = extension.value.value
        return extension.critical and value == b"\x04\x20" + expected and names.get_values_for_type(x509.DNSName) == [name]

    def fail(self, path):
        """The fault that is due at this path, if there is one."""
        self.requests.append((time.monotonic(), path))
        for place, (begins, status, after) in enumerate(self.faults):
            if path.startswith(begins):
                del self.faults[place]
                raise Problem("rateLimited", status, {"Retry-After": str(after)} if after is not None else {})

    def answer(self, path, body):
        """Status, headers and body."""
        self.fail(path)
        jwk, kid, payload = self.verified(path, body)
        number = int(path.rsplit("/", 1)[1]) if path[-1].isdigit() else None
        if path == "/new-account":
            self.demand_external(jwk, payload)
            known = [url for url, account in self.accounts.items() if account["jwk"] == jwk]
            url = known[0] if known else f"https://{HOST}/account/{len(self.accounts) + 1}"
            self.accounts.setdefault(url, {"jwk": jwk, "contact": payload.get("contact")})
            assert payload["termsOfServiceAgreed"] is True
            return 200 if known else 201, {"Location": url}, {"status": "valid"}
        if path == "/new-order":
            if self.mood == "caa":
                raise Problem("caa")
            names = [identifier["value"] for identifier in payload["identifiers"]]
            tokens = {name: secrets.token_urlsafe(24) for name in names}
            self.orders.append({"kid": kid, "names": names, "tokens": tokens, "valid": set(), "chain": None})
            number = len(self.orders) - 1
            return 201, {"Location": self.url(f"/order/{number}")}, self.order(number)
        order = self.orders[number // 100 if "/auth" in path or "/chall" in path else number]
        if order["kid"] != kid:
            raise Problem("unauthorized")
        if path.startswith("/order/"):
            return 200, {}, self.order(number)
        if path.startswith("/auth"):
            name = order["names"][number % 100]
            status = "valid" if name in order["valid"] else "invalid" if self.mood == "unproven" else "pending"
            error = {"error": {"type": "urn:ietf:params:acme:error:unauthorized"}} if status == "invalid" else {}
            alpn = {"type": "tls-alpn-01", "url": self.url(f"/chall/{number}"), "token": order["tokens"][name]} | error
            return 200, {}, {
                "status": status,
                "identifier": {"type": "dns", "value": name},
                "challenges": [{"type": "dns-01", "url": self.url("/no"), "token": "x"}] + ([] if self.mood == "dns" else [alpn]),
            }
        if path.startswith("/chall/"):
            name = order["names"][number % 100]
            if self.mood != "unproven" and self.prove(name, order["tokens"][name], jwk):
                order["valid"].add(name)
            return 200, {}, {"status": "processing"}
        if path.startswith("/finalize/"):
            request = x509.load_der_x509_csr(decoded(payload["csr"]))
            names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names = names.get_values_for_type(x509.DNSName)
            if not request.is_signature_valid or set(names) != set(order["names"]) or order["valid"] != set(names):
                raise Problem("badCSR")
            key = ec.generate_private_key(ec.SECP256R1()).public_key() if self.mood == "key" else request.public_key()
            leaf = self.ca.signed(names[0], key, "between", self.ca.key, names, self.ca.life)
            order["chain"] = pem(leaf) if self.alone else pem(leaf, self.ca.between)
            self.issued.append(leaf)
            return 200, {}, self.order(number)
        if path.startswith("/certificate/"):
            return 200, {}, order["chain"]
        raise Problem("malformed", 404)

    def order(self, number):
        order = self.orders[number]
        status = "valid" if order["chain"] else "ready" if order["valid"] == set(order["names"]) else "pending"
        place = lambda what: [self.url(f"/{what}/{number * 100 + at}") for at in range(len(order["names"]))]  # noqa: E731
        return {
            "status": status,
            "identifiers": [{"type": "dns", "value": name} for name in order["names"]],
            "authorizations": place("auth"),
            "finalize": self.url(f"/finalize/{number}"),
        } | ({"certificate": self.url(f"/certificate/{number}")} if order["chain"] else {})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, headers, body):
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Replay-Nonce": self.acme.nonce(), "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        assert self.headers["User-Agent"].startswith("adyton/") and self.headers["Host"] == HOST
        try:
            self.acme.fail(self.path)
        except Problem as problem:
            return self.reply(problem.status, problem.headers, {"type": f"urn:ietf:params:acme:error:{problem.kind}"})
        if self.path == "/directory":
            names = {"newNonce": "/new-nonce", "newAccount": "/new-account", "newOrder": "/new-order"}
            self.reply(200, {}, {name: f"https://{HOST}{path}" for name, path in names.items()})
        else:
            self.reply(200 if self.path == "/new-nonce" else 404, {}, "")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            assert self.headers["Content-Type"] == "application/jose+json"
            self.reply(*self.acme.answer(self.path, body))
        except Problem as problem:
            self.acme.refusals.append(problem.kind)
            self.reply(problem.status, problem.headers, {"type": f"urn:ietf:params:acme:error:{problem.kind}", "detail": "x"})
