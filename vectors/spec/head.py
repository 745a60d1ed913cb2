"""Page 03: signed heads, bodies of `gov`, what genesis wraps."""

from base64 import b64encode
from dataclasses import dataclass

from .keys import KeyTree, log_name
from .primitives import aes_256_gcm, ed25519_public, ed25519_sign, hkdf_expand, hkdf_extract
from .wire import lp, sha256, u8, u16, u64

PROFILES = {"dev": 1, "kms": 2, "kms+quorum": 3, "quorum": 4}


def origin(vault_id: bytes, log: int) -> str:
    return f"adyton/{vault_id.hex()}/{log_name(log)}"


def base64(value: bytes) -> str:
    return b64encode(value).decode()


def key_hash(name: str, public_key: bytes) -> bytes:
    return sha256(name.encode(), b"\x0a\x01", public_key)[:4]


def verifier_key(name: str, public_key: bytes) -> str:
    """C2SP signed-note, "Verifier keys"."""
    key = base64(u8(1) + public_key)
    return f"{name}+{key_hash(name, public_key).hex()}+{key}"


def signature_line(name: str, seed: bytes, text: str) -> str:
    """A line of a signed note."""
    signature = key_hash(name, ed25519_public(seed)) + ed25519_sign(seed, text.encode())
    return f"\u2014 {name} {base64(signature)}\n"


def head_text(name: str, size: int, root: bytes) -> str:
    return f"{name}\n{size}\n{base64(root)}\n"


@dataclass(frozen=True)
class Genesis:
    profile: str
    nonce: bytes
    attestation_root: bytes
    policy_hash: bytes
    log_key: bytes
    hpke_key: bytes
    ca_certificate: bytes
    sealed_ca_key: bytes
    wrapped_root: bytes
    kms_ciphertext: bytes

    def encode(self) -> bytes:
        out = u8(1) + u8(1) + u8(PROFILES[self.profile]) + self.nonce + self.attestation_root + self.policy_hash
        out += self.log_key + self.hpke_key + lp(self.ca_certificate) + lp(self.sealed_ca_key)
        return out + lp(self.wrapped_root) + lp(self.kms_ciphertext)


def boot_record(boot_id: bytes, release: int, policy_hash: bytes, bundle_hash: bytes, time: int) -> bytes:
    return u8(2) + boot_id + u64(release) + policy_hash + bundle_hash + u64(time)


def ops_root(log: int, size: int, root: bytes) -> bytes:
    return u8(3) + u16(log) + u64(size) + root


def policy_record(release: int, policy: bytes) -> bytes:
    return u8(4) + u64(release) + lp(policy)


def approval_record(release: int, old: bytes, new: bytes, signatures: list[bytes]) -> bytes:
    return u8(5) + u64(release) + old + new + u8(len(signatures)) + b"".join(map(lp, signatures))


def settings_record(sequence: int, digest: bytes, signatures: list[bytes]) -> bytes:
    return u8(6) + u64(sequence) + digest + u8(len(signatures)) + b"".join(map(lp, signatures))


def order_record(address: bytes, sealed_key: bytes) -> bytes:
    return u8(17) + lp(address) + lp(sealed_key)


def certificate_record(account: bytes, sealed_account_key: bytes, sealed_key: bytes, chain: list[bytes]) -> bytes:
    fields = lp(account) + lp(sealed_account_key) + lp(sealed_key)
    return u8(16) + fields + u8(len(chain)) + b"".join(map(lp, chain))


def wrap_root_key(kms_secret: bytes, nonce: bytes, genesis_nonce: bytes, policy_hash: bytes, root_key: bytes) -> bytes:
    key = hkdf_expand(hkdf_extract(b"adyton root wrap v1", kms_secret), lp("root wrap"), 32)
    return nonce + aes_256_gcm(key, nonce, lp("adyton root wrap v1") + genesis_nonce + policy_hash, root_key)


def seal_ca_key(keys: KeyTree, nonce: bytes, genesis_nonce: bytes, certificate: bytes, pkcs8: bytes) -> bytes:
    aad = lp("adyton ca key v1") + genesis_nonce + lp(certificate)
    return nonce + aes_256_gcm(keys.derive("ca wrap"), nonce, aad, pkcs8)
