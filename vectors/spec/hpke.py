"""RFC 9180 base mode, one message, DHKEM(X25519, HKDF-SHA256) / HKDF-SHA256 / AES-256-GCM. Page 06: sealed values.

The ephemeral key is an argument, because a vector must be the same on every run. Real clients draw it at random.
"""

from .primitives import aes_256_gcm, hkdf_expand, hkdf_extract, x25519, x25519_public
from .wire import lp, u16

KEM_SUITE = b"KEM" + u16(0x0020)
HPKE_SUITE = b"HPKE" + u16(0x0020) + u16(0x0001) + u16(0x0002)


def labeled_extract(suite: bytes, salt: bytes, label: str, ikm: bytes) -> bytes:
    """§4."""
    return hkdf_extract(salt, b"HPKE-v1" + suite + label.encode() + ikm)


def labeled_expand(suite: bytes, prk: bytes, label: str, info: bytes, length: int) -> bytes:
    """§4."""
    return hkdf_expand(prk, u16(length) + b"HPKE-v1" + suite + label.encode() + info, length)


def encap(recipient: bytes, ephemeral: bytes) -> tuple[bytes, bytes]:
    """§4.1: shared secret and `enc`."""
    enc = x25519_public(ephemeral)
    prk = labeled_extract(KEM_SUITE, b"", "eae_prk", x25519(ephemeral, recipient))
    return labeled_expand(KEM_SUITE, prk, "shared_secret", enc + recipient, 32), enc


def key_schedule(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """§5.1, mode 0 without a PSK: key and base nonce."""
    psk_id_hash = labeled_extract(HPKE_SUITE, b"", "psk_id_hash", b"")
    context = b"\x00" + psk_id_hash + labeled_extract(HPKE_SUITE, b"", "info_hash", info)
    secret = labeled_extract(HPKE_SUITE, shared_secret, "secret", b"")
    key = labeled_expand(HPKE_SUITE, secret, "key", context, 32)
    return key, labeled_expand(HPKE_SUITE, secret, "base_nonce", context, 12)


def seal(recipient: bytes, ephemeral: bytes, info: bytes, aad: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
    """§6.1: `enc` and ciphertext."""
    shared_secret, enc = encap(recipient, ephemeral)
    key, base_nonce = key_schedule(shared_secret, info)
    return enc, aes_256_gcm(key, base_nonce, aad, plaintext)


def sealed_value(recipient: bytes, ephemeral: bytes, info: bytes, aad: bytes, plaintext: bytes) -> bytes:
    """Page 06."""
    enc, ciphertext = seal(recipient, ephemeral, info, aad, plaintext)
    return b"\x01\x01" + enc + ciphertext


def vault_info(vault_id: bytes) -> bytes:
    return lp("adyton sealed value v1") + vault_id


def place(purpose: str, *places: str) -> bytes:
    """`aad` of a purpose and its places."""
    return lp(purpose) + b"".join(map(lp, places))


def check_known_answer(answer: dict) -> None:
    """One of the RFC's own vectors, by the names that its file uses."""
    known = {name: bytes.fromhex(value) for name, value in answer.items() if name not in ("name", "source")}
    shared_secret, enc = encap(known["pkRm"], known["skEm"])
    assert (shared_secret, enc) == (known["shared_secret"], known["enc"])
    assert key_schedule(shared_secret, known["info"]) == (known["key"], known["base_nonce"])
    sealed = seal(known["pkRm"], known["skEm"], known["info"], known["aad"], known["pt"])
    assert sealed == (known["enc"], known["ct"])
    assert x25519_public(known["skRm"]) == known["pkRm"]
