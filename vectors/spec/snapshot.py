"""Page 04: the state that survives a restart, and its sealed chunks."""

from dataclasses import dataclass

from .keys import KeyTree, log_name
from .primitives import aes_256_gcm
from .wire import lp, sha256, u8, u32, u64

CHUNK = 262_144


def tenant(account: bytes, token_hash: bytes, created: int, friendly_name: str) -> bytes:
    return u8(1) + account + token_hash + u64(created) + lp(friendly_name)


def service(account: bytes, service: bytes, code_length: int, created: int, friendly_name: str) -> bytes:
    return u8(2) + account + service + u8(code_length) + u64(created) + lp(friendly_name)


def encode_state(records: list[bytes]) -> bytes:
    return u32(1) + u32(len(records)) + b"".join(map(lp, sorted(records)))


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
            aad = lp("adyton snapshot v1") + self.vault_id + lp(log_name(self.log)) + self.snapshot_id
            aad += u64(covered) + u32(i) + u32(len(pieces))
            chunks.append(aes_256_gcm(key, bytes(4) + u64(i), aad, piece))
        return chunks
