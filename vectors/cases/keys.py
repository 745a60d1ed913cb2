"""Page 00."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from spec.keys import KeyTree, code, code_of_block, seal_public_key, sid, subject, token_hash
from spec.primitives import ed25519_public, x25519_public
from spec.wire import u64

from . import vault
from .vault import pattern

LABELS = [
    ("log", ["ops-0", vault.BOOT_ID]),
    ("commitment", ["ops-0", vault.BOOT_ID]),
    ("log signing", []),
    ("snapshot", ["ops-0", vault.BOOT_ID, pattern(0x90, 16)]),
    ("hpke", []),
    ("ca wrap", []),
    ("token", []),
    ("subject", [vault.ACCOUNT_SID, vault.SALT]),
    ("public key wrap", []),
]


def cases() -> list[dict]:
    return derived() + public_keys() + keyed_hashes() + codes() + code_blocks() + sealed_public_keys()


def derived() -> list[dict]:
    chosen = [(label, 1, parts, vault.ROOT_KEY) for label, parts in LABELS]
    chosen += [
        ("log", 2, ["ops-0", vault.BOOT_ID], vault.ROOT_KEY),
        ("log", 1, ["gov", vault.BOOT_ID], vault.ROOT_KEY),
        ("log", 1, ["ops-65534", vault.BOOT_ID], vault.ROOT_KEY),
        ("log", 1, ["ops-0", pattern(0x61, 16)], vault.ROOT_KEY),
        ("log", 1, ["ops-0", vault.BOOT_ID], bytes(32)),
        # Three cuts of the same bytes: only their length prefixes tell them apart.
        ("subject", 1, ["AC", "00"], vault.ROOT_KEY),
        ("subject", 1, ["AC0", "0"], vault.ROOT_KEY),
        ("subject", 1, ["AC00", ""], vault.ROOT_KEY),
    ]
    out = []
    for number, (label, epoch, parts, root_key) in enumerate(chosen):
        out.append({
            "name": f"derive_{number}_{label.replace(' ', '_')}",
            "what": "derive",
            "root_key": root_key.hex(),
            "epoch": epoch,
            "label": label,
            "parts": [(part.encode() if isinstance(part, str) else part).hex() for part in parts],
            "key": KeyTree(root_key, epoch).derive(label, *parts).hex(),
        })
    return out


def public_keys() -> list[dict]:
    out = []
    for epoch in (1, 2):
        keys = KeyTree(vault.ROOT_KEY, epoch)
        out.append({
            "name": f"public_keys_of_epoch_{epoch}",
            "what": "public_keys",
            "root_key": vault.ROOT_KEY.hex(),
            "epoch": epoch,
            "ed25519_log_key": ed25519_public(keys.derive("log signing")).hex(),
            "x25519_hpke_key": x25519_public(keys.derive("hpke")).hex(),
        })
    return out


def keyed_hashes() -> list[dict]:
    base = {"root_key": vault.ROOT_KEY.hex(), "epoch": 1}
    out = []
    for name, account in (("", vault.ACCOUNT_SID), ("_of_another_account", vault.OTHER_ACCOUNT_SID)):
        out.append(base | {
            "name": f"token_hash{name}",
            "what": "token_hash",
            "account": account,
            "token": vault.TOKEN,
            "hash": token_hash(vault.KEYS, account, vault.TOKEN).hex(),
        })
    for name, account, salt in (
        ("", vault.ACCOUNT_SID, vault.SALT),
        ("_of_another_account", vault.OTHER_ACCOUNT_SID, vault.SALT),
        ("_under_another_salt", vault.ACCOUNT_SID, vault.OTHER_SALT),
    ):
        for channel, destination, prefix in (
            ("sms", vault.DESTINATION, vault.DESTINATION[:-4]),
            ("email", "Jo@example.com", "example.com"),
        ):
            counted = destination.lower()
            out.append(base | {
                "name": f"subjects{name}_by_{channel}",
                "what": "subjects",
                "account": account,
                "salt": salt.hex(),
                "service": vault.SERVICE_SID,
                "channel": channel,
                "destination": destination,
                "in_service": subject(vault.KEYS, account, salt, vault.SERVICE_SID, channel, counted).hex(),
                "in_tenant": subject(vault.KEYS, account, salt, "tenant", channel, counted).hex(),
                "prefix": subject(vault.KEYS, account, salt, "prefix", channel, prefix).hex(),
            })
    return [{"name": case.pop("name"), "what": case.pop("what")} | case for case in out]


def codes() -> list[dict]:
    def case(name: str, verification: str, digits: int) -> dict:
        slot_key = pattern(0xE0, 32)
        return {
            "name": name,
            "what": "code",
            "slot_key": slot_key.hex(),
            "verification": verification,
            "service": vault.SERVICE_SID,
            "digits": digits,
            "code": code(slot_key, verification, vault.SERVICE_SID, digits),
        }

    out = [case(f"code_of_{digits}_digits", vault.VERIFICATION_SID, digits) for digits in range(1, 11)]
    numbered = ((n, sid("VE", u64(0) + u64(n))) for n in range(1000))
    found = (case(f"code_with_two_leading_zeros_{n}", verification, 6) for n, verification in numbered)
    return out + [next(case for case in found if case["code"].startswith("00"))]


def code_blocks() -> list[dict]:
    """Rejection, which no hash can be steered into: blocks as they might come out of HMAC."""

    def case(name: str, words: list[int], digits: int) -> dict:
        block = b"".join(map(u64, words))
        return {
            "name": f"code_block_{name}",
            "what": "code_block",
            "block": block.hex(),
            "digits": digits,
            "code": code_of_block(block, digits),
        }

    out = [case("of_zeros", [0, 1, 2, 3], 6), case("keeps_zeros_in_front", [42, 1, 2, 3], 6)]
    for digits in (1, 6, 10):
        limit = 2**64 // 10**digits * 10**digits
        out += [
            case(f"last_accepted_{digits}", [limit - 1, 1, 2, 3], digits),
            case(f"first_rejected_{digits}", [limit, 7, 2, 3], digits),
            case(f"three_rejected_{digits}", [limit, 2**64 - 1, limit, 9], digits),
            case(f"all_rejected_{digits}", [2**64 - 1, limit, 2**64 - 1, limit], digits),
        ]
    return out


def sealed_public_keys() -> list[dict]:
    """Page 06: the key of a public certificate, sealed by the vault to itself."""
    key = ec.derive_private_key(int.from_bytes(pattern(0x02, 32), "big"), ec.SECP256R1())
    pkcs8 = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    nonce = pattern(0x70, 12)
    good = seal_public_key(vault.KEYS, nonce, vault.VAULT_ID, spki, pkcs8)
    out = []

    def case(name: str, sealed: bytes, refusal: str | None = None, vault_id: bytes = vault.VAULT_ID) -> None:
        answer = {"refusal": refusal} if refusal else {"spki": spki.hex()}
        out.append({
            "name": name,
            "what": "sealed_public_key",
            "root_key": vault.ROOT_KEY.hex(),
            "epoch": 1,
            "vault_id": vault_id.hex(),
            "sealed": sealed.hex(),
        } | answer)

    case("sealed_public_key", good)
    case("fail_sealed_public_key_of_another_vault", good, "Key", vault.OTHER_VAULT_ID)
    case("fail_sealed_public_key_changed", good[:-1] + bytes([good[-1] ^ 1]), "Key")
    case("fail_sealed_public_key_renamed", good[:40] + bytes([good[40] ^ 1]) + good[41:], "Key")
    case("fail_sealed_public_key_version_2", b"\x02" + good[1:], "Key")
    case("fail_sealed_public_key_cut", good[:50], "Key")
    case("fail_sealed_public_key_empty", b"", "Key")
    return out
