"""The CMS envelope of page 12: RFC 5652 EnvelopedData for one RSA recipient, in BER as a KMS writes it and in DER.

Padding's randomness is an argument, because a vector must be the same on every run. Real clients draw it at random.
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ENVELOPED_DATA = bytes.fromhex("06092a864886f70d010703")
DATA = bytes.fromhex("06092a864886f70d010701")
SHA256 = bytes.fromhex("0609608648016503040201")
SHA1 = bytes.fromhex("06052b0e03021a")
RSAES_OAEP = bytes.fromhex("06092a864886f70d010107")
RSA_ENCRYPTION = bytes.fromhex("06092a864886f70d010101")
MGF1 = bytes.fromhex("06092a864886f70d010108")
AES_256_CBC = bytes.fromhex("060960864801650304012a")
AES_128_CBC = bytes.fromhex("0609608648016503040102")
NULL = b"\x05\x00"
SEQUENCE, SET, INTEGER, OCTET_STRING = 0x30, 0x31, 0x02, 0x04


def der(tag: int, *content: bytes) -> bytes:
    """An element of definite length, in its shortest form."""
    body = b"".join(content)
    length = len(body)
    if length < 0x80:
        return bytes([tag, length]) + body
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def indefinite(tag: int, *content: bytes) -> bytes:
    return bytes([tag, 0x80]) + b"".join(content) + b"\x00\x00"


def mgf1(seed: bytes, length: int) -> bytes:
    """RFC 8017 §B.2.1, with SHA-256."""
    blocks = (hashlib.sha256(seed + counter.to_bytes(4, "big")).digest() for counter in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def oaep(public: rsa.RSAPublicNumbers, seed: bytes, message: bytes, label: bytes = b"") -> bytes:
    """RFC 8017 §7.1.1, with SHA-256 for both hashes."""
    length = (public.n.bit_length() + 7) // 8
    block = hashlib.sha256(label).digest() + bytes(length - len(message) - 66) + b"\x01" + message
    masked = xor(block, mgf1(seed, len(block)))
    encoded = b"\x00" + xor(seed, mgf1(masked, 32)) + masked
    return pow(int.from_bytes(encoded, "big"), public.e, public.n).to_bytes(length, "big")


def pkcs7(message: bytes) -> bytes:
    count = 16 - len(message) % 16
    return message + bytes([count]) * count


def aes_256_cbc(key: bytes, iv: bytes, padded: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def sha256_identifier(oid: bytes = SHA256, null: bytes = NULL) -> bytes:
    return der(SEQUENCE, oid, null)


def oaep_identifier(hash_: bytes | None = None, mask_hash: bytes | None = None, oid: bytes = RSAES_OAEP) -> bytes:
    hash_, mask_hash = hash_ or sha256_identifier(), mask_hash or sha256_identifier()
    mask = der(SEQUENCE, MGF1, mask_hash)
    return der(SEQUENCE, oid, der(SEQUENCE, der(0xA0, hash_), der(0xA1, mask)))


def recipient(encrypted_key: bytes, version: int = 2, algorithm: bytes | None = None, rid: bytes | None = None) -> bytes:
    rid = der(0x80, bytes(range(32))) if rid is None else rid
    algorithm = oaep_identifier() if algorithm is None else algorithm
    return der(SEQUENCE, der(INTEGER, bytes([version])), rid, algorithm, der(OCTET_STRING, encrypted_key))


def envelope(
    recipients: list[bytes],
    iv: bytes,
    content: bytes,
    *,
    version: int = 2,
    outer: bytes = ENVELOPED_DATA,
    inner: bytes = DATA,
    cipher: bytes = AES_256_CBC,
    trailing: bytes = b"",
) -> bytes:
    """As a KMS writes it: indefinite lengths around, definite ones within. `content` is its whole element."""
    encrypted = indefinite(SEQUENCE, inner, der(SEQUENCE, cipher, der(OCTET_STRING, iv)), content)
    enveloped = indefinite(SEQUENCE, der(INTEGER, bytes([version])), der(SET, *recipients), encrypted, trailing)
    return indefinite(SEQUENCE, outer, indefinite(0xA0, enveloped))


def envelope_der(recipients: list[bytes], iv: bytes, content: bytes) -> bytes:
    encrypted = der(SEQUENCE, DATA, der(SEQUENCE, AES_256_CBC, der(OCTET_STRING, iv)), content)
    enveloped = der(SEQUENCE, der(INTEGER, b"\x02"), der(SET, *recipients), encrypted)
    return der(SEQUENCE, ENVELOPED_DATA, der(0xA0, enveloped))


def in_pieces(content: bytes, at: int | None = None) -> bytes:
    pieces = [content] if at is None else [content[:at], content[at:]]
    return indefinite(0xA0, *(der(OCTET_STRING, piece) for piece in pieces))


def whole(content: bytes) -> bytes:
    return der(0x80, content)
