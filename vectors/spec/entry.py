"""Page 02: entries, the leaves of their bodies, sealed bodies."""

from dataclasses import dataclass

from . import tree
from .keys import KeyTree, log_name
from .primitives import aes_256_gcm, hmac_sha256
from .wire import lp, sha256, u8, u16, u32, u64

KINDS = {"ops": 1, "boot": 2, "snapshot": 3, "gov": 4}
HOT, KEPT = 0, 1


@dataclass(frozen=True)
class Header:
    kind: str
    hot_size: int
    kept_size: int
    index: int
    time_bucket: int
    boot_id: bytes
    release: int
    hot_root: bytes
    kept_root: bytes

    def encode(self) -> bytes:
        out = u8(2) + u8(KINDS[self.kind]) + u8(self.hot_size) + u8(self.kept_size) + u8(0) + bytes(3)
        out += u64(self.index) + u64(self.time_bucket) + self.boot_id + u64(self.release)
        out += self.hot_root + self.kept_root
        assert len(out) == 112
        return out


def size_of(length: int) -> int | None:
    return next((k for k in range(1, 7) if length <= bytes_of(k)), None)


def bytes_of(size: int) -> int:
    return 1024 * 4 ** (size - 1)


def body_hash(body: bytes | None) -> bytes:
    return bytes(32) if body is None else sha256(body)


def entry_of(header: bytes, hot: bytes | None, kept: bytes | None) -> bytes:
    out = header + body_hash(hot) + body_hash(kept)
    assert len(out) == 176
    return out


def part(events: list[bytes]) -> bytes:
    """What one operation has in one body."""
    return b"".join(map(lp, events))


def part_leaf(salt: bytes, part: bytes) -> bytes:
    return sha256(b"\x00", salt, lp(part))


def leaves_of(operations: int) -> int:
    count = 16
    while count < operations:
        count *= 2
    return count


def encode_parts(parts: list[bytes], used: int | None = None, n: int | None = None) -> bytes:
    """Or with another length or number than theirs, as no correct writer would."""
    out = b"".join(map(lp, parts))
    return u32(len(out) if used is None else used) + u16(len(parts) if n is None else n) + out


def pad(plaintext: bytes, padding: bytes = b"\x00") -> bytes:
    size = size_of(len(plaintext))
    assert size is not None
    return plaintext + padding * (bytes_of(size) - len(plaintext))


@dataclass(frozen=True)
class Place:
    """What stands in a header besides what sealing computes, and which log it is of."""

    vault_id: bytes
    log: int
    boot_id: bytes
    release: int
    kind: str
    index: int
    time_bucket: int


@dataclass(frozen=True)
class Leaves:
    salts: list[bytes]
    leaves: list[bytes]

    @property
    def root(self) -> bytes:
        return tree.root(self.leaves)


@dataclass(frozen=True)
class Sealed:
    header: bytes
    bodies: tuple[bytes | None, bytes | None]
    leaves: tuple[Leaves | None, Leaves | None]

    @property
    def entry(self) -> bytes:
        return entry_of(self.header, *self.bodies)


def nonce(body: int, index: int) -> bytes:
    return u32(body) + u64(index)


def aad(vault_id: bytes, log: int, index: int, body: int, header: bytes) -> bytes:
    return lp("adyton entry v2") + vault_id + lp(log_name(log)) + u64(index) + u8(body) + header


def leaves(keys: KeyTree, place: Place, body: int, parts: list[bytes]) -> Leaves:
    key = keys.derive("commitment", log_name(place.log), place.boot_id)
    count = leaves_of(len(parts))
    salts = [hmac_sha256(key, u32(body) + u64(place.index) + u32(i))[:16] for i in range(count)]
    filled = parts + [b""] * (count - len(parts))
    return Leaves(salts, [part_leaf(salt, one) for salt, one in zip(salts, filled)])


def seal(keys: KeyTree, place: Place, operations: list[tuple[bytes, bytes]], hot: bytes | None = None) -> Sealed:
    """Seals the (hot, kept) parts of operations. `hot` is a plaintext instead of the hot body's."""
    made: list[Leaves | None] = []
    plain: list[bytes | None] = []
    for body in (HOT, KEPT):
        parts = [operation[body] for operation in operations]
        there = any(parts)
        made.append(leaves(keys, place, body, parts) if there else None)
        plain.append(pad(encode_parts(parts)) if there else None)
    plain[HOT] = plain[HOT] if hot is None else hot
    sizes = [0 if plaintext is None else size_of(len(plaintext)) for plaintext in plain]
    roots = [bytes(32) if one is None else one.root for one in made]
    header = Header(
        kind=place.kind,
        hot_size=sizes[HOT],
        kept_size=sizes[KEPT],
        index=place.index,
        time_bucket=place.time_bucket,
        boot_id=place.boot_id,
        release=place.release,
        hot_root=roots[HOT],
        kept_root=roots[KEPT],
    ).encode()
    key = keys.derive("log", log_name(place.log), place.boot_id)
    bodies = []
    for body, plaintext in enumerate(plain):
        associated = aad(place.vault_id, place.log, place.index, body, header)
        sealed = None if plaintext is None else aes_256_gcm(key, nonce(body, place.index), associated, plaintext)
        bodies.append(sealed)
    return Sealed(header, (bodies[HOT], bodies[KEPT]), (made[HOT], made[KEPT]))
