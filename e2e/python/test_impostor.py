"""Commands that send or seal secrets: which vault they take for theirs, and what a server that looks like it is sent."""

import base64
import http.server
import json
import os
import ssl
import subprocess
import threading
import urllib.parse

import pytest
import requests
import trustme
from conftest import BINARIES, PATIENCE, Up

OTHER_KEY = "09" + 31 * "00"


def adyton(*arguments, text="", environment=None):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ADYTON_")}
    run = subprocess.run(
        [BINARIES / "adyton", *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=inherited | (environment or {}),
    )
    return run.returncode, run.stdout, run.stderr


class Impostor(http.server.ThreadingHTTPServer):
    """A server with a certificate of a CA that the command is told of. It passes evidence on from the vault, and names a key of its
    own that values should be sealed to."""

    daemon_threads = True

    def __init__(self, vault, ca):
        self.vault, self.ca, self.told = vault, ca, []
        super().__init__(("127.0.0.1", 0), Answers)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        vault = self.server.vault
        if not self.path.startswith("/.well-known/adyton/"):
            self.server.told.append((self.command, self.path, self.headers.get("Authorization"), body))
        passed_on = requests.request(
            self.command,
            vault.ready["api"] + self.path,
            verify=vault.ready["ca"],
            timeout=10,
            data=body,
            headers={"Content-Type": self.headers.get("Content-Type") or "text/plain"},
        )
        content = passed_on.content
        if self.path == "/adyton/v1/vault":
            content = json.dumps(passed_on.json() | {"hpke_key": OTHER_KEY}).encode()
        self.send_response(passed_on.status_code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    run = Up(tmp_path_factory.mktemp("impostor"), policy=['api.public_names=["verify.adyton.test"]'])
    yield run
    run.stop()


@pytest.fixture
def impostor(up, tmp_path):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = Impostor(up, ca)
    yield server
    server.shutdown()
    server.server_close()


def commands(up, folder):
    """Every command that seals, signs or sends a credential, with its own arguments; and what it gets on stdin."""
    # Read before anything is sent: the forms of a chain, of any certificates, and of a request.
    (folder / "chain.pem").write_text(2 * open(up.ready["ca"]).read())
    (folder / "sealed.txt").write_text("AAAA")
    tenant, key, owner = up.ready["tenant"], up.ready["tenant_key"], up.ready["owner_key"]
    of_somebody = {"account_sid": "AC" + "0" * 32, "friendly_name": "Somebody", "sealed_token": "AAAA"}
    (folder / "request.json").write_text(json.dumps(of_somebody | {"ssh_key": open(f"{key}.pub").read()}))
    service, settings = up.ready["service_sid"], up.ready["settings"]
    of_tenant = ("--tenant", tenant)
    yield ("tenant", "create", "--tenant", folder / "new.json", "--name", "New", "--ssh-key", f"{key}.pub"), ""
    yield ("tenant", "show", *of_tenant), ""
    yield ("tenant", "reset", *of_tenant, "--key", key), ""
    yield ("tenant", "loosen", *of_tenant, "--key", key, "--service", service, "--code-length", "6"), ""
    yield ("tenant", "withdraw", *of_tenant, "--service", service), ""
    yield ("tenant", "admit", "--request", folder / "request.json", "--key", owner), ""
    yield ("key", "create", *of_tenant, "--key", key, "--scope", "verify", "--out", folder / "key.json"), ""
    yield ("key", "remove", *of_tenant, "--key", key, "SK" + "0" * 32), ""
    yield ("key", "list", *of_tenant), ""
    yield ("settings", "show"), ""
    yield ("settings", "show", "--key", owner), ""
    yield ("settings", "set", "--file", settings, "--key", owner), ""
    yield ("certificate", "request", "--out", folder / "csr.pem", "--sealed-key", folder / "key.txt"), ""
    yield ("certificate", "account"), ""
    chain = ("--chain", folder / "chain.pem", "--sealed-key", folder / "sealed.txt", "--file", settings)
    yield ("certificate", "import", *chain, "--key", owner), ""
    yield ("seal", "--data", up.data, "--for", "pretend-messages"), "AC0123:secret\n"


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.regression
def test_an_impostor_with_a_certificate_of_the_ca_gets_nothing(up, impostor, tmp_path):
    kept = up.place()[2:]
    for command, text in commands(up, tmp_path):
        before = files(tmp_path), files(up.data.parent / "vault.client")
        code, out, error = adyton(*command, "--api", impostor.url, *kept, text=text)
        assert (code, out) == (1, ""), (command, error)
        assert "somebody sits between" in error and "Nothing was sent." in error, (command, error)
        assert impostor.told == [], command
        assert (files(tmp_path), files(up.data.parent / "vault.client")) == before, command


@pytest.mark.regression
def test_trusting_the_operator_is_asked_for_by_name_and_trusts_him(up, impostor, tmp_path):
    trusted = ("--vault-id", up.ready["vault_id"], "--trust-operator", tmp_path / "ca.pem")
    create = ("tenant", "create", "--tenant", tmp_path / "new.json", "--name", "New")
    create += ("--ssh-key", up.ready["tenant_key"] + ".pub", "--api", impostor.url)
    # The token is sealed to the impostor's key; the vault cannot open it, and the impostor has it.
    code, _, error = adyton(*create, *trusted)
    assert code == 1 and "answered 4" in error, error
    assert [path for _, path, _, _ in impostor.told] == ["/adyton/v1/vault", "/adyton/v1/tenants"]
    assert b"sealed_token" in impostor.told[1][3]
    # No environment variable trusts it.
    for environment in ({"ADYTON_TRUST_OPERATOR": str(tmp_path / "ca.pem")}, {"ADYTON_CA": str(tmp_path / "ca.pem")}):
        impostor.told.clear()
        place = ("--api", impostor.url, *up.place()[2:])
        code, _, error = adyton("tenant", "show", *place, "--tenant", up.ready["tenant"], environment=environment)
        assert code == 1 and "somebody sits between" in error and impostor.told == [], error
    # Requests for certificates need evidence, and demands on evidence are not ignored.
    code, _, error = adyton("certificate", "request", "--api", impostor.url, *trusted)
    assert code == 2 and "--trust-operator" in error
    show = ("tenant", "show", "--api", up.ready["api"], "--tenant", up.ready["tenant"])
    code, _, error = adyton(*show, "--trust-operator", up.ready["ca"], "--pcr", f"0={up.ready['pcr0']}")
    assert code == 1 and "--trust-operator asks for no evidence" in error
    assert adyton(*show, "--trust-operator", up.ready["ca"])[0] == 0
    code, _, error = adyton("settings", "show", "--api", up.ready["api"], "--vault-id", "ab" * 32, "--trust-operator", up.ready["ca"])
    assert code == 1 and "nothing was sent" in error


@pytest.mark.regression
def test_what_is_demanded_of_code_policy_and_root_is_demanded_by_each_command(up, tmp_path):
    demands = [
        (("--root", up.ready["root"], "--pcr", f"0={'ab' * 48}"), "register 0"),
        (("--root", up.ready["root"], "--policy", "ab" * 32), "policy"),
        (("--root", up.ready["root"], "--certified"), "freshness: none"),
    ]
    for command, text in commands(up, tmp_path):
        for demand, words in demands:
            if command[:2] == ("certificate", "import") or (command[0] == "seal" and "--policy" in demand):
                continue
            place = ("--api", up.ready["api"], "--vault-id", up.ready["vault_id"])
            code, out, error = adyton(*command, *place, *demand, text=text)
            assert (code, out) == (1, "") and words in error and "Nothing was sent." in error, (command, error)
    # Any enclave on AWS can claim any vault id.
    code, _, error = adyton("settings", "show", "--api", up.ready["api"], "--vault-id", up.ready["vault_id"])
    assert code == 1 and "under AWS's root any enclave can claim this vault's id" in error
    code, _, error = adyton("settings", "show", "--api", up.ready["api"], "--root", up.ready["root"])
    assert code == 1 and "--vault-id (ADYTON_VAULT_ID) is missing" in error


@pytest.mark.regression
def test_a_tenants_file_remembers_its_vault_and_names_work(up, tmp_path):
    port = urllib.parse.urlsplit(up.ready["api"]).port
    by_name = {"ADYTON_API": f"https://localhost:{port}"}
    made = json.loads(open(up.ready["tenant"]).read())
    root = ssl.PEM_cert_to_DER_cert(open(up.ready["root"]).read())
    assert (made["vault_id"], base64.b64decode(made["root"])) == (up.ready["vault_id"], root)
    # One that `tenant create` made remembers the same; then no more is needed.
    file = tmp_path / "new.json"
    create = ("tenant", "create", "--tenant", file, "--name", "New", "--ssh-key", up.ready["tenant_key"] + ".pub")
    code, _, error = adyton(*create, *up.place()[2:], environment=by_name)
    assert code == 0, error
    for command in (("tenant", "show"), ("key", "list")):
        code, _, error = adyton(*command, environment=by_name | {"ADYTON_TENANT": str(file)})
        assert code == 0 and "which code it runs was not compared" in error, error
        code, _, error = adyton(*command, environment=by_name | {"ADYTON_TENANT": str(file), "ADYTON_PCR": f"0={up.ready['pcr0']}"})
        assert (code, error) == (0, "")
    # Another vault, and another root, are refused.
    code, _, error = adyton("tenant", "show", "--vault-id", "ab" * 32, "--tenant", file, environment=by_name)
    assert code == 1 and f"of vault {up.ready['vault_id']}, and vault {'ab' * 32} was named" in error
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    code, _, error = adyton("tenant", "show", "--root", tmp_path / "other.pem", "--tenant", file, environment=by_name)
    assert code == 1 and "is not the root that the tenant's file names" in error
    file.write_text(json.dumps(json.loads(file.read_text()) | {"vault_id": "ab" * 32}))
    code, _, error = adyton("tenant", "show", "--tenant", file, environment=by_name)
    assert code == 1 and "the evidence is refused" in error and "Nothing was sent." in error
    # The owner's commands take the vault from the environment, by name as well.
    environment = by_name | {"ADYTON_VAULT_ID": up.ready["vault_id"], "ADYTON_ROOT": up.ready["root"]}
    for command in (("settings", "show"), ("verify", "--pcr", f"0={up.ready['pcr0']}")):
        code, _, error = adyton(*command, environment=environment)
        assert code == 0, error


@pytest.mark.regression
def test_what_is_sealed_has_the_form_that_its_route_needs(up, tmp_path):
    seal = ("seal", *up.place(), "--for", "pretend-mail")
    for text, words in [
        ("", "no secret came"),
        ("\n", "no secret came"),
        ("user", "user:password"),
        (":password", "user:password"),
        ("user:\n", "user:password"),
        ("user:two\nlines", "control character"),
        ("a:" + "b" * 4095, "longer than 4096 bytes"),
    ]:
        code, out, error = adyton(*seal, "--data", up.data, text=text)
        assert (code, out) == (1, "") and words in error and "nothing was sealed" in error, (text, error)
    # The policy comes from a file, or from the folder; another one than the vault's is refused.
    policy = up.data / "adyton.toml"
    for where in (("--data", up.data), ("--policy", policy)):
        code, out, error = adyton(*seal, *where, text="user:password\r\n")
        assert code == 0 and len(base64.b64decode(out)) > 16, error
    other = tmp_path / "other.toml"
    other.write_text(policy.read_text() + "\n# another\n")
    code, out, error = adyton(*seal, "--policy", other, text="user:password")
    assert (code, out) == (1, "") and "policy" in error
    code, _, error = adyton(*seal, text="user:password")
    assert code == 1 and "--policy FILE, or --data DIR" in error
    code, _, error = adyton("seal", *up.place(), "--data", up.data, "--for", "nobody", text="user:password")
    assert code == 1 and "neither a route of the policy nor acme.external_account names a credential nobody" in error
