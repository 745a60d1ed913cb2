"""Page 05."""

from spec.wire import lp, sha256, u8, u64

MAGIC = b"adyton bundle v1\n"
FIELDS = {
    "vault_id": bytes(range(32)).hex(),
    "release": 7,
    "policy_hash": "22" * 32,
    "boot_id": "33" * 16,
    "profile": 1,
    "tls_key": "44" * 32,
    "hpke_key": "55" * 32,
    "log_key": "66" * 32,
    "ca_key": "77" * 32,
    "notaries": [],
    "quorum": 0,
    "reveals": [],
}


def encode(fields: dict, magic: bytes = MAGIC) -> bytes:
    def raw(name: str) -> bytes:
        return bytes.fromhex(fields[name])

    out = magic + raw("vault_id") + u64(fields["release"]) + raw("policy_hash") + raw("boot_id")
    out += u8(fields["profile"]) + raw("tls_key") + raw("hpke_key") + raw("log_key") + raw("ca_key")
    out += u8(len(fields["notaries"])) + b"".join(map(bytes.fromhex, fields["notaries"])) + u8(fields["quorum"])
    return out + u8(len(fields["reveals"])) + b"".join(map(lp, fields["reveals"]))


def notaries(*firsts: int) -> list[str]:
    return [f"{first:02x}" * 32 for first in firsts]


def cases() -> list[dict]:
    longest = ["a" * 64, *(f"reveal-{n:02}" for n in range(31))]
    good = {
        "minimal": {},
        "notaries_3_of_4": {"profile": 3, "notaries": notaries(1, 2, 3, 4), "quorum": 3},
        "reveals": {"profile": 2, "reveals": ["factor.binding", "share-1"]},
        "largest": {"profile": 4, "notaries": notaries(*range(1, 256)), "quorum": 255, "reveals": longest},
    }
    out = []
    for name, changes in good.items():
        fields = FIELDS | changes
        encoded = encode(fields)
        out.append({"name": name, "fields": fields, "hex": encoded.hex(), "sha256": sha256(encoded).hex()})

    def fail(name: str, refusal: str, encoded: bytes) -> None:
        out.append({"name": f"fail_{name}", "hex": encoded.hex(), "refusal": refusal})

    def changed(**changes: object) -> bytes:
        return encode(FIELDS | changes)

    minimal = encode(FIELDS)
    fail("magic", "Magic", encode(FIELDS, b"adyton bundle v2\n"))
    fail("empty", "Truncated", b"")
    fail("truncated", "Truncated", minimal[:-1])
    fail("trailing", "TrailingBytes", minimal + b"\x00")
    fail("profile_0", "Profile", changed(profile=0))
    fail("profile_5", "Profile", changed(profile=5))
    fail("quorum_without_notaries", "Notaries", changed(quorum=1))
    fail("quorum_0", "Notaries", changed(notaries=notaries(1), quorum=0))
    fail("quorum_above_n", "Notaries", changed(notaries=notaries(1), quorum=2))
    fail("notaries_repeat", "Notaries", changed(notaries=notaries(1, 1), quorum=1))
    fail("notaries_descend", "Notaries", changed(notaries=notaries(2, 1), quorum=1))
    fail("reveal_upper_case", "Reveals", changed(reveals=["Factor"]))
    fail("reveals_descend", "Reveals", changed(reveals=["b", "a"]))
    fail("reveals_repeat", "Reveals", changed(reveals=["a", "a"]))
    fail("reveal_empty", "Reveals", changed(reveals=[""]))
    fail("reveal_too_long", "Reveals", changed(reveals=["a" * 65]))
    fail("reveals_33", "Reveals", changed(reveals=[f"reveal-{n:02}" for n in range(33)]))
    fail("reveal_not_utf8", "Reveals", changed(reveals=[b"\xff"]))
    return out
