"""Notation of page 00."""

import hashlib


def u8(value: int) -> bytes:
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def lp(value: bytes | str) -> bytes:
    """`u32 length || value`; text is UTF-8."""
    if isinstance(value, str):
        value = value.encode()
    return u32(len(value)) + value


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()
