"""Page 02: entries, events, commitments, sealed bodies."""

from dataclasses import dataclass

from . import tree
from .keys import KeyTree, log_name, pseudonym
from .primitives import aes_256_gcm, hmac_sha256
from .wire import lp, sha256, u8, u32, u64

KINDS = {"ops": 1, "boot": 2, "snapshot": 3, "gov": 4}


@dataclass(frozen=True)
class Header:
    kind: str
    keep: int
    body_len: int
    index: int
    time_bucket: int
    tenant: bytes
    boot_id: bytes
    release: int
    commitments: bytes

    def encode(self) -> bytes:
        out = u8(1) + u8(KINDS[self.kind]) + u8(self.keep) + u8(0) + u32(self.body_len)
        out += u64(self.index) + u64(self.time_bucket) + self.tenant + self.boot_id + u64(self.release)
        out += self.commitments + bytes(32)
        assert len(out) == 128
        return out


def size_class(length: int) -> int | None:
    return next((256 << k for k in range(12) if length <= 256 << k), None)


def commitment(salt: bytes, event: bytes) -> bytes:
    return sha256(b"\x00", salt, lp(event))


def encode_records(records: list[bytes]) -> bytes:
    return u32(len(records)) + b"".join(map(lp, records))


def pad(records: bytes, padding: bytes = b"\x00") -> bytes:
    """Plaintext of a body from its encoded records."""
    out = u32(len(records)) + records
    size = size_class(len(out))
    assert size is not None
    return out + padding * (size - len(out))


@dataclass(frozen=True)
class Place:
    """What stands in a header besides what sealing computes, and which log it is of."""

    vault_id: bytes
    log: int
    boot_id: bytes
    release: int
    kind: str
    keep: int
    index: int
    time_bucket: int
    account: str | None


@dataclass(frozen=True)
class Sealed:
    header: bytes
    body: bytes
    salts: list[bytes]
    commitments: list[bytes]

    @property
    def entry(self) -> bytes:
        return self.header + sha256(self.body)


def aad(vault_id: bytes, log: int, index: int, header: bytes) -> bytes:
    return lp("adyton entry v1") + vault_id + lp(log_name(log)) + u64(index) + header


def seal(keys: KeyTree, place: Place, records: list[bytes], plaintext: bytes | None = None) -> Sealed:
    """Seals records, or another `plaintext` in their stead: one that no correct writer would seal."""
    scope = (log_name(place.log), place.boot_id)
    salt_key = keys.derive("commitment", *scope)
    salts = [hmac_sha256(salt_key, u64(place.index) + u32(i))[:16] for i in range(len(records))]
    commitments = [commitment(salt, record) for salt, record in zip(salts, records)]
    plaintext = pad(encode_records(records)) if plaintext is None else plaintext
    day = place.time_bucket * 10 // 86400
    header = Header(
        kind=place.kind,
        keep=place.keep,
        body_len=len(plaintext) + 16,
        index=place.index,
        time_bucket=place.time_bucket,
        tenant=bytes(16) if place.account is None else pseudonym(keys, place.account, day),
        boot_id=place.boot_id,
        release=place.release,
        commitments=tree.root(commitments),
    ).encode()
    associated = aad(place.vault_id, place.log, place.index, header)
    body = aes_256_gcm(keys.derive("log", *scope), bytes(4) + u64(place.index), associated, plaintext)
    return Sealed(header, body, salts, commitments)
