"""Enclave images (page 11): archives, ramdisks, the file, registers, the signature."""

import base64
import hashlib
import json
import zlib

from . import cbor, nitro
from .wire import u16, u32, u64

KERNEL, COMMAND_LINE, RAMDISK, SIGNATURE, METADATA = 1, 2, 3, 4, 5
FOLDER, FILE = 0o040000, 0o100000


def numbers(*values: int) -> bytes:
    return b"070701" + b"".join(b"%08X" % value for value in values)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def record(inode: int, mode: int, links: int, name: bytes, content: bytes, **changes: int) -> bytes:
    fields = dict(
        inode=inode, mode=mode, uid=0, gid=0, links=links, time=0, size=len(content), dev=0, dev_minor=0,
        rdev=0, rdev_minor=0, name_size=len(name) + 1, check=0,
    ) | changes  # fmt: skip
    return padded(numbers(*fields.values()) + name + b"\0") + padded(content)


TRAILER = record(0, 0, 1, b"TRAILER!!!", b"")


def archive(entries: list[tuple[str, int, bytes | None]]) -> bytes:
    """Entries are name, permissions, and content; a folder has none."""
    out = b""
    for number, (name, permissions, content) in enumerate(entries):
        folder = content is None
        kind, links = (FOLDER, 2) if folder else (FILE, 1)
        out += record(number + 1, kind | permissions, links, name.encode(), content or b"")
    return out + TRAILER


def gzip(data: bytes, header: bytes = bytes.fromhex("1f8b080000000000" "02ff")) -> bytes:
    """RFC 1952, with deflate's stored blocks (RFC 1951 §3.2.4), so that no compressor's version matters."""
    blocks = [data[at : at + 65535] for at in range(0, len(data), 65535)] or [b""]
    out = b""
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        length = len(block)
        out += bytes([last]) + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little") + block
    return header + out + zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")


def summed(file: bytes) -> bytes:
    """The file with its sum put right."""
    return file[:544] + u32(zlib.crc32(file[:544] + file[548:])) + file[548:]


def eif(sections: list[tuple[int, bytes]], *, memory: int = 1 << 30, processors: int = 2) -> bytes:
    offset, offsets = 548, []
    for _, content in sections:
        offsets.append(offset)
        offset += 12 + len(content)
    table = lambda values: b"".join(map(u64, values)) + bytes(8 * (32 - len(values)))  # noqa: E731
    header = b".eif" + u16(4) + u16(0) + u64(memory) + u64(processors) + u16(0) + u16(len(sections))
    header += table(offsets) + table([len(content) for _, content in sections]) + u32(0) + u32(0)
    assert len(header) == 548
    return summed(header + b"".join(u16(kind) + u16(0) + u64(len(data)) + data for kind, data in sections))


def register(*parts: bytes) -> bytes:
    return extended(hashlib.sha384(b"".join(parts)).digest())


def extended(data: bytes) -> bytes:
    return hashlib.sha384(bytes(48) + data).digest()


def registers(kernel: bytes, command_line: bytes, ramdisks: list[bytes]) -> dict[str, bytes]:
    return {
        "pcr0": register(kernel, command_line, *ramdisks),
        "pcr1": register(kernel, command_line, ramdisks[0]),
        "pcr2": register(*ramdisks[1:]),
    }


def policy_register(policy: bytes) -> bytes:
    return extended(hashlib.sha256(policy).digest())


def pem(der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]).encode()


def payload(pcr0: bytes, index: int = 0) -> bytes:
    return cbor.encode({"register_index": index, "register_value": list(pcr0)})


def cose(payload: bytes, **options: object) -> bytes:
    return nitro.document(payload, **options)


def signature(certificate: bytes, cose: bytes) -> bytes:
    return cbor.encode([{"signing_certificate": list(certificate), "signature": list(cose)}])


def metadata() -> bytes:
    build = {
        "BuildTime": "1970-01-01T00:00:01Z",
        "BuildTool": "vectors",
        "BuildToolVersion": "1",
        "OperatingSystem": "Linux",
        "KernelVersion": "6.12",
    }
    info = {"ImageName": "x", "ImageVersion": "1", "BuildMetadata": build, "DockerInfo": {}, "CustomMetadata": None}
    return json.dumps(info, separators=(",", ":")).encode()
