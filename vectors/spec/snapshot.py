"""Page 04: the state that survives a restart, and its sealed chunks."""

from dataclasses import dataclass

from .keys import KeyTree, log_name
from .primitives import aes_256_gcm
from .wire import lp, sha256, u8, u16, u32, u64

CHUNK = 262_144
ALONE = (4096, 16_384, 65_536)


def settings(
    code_length: int, custom_code: bool, do_not_share: bool, friendly_name: str, domain: str, app_hashes: tuple[str, ...] = ()
) -> bytes:
    fixed = u8(code_length) + u8(custom_code | do_not_share << 1) + u8(1) + lp(friendly_name) + lp(domain)
    return fixed + u8(len(app_hashes)) + b"".join(text.encode() for text in app_hashes)


def loosening(code_length: int, custom_code: int, at: int) -> bytes:
    return u8(code_length) + u8(custom_code) + u64(at)


def tenant(account: bytes, token_hash: bytes, salt: bytes, created: int, ssh_key: str, friendly_name: str) -> bytes:
    """Of a tenant that has signed nothing yet."""
    return account + token_hash + salt + u64(0) + u64(created) + lp(ssh_key) + lp(friendly_name)


def service(service: bytes, account: bytes, created: int, chosen: bytes) -> bytes:
    """Of a service that has not changed and will not loosen."""
    return service + account + u64(created) + u64(created) + chosen + u8(0)


def section(workflow: int, body: bytes, version: int = 1) -> bytes:
    return u16(workflow) + u16(version) + lp(body)


def several(records: list[bytes]) -> bytes:
    return u32(len(records)) + b"".join(records)


def tenancy(tenants: list[bytes], keys: list[bytes], settings: str = "", owners_sequence: int = 0) -> bytes:
    return section(1, u64(owners_sequence) + lp(settings) + several(tenants) + several(keys))


def services(records: list[bytes]) -> bytes:
    return section(2, several(records))


def verification(budgets: list[bytes], boots: int = 0) -> bytes:
    return section(3, u64(boots) + several(budgets))


def encode_state(tenants: list[bytes], of_services: list[bytes]) -> bytes:
    """Of a vault that never booted and has no keys."""
    return tenancy(sorted(tenants), []) + services(sorted(of_services)) + verification([])


def manifest(snapshot_id: bytes, covered: int, chunks: list[bytes]) -> bytes:
    return u8(1) + snapshot_id + u64(covered) + u32(len(chunks)) + b"".join(map(sha256, chunks))


def base(covered: int, frontier: bytes, roots: tuple[tuple[int, bytes], ...] = ()) -> bytes:
    return u64(covered) + frontier + u8(len(roots)) + b"".join(u64(size) + root for size, root in roots)


def padded(plaintext: bytes) -> bytes:
    whole = -(-len(plaintext) // CHUNK) * CHUNK
    length = next((size for size in ALONE if size >= len(plaintext)), whole)
    return plaintext + bytes(length - len(plaintext))


@dataclass(frozen=True)
class Scope:
    """Which log, boot and snapshot chunks belong to."""

    keys: KeyTree
    vault_id: bytes
    log: int
    boot_id: bytes
    snapshot_id: bytes

    def seal(self, covered: int, plaintext: bytes) -> list[bytes]:
        return self.seal_as_it_is(covered, padded(plaintext))

    def seal_as_it_is(self, covered: int, plaintext: bytes) -> list[bytes]:
        pieces = [plaintext[at : at + CHUNK] for at in range(0, len(plaintext), CHUNK)]
        key = self.keys.derive("snapshot", log_name(self.log), self.boot_id, self.snapshot_id)
        chunks = []
        for i, piece in enumerate(pieces):
            aad = lp("adyton snapshot v3") + self.vault_id + lp(log_name(self.log)) + self.snapshot_id
            aad += u64(covered) + u32(i) + u32(len(pieces))
            chunks.append(aes_256_gcm(key, bytes(4) + u64(i), aad, piece))
        return chunks
