"""RFC 8949: what attestation documents need, written in the shortest form."""

from .wire import u8, u16, u32, u64


class Raw(bytes):
    """Bytes that are CBOR already."""


class Pairs(list):
    """A map as a list of pairs, so that a key can stand twice."""


def head(major: int, value: int) -> bytes:
    top = major << 5
    if value < 24:
        return u8(top | value)
    for extra, size, write in ((24, 8, u8), (25, 16, u16), (26, 32, u32), (27, 64, u64)):
        if value < 1 << size:
            return u8(top | extra) + write(value)
    raise ValueError(value)


def encode(value: object) -> bytes:
    match value:
        case Raw():
            return bytes(value)
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return head(0, value) if value >= 0 else head(1, -1 - value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            return head(3, len(value.encode())) + value.encode()
        case Pairs():
            return head(5, len(value)) + b"".join(encode(key) + encode(item) for key, item in value)
        case dict():
            return encode(Pairs(value.items()))
        case list():
            return head(4, len(value)) + b"".join(map(encode, value))
    raise TypeError(value)


def indefinite_map(pairs: list[tuple]) -> Raw:
    return Raw(b"\xbf" + b"".join(encode(key) + encode(item) for key, item in pairs) + b"\xff")


def tagged(tag: int, value: object) -> Raw:
    return Raw(head(6, tag) + encode(value))
