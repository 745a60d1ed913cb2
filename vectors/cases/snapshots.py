"""Page 04.

Leaf n of a case's tree is the text `leaf <n>`. A name may be written `times` over, so that a case can be larger than a
chunk and its file still small; its chunks are then given by their hashes, and the cases that are made `of` it say which
of them stand in which order.
"""

from spec import snapshot as spec
from spec import tree
from spec.keys import sid
from spec.snapshot import CHUNK, Scope
from spec.wire import lp, sha256, u8, u16, u32, u64

from . import vault
from .vault import pattern

SCOPE = Scope(vault.KEYS, vault.VAULT_ID, 1, vault.BOOT_ID, pattern(0x90, 16))
CREATED = vault.TIME


def tenant(first: int, friendly_name: str, times: int = 1) -> dict:
    account = sid("AC", pattern(first, 16))
    token_hash, salt = pattern(first + 1, 32).hex(), pattern(first + 2, 16).hex()
    return {
        "account": account,
        "token_hash": token_hash,
        "salt": salt,
        "created": CREATED + first,
        "friendly_name": friendly_name,
        "times": times,
    }


def service(account: int, first: int, code_length: int, friendly_name: str) -> dict:
    return {
        "account": sid("AC", pattern(account, 16)),
        "service": sid("VA", pattern(first, 16)),
        "code_length": code_length,
        "created": CREATED + first,
        "friendly_name": friendly_name,
        "times": 1,
    }


# Services ascend by their own SID: the first of the first tenant is not the first.
TENANTS = [tenant(0x10, "Acme"), tenant(0x20, "Bäckerei")]
SERVICES = [service(0x20, 0x48, 10, "Anmeldung"), service(0x10, 0x58, 6, "Login"), service(0x10, 0x68, 4, "")]


def record(value: dict) -> bytes:
    def raw(name: str) -> bytes:
        return bytes.fromhex(value[name][2:])

    name = value["friendly_name"] * value["times"]
    if "service" in value:
        chosen = spec.settings(value["code_length"], False, False, name, "")
        return spec.service(raw("service"), raw("account"), value["created"], chosen)
    token_hash, salt = bytes.fromhex(value["token_hash"]), bytes.fromhex(value["salt"])
    return spec.tenant(raw("account"), token_hash, salt, value["created"], "ssh", name)


def encode_state(tenants: list[dict], services: list[dict]) -> bytes:
    return spec.encode_state([record(value) for value in tenants], [record(value) for value in services])


STATE = encode_state(TENANTS, SERVICES)


def leaves(size: int) -> list[bytes]:
    return [tree.leaf_hash(f"leaf {n}".encode()) for n in range(size)]


def plaintext(covered: int, state: bytes = STATE) -> bytes:
    return spec.base(covered, tree.frontier(leaves(covered))) + state


def cases() -> list[dict]:
    return states() + manifests() + snapshots() + refused() + refused_of_two_chunks()


def states() -> list[dict]:
    out = []
    for name, tenants, services in (("empty", [], []), ("one_tenant", TENANTS[:1], []), ("full", TENANTS, SERVICES)):
        fields = {"tenants": tenants, "services": services, "hex": encode_state(tenants, services).hex()}
        out.append({"name": f"state_{name}", "what": "state"} | fields)

    def fail(name: str, encoded: bytes) -> None:
        out.append({"name": f"fail_state_{name}", "what": "state", "hex": encoded.hex(), "refusal": "Corrupt"})

    acme, baker = map(record, TENANTS)
    other, login, third = map(record, SERVICES)
    end = spec.verification([])

    def of(tenants: list[bytes], keys: list[bytes] = (), services: list[bytes] = (), budgets: list[bytes] = ()) -> bytes:
        return spec.tenancy(tenants, keys) + spec.services(services) + spec.verification(budgets)

    def key(number: int, account: int, scopes: int) -> bytes:
        return pattern(number, 16) + pattern(account, 16) + u8(scopes) + bytes(32)

    def budget(subject: int, consecutive: int) -> bytes:
        return pattern(0x58, 16) + pattern(subject, 16) + u32(consecutive) + u64(1)

    fail("nothing", b"")
    fail("cut", STATE[:-1])
    fail("trailing", STATE + b"\x00")
    fail("section_of_version_2", spec.section(1, u64(0) + lp("") + u32(0) + u32(0), 2) + spec.services([]) + end)
    fail("section_missing", spec.tenancy([acme], []) + end)
    fail("section_twice", of([acme]) + end)
    fail("section_of_no_workflow", of([acme]) + spec.section(4, b""))
    fail("sections_descend", spec.services([]) + spec.tenancy([acme], []) + end)
    fail("section_cut", spec.tenancy([acme], []) + spec.services([]) + spec.section(3, u64(0) + u32(0)[:3]))
    fail("section_trailing", spec.tenancy([acme], []) + spec.services([]) + spec.section(3, u64(0) + u32(0) + b"\x00"))
    fail("one_record_more_than_there_is", spec.tenancy([acme], []) + spec.section(2, u32(2) + login) + end)
    fail("one_record_less_than_there_is", spec.tenancy([acme], []) + spec.section(2, u32(0) + login) + end)
    fail("records_countless", spec.tenancy([acme], []) + spec.section(2, u32(2**32 - 1)) + end)
    fail("key_of_no_tenant", of([acme], [key(0x30, 0x20, 1)]))
    fail("key_without_scopes", of([acme], [key(0x30, 0x10, 0)]))
    fail("keys_descend", of([acme], [key(0x31, 0x10, 1), key(0x30, 0x10, 1)]))
    fail("key_twice", of([acme, baker], [key(0x30, 0x10, 1), key(0x30, 0x20, 1)]))
    fail("budget_of_nothing", of([acme], [], [login], [budget(0x70, 0)]))
    fail("budget_twice", of([acme], [], [login], [budget(0x70, 1), budget(0x70, 2)]))
    fail("budgets_descend", of([acme], [], [login], [budget(0x71, 1), budget(0x70, 1)]))
    changed = record(TENANTS[0] | {"created": CREATED + 99})
    fail("tenant_twice", of([acme, changed]))
    fail("tenants_descend", of([baker, acme]))
    moved = record(SERVICES[1] | {"account": TENANTS[1]["account"]})
    fail("service_of_two_tenants", of([acme, baker], [], [login, moved]))
    fail("service_of_no_tenant", of([acme], [], [other]))
    fail("services_descend", of([acme, baker], [], [third, login]))
    return out


def manifests() -> list[dict]:
    out = []
    for count in (1, 3):
        chunks = [f"chunk {n}".encode() for n in range(count)]
        encoded = spec.manifest(SCOPE.snapshot_id, 1000, chunks)
        fields = {"snapshot_id": SCOPE.snapshot_id.hex(), "covered": 1000}
        hashes = {"chunk_sha256": [sha256(chunk).hex() for chunk in chunks], "hex": encoded.hex()}
        out.append({"name": f"manifest_of_{count}", "what": "manifest"} | fields | hashes)
    good = spec.manifest(SCOPE.snapshot_id, 1000, [b"chunk 0"])
    for name, encoded in (
        ("version_0", u8(0) + good[1:]),
        ("version_2", u8(2) + good[1:]),
        ("cut", good[:-1]),
        ("trailing", good + b"\x00"),
        ("one_chunk_more_than_there_is", good[:25] + u32(2) + good[29:]),
        ("count_huge", good[:25] + u32(2**32 - 1) + good[29:]),
        ("empty", b""),
    ):
        fail = {"hex": encoded.hex(), "refusal": "BodyError"}
        out.append({"name": f"fail_manifest_{name}", "what": "manifest"} | fail)
    return out


def scope_fields(scope: Scope) -> dict:
    return {
        "root_key": vault.ROOT_KEY.hex(),
        "epoch": 1,
        "vault_id": scope.vault_id.hex(),
        "log": scope.log,
        "boot_id": scope.boot_id.hex(),
    }


# What precedes the one tenant's name in the plaintext of a snapshot that covers three entries.
BEFORE_NAME = len(plaintext(3, encode_state([tenant(0x10, "")], [])))


def snapshots() -> list[dict]:
    out = []

    def case(name: str, covered: int, tenants: list[dict], services: list[dict], whole: bool) -> None:
        state = encode_state(tenants, services)
        chunks = SCOPE.seal(covered, plaintext(covered, state))
        fields = {"snapshot_id": SCOPE.snapshot_id.hex(), "covered": covered, "tenants": tenants, "services": services}
        made = {
            "manifest": spec.manifest(SCOPE.snapshot_id, covered, chunks).hex(),
            "chunk_lengths": [len(chunk) for chunk in chunks],
            "chunk_sha256": [sha256(chunk).hex() for chunk in chunks],
        }
        bytes_ = {"chunks": [chunk.hex() for chunk in chunks]} if whole else {}
        out.append({"name": f"snapshot_{name}", "what": "snapshot"} | scope_fields(SCOPE) | fields | made | bytes_)

    case("of_nothing", 0, [], [], whole=True)
    case("one_chunk", 5, TENANTS, SERVICES, whole=True)
    case("second_size", 3, [tenant(0x10, "x", 4096 - BEFORE_NAME + 1)], [], whole=False)
    case("one_full_chunk", 3, [tenant(0x10, "x", CHUNK - BEFORE_NAME)], [], whole=False)
    case("two_chunks", 3, [tenant(0x10, "x", CHUNK - BEFORE_NAME + 1)], [], whole=False)
    return out


def refused() -> list[dict]:
    out = []
    (good,) = SCOPE.seal(5, plaintext(5))

    def fail(name: str, chunks: list[bytes], named: list | None = None, index: int = 5, **changes: object) -> None:
        """`chunks` under a manifest that names them, or others."""
        scope = Scope(**(vars(SCOPE) | changes))
        manifest = spec.manifest(scope.snapshot_id, index, chunks if named is None else named)
        given = {"manifest": manifest.hex(), "chunks": [chunk.hex() for chunk in chunks], "refusal": "BodyError"}
        out.append({"name": f"fail_snapshot_{name}", "what": "snapshot"} | scope_fields(scope) | given)

    def of_plaintext(name: str, value: bytes) -> None:
        fail(name, SCOPE.seal(5, value))

    def as_it_is(name: str, value: bytes) -> None:
        fail(name, SCOPE.seal_as_it_is(5, value))

    fail("in_another_vault", [good], vault_id=vault.OTHER_VAULT_ID)
    fail("of_another_log", [good], log=2)
    fail("of_another_boot", [good], boot_id=pattern(0x61, 16))
    fail("under_another_id", [good], snapshot_id=pattern(0x91, 16))
    fail("under_another_index", [good], index=6)
    fail("chunk_cut", [good[:-1]])
    fail("chunk_trailing", [good + b"\x00"])
    fail("chunk_flipped", [bytes([good[0] ^ 1]) + good[1:]])
    fail("chunk_empty", [b""])
    fail("chunk_not_named", [good], named=[good + b"\x00"])
    fail("chunk_missing", [], named=[good])
    fail("chunk_too_many", [good, good], named=[good])
    fail("chunk_twice", [good, good])
    fail("of_no_chunks", [])

    # Authentic, but not what a correct writer seals.
    frontier = tree.frontier(leaves(5))
    of_plaintext("index_of_another_manifest", spec.base(6, frontier) + STATE)
    of_plaintext("index_and_frontier_of_another_manifest", spec.base(6, tree.frontier(leaves(6))) + STATE)
    of_plaintext("frontier_of_another_size", spec.base(5, tree.frontier(leaves(6))) + STATE)
    of_plaintext("frontier_count", spec.base(5, u64(5) + u8(1) + bytes(32)) + STATE)
    as_it_is("frontier_cut", (u64(5) + frontier)[:-1])
    of_plaintext("roots_three", spec.base(5, frontier, ((1, bytes(32)), (2, bytes(32)), (3, bytes(32)))) + STATE)
    as_it_is("root_cut", spec.base(5, frontier, ((1, bytes(32)),))[:-1])
    of_plaintext("without_state", spec.base(5, frontier))
    of_plaintext("section_of_no_workflow", spec.base(5, frontier) + u16(9) + STATE[2:])
    of_plaintext("section_of_another_version", spec.base(5, frontier) + STATE[:2] + u16(2) + STATE[4:])
    of_plaintext("section_more", plaintext(5) + spec.section(4, b""))
    as_it_is("state_cut", plaintext(5)[:-1])
    of_plaintext("state_trailing", plaintext(5) + b"\x01")
    as_it_is("without_padding", plaintext(5))
    as_it_is("padding_short", spec.padded(plaintext(5))[:-1])
    as_it_is("padding_of_a_larger_size", plaintext(5) + bytes(16_384 - len(plaintext(5))))
    as_it_is("padding_not_of_zeros", spec.padded(plaintext(5))[:-1] + b"\x01")
    return out


def refused_of_two_chunks() -> list[dict]:
    name = "x" * (CHUNK - BEFORE_NAME + 1)
    chunks = SCOPE.seal(3, plaintext(3, encode_state([tenant(0x10, name)], [])))
    out = []
    for name, order, named in (
        ("swapped", [1, 0], [1, 0]),
        ("swapped_under_the_right_manifest", [1, 0], [0, 1]),
        ("without_the_last", [0], [0]),
        ("without_the_first", [1], [1]),
        ("first_twice", [0, 0], [0, 0]),
    ):
        manifest = spec.manifest(SCOPE.snapshot_id, 3, [chunks[i] for i in named]).hex()
        made = {"of": "snapshot_two_chunks", "order": order, "manifest": manifest, "refusal": "BodyError"}
        out.append({"name": f"fail_chunks_{name}", "what": "chunks_of"} | made)
    return out
