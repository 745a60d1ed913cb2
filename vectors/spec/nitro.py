"""A platform like AWS Nitro: certificates and documents under a root of its own (page 10).

Keys are fixed and signatures deterministic (RFC 6979), so that the output is the same on every run.
"""

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from . import cbor

ES384 = bytes.fromhex("a1013822")
# 2026-11-25T12:00:00Z.
NOW = 1_795_608_000
HOUR, DAY, YEAR = 3600, 86_400, 31_536_000
USAGES = [
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
]


def key(name: str, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(hashlib.sha384(name.encode()).digest(), "big") >> 1
    curve = curve or ec.SECP384R1()
    return ec.derive_private_key(number % (1 << (curve.key_size - 1)), curve)


def moment(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def certificate(
    name: str,
    issuer: str,
    *,
    public=None,
    signed_by=None,
    ca: bool = False,
    path: int | None = None,
    start: int = NOW - HOUR,
    end: int = NOW + 2 * HOUR,
    hash_=None,
    usage=(),
    extensions=(),
) -> bytes:
    """DER. Subject and issuer are common names; keys are those of the names unless given. `usage` replaces what the key
    is for, `None` leaves it out."""
    called = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])  # noqa: E731
    if usage == ():
        usage = ("key_cert_sign", "crl_sign") if ca else ("digital_signature",)
    builder = (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called(issuer))
        .public_key(public or key(name).public_key())
        .serial_number(int.from_bytes(hashlib.sha256((name + issuer).encode()).digest()[:8], "big") | 1)
        .not_valid_before(moment(start))
        .not_valid_after(moment(end))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path), critical=True)
    )
    if usage is not None:
        builder = builder.add_extension(x509.KeyUsage(**{name: name in usage for name in USAGES}), critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(signed_by or key(issuer), hash_ or hashes.SHA384(), ecdsa_deterministic=True)
    return signed.public_bytes(serialization.Encoding.DER)


ROOT = certificate("root", "root", ca=True, start=NOW - 5 * YEAR, end=NOW + 20 * YEAR)
ZONAL = certificate("zonal", "root", ca=True, path=1, start=NOW - DAY, end=NOW + 6 * DAY)
INSTANCE = certificate("instance", "zonal", ca=True, path=0, start=NOW - HOUR, end=NOW + 23 * HOUR)
LEAF = certificate("leaf", "instance")
CABUNDLE = [ROOT, ZONAL, INSTANCE]


def register(number: int) -> bytes:
    return hashlib.sha384(f"register {number}".encode()).digest() if number in (0, 1, 2, 3, 4, 16) else bytes(48)


REGISTERS = {number: register(number) for number in (0, 1, 2, 3, 4, 8, 16)}


def payload(**changes) -> dict:
    members = {
        "module_id": "i-0123456789abcdef0-enc0123456789abcdef",
        "digest": "SHA384",
        "timestamp": NOW * 1000,
        "pcrs": REGISTERS,
        "certificate": LEAF,
        "cabundle": CABUNDLE,
        "public_key": None,
    } | changes
    return {name: value for name, value in members.items() if value is not ...}


def sign(message: bytes, signer: ec.EllipticCurvePrivateKey | None = None, hash_=None) -> bytes:
    """r and s, as long as the curve's order each."""
    signer = signer or key("leaf")
    der = signer.sign(message, ec.ECDSA(hash_ or hashes.SHA384(), deterministic_signing=True))
    size = (signer.curve.key_size + 7) // 8
    return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(der))


def document(
    members: object,
    *,
    protected: bytes = ES384,
    unprotected: object = None,
    signer=None,
    signature: bytes | None = None,
    signed: bytes | None = None,
    tag: int | None = None,
) -> bytes:
    """COSE_Sign1 (RFC 9052 §4.2, §4.4)."""
    content = members if isinstance(members, bytes) and not isinstance(members, cbor.Raw) else cbor.encode(members)
    message = cbor.encode(["Signature1", protected, b"", content if signed is None else signed])
    signature = sign(message, signer) if signature is None else signature
    parts = [protected, {} if unprotected is None else unprotected, content, signature]
    return cbor.encode(parts if tag is None else cbor.tagged(tag, parts))
