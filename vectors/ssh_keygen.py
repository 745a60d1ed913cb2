"""Writes `ssh.json`: keys and signatures as OpenSSH makes them, and those of hardware keys, which OpenSSH verifies.

Not part of `generate.py`: an ECDSA signature is another one on every run, so the file is written once and kept.

    python vectors/ssh_keygen.py

Keys of RSA and Ed25519, and of ECDSA, are made by `ssh-keygen`. No hardware is at hand, so signatures of `sk-` keys are
built here from `PROTOCOL.u2f` and `PROTOCOL.sshsig`, and each must pass `ssh-keygen -Y verify` before it is written.
"""

import base64
import hashlib
import json
import subprocess
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from spec.wire import lp, sha256, u8, u32

FILE = Path(__file__).resolve().parent / "ssh.json"
MESSAGE = "adyton request v1\nvault 00\n"
SK_ED25519, SK_ECDSA = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"


def keygen(folder: Path, *arguments: str, data: str = "") -> str:
    run = subprocess.run(["ssh-keygen", *arguments], cwd=folder, input=data, capture_output=True, text=True, check=True)
    return run.stdout


def armored(blob: bytes) -> str:
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def mpint(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


class Hardware:
    """A key as a security key holds it."""

    def __init__(self, kind: str, application: str = "ssh:"):
        self.kind, self.application = kind, application
        if kind == SK_ED25519:
            self.private = Ed25519PrivateKey.generate()
            point = lp(self.private.public_key().public_bytes_raw())
        else:
            self.private = ec.generate_private_key(ec.SECP256R1())
            raw = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            point = lp("nistp256") + lp(raw)
        self.blob = lp(kind) + point + lp(application)

    def line(self) -> str:
        return f"{self.kind} {base64.b64encode(self.blob).decode()} security key"

    def sign(self, message: str, flags: int = 1, counter: int = 7, namespace: str = "adyton") -> str:
        head = lp(namespace) + lp("") + lp("sha512")
        signed = b"SSHSIG" + head + lp(hashlib.sha512(message.encode()).digest())
        asserted = sha256(self.application.encode()) + u8(flags) + u32(counter) + sha256(signed)
        if self.kind == SK_ED25519:
            raw = self.private.sign(asserted)
        else:
            r, s = decode_dss_signature(self.private.sign(asserted, ec.ECDSA(hashes.SHA256())))
            raw = lp(mpint(r)) + lp(mpint(s))
        signature = lp(self.kind) + lp(raw) + u8(flags) + u32(counter)
        return armored(b"SSHSIG" + u32(1) + lp(self.blob) + head + lp(signature))


def case(name: str, key: str, signature: str, refusal: str | None = None) -> dict:
    refused = {} if refusal is None else {"refusal": refusal}
    return {"name": name, "key": key, "message": MESSAGE, "signature": signature} | refused


def main() -> None:
    out = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "message").write_text(MESSAGE)

        def verify(line: str, signature: str) -> None:
            (folder / "allowed").write_text(f"owner {line}\n")
            (folder / "signature").write_text(signature)
            arguments = ("-Y", "verify", "-f", "allowed", "-I", "owner", "-n", "adyton", "-s", "signature")
            keygen(folder, *arguments, data=MESSAGE)

        def sign(name: str, namespace: str, *options: str) -> str:
            arguments = ("-Y", "sign", "-f", name, "-n", namespace, *options, "message")
            (folder / "message.sig").unlink(missing_ok=True)
            keygen(folder, *arguments)
            return (folder / "message.sig").read_text()

        lines = {}
        for name, kind in (("ed25519", "ed25519"), ("ecdsa", "ecdsa"), ("rsa", "rsa"), ("ecdsa_384", "ecdsa")):
            bits = {"ecdsa": ("-b", "256"), "ecdsa_384": ("-b", "384"), "rsa": ("-b", "2048")}.get(name, ())
            keygen(folder, "-q", "-t", kind, *bits, "-N", "", "-C", f"{name} of a test", "-f", name)
            lines[name] = (folder / f"{name}.pub").read_text().strip()
        for name in ("ed25519", "ecdsa"):
            for option in ("sha512", "sha256"):
                signature = sign(name, "adyton", "-O", f"hashalg={option}")
                verify(lines[name], signature)
                out.append(case(f"{name}_{option}", lines[name], signature))
        other = sign("ed25519", "file")
        out.append(case("fail_namespace", lines["ed25519"], other, "Namespace"))
        out.append(case("fail_rsa", lines["rsa"], sign("rsa", "adyton"), "Rsa"))
        out.append(case("fail_ecdsa_384", lines["ecdsa_384"], sign("ecdsa_384", "adyton"), "Type"))
        for name, kind in (("sk_ed25519", SK_ED25519), ("sk_ecdsa", SK_ECDSA)):
            key = Hardware(kind)
            for suffix, flags in (("", 1), ("_verified", 5)):
                signature = key.sign(MESSAGE, flags)
                verify(key.line(), signature)
                out.append(case(name + suffix, key.line(), signature))
            out.append(case(f"fail_{name}_nobody_present", key.line(), key.sign(MESSAGE, flags=4), "NobodyPresent"))
            web = Hardware(kind, "https://example.com")
            out.append(case(f"fail_{name}_application", web.line(), web.sign(MESSAGE), "Application"))
    for entry in out:
        assert entry["name"].startswith("fail_") == ("refusal" in entry)
    FILE.write_text(json.dumps(out, indent=1) + "\n")
    print(f"{len(out)} cases")


if __name__ == "__main__":
    main()
