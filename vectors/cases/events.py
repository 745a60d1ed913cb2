"""Page 02, events inside `ops` bodies. Fields are named as in the page; SIDs are their texts."""

from spec.keys import subject, token_hash
from spec.wire import lp, u8, u32, u64

from . import vault

TOKEN_HASH = token_hash(vault.KEYS, vault.ACCOUNT_SID, vault.TOKEN)
SUBJECT = subject(vault.KEYS, vault.ACCOUNT_SID, vault.SERVICE_SID, "sms", vault.DESTINATION)


def event(kind: int, fields: bytes = b"", time: int = vault.TIME) -> bytes:
    return u8(kind) + u64(time) + fields


def tenant_created(friendly_name: str) -> bytes:
    return event(2, vault.ACCOUNT + TOKEN_HASH + lp(friendly_name))


def service_created(code_length: int, friendly_name: str) -> bytes:
    return event(3, vault.ACCOUNT + vault.SERVICE + u8(code_length) + lp(friendly_name))


def started(channel: int) -> bytes:
    ids = vault.VERIFICATION + vault.ACCOUNT + vault.SERVICE
    return event(5, ids + u8(channel) + SUBJECT + vault.ATTEMPT)


def delivery_reported(outcome: int) -> bytes:
    return event(10, vault.VERIFICATION + vault.ATTEMPT + u8(outcome))


BOOTED = event(1, vault.BOOT_ID)
TENANT = tenant_created("Acme")
SLOT_OPENED = event(4, u32(vault.TIME // 600))
STARTED = started(1)
RESENT = event(6, vault.VERIFICATION + vault.ATTEMPT)
CHECK_FAILED = event(7, vault.VERIFICATION)
APPROVED = event(8, vault.VERIFICATION)
EXPIRED = event(9)


def cases() -> list[dict]:
    account, service = {"account": vault.ACCOUNT_SID}, {"service": vault.SERVICE_SID}
    verification, attempt = {"verification": vault.VERIFICATION_SID}, {"attempt": vault.ATTEMPT_SID}
    out = []

    def case(name: str, kind: str, hot: bool, encoded: bytes, fields: dict) -> None:
        time = int.from_bytes(encoded[1:9], "big")
        head = {"name": f"event_{name}", "what": "event", "event": kind, "class": "H" if hot else "S", "time": time}
        out.append(head | fields | {"hex": encoded.hex()})

    case("booted", "Booted", True, BOOTED, {"boot_id": vault.BOOT_ID.hex()})
    for name, friendly_name in (("", "Acme"), ("_without_a_name", ""), ("_not_ascii", "Bäckerei")):
        fields = account | {"token_hash": TOKEN_HASH.hex(), "friendly_name": friendly_name}
        case(f"tenant_created{name}", "TenantCreated", False, tenant_created(friendly_name), fields)
    fields = account | service | {"code_length": 6, "friendly_name": "Login"}
    case("service_created", "ServiceCreated", False, service_created(6, "Login"), fields)
    case("slot_opened", "SlotOpened", True, SLOT_OPENED, {"slot": vault.TIME // 600})
    fields = verification | account | service | {"channel": "sms", "subject": SUBJECT.hex()} | attempt
    case("verification_started", "VerificationStarted", True, STARTED, fields)
    case("verification_resent", "VerificationResent", True, RESENT, verification | attempt)
    case("check_failed", "CheckFailed", True, CHECK_FAILED, verification)
    case("verification_approved", "VerificationApproved", True, APPROVED, verification)
    case("expired", "Expired", True, EXPIRED, {})
    case("at_the_last_second", "Expired", True, event(9, time=2**64 - 1), {})
    for number, outcome in enumerate(("accepted", "refused", "gave_up"), 1):
        fields = verification | attempt | {"outcome": outcome}
        case(f"delivery_{outcome}", "DeliveryReported", True, delivery_reported(number), fields)

    def fail(name: str, encoded: bytes) -> None:
        out.append({"name": f"fail_event_{name}", "what": "event", "hex": encoded.hex(), "refusal": "EventError"})

    fail("empty", b"")
    fail("kind_0", event(0))
    fail("kind_11", event(11))
    fail("time_cut", EXPIRED[:-1])
    fail("expired_trailing", EXPIRED + b"\x00")
    fail("booted_cut", BOOTED[:-1])
    fail("tenant_name_cut", TENANT[:-1])
    fail("tenant_trailing", TENANT + b"\x00")
    fail("tenant_name_not_utf8", event(2, vault.ACCOUNT + TOKEN_HASH + lp(b"\xff")))
    fail("tenant_name_length_huge", event(2, vault.ACCOUNT + TOKEN_HASH + u32(2**32 - 1)))
    fail("slot_cut", SLOT_OPENED[:-1])
    fail("channel_0", started(0))
    fail("channel_2", started(2))
    fail("started_without_attempt", STARTED[:-16])
    fail("outcome_0", delivery_reported(0))
    fail("outcome_4", delivery_reported(4))
    return out
