"""Page 04: the state that survives a restart, and its sealed chunks."""

from dataclasses import dataclass

from .keys import KeyTree, log_name
from .primitives import aes_256_gcm
from .wire import lp, sha256, u8, u16, u32, u64

CHUNK = 262_144


def settings(
    code_length: int, custom_code: bool, do_not_share: bool, friendly_name: str, domain: str, app_hashes: tuple[str, ...] = ()
) -> bytes:
    fixed = u8(code_length) + u8(custom_code | do_not_share << 1) + lp(friendly_name) + lp(domain)
    return fixed + u8(len(app_hashes)) + b"".join(text.encode() for text in app_hashes)


def loosening(code_length: int, custom_code: int, at: int) -> bytes:
    return u8(code_length) + u8(custom_code) + u64(at)


def tenant(account: bytes, token_hash: bytes, created: int, ssh_key: str, friendly_name: str) -> bytes:
    """Of a tenant that has signed nothing yet."""
    return u8(1) + account + token_hash + u64(0) + u64(created) + lp(ssh_key) + lp(friendly_name)


def service(account: bytes, service: bytes, created: int, chosen: bytes) -> bytes:
    """Of a service that has not changed and will not loosen."""
    return u8(2) + account + service + u64(created) + u64(created) + chosen + u8(0)


def counters(boots: int, owners_sequence: int) -> bytes:
    return u8(6) + u64(boots) + u64(owners_sequence)


def encode_state(records: list[bytes], last: bytes | None = None) -> bytes:
    """Every state ends with its counters; those of one that never booted are zeros."""
    records = sorted([*records, counters(0, 0) if last is None else last])
    return u32(1) + u32(len(records)) + b"".join(map(lp, records))


def section(workflow: int, version: int, state: bytes) -> bytes:
    return u16(workflow) + u16(version) + lp(state)


def manifest(snapshot_id: bytes, covered: int, chunks: list[bytes]) -> bytes:
    return u8(1) + snapshot_id + u64(covered) + u32(len(chunks)) + b"".join(map(sha256, chunks))


@dataclass(frozen=True)
class Scope:
    """Which log, boot and snapshot chunks belong to."""

    keys: KeyTree
    vault_id: bytes
    log: int
    boot_id: bytes
    snapshot_id: bytes

    def seal(self, covered: int, plaintext: bytes) -> list[bytes]:
        pieces = [plaintext[at : at + CHUNK] for at in range(0, len(plaintext), CHUNK)]
        key = self.keys.derive("snapshot", log_name(self.log), self.boot_id, self.snapshot_id)
        chunks = []
        for i, piece in enumerate(pieces):
            aad = lp("adyton snapshot v2") + self.vault_id + lp(log_name(self.log)) + self.snapshot_id
            aad += u64(covered) + u32(i) + u32(len(pieces))
            chunks.append(aes_256_gcm(key, bytes(4) + u64(i), aad, piece))
        return chunks
