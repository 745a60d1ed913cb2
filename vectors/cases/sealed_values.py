"""Page 06."""

from spec import hpke
from spec.wire import lp

from . import vault
from .vault import pattern

EPHEMERAL = pattern(0x11, 32)
SEALED_TO_VAULT = {"private_key": vault.HPKE_PRIVATE_KEY.hex(), "public_key": vault.HPKE_KEY.hex()}
KMS_INFO = lp("adyton kms recipient v1")


def token(account: str, plaintext: str, vault_id: bytes = vault.VAULT_ID) -> bytes:
    info, place = hpke.vault_info(vault_id), hpke.place("tenant token", account)
    return hpke.sealed_value(vault.HPKE_KEY, EPHEMERAL, info, place, plaintext.encode())


def cases() -> list[dict]:
    out = []

    def case(name: str, sealed: bytes, plaintext: bytes | None, **changes: object) -> None:
        place = {"purpose": "tenant token", "vault_id": vault.VAULT_ID.hex(), "account": vault.ACCOUNT_SID} | changes
        answer = {"refusal": "Opaque"} if plaintext is None else {"plaintext": plaintext.hex()}
        out.append({"name": name} | SEALED_TO_VAULT | place | {"sealed": sealed.hex()} | answer)

    def fail(name: str, sealed: bytes, **changes: object) -> None:
        case(f"fail_{name}", sealed, None, **changes)

    good = token(vault.ACCOUNT_SID, vault.TOKEN)
    other_token = "z" * 64
    case("tenant_token", good, vault.TOKEN.encode())
    other = token(vault.OTHER_ACCOUNT_SID, other_token)
    case("tenant_token_of_another_account", other, other_token.encode(), account=vault.OTHER_ACCOUNT_SID)
    key_sid = "SK" + "0123456789abcdef" * 2
    api_key_place = hpke.place("api key", vault.ACCOUNT_SID, key_sid)
    api_key = hpke.sealed_value(
        vault.HPKE_KEY, EPHEMERAL, hpke.vault_info(vault.VAULT_ID), api_key_place, vault.TOKEN.encode()
    )
    of_key = {"purpose": "api key", "key": key_sid}
    case("api_key", api_key, vault.TOKEN.encode(), **of_key)
    fail("token_as_api_key", good, **of_key)
    fail("api_key_as_token", api_key)
    fail("api_key_moved_to_another", api_key, **(of_key | {"key": "SK" + "0" * 32}))
    data_key = hpke.sealed_value(vault.HPKE_KEY, EPHEMERAL, KMS_INFO, hpke.place("data key"), vault.KMS_SECRET)
    kms = {"purpose": "data key", "vault_id": None, "account": None}
    case("kms_data_key", data_key, vault.KMS_SECRET, **kms)

    fail("moved_to_another_account", good, account=vault.OTHER_ACCOUNT_SID)
    fail("moved_to_another_vault", good, vault_id=vault.OTHER_VAULT_ID.hex())
    fail("moved_to_another_purpose", good, **kms)
    fail("data_key_as_token", data_key)
    private_key = pattern(0x99, 32)
    public_key = hpke.x25519_public(private_key)
    fail("another_recipient", good, private_key=private_key.hex(), public_key=public_key.hex())
    fail("version_0", b"\x00" + good[1:])
    fail("version_2", b"\x02" + good[1:])
    fail("suite_0", good[:1] + b"\x00" + good[2:])
    fail("suite_2", good[:1] + b"\x02" + good[2:])
    fail("empty", b"")
    fail("header_only", good[:2])
    fail("enc_cut", good[:33])
    fail("no_ciphertext", good[:34])
    fail("tag_cut", good[:-1])
    fail("trailing", good + b"\x00")
    fail("enc_flipped", good[:2] + bytes([good[2] ^ 1]) + good[3:])
    fail("ciphertext_flipped", good[:34] + bytes([good[34] ^ 1]) + good[35:])
    # RFC 7748 §6.1: a point of small order gives an all-zero secret, which RFC 9180 §7.1.4 refuses.
    fail("enc_of_small_order", good[:2] + bytes(32) + good[34:])
    return out
