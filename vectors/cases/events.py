"""Page 02, events inside `ops` bodies. Fields are named as in the page; SIDs are their texts."""

from spec.keys import sid, subject, token_hash
from spec.snapshot import loosening, settings
from spec.wire import lp, u8, u32, u64

from . import vault

TOKEN_HASH = token_hash(vault.KEYS, vault.ACCOUNT_SID, vault.TOKEN)
SUBJECT = subject(vault.KEYS, vault.ACCOUNT_SID, vault.SALT, vault.SERVICE_SID, "sms", vault.DESTINATION)


SSH_KEY = "ssh-ed25519 AAAAC3Nz tenant"
KEY = bytes(range(0xE0, 0xF0))
OTHER_KEY = bytes(range(0xE1, 0xF1))
CLIENT = bytes(range(0xD0, 0xE0))


def event(kind: int, fields: bytes = b"", time: int = vault.TIME) -> bytes:
    return u8(kind) + u64(time) + fields


def tenant_created(friendly_name: str, ssh_key: str = SSH_KEY, admitted: int = 0) -> bytes:
    return event(2, vault.ACCOUNT + TOKEN_HASH + vault.SALT + lp(ssh_key) + u64(admitted) + lp(friendly_name))


def service_created(*chosen: object) -> bytes:
    return event(3, vault.ACCOUNT + vault.SERVICE + settings(*chosen))


def started(channel: int, code_length: int = 6) -> bytes:
    ids = vault.VERIFICATION + vault.ACCOUNT + vault.SERVICE
    return event(5, ids + u8(channel) + SUBJECT + vault.ATTEMPT + u8(code_length))


def checked(outcome: int, full_again: int) -> bytes:
    return event(7, vault.VERIFICATION + vault.SERVICE + SUBJECT + u64(full_again) + u8(outcome))


def keys_changed(reset: int, token_hash: bytes, removed: list[bytes], added: list[tuple[bytes, int, bytes]]) -> bytes:
    own = u8(1) + token_hash if token_hash else u8(0)
    keys = b"".join(key + u8(scopes) + hashed for key, scopes, hashed in added)
    lists = u32(len(removed)) + b"".join(removed) + u32(len(added)) + keys
    return event(12, vault.ACCOUNT + u64(5) + u8(reset) + own + lists)


def support_looked(kind: int) -> bytes:
    return event(19, vault.ACCOUNT + u8(kind) + KEY + vault.VERIFICATION)


def operation(credential: int, kind: int = 10, outcome: int = 1) -> bytes:
    named = vault.SERVICE + u8(kind) + vault.VERIFICATION
    return event(4, u8(credential) + KEY + named + u8(outcome) + CLIENT)


def delivery_reported(outcome: int, route: int = 255) -> bytes:
    return event(10, vault.VERIFICATION + vault.ATTEMPT + u8(outcome) + u8(route))


OUTCOMES = ("proven", "supplied", "wrong", "too_many", "closed", "unknown", "by_api")

# The whole alphabet of base64.
APP_HASHES = tuple(f"{letter}+/09AZaz{letter}{letter}" for letter in "abcdefghi")

BOOTED = event(1, vault.BOOT_ID)
TENANT = tenant_created("Acme")
STARTED = started(1)
RESENT = event(6, vault.VERIFICATION + vault.ATTEMPT + bytes(50))
CHECKED_PROVEN, CHECKED_WRONG = (checked(outcome, vault.TIME + 120) for outcome in (1, 3))
SWEPT = event(9)


def service_fields(
    code_length: int, custom: bool, private: bool, name: str, domain: str, app_hashes: tuple[str, ...] = ()
) -> dict:
    return {
        "code_length": code_length,
        "custom_code": custom,
        "do_not_share": private,
        "friendly_name": name,
        "web_otp_domain": domain,
        "app_hashes": ",".join(app_hashes),
    }


def cases() -> list[dict]:
    account, service = {"account": vault.ACCOUNT_SID}, {"service": vault.SERVICE_SID}
    verification, attempt = {"verification": vault.VERIFICATION_SID}, {"attempt": vault.ATTEMPT_SID}
    out = []

    def case(name: str, kind: str, class_: str, encoded: bytes, fields: dict) -> None:
        time = int.from_bytes(encoded[1:9], "big")
        head = {"name": f"event_{name}", "what": "event", "event": kind, "class": class_, "time": time}
        out.append(head | fields | {"hex": encoded.hex()})

    case("booted", "Booted", "P", BOOTED, {"boot_id": vault.BOOT_ID.hex()})
    for name, friendly_name, ssh_key, admitted in (
        ("", "Acme", SSH_KEY, 0),
        ("_by_the_owners", "Acme", SSH_KEY, 7),
        ("_without_a_name", "", "", 0),
        ("_not_ascii", "Bäckerei", SSH_KEY, 0),
    ):
        fields = account | {"token_hash": TOKEN_HASH.hex(), "friendly_name": friendly_name}
        fields |= {"salt": vault.SALT.hex(), "ssh_key": ssh_key, "admitted": admitted}
        case(f"tenant_created{name}", "TenantCreated", "S", tenant_created(friendly_name, ssh_key, admitted), fields)
    for name, chosen in (
        ("", (6, False, False, "Login", "")),
        ("_bound", (10, True, True, "Ä", "login.example.com")),
        ("_with_an_app", (6, False, True, "Login", "", ("He42w354ol9",))),
        ("_with_eight_apps", (6, False, True, "Login", "login.example.com", APP_HASHES[:8])),
    ):
        fields = account | service | service_fields(*chosen)
        case(f"service_created{name}", "ServiceCreated", "S", service_created(*chosen), fields)
        updated = event(13, vault.SERVICE + settings(*chosen))
        case(f"service_updated{name}", "ServiceUpdated", "S", updated, service | service_fields(*chosen))
    case("service_deleted", "ServiceDeleted", "S", event(14, vault.SERVICE), service)
    for name, length, custom in (("", 4, 0), ("_to_custom_codes", 0, 1)):
        waits = loosening(length, custom, vault.TIME + 86_400)
        fields = account | service | {"sequence": 9, "code_length": length, "custom_code": bool(custom)}
        fields |= {"at": vault.TIME + 86_400}
        scheduled = event(15, vault.ACCOUNT + u64(9) + vault.SERVICE + waits)
        case(f"loosening_scheduled{name}", "LooseningScheduled", "S", scheduled, fields)
    for in_effect in (0, 1):
        ended = event(16, vault.SERVICE + u8(in_effect))
        case(f"loosening_ended_{in_effect}", "LooseningEnded", "S", ended, service | {"in_effect": bool(in_effect)})
    fields = {"sequence": 3, "text": "version = 1\n"}
    case("settings_changed", "SettingsChanged", "S", event(11, u64(3) + lp("version = 1\n")), fields)
    for name, reset, own, removed, added in (
        ("", 0, b"", [OTHER_KEY], [(KEY, 1, TOKEN_HASH)]),
        ("_by_a_reset", 1, TOKEN_HASH, [], [(KEY, 4, TOKEN_HASH), (OTHER_KEY, 7, TOKEN_HASH)]),
        ("_to_none", 0, b"", [], []),
    ):
        keys = [{"key": sid("SK", key), "scopes": scopes, "token_hash": hashed.hex()} for key, scopes, hashed in added]
        fields = account | {"sequence": 5, "reset": bool(reset), "token_hash": own.hex(), "added": keys}
        fields |= {"removed": [{"key": sid("SK", key)} for key in removed]}
        case(f"keys_changed{name}", "KeysChanged", "S", keys_changed(reset, own, removed, added), fields)
    case("verification_canceled", "VerificationCanceled", "H", event(17, vault.VERIFICATION), verification)
    for kind, letters in ((1, "AC"), (2, "SK")):
        fields = account | verification | {"user": sid(letters, KEY)}
        case(f"support_looked_by_{letters.lower()}", "SupportLooked", "A", support_looked(kind), fields)
    fields = verification | account | service | {"channel": "sms", "subject": SUBJECT.hex()} | attempt
    case("verification_started", "VerificationStarted", "H", STARTED, fields | {"code_length": 6})
    case("verification_started_by_email", "VerificationStarted", "H", started(2, 8), fields | {"channel": "email", "code_length": 8})
    case("verification_resent", "VerificationResent", "H", RESENT, verification | attempt)
    about = verification | service | {"subject": SUBJECT.hex()}
    for number, outcome in enumerate(OUTCOMES, 1):
        full_again = vault.TIME + 120 if number <= 3 else 0
        fields = about | {"full_again": full_again, "outcome": outcome}
        case(f"checked_{outcome}", "Checked", "P", checked(number, full_again), fields)
    # What a secret decides shows in no length.
    assert len({len(checked(number, 0)) for number in range(1, 8)}) == 1 and len(RESENT) == len(STARTED)
    case("swept", "Swept", "H", SWEPT, {})
    case("at_the_last_second", "Swept", "H", event(9, time=2**64 - 1), {})
    for number, outcome in enumerate(("accepted", "refused", "gave_up", "unreachable", "unconfirmed", "withdrawn"), 1):
        fields = verification | attempt | {"outcome": outcome, "route": None}
        case(f"delivery_{outcome}", "DeliveryReported", "H", delivery_reported(number), fields)
    for route in (0, 254):
        fields = verification | attempt | {"outcome": "accepted", "route": route}
        case(f"delivery_by_route_{route}", "DeliveryReported", "H", delivery_reported(1, route), fields)

    case("send_repeated", "SendRepeated", "H", event(20, vault.VERIFICATION + vault.ATTEMPT), verification | attempt)

    for number, credential in enumerate(("account", "key", "signer", "owners"), 1):
        fields = {"credential": credential, "sid": KEY.hex(), "service": vault.SERVICE.hex(), "kind": 10}
        fields |= {"object": vault.VERIFICATION.hex(), "outcome": "done", "client": CLIENT.hex()}
        case(f"operation_by_{credential}", "Operation", "A", operation(number), fields)
    for number, outcome in enumerate(("done", "refused", "not_permitted"), 1):
        fields = {"credential": "owners", "sid": bytes(16).hex(), "service": bytes(16).hex(), "kind": 17}
        fields |= {"object": bytes(16).hex(), "outcome": outcome, "client": bytes(16).hex()}
        recorded = event(4, u8(4) + bytes(32) + u8(17) + bytes(16) + u8(number) + bytes(16))
        case(f"operation_{outcome}", "Operation", "A", recorded, fields)
    # With its length before it.
    assert len(lp(operation(1))) == 80

    def fail(name: str, encoded: bytes) -> None:
        out.append({"name": f"fail_event_{name}", "what": "event", "hex": encoded.hex(), "refusal": "Corrupt"})

    fail("empty", b"")
    fail("kind_0", event(0))
    for name, encoded in (
        ("credential_0", operation(0)),
        ("credential_5", operation(5)),
        ("number_0", operation(1, kind=0)),
        ("number_18", operation(1, kind=18)),
        ("outcome_0", operation(1, outcome=0)),
        ("outcome_4", operation(1, outcome=4)),
        ("cut", operation(1)[:-1]),
        ("trailing", operation(1) + b"\x00"),
    ):
        fail(f"operation_{name}", encoded)
    fail("kind_8", event(8))
    fail("kind_21", event(21))
    fail("kind_18", event(18))
    fail("time_cut", SWEPT[:-1])
    fail("swept_trailing", SWEPT + b"\x00")
    fail("booted_cut", BOOTED[:-1])
    fail("tenant_name_cut", TENANT[:-1])
    fail("tenant_trailing", TENANT + b"\x00")
    fail("tenant_name_not_utf8", event(2, vault.ACCOUNT + TOKEN_HASH + vault.SALT + lp(b"") + u64(0) + lp(b"\xff")))
    fail("tenant_name_length_huge", event(2, vault.ACCOUNT + TOKEN_HASH + vault.SALT + lp(b"") + u64(0) + u32(2**32 - 1)))
    fail("channel_0", started(0))
    fail("channel_3", started(3))
    fail("started_without_length", STARTED[:-1])
    fail("check_outcome_0", checked(0, 0))
    fail("check_outcome_8", checked(8, 0))
    fail("check_without_outcome", CHECKED_WRONG[:-1])
    fail("resent_cut", RESENT[:-1])
    fail("resent_not_zeros", RESENT[:-1] + b"\x01")
    fail("settings_flags_4", event(13, vault.SERVICE + u8(6) + u8(4) + u8(1) + lp(b"") + lp(b"") + u8(0)))
    for requirements in (0, 2, 65):
        chosen = u8(6) + u8(0) + u8(requirements) + lp(b"") + lp(b"") + u8(0)
        fail(f"settings_requirements_{requirements}", event(13, vault.SERVICE + chosen))
    bare = vault.SERVICE + settings(6, False, False, "Login", "")[:-1]
    fail("settings_without_app_hashes", event(13, bare))
    fail("settings_app_hash_cut", event(13, bare + u8(1) + b"He42w354ol"))
    fail("settings_app_hash_of_base64url", event(13, bare + u8(1) + b"He42w354ol-"))
    fail("settings_app_hash_twice", event(13, bare + u8(2) + b"He42w354ol9" * 2))
    fail("settings_nine_app_hashes", event(13, bare + u8(9) + "".join(APP_HASHES).encode()))
    fail("in_effect_2", event(16, vault.SERVICE + u8(2)))
    fail("scopes_0", keys_changed(0, b"", [], [(KEY, 0, TOKEN_HASH)]))
    fail("scopes_8", keys_changed(0, b"", [], [(KEY, 8, TOKEN_HASH)]))
    fail("reset_2", keys_changed(2, b"", [], []))
    fail("user_0", support_looked(0))
    fail("user_3", support_looked(3))
    fail("outcome_0", delivery_reported(0))
    fail("outcome_7", delivery_reported(7))
    fail("outcome_without_route", delivery_reported(1)[:-1])
    return out
