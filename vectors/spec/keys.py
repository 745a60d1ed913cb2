"""Page 00: the key tree, keyed hashes, one-time codes."""

from .primitives import aes_256_gcm, hkdf_expand, hkdf_extract, hmac_sha256
from .wire import lp, u8, u32


def log_name(log: int) -> str:
    return "gov" if log == 0 else f"ops-{log - 1}"


def sid(letters: str, value: bytes) -> str:
    """A SID's 34-character text."""
    assert len(value) == 16
    return letters + value.hex()


class KeyTree:
    def __init__(self, root_key: bytes, epoch: int):
        self.root_key, self.epoch = root_key, epoch
        self.prk = hkdf_extract(b"adyton key tree v1", root_key)

    def derive(self, label: str, *parts: bytes | str) -> bytes:
        info = lp(label) + lp(u32(self.epoch)) + b"".join(map(lp, parts))
        return hkdf_expand(self.prk, info, 32)


def keyed_hash(key: bytes, *parts: bytes | str) -> bytes:
    return hmac_sha256(key, b"".join(map(lp, parts)))


def token_hash(keys: KeyTree, account: str, token: str) -> bytes:
    return keyed_hash(keys.derive("token"), account, token)


def subject(keys: KeyTree, account: str, salt: bytes, of: str, channel: str, destination: str) -> bytes:
    """`of` is a service's SID, or `tenant`, or `prefix`, whose destination is a prefix."""
    return keyed_hash(keys.derive("subject", account, salt), of, channel, destination)[:16]


def code_of_block(block: bytes, digits: int) -> str | None:
    """The code that a block gives, or nothing if its four words are all too large."""
    modulus = 10**digits
    limit = 2**64 // modulus * modulus
    for at in range(0, 32, 8):
        word = int.from_bytes(block[at : at + 8], "big")
        if word < limit:
            return str(word % modulus).zfill(digits)
    return None


def code(slot_key: bytes, verification: str, service: str, digits: int) -> str:
    counter = 0
    while True:
        block = hmac_sha256(slot_key, lp(verification) + lp(service) + u32(counter))
        found = code_of_block(block, digits)
        if found is not None:
            return found
        counter += 1


def seal_public_key(keys: KeyTree, nonce: bytes, vault_id: bytes, spki: bytes, pkcs8: bytes) -> bytes:
    aad = lp("adyton public key v1") + vault_id + lp(spki)
    return u8(1) + lp(spki) + nonce + aes_256_gcm(keys.derive("public key wrap"), nonce, aad, pkcs8)
