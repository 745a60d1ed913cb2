"""Page 02."""

from dataclasses import replace

from spec import entry as spec
from spec import tree
from spec.entry import HOT, KEPT, Header, Place, part
from spec.primitives import aes_256_gcm
from spec.snapshot import manifest
from spec.wire import lp, sha256, u32, u64

from . import events, vault
from .vault import pattern

NONE = bytes(32)
BASE = Header("ops", 1, 0, 7, 178_000_000, vault.BOOT_ID, 2, sha256(b"hot"), NONE)


def cases() -> list[dict]:
    return entries() + headers() + leaves() + sizes() + events.cases() + bodies() + refused_bodies()


def entries() -> list[dict]:
    def case(name: str, header: Header, hot: bytes | None, kept: bytes | None) -> dict:
        encoded = spec.entry_of(header.encode(), hot, kept)
        fields = {key: value.hex() if isinstance(value, bytes) else value for key, value in vars(header).items()}
        given = {"hot": hot, "kept": kept}
        return {"name": f"entry_{name}", "what": "entry"} | fields | {
            key: body.hex() for key, body in given.items() if body is not None
        } | {
            "hot_hash": spec.body_hash(hot).hex(),
            "kept_hash": spec.body_hash(kept).hex(),
            "entry": encoded.hex(),
            "leaf_hash": tree.leaf_hash(encoded).hex(),
            "sha256": sha256(encoded).hex(),
        }

    kept = replace(BASE, hot_size=0, kept_size=2, hot_root=NONE, kept_root=sha256(b"kept"))
    both = replace(BASE, hot_size=5, kept_size=1, kept_root=sha256(b"kept"))
    return [
        case("gov_first", Header("gov", 0, 1, 0, 0, vault.BOOT_ID, 1, NONE, NONE), None, b"public"),
        case("ops_hot", BASE, pattern(0, 300), None),
        case("ops_kept", replace(kept, index=2**32 + 5, time_bucket=178_000_001), None, pattern(0, 528)),
        case("ops_both", replace(both, index=8), b"hot", b"kept"),
        case("boot", replace(BASE, kind="boot", index=9, release=2**63), b"", None),
        case("snapshot", replace(kept, kind="snapshot", index=2**63 - 1, time_bucket=2**64 - 1), None, b"\xff" * 17),
        case("largest_size", replace(kept, kept_size=6, index=2**63), None, b"hello"),
    ]


def headers() -> list[dict]:
    def case(name: str, at: int, value: int, refusal: str) -> dict:
        encoded = bytearray(BASE.encode())
        encoded[at] = value
        return {"name": f"fail_header_{name}", "what": "header", "hex": encoded.hex(), "refusal": refusal}

    return [
        case("version_0", 0, 0, "Version { got: 0 }"),
        case("version_1", 0, 1, "Version { got: 1 }"),
        case("version_3", 0, 3, "Version { got: 3 }"),
        case("kind_0", 1, 0, "Kind { got: 0 }"),
        case("kind_5", 1, 5, "Kind { got: 5 }"),
        case("hot_size_7", 2, 7, "Size { body: Hot, got: 7 }"),
        case("kept_size_7", 3, 7, "Size { body: Kept, got: 7 }"),
        case("key_period_1", 4, 1, "KeyPeriod { got: 1 }"),
        case("reserved_5", 5, 1, "Reserved"),
        case("reserved_7", 7, 0x80, "Reserved"),
        case("root_of_no_hot_body", 2, 0, "Root { body: Hot }"),
        case("root_of_no_kept_body", 111, 1, "Root { body: Kept }"),
    ]


def leaves() -> list[dict]:
    out = []
    for count in (0, 1, 3, 16, 17, 40):
        filled = [bytes([i + 1]) * (i * 37 % 95) for i in range(count)]
        parts = filled + [b""] * (spec.leaves_of(count) - count)
        made = []
        for i, one in enumerate(parts):
            salt = sha256(b"salt", bytes([count, i]))[:16]
            made.append((salt, one, spec.part_leaf(salt, one)))
        listed = [{"salt": s.hex(), "part": p.hex(), "leaf": leaf.hex()} for s, p, leaf in made]
        root = tree.root([leaf for _, _, leaf in made]).hex()
        out.append({"name": f"leaves_of_{count}", "what": "leaves", "operations": count, "leaves": listed, "root": root})
    return out


def sizes() -> list[dict]:
    out = []
    for length in (0, 1, 1024, 1025, 4096, 4097, 65_536, 262_144, 262_145, 1_048_576, 1_048_577, 2**32 - 1):
        size = spec.size_of(length)
        made = {"refusal": "None"} if size is None else {"size": size, "bytes": spec.bytes_of(size)}
        name = f"{'fail_' if size is None else ''}size_of_{length}"
        out.append({"name": name, "what": "size", "len": length} | made)
    return out


PLACE = Place(
    vault_id=vault.VAULT_ID,
    log=1,
    boot_id=vault.BOOT_ID,
    release=1,
    kind="ops",
    index=7,
    time_bucket=vault.TIME // 10,
)
CONTEXT = {"root_key": vault.ROOT_KEY.hex(), "epoch": 1}
STARTED, TENANT = part([events.STARTED]), part([events.TENANT])


def bodies() -> list[dict]:
    def case(name: str, place: Place, operations: list[tuple[list[bytes], list[bytes]]]) -> dict:
        sealed = spec.seal(vault.KEYS, place, [(part(hot), part(kept)) for hot, kept in operations])
        fields = {key: value.hex() if isinstance(value, bytes) else value for key, value in vars(place).items()}
        listed = [
            {"hot": [one.hex() for one in hot], "kept": [one.hex() for one in kept]} for hot, kept in operations
        ]
        made = {"operations": listed, "entry": sealed.entry.hex()}
        for word, body in (("hot", HOT), ("kept", KEPT)):
            if sealed.bodies[body] is not None:
                made |= {word: sealed.bodies[body].hex(), f"{word}_salts": [s.hex() for s in sealed.leaves[body].salts]}
        return {"name": f"body_{name}", "what": "body"} | CONTEXT | fields | made

    started, failed, approved = events.STARTED, events.CHECKED_WRONG, events.CHECKED_PROVEN
    snapshot = manifest(pattern(0x90, 16), 9, [b"the sealed bytes of a chunk"])
    # u32 used, u16 n, and the lengths of part and event before a name that makes 1024 bytes in all.
    before = 4 + 2 + 4 + 4 + len(events.tenant_created("", ""))
    fills, one_more = (events.tenant_created("n" * (1024 - before + more), "") for more in (0, 1))
    return [
        case("one_hot_event", PLACE, [([started], [])]),
        case("three_operations", replace(PLACE, index=2**40), [([started], []), ([failed], []), ([approved], [])]),
        case("one_operation_of_three", replace(PLACE, index=2**40), [([started, failed, approved], [])]),
        case("kept_alone", replace(PLACE, index=8, time_bucket=PLACE.time_bucket + 1), [([], [events.TENANT])]),
        case("both", replace(PLACE, index=9), [([started], []), ([], [events.TENANT]), ([failed], [events.TENANT])]),
        case("more_than_sixteen", replace(PLACE, index=9), [([started], [])] * 17),
        case("boot", replace(PLACE, kind="boot", index=0), [([events.BOOTED], [])]),
        case("snapshot", replace(PLACE, kind="snapshot", index=10), [([], [snapshot])]),
        case("another_log", replace(PLACE, log=65_535), [([started], [])]),
        case("another_boot_and_release", replace(PLACE, boot_id=pattern(0x61, 16), release=2), [([started], [])]),
        case("another_vault", replace(PLACE, vault_id=vault.OTHER_VAULT_ID), [([started], [])]),
        case("fills_its_size", PLACE, [([], [fills])]),
        case("one_byte_above_a_size", PLACE, [([], [one_more])]),
    ]


def refused_bodies() -> list[dict]:
    operations = [(STARTED, b""), (part([events.CHECKED_WRONG]), TENANT)]
    good = spec.seal(vault.KEYS, PLACE, operations)
    hot, kept = good.bodies
    out = []

    def fail(
        name: str,
        header: bytes,
        hot: bytes | None,
        kept: bytes | None = kept,
        vault_id: bytes = vault.VAULT_ID,
        log: int = 1,
    ) -> None:
        given = {key: body.hex() for key, body in (("hot", hot), ("kept", kept)) if body is not None}
        out.append(
            {"name": f"fail_body_{name}", "what": "body"}
            | CONTEXT
            | {"vault_id": vault_id.hex(), "log": log, "entry": spec.entry_of(header, hot, kept).hex()}
            | given
            | {"refusal": "BodyError"}
        )

    def changed(at: int, value: bytes) -> bytes:
        return good.header[:at] + value + good.header[at + len(value) :]

    def of_plaintext(name: str, plaintext: bytes) -> None:
        sealed = spec.seal(vault.KEYS, PLACE, operations, spec.pad(plaintext))
        fail(name, sealed.header, *sealed.bodies)

    fail("in_another_vault", good.header, hot, vault_id=vault.OTHER_VAULT_ID)
    fail("in_another_log", good.header, hot, log=2)
    fail("in_the_public_log", good.header, hot, log=0)
    fail("at_another_index", changed(8, u64(8)), hot)
    fail("of_another_boot", changed(24, pattern(0x61, 16)), hot)
    for name, at, value in (
        ("kind", 1, b"\x02"),
        ("hot_size", 2, b"\x02"),
        ("kept_size", 3, b"\x02"),
        ("time_bucket", 16, u64(PLACE.time_bucket + 1)),
        ("release", 40, u64(2)),
        ("hot_root", 48, sha256(b"other")),
        ("kept_root", 80, sha256(b"other")),
    ):
        fail(f"under_another_{name}", changed(at, value), hot)
    fail("in_each_others_place", good.header, kept, hot)
    fail("empty", good.header, b"")
    fail("shorter_than_a_tag", good.header, hot[:15])
    fail("cut", good.header, hot[:-1])
    fail("trailing", good.header, hot + b"\x00")
    fail("flipped", good.header, bytes([hot[0] ^ 1]) + hot[1:])
    fail("tag_flipped", good.header, hot[:-1] + bytes([hot[-1] ^ 1]))
    fail("kept_flipped", good.header, hot, bytes([kept[0] ^ 1]) + kept[1:])

    # The header's index moved along, and the bodies sealed again under it but with the nonce of another index.
    header = changed(8, u64(8))
    key = vault.KEYS.derive("log", "ops-0", vault.BOOT_ID)
    again = []
    for body in (HOT, KEPT):
        plaintext = spec.pad(spec.encode_parts([operation[body] for operation in operations]))
        associated = spec.aad(vault.VAULT_ID, 1, 8, body, header)
        again.append(aes_256_gcm(key, spec.nonce(body, 7), associated, plaintext))
    fail("with_the_nonce_of_another_index", header, *again)

    # Authentic, but not what a correct writer seals.
    parts = [one for one, _ in operations]
    encoded = spec.encode_parts(parts)
    length = len(encoded) - 6
    padded = spec.pad(encoded)
    of_plaintext("padding_not_zero", spec.pad(encoded, b"\x01"))
    of_plaintext("last_byte_of_padding_not_zero", padded[:-1] + b"\x01")
    of_plaintext("used_one_more", spec.encode_parts(parts, used=length + 1))
    of_plaintext("used_one_less", spec.encode_parts(parts, used=length - 1))
    of_plaintext("used_beyond_the_plaintext", spec.encode_parts(parts, used=1024 - 6 + 1))
    of_plaintext("one_part_more_than_there_is", spec.encode_parts(parts, n=3))
    of_plaintext("one_part_less_than_there_is", spec.encode_parts(parts, n=1))
    of_plaintext("no_parts", spec.encode_parts(parts, n=0))
    of_plaintext("part_beyond_the_parts", spec.encode_parts([], used=8, n=1) + u32(300) + bytes(4))
    of_plaintext("other_number_of_operations_than_the_kept", spec.encode_parts(parts + [b""]))
    of_plaintext("part_with_half_a_length", spec.encode_parts([lp(events.STARTED) + b"\x00\x00", b""]))
    of_plaintext("event_beyond_its_part", spec.encode_parts([u32(300) + bytes(8), b""]))
    return out
