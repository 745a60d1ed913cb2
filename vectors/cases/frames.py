"""Page 01. The bytes are whole frames, length included."""

from spec.wire import lp, u8, u16, u32, u64

FIRST, SECOND = b"\x11" * 176, b"\x22" * 176
SNAPSHOT = b"\x33" * 16
HEAD = lp("adyton\n1\nAAAA\n")


def frame(kind: int, request: int, payload: bytes = b"") -> bytes:
    body = u8(kind) + u64(request) + payload
    return u32(len(body)) + body


def cases() -> list[dict]:
    return good() + refused()


def good() -> list[dict]:
    out = []

    def case(name: str, note: str | None, kind: int, request: int, payload: bytes = b"") -> None:
        noted = {} if note is None else {"note": note}
        out.append({"name": name} | noted | {"hex": frame(kind, request, payload).hex()})

    for number, channel in enumerate(("append", "store", "dial", "events", "inspect"), 1):
        case(f"hello_{channel}", f"version 1, channel {channel}", 0x01, 0, u16(1) + u8(number))
    case("welcome", "version 1", 0x02, 0, u16(1))
    at = u16(1) + u64(256)
    note = "log 1, expected size 256, entry 11... with bodies 'hot' and 'kept', head 'adyton\\n1\\nAAAA\\n'"
    case("append", note, 0x10, 0x0102030405060708, at + FIRST + u8(3) + lp("hot") + lp("kept") + HEAD)
    for name, bodies in (("hot", 1), ("kept", 2)):
        payload = u16(0) + u64(0) + SECOND + u8(bodies) + lp("") + HEAD
        case(f"append_{name}", f"log 0, expected size 0, entry 22... with an empty {name} body", 0x10, 2, payload)
    case("appended", "size 258", 0x11, 2, u64(258))
    case("conflict", "size 300", 0x12, 2, u64(300))
    case("store_full", "full", 0x13, 2, u8(1))
    case("store_io", "I/O", 0x13, 2, u8(2))
    case("status", "log 0", 0x20, 3, u16(0))
    case("status_is", "size 9, snapshot 4, head", 0x21, 3, u64(9) + u64(4) + HEAD)
    case("status_is_empty", "size 0, no snapshot, no head", 0x21, 3, u64(0) + u64(2**64 - 1) + lp(""))
    case("read", "log 1, from 5, at most 100", 0x22, 4, u16(1) + u64(5) + u32(100))
    stored = u32(2) + FIRST + u8(2) + lp("kept") + SECOND + u8(0)
    case("records", "11... with kept body 'kept', 22... without bodies", 0x23, 4, stored)
    case("records_none", "no records", 0x23, 4, u32(0))
    chunk = u16(1) + SNAPSHOT + u32(7)
    case("put_chunk", "log 1, snapshot 33..., number 7, 'sealed'", 0x24, 5, chunk + lp("sealed"))
    case("done", None, 0x25, 5)
    case("get_chunk", "log 1, snapshot 33..., number 7", 0x26, 6, chunk)
    case("chunk", "'sealed'", 0x27, 6, lp("sealed"))
    retire = u16(1) + u64(1000) + u64(170_000_000) + SNAPSHOT + bytes([0x44]) * 16
    case("retire", "log 1, below 1000, bucket 170000000, keep snapshot 33..., boot 44...", 0x28, 7, retire)
    case("heads", "log 0, from size 1, at most 64", 0x29, 8, u16(0) + u64(1) + u32(64))
    case("head_list", "'first', 'zweiter ä'", 0x2A, 8, u32(2) + lp("first") + lp("zweiter ä"))
    case("tile", "log 1, level 0, number 3", 0x2B, 9, u16(1) + u8(0) + u64(3))
    case("tile_is", "32 bytes 00..1f", 0x2C, 9, lp(bytes(range(32))))
    case("missing", "the largest request id", 0x2F, 2**64 - 1)
    case("approval", "release 2", 0x30, 10, u64(2))
    case("approval_is", "'{}'", 0x31, 10, lp("{}"))
    for name, note, payload in (
        ("boot_phase", "phase 3", u8(1) + u8(3)),
        ("ready", "12 replayed, 345678 microseconds", u8(2) + u64(12) + u64(345_678)),
        ("store_lost", "log 1", u8(3) + u16(1)),
        ("store_back", "log 1", u8(4) + u16(1)),
        ("fenced", "log 1, size 77", u8(5) + u16(1) + u64(77)),
        ("delivery_connect", "class 1", u8(6) + u8(1)),
        ("delivery_tls", "class 2", u8(6) + u8(2)),
        ("delivery_refused", "class 3", u8(6) + u8(3)),
        ("delivery_timeout", "class 4", u8(6) + u8(4)),
        ("snapshot_taken", "log 1, index 99", u8(7) + u16(1) + u64(99)),
        ("boot_refused", "reason 2", u8(8) + u8(2)),
        ("log_faulty", "log 1, after 99 entries", u8(9) + u16(1) + u64(99)),
        (
            "counters",
            "1 to 8, 2^64-1 hundreds live, and 9 to 14 refused by ceiling",
            u8(10) + b"".join(map(u64, (*range(1, 9), 2**64 - 1, *range(9, 15)))),
        ),
        ("boot_delayed", "13 boots, 60 seconds", u8(11) + u64(13) + u64(60)),
        ("platform_lost", "", u8(12)),
        ("platform_back", "", u8(13)),
        ("sender_refused", "route 3", u8(16) + u8(3)),
    ):
        case(f"event_{name}", note, 0x40, 1, payload)
    reasons = ("fenced", "conflict", "sealing", "frame", "channel_gone", "panicked")
    for number, reason in enumerate(reasons, 1):
        log = 1 if number < 5 else 0
        payload = u8(14) + u16(log) + u8(number)
        case(f"event_writer_stopped_{reason}", f"log {log}, reason {number}", 0x40, 1, payload)
    ceilings = ("destination", "number_block", "mail_domain", "tenant", "spend", "support")
    for number, ceiling in enumerate(ceilings, 1):
        case(f"event_ceiling_near_{ceiling}", f"ceiling {number}", 0x40, 1, u8(15) + u8(number))
    return out


def refused() -> list[dict]:
    out = []

    def case(name: str, refusal: str, note: str | None, bytes_: bytes) -> None:
        noted = {} if note is None else {"note": note}
        out.append({"name": f"fail_{name}"} | noted | {"hex": bytes_.hex(), "refusal": refusal})

    def of(kind: int, payload: bytes = b"") -> bytes:
        return frame(kind, 7, payload)

    append = u16(1) + u64(0)
    case("length_zero", "Length", "nothing follows the length", u32(0))
    case("length_eight", "Length", "one byte short of a kind and an id", u32(8) + u8(0x25) + bytes(7))
    case("kind_zero", "Kind { got: 0 }", None, of(0x00))
    case("kind_unassigned", "Kind { got: 45 }", "a gap in the table", of(0x2D))
    case("kind_after_last", "Kind { got: 65 }", None, of(0x41))
    case("hello_channel_zero", "Value", None, of(0x01, u16(1) + u8(0)))
    case("hello_channel_six", "Value", None, of(0x01, u16(1) + u8(6)))
    case("hello_short", "Truncated", None, of(0x01, u16(1)))
    case("welcome_trailing", "TrailingBytes", None, of(0x02, u16(1) + u8(0)))
    case("append_short_entry", "Truncated", "175 bytes of an entry", of(0x10, append + FIRST[:175]))
    case("append_third_body", "Value", "a body that is neither hot nor kept", of(0x10, append + FIRST + u8(4)))
    longer = of(0x10, append + FIRST + u8(1) + u32(100) + b"x" * 99)
    case("append_body_too_long", "Truncated", "a body that claims one byte more than there is", longer)
    case("append_no_kept_body", "Truncated", None, of(0x10, append + FIRST + u8(3) + lp("x")))
    case("append_no_head", "Truncated", None, of(0x10, append + FIRST + u8(1) + lp("x")))
    case("append_head_not_utf8", "Value", None, of(0x10, append + FIRST + u8(1) + lp("x") + lp(b"\xff")))
    case("append_trailing", "TrailingBytes", None, of(0x10, append + FIRST + u8(1) + lp("x") + HEAD + u8(0)))
    case("store_failed_zero", "Value", None, of(0x13, u8(0)))
    case("store_failed_three", "Value", None, of(0x13, u8(3)))
    overlong = of(0x21, u64(1) + u64(2**64 - 1) + lp(b"\xc0\x80"))
    case("status_is_head_not_utf8", "Value", "overlong UTF-8", overlong)
    case("records_third_body", "Value", "a body that is neither hot nor kept", of(0x23, u32(1) + FIRST + u8(4)))
    huge = of(0x23, u32(2**32 - 1) + FIRST + u8(0))
    case("records_count_huge", "Truncated", "a count that no frame can hold", huge)
    case("records_missing_body", "Truncated", None, of(0x23, u32(1) + FIRST + u8(1)))
    case("put_chunk_length_huge", "Truncated", None, of(0x24, u16(1) + SNAPSHOT + u32(0) + u32(2**32 - 1)))
    case("done_trailing", "TrailingBytes", None, of(0x25, u8(0)))
    case("head_list_count_huge", "Truncated", None, of(0x2A, u32(2**32 - 1)))
    case("tile_short", "Truncated", None, of(0x2B, u16(1) + u8(0) + u64(0)[:7]))
    case("event_zero", "Value", None, of(0x40, u8(0)))
    case("event_last", "Value", "not in the closed list", of(0x40, u8(255)))
    case("event_writer_stopped_zero", "Value", None, of(0x40, u8(14) + u16(1) + u8(0)))
    case("event_writer_stopped_seven", "Value", None, of(0x40, u8(14) + u16(1) + u8(7)))
    case("event_ceiling_near_zero", "Value", None, of(0x40, u8(15) + u8(0)))
    case("event_ceiling_near_seven", "Value", None, of(0x40, u8(15) + u8(7)))
    case("event_counters_short", "Truncated", "one sum is missing", of(0x40, u8(10) + bytes(14 * 8)))
    case("approval_short", "Truncated", None, of(0x30, u64(2)[:7]))
    case("approval_is_trailing", "TrailingBytes", None, of(0x31, lp("{}") + u8(0)))
    case("event_none", "Truncated", None, of(0x40))
    case("event_delivery_zero", "Value", None, of(0x40, u8(6) + u8(0)))
    case("event_delivery_five", "Value", None, of(0x40, u8(6) + u8(5)))
    case("event_text", "TrailingBytes", "free text after an event", of(0x40, u8(1) + u8(3) + b"hello"))
    return out
