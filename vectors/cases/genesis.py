"""Page 03, bodies of `gov` and what the genesis record holds."""

from dataclasses import replace

from spec import head as spec
from spec import tree
from spec.head import wrap_root_key
from spec.wire import sha256, u8, u32

from . import vault
from .vault import pattern

# Fields that are easy to see in a hex dump.
PLAIN = spec.Genesis(
    profile="kms",
    nonce=b"\x01" * 32,
    attestation_root=b"\x02" * 32,
    policy_hash=b"\x03" * 32,
    log_key=b"\x04" * 32,
    hpke_key=b"\x05" * 32,
    ca_certificate=b"certificate",
    sealed_ca_key=b"sealed ca key",
    wrapped_root=b"\x06" * 60,
    kms_ciphertext=b"",
)
BOOT = {"boot_id": pattern(0x10, 16), "policy_hash": b"\x03" * 32, "bundle_hash": b"\x09" * 32}
POLICY = b"version = 1\n"
OLD, NEW = b"\x0a" * 32, b"\x0b" * 32
SIGNATURES = [b"SSHSIG one", b"SSHSIG two"]
ACCOUNT = b"https://acme.example/account/1"
ORDER = b"https://acme.example/order/7"
ROOT_7 = tree.root([tree.leaf_hash(f"leaf {n}".encode()) for n in range(7)])


def cases() -> list[dict]:
    return records() + refused_records() + [vault_id()] + wrapped_root_keys() + sealed_ca_keys()


def genesis(name: str, value: spec.Genesis) -> dict:
    fields = {key: field.hex() for key, field in vars(value).items() if key != "profile"}
    return {
        "name": f"gov_{name}",
        "what": "gov",
        "hex": value.encode().hex(),
        "record": "genesis",
        "profile": value.profile,
        "fields": fields,
    }


def boot_record() -> bytes:
    return spec.boot_record(BOOT["boot_id"], 3, BOOT["policy_hash"], BOOT["bundle_hash"], vault.TIME)


def records() -> list[dict]:
    return [
        genesis("genesis", PLAIN),
        genesis("genesis_of_the_vault", vault.GENESIS),
        genesis("genesis_kms_quorum", replace(PLAIN, profile="kms+quorum")),
        genesis("genesis_quorum", replace(PLAIN, profile="quorum")),
        {
            "name": "gov_boot",
            "what": "gov",
            "hex": boot_record().hex(),
            "record": "boot",
            "fields": {key: value.hex() for key, value in BOOT.items()},
            "release": 3,
            "time": vault.TIME,
        },
        {
            "name": "gov_ops_root",
            "what": "gov",
            "hex": spec.ops_root(1, 7, ROOT_7).hex(),
            "record": "ops_root",
            "fields": {"root": ROOT_7.hex()},
            "log": "ops-0",
            "size": 7,
        },
        {
            "name": "gov_policy",
            "what": "gov",
            "hex": spec.policy_record(1, POLICY).hex(),
            "record": "policy",
            "fields": {"policy": POLICY.hex()},
            "release": 1,
        },
        {
            "name": "gov_approval",
            "what": "gov",
            "hex": spec.approval_record(2, OLD, NEW, SIGNATURES).hex(),
            "record": "approval",
            "fields": {"old": OLD.hex(), "new": NEW.hex()},
            "release": 2,
            "signatures": [signature.hex() for signature in SIGNATURES],
        },
        {
            "name": "gov_settings",
            "what": "gov",
            "hex": spec.settings_record(9, NEW, SIGNATURES[:1]).hex(),
            "record": "settings",
            "fields": {"hash": NEW.hex()},
            "sequence": 9,
            "signatures": [SIGNATURES[0].hex()],
        },
        certificate("certificate", b"sealed key", [b"leaf", b"issuer"]),
        certificate("certificate_none_yet", b"", []),
        {
            "name": "gov_order",
            "what": "gov",
            "hex": spec.order_record(ORDER, b"sealed key").hex(),
            "record": "order",
            "fields": {"address": ORDER.hex(), "sealed_key": b"sealed key".hex()},
        },
    ]


def certificate(name: str, sealed_key: bytes, chain: list[bytes]) -> dict:
    fields = {"account": ACCOUNT, "sealed_account_key": b"sealed account key", "sealed_key": sealed_key}
    return {
        "name": f"gov_{name}",
        "what": "gov",
        "hex": spec.certificate_record(**fields, chain=chain).hex(),
        "record": "certificate",
        "fields": {key: value.hex() for key, value in fields.items()},
        "chain": [der.hex() for der in chain],
    }


def refused_records() -> list[dict]:
    whole, boot, ops_root = PLAIN.encode(), boot_record(), spec.ops_root(1, 7, ROOT_7)
    certificate_at = 3 + 5 * 32

    def changed(at: int, value: bytes) -> bytes:
        return whole[:at] + value + whole[at + len(value) :]

    too_long = replace(PLAIN, ca_certificate=bytes(65_537)).encode()
    return [
        {"name": f"fail_gov_{name}", "what": "gov", "hex": encoded.hex(), "refusal": refusal}
        for name, refusal, encoded in (
            ("empty", "Truncated", b""),
            ("type_0", "Type { got: 0 }", u8(0)),
            ("type_7", "Type { got: 7 }", u8(7) + bytes(40)),
            ("genesis_version", "Version { got: 2 }", changed(1, u8(2))),
            ("profile_0", "Profile { got: 0 }", changed(2, u8(0))),
            ("profile_5", "Profile { got: 5 }", changed(2, u8(5))),
            ("genesis_cut", "Truncated", whole[:-1]),
            ("genesis_trailing", "TrailingBytes", whole + u8(0)),
            ("boot_cut", "Truncated", boot[:-1]),
            ("boot_trailing", "TrailingBytes", boot + u8(0)),
            ("ops_root_cut", "Truncated", ops_root[:-1]),
            ("ops_root_trailing", "TrailingBytes", ops_root + u8(0)),
            ("lp_beyond_input", "Truncated", changed(certificate_at, u32(2**32 - 1))),
            ("field_too_long", "Truncated", too_long),
            ("policy_cut", "Truncated", spec.policy_record(1, POLICY)[:-1]),
            ("policy_trailing", "TrailingBytes", spec.policy_record(1, POLICY) + u8(0)),
            ("policy_too_long", "Truncated", spec.policy_record(1, bytes(65_537))),
            ("approval_cut", "Truncated", spec.approval_record(2, OLD, NEW, SIGNATURES)[:-1]),
            ("approval_trailing", "TrailingBytes", spec.approval_record(2, OLD, NEW, SIGNATURES) + u8(0)),
            ("approval_unsigned", "Signatures { got: 0 }", spec.approval_record(2, OLD, NEW, [])),
            ("approval_33_signatures", "Signatures { got: 33 }", spec.approval_record(2, OLD, NEW, [b"x"] * 33)),
            ("settings_cut", "Truncated", spec.settings_record(9, NEW, SIGNATURES)[:-1]),
            ("certificate_cut", "Truncated", spec.certificate_record(ACCOUNT, b"a", b"b", [b"c"])[:-1]),
            ("certificate_trailing", "TrailingBytes", spec.certificate_record(ACCOUNT, b"a", b"b", [b"c"]) + u8(0)),
            ("certificate_chain_of_9", "Chain { got: 9 }", spec.certificate_record(ACCOUNT, b"a", b"b", [b"c"] * 9)),
            ("order_cut", "Truncated", spec.order_record(ORDER, b"b")[:-1]),
            ("order_trailing", "TrailingBytes", spec.order_record(ORDER, b"b") + u8(0)),
            ("type_18", "Type { got: 18 }", u8(18) + bytes(40)),
            ("settings_unsigned", "Signatures { got: 0 }", spec.settings_record(9, NEW, [])),
        )
    ]


def vault_id() -> dict:
    return {
        "name": "vault_id",
        "what": "vault_id",
        "genesis": vault.GENESIS.encode().hex(),
        "entry": vault.GENESIS_ENTRY.hex(),
        "vault_id": vault.VAULT_ID.hex(),
    }


def wrapped_root_keys() -> list[dict]:
    out = []
    wrapped = vault.GENESIS.wrapped_root

    def case(name: str, value: bytes, refused: bool = True, **changes: bytes) -> None:
        made_of = {
            "kms_secret": vault.KMS_SECRET,
            "genesis_nonce": vault.GENESIS_NONCE,
            "policy_hash": vault.POLICY_HASH,
        } | changes
        answer = {"refusal": "Opaque"} if refused else {"nonce": value[:12].hex(), "root_key": vault.ROOT_KEY.hex()}
        fields = {key: field.hex() for key, field in made_of.items()} | {"wrapped_root": value.hex()}
        out.append({"name": name, "what": "wrapped_root"} | fields | answer)

    def fail(name: str, value: bytes, **changes: bytes) -> None:
        case(f"fail_wrapped_root_{name}", value, **changes)

    def of_key(root_key: bytes) -> bytes:
        return wrap_root_key(vault.KMS_SECRET, vault.WRAP_NONCE, vault.GENESIS_NONCE, vault.POLICY_HASH, root_key)

    case("wrapped_root", wrapped, refused=False)
    fail("of_another_secret", wrapped, kms_secret=pattern(0x21, 32))
    fail("of_another_genesis", wrapped, genesis_nonce=pattern(0x41, 32))
    fail("of_another_policy", wrapped, policy_hash=sha256(b"another policy"))
    fail("under_another_nonce", bytes([wrapped[0] ^ 1]) + wrapped[1:])
    fail("flipped", wrapped[:-1] + bytes([wrapped[-1] ^ 1]))
    fail("cut", wrapped[:-1])
    fail("trailing", wrapped + b"\x00")
    fail("nonce_cut", wrapped[:11])
    fail("empty", b"")
    fail("of_31_bytes", of_key(vault.ROOT_KEY[:31]))
    fail("of_33_bytes", of_key(vault.ROOT_KEY + b"\x00"))
    return out


def sealed_ca_keys() -> list[dict]:
    out = []
    sealed = vault.GENESIS.sealed_ca_key

    def case(name: str, value: bytes, refused: bool = True, **changes: bytes) -> None:
        made_of = {
            "root_key": vault.ROOT_KEY,
            "genesis_nonce": vault.GENESIS_NONCE,
            "ca_certificate": vault.CA_CERTIFICATE,
        } | changes
        answer = {"pkcs8": vault.CA_PKCS8.hex(), "spki_sha256": vault.CA_SPKI_HASH.hex()}
        fields = {key: field.hex() for key, field in made_of.items()} | {"epoch": 1, "sealed_ca_key": value.hex()}
        out.append({"name": name, "what": "sealed_ca_key"} | fields | ({"refusal": "Key"} if refused else answer))

    def fail(name: str, value: bytes, **changes: bytes) -> None:
        case(f"fail_sealed_ca_key_{name}", value, **changes)

    case("sealed_ca_key", sealed, refused=False)
    fail("of_another_vault", sealed, root_key=pattern(0x01, 32))
    fail("of_another_genesis", sealed, genesis_nonce=pattern(0x41, 32))
    fail("of_another_certificate", sealed, ca_certificate=b"another certificate")
    fail("under_another_nonce", bytes([sealed[0] ^ 1]) + sealed[1:])
    fail("cut", sealed[:-1])
    fail("nonce_cut", sealed[:11])
    # The certificate's length is part of what is bound: none of its bytes can pass for the nonce's.
    moved = vault.GENESIS_NONCE[1:] + vault.CA_CERTIFICATE[:1]
    fail("with_bytes_moved", sealed, genesis_nonce=moved, ca_certificate=vault.CA_CERTIFICATE[1:])
    return out
