"""Page 02."""

from dataclasses import replace

from spec import entry as spec
from spec import tree
from spec.entry import Header, Place
from spec.primitives import aes_256_gcm
from spec.snapshot import manifest
from spec.wire import lp, sha256, u32, u64

from . import events, vault
from .vault import pattern

NO_TENANT = bytes(16)
HOT = Header("ops", 0, 272, 7, 178_000_000, pattern(0xA0, 16), vault.BOOT_ID, 2, sha256(b"hot"))


def cases() -> list[dict]:
    return entries() + headers() + commitments() + size_classes() + events.cases() + bodies() + refused_bodies()


def entries() -> list[dict]:
    def case(name: str, header: Header, body: bytes) -> dict:
        header = replace(header, body_len=len(body))
        encoded = header.encode() + sha256(body)
        fields = {key: value.hex() if isinstance(value, bytes) else value for key, value in vars(header).items()}
        return {"name": f"entry_{name}", "what": "entry"} | fields | {
            "body": body.hex(),
            "entry": encoded.hex(),
            "body_hash": sha256(body).hex(),
            "leaf_hash": tree.leaf_hash(encoded).hex(),
            "sha256": sha256(encoded).hex(),
        }

    return [
        case("gov_first", Header("gov", 2, 0, 0, 0, NO_TENANT, vault.BOOT_ID, 1, bytes(32)), b"public"),
        case("ops_hot", HOT, pattern(0, 272)),
        case("ops_kept", replace(HOT, keep=1, index=2**32 + 5, time_bucket=178_000_001), pattern(0, 528)),
        case("boot", replace(HOT, kind="boot", keep=1, index=8, tenant=NO_TENANT, release=2**63), b""),
        case(
            "snapshot",
            replace(HOT, kind="snapshot", keep=2, index=2**63 - 1, time_bucket=2**64 - 1, tenant=NO_TENANT),
            b"\xff" * 17,
        ),
        case("index_2_63", replace(HOT, kind="snapshot", keep=2, index=2**63), b"hello"),
    ]


def headers() -> list[dict]:
    def case(name: str, at: int, value: int, refusal: str) -> dict:
        encoded = bytearray(HOT.encode())
        encoded[at] = value
        return {"name": f"fail_header_{name}", "what": "header", "hex": encoded.hex(), "refusal": refusal}

    return [
        case("version_0", 0, 0, "Version { got: 0 }"),
        case("version_2", 0, 2, "Version { got: 2 }"),
        case("kind_0", 1, 0, "Kind { got: 0 }"),
        case("kind_5", 1, 5, "Kind { got: 5 }"),
        case("keep_3", 2, 3, "Keep { got: 3 }"),
        case("reserved_3", 3, 1, "Reserved"),
        case("reserved_96", 96, 1, "Reserved"),
        case("reserved_127", 127, 0x80, "Reserved"),
    ]


def commitments() -> list[dict]:
    out = []
    for count in (1, 2, 3, 5, 8):
        made = []
        for i in range(count):
            salt = sha256(b"salt", bytes([count, i]))[:16]
            event = bytes([i + 1]) * (i * 37 % 95)
            made.append((salt, event, spec.commitment(salt, event)))
        listed = [{"salt": s.hex(), "event": e.hex(), "commitment": c.hex()} for s, e, c in made]
        root = tree.root([c for _, _, c in made]).hex()
        out.append({"name": f"commitments_{count}", "what": "commitments", "events": listed, "root": root})
    return out


def size_classes() -> list[dict]:
    out = []
    for length in (0, 1, 256, 257, 512, 513, 100_000, 524_287, 524_288, 524_289, 2**32 - 1):
        size = spec.size_class(length)
        failed = {"refusal": "None"} if size is None else {}
        name = f"{'fail_' if failed else ''}size_class_{length}"
        out.append({"name": name, "what": "size_class", "len": length, "size_class": size} | failed)
    return out


PLACE = Place(
    vault_id=vault.VAULT_ID,
    log=1,
    boot_id=vault.BOOT_ID,
    release=1,
    kind="ops",
    keep=0,
    index=7,
    time_bucket=vault.TIME // 10,
    account=vault.ACCOUNT_SID,
)
CONTEXT = {"root_key": vault.ROOT_KEY.hex(), "epoch": 1}


def bodies() -> list[dict]:
    started, failed, approved = events.STARTED, events.CHECK_FAILED, events.APPROVED

    def case(name: str, place: Place, records: list[bytes]) -> dict:
        sealed = spec.seal(vault.KEYS, place, records)
        fields = {key: value.hex() if isinstance(value, bytes) else value for key, value in vars(place).items()}
        return {"name": f"body_{name}", "what": "body"} | CONTEXT | fields | {
            "records": [record.hex() for record in records],
            "salts": [salt.hex() for salt in sealed.salts],
            "commitments": [commitment.hex() for commitment in sealed.commitments],
            "entry": sealed.entry.hex(),
            "body": sealed.body.hex(),
        }

    snapshot = manifest(pattern(0x90, 16), 9, [b"the sealed bytes of a chunk"])
    # u32 length, u32 count, and for each event its u32 length: 246 bytes of name make 256 bytes in all.
    fills_a_class = events.tenant_created("n" * (256 - 4 - 4 - 4 - 1 - 8 - 16 - 32 - 4 - 8 - 4), "")
    one_more = events.tenant_created("n" * (256 - 4 - 4 - 4 - 1 - 8 - 16 - 32 - 4 - 8 - 4 + 1), "")
    return [
        case("one_hot_event", PLACE, [started]),
        case("three_events", replace(PLACE, index=2**40), [started, failed, approved]),
        case("kept", replace(PLACE, keep=1, index=8, time_bucket=PLACE.time_bucket + 1), [events.TENANT]),
        case("no_tenant", replace(PLACE, index=9, account=None), [events.SLOT_OPENED, events.EXPIRED]),
        case("boot", replace(PLACE, kind="boot", index=0, account=None), [events.BOOTED]),
        case("snapshot", replace(PLACE, kind="snapshot", keep=2, index=10, account=None), [snapshot]),
        case("another_log", replace(PLACE, log=65_535), [started]),
        case("another_boot_and_release", replace(PLACE, boot_id=pattern(0x61, 16), release=2), [started]),
        case("another_vault", replace(PLACE, vault_id=vault.OTHER_VAULT_ID), [started]),
        case("last_bucket_of_a_day", replace(PLACE, time_bucket=20_602 * 8640 - 1), [started]),
        case("first_bucket_of_the_next_day", replace(PLACE, time_bucket=20_602 * 8640), [started]),
        case("fills_its_size_class", replace(PLACE, keep=1), [fills_a_class]),
        case("one_byte_above_a_size_class", replace(PLACE, keep=1), [one_more]),
    ]


def refused_bodies() -> list[dict]:
    records = [events.STARTED, events.CHECK_FAILED]
    good = spec.seal(vault.KEYS, PLACE, records)
    out = []

    def fail(name: str, header: bytes, body: bytes, vault_id: bytes = vault.VAULT_ID, log: int = 1) -> None:
        out.append(
            {"name": f"fail_body_{name}", "what": "body"}
            | CONTEXT
            | {"vault_id": vault_id.hex(), "log": log}
            | {"entry": (header + sha256(body)).hex(), "body": body.hex(), "refusal": "BodyError"}
        )

    def changed(at: int, value: bytes) -> bytes:
        return good.header[:at] + value + good.header[at + len(value) :]

    def of_plaintext(name: str, plaintext: bytes) -> None:
        sealed = spec.seal(vault.KEYS, PLACE, records, plaintext)
        fail(name, sealed.header, sealed.body)

    fail("in_another_vault", good.header, good.body, vault_id=vault.OTHER_VAULT_ID)
    fail("in_another_log", good.header, good.body, log=2)
    fail("in_the_public_log", good.header, good.body, log=0)
    fail("at_another_index", changed(8, u64(8)), good.body)
    fail("of_another_boot", changed(40, pattern(0x61, 16)), good.body)
    for name, at, value in (
        ("kind", 1, b"\x02"),
        ("keep", 2, b"\x01"),
        ("length", 4, u32(len(good.body) + 1)),
        ("time_bucket", 16, u64(PLACE.time_bucket + 1)),
        ("tenant", 24, bytes(16)),
        ("release", 56, u64(2)),
        ("commitments", 64, bytes(32)),
    ):
        fail(f"under_another_{name}", changed(at, value), good.body)
    fail("empty", good.header, b"")
    fail("shorter_than_a_tag", good.header, good.body[:15])
    fail("cut", good.header, good.body[:-1])
    fail("trailing", good.header, good.body + b"\x00")
    fail("flipped", good.header, bytes([good.body[0] ^ 1]) + good.body[1:])
    fail("tag_flipped", good.header, good.body[:-1] + bytes([good.body[-1] ^ 1]))

    # The header's index moved along, and the body sealed again under it but with the nonce of another index.
    header = changed(8, u64(8))
    key = vault.KEYS.derive("log", "ops-0", vault.BOOT_ID)
    plaintext = spec.pad(spec.encode_records(records))
    other_nonce = aes_256_gcm(key, bytes(4) + u64(7), spec.aad(vault.VAULT_ID, 1, 8, header), plaintext)
    fail("with_the_nonce_of_another_index", header, other_nonce)

    # Authentic, but not what a correct writer seals.
    encoded = spec.encode_records(records)
    of_plaintext("padding_not_zero", spec.pad(encoded, b"\x01"))
    of_plaintext("last_byte_of_padding_not_zero", spec.pad(encoded)[:-1] + b"\x01")
    of_plaintext("records_trailing", spec.pad(encoded + b"\x00"))
    of_plaintext("one_record_more_than_there_is", spec.pad(u32(3) + encoded[4:]))
    of_plaintext("one_record_less_than_there_is", spec.pad(u32(1) + encoded[4:]))
    of_plaintext("count_huge", spec.pad(u32(2**32 - 1) + encoded[4:]))
    of_plaintext("record_beyond_the_records", spec.pad(u32(1) + u32(300) + encoded[8:]))
    of_plaintext("records_beyond_the_plaintext", u32(1000) + spec.pad(encoded)[4:])
    of_plaintext("no_length", b"\x00\x00\x00")
    of_plaintext("no_count", spec.pad(lp(b"")[:3]))
    return out
