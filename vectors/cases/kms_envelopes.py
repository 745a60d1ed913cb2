"""Page 12: envelopes that a KMS seals to an attested key."""

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from spec import cms

from .vault import KMS_SECRET, pattern

P = int(
    "ff99a07745e1f1ffb8dc070048c37b58442b5b787c390aa4abd0bc608507e20dc40206659759c447038b82f83fdcd1d62a22"
    "ddc9cbbeae3b01028340adaaf825f6131f9f4240aa0c80875d62703658724bbbb999ac09d57ea06953ecfb9055b992d6b5fd"
    "c4b0ad46319e73d2fb1dfb7081b3c1568f2578d45a96957183d819c7",
    16,
)
Q = int(
    "e30cf22df1c7c6284714d720ab494ccd278000ccef82aec02b6ce7e1265893c38fe63d89a6eaeba6b5a983bf9680d49b8a3a"
    "343cf1ed7784eb55cf1a592006e608bfce610b2b43b6dc22b31ab24deae71394d8c6772ee431d5629492e0a949a1c97d57e3"
    "2b2d8cc0643cf43c504c969543d560b467f2932f0250c69465e2f885",
    16,
)
OTHER_P = int(
    "ee47b402489f8ee8320357629b9f8ad7269536d8cc957ce97f24485dbaae23aa43f26922e17d2c74a2919cedb175ee033d17"
    "5066ded1c9596fb1c52d061705fa8108ea607d038e2a1156931b662e3a6923ec2510bb167d6ba5d77f0c422195a5429549c2"
    "9d790463627bf16763b8035719096431a14063a6c45bb8b06214a3e7",
    16,
)
OTHER_Q = int(
    "df65ffc93e1ac7e588a66c986d68c7570f5f983f816f702e32d66d05a7c9da7f6a34753b91ca987c98d26e419c666eef9dec"
    "ebb05e6f50ed56e9fd36058d97c268dd1b3171433ad2b56a95b316b2b977ebaea2b9616efe974d9e73f20c55db59ef261b4d"
    "f31d05d67211c2b22adaff3f13d3f18665e72669c26604b69bc40301",
    16,
)

SEED, CONTENT_KEY, IV = pattern(0x21, 32), pattern(0x41, 32), pattern(0x61, 16)


def private_key(p: int, q: int) -> rsa.RSAPrivateKey:
    e = 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


KEY, OTHER_KEY = private_key(P, Q), private_key(OTHER_P, OTHER_Q)


def encrypted_key(content_key: bytes = CONTENT_KEY, key: rsa.RSAPrivateKey = KEY, label: bytes = b"") -> bytes:
    return cms.oaep(key.public_key().public_numbers(), SEED, content_key, label)


def cases() -> list[dict]:
    out = []
    content = cms.aes_256_cbc(CONTENT_KEY, IV, cms.pkcs7(KMS_SECRET))
    to_us = cms.recipient(encrypted_key())

    def case(name: str, envelope: bytes, plaintext: bytes | None) -> None:
        answer = {"refusal": "Opaque"} if plaintext is None else {"plaintext": plaintext.hex()}
        private = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        keys = {"private_key": private.hex(), "public_key": public.hex()}
        out.append({"name": name} | keys | {"envelope": envelope.hex()} | answer)

    def fail(name: str, envelope: bytes) -> None:
        case(f"fail_{name}", envelope, None)

    def wrapped(recipient: bytes = to_us, **changes: object) -> bytes:
        return cms.envelope([recipient], IV, cms.in_pieces(content), **changes)

    good = wrapped()
    case("content_in_one_piece", good, KMS_SECRET)
    case("content_in_two_pieces", cms.envelope([to_us], IV, cms.in_pieces(content, 5)), KMS_SECRET)
    case("content_whole", cms.envelope([to_us], IV, cms.whole(content)), KMS_SECRET)
    case("der", cms.envelope_der([to_us], IV, cms.whole(content)), KMS_SECRET)
    bare = cms.oaep_identifier(cms.sha256_identifier(null=b""), cms.sha256_identifier(null=b""))
    case("hashes_without_null", wrapped(cms.recipient(encrypted_key(), algorithm=bare)), KMS_SECRET)
    empty = cms.in_pieces(cms.aes_256_cbc(CONTENT_KEY, IV, cms.pkcs7(b"")))
    case("empty_content", cms.envelope([to_us], IV, empty), b"")

    fail("another_recipient", wrapped(cms.recipient(encrypted_key(key=OTHER_KEY))))
    fail("oaep_label", wrapped(cms.recipient(encrypted_key(label=b"adyton"))))
    fail("key_of_16_bytes", wrapped(cms.recipient(encrypted_key(CONTENT_KEY[:16]))))
    fail("key_flipped", wrapped(cms.recipient(bytes([encrypted_key()[0] ^ 1]) + encrypted_key()[1:])))
    fail("key_cut", wrapped(cms.recipient(encrypted_key()[:-1])))
    fail("key_of_zeros", wrapped(cms.recipient(bytes(256))))
    for name, padded in [
        ("padding_of_zero", KMS_SECRET + bytes(16)),
        ("padding_too_long", KMS_SECRET + bytes([17]) * 16),
        ("padding_uneven", KMS_SECRET + bytes([15]) + bytes([16]) * 15),
    ]:
        forged = cms.in_pieces(cms.aes_256_cbc(CONTENT_KEY, IV, padded))
        fail(name, cms.envelope([to_us], IV, forged))
    fail("content_of_no_block", cms.envelope([to_us], IV, cms.in_pieces(b"")))
    fail("content_of_part_of_a_block", cms.envelope([to_us], IV, cms.in_pieces(content[:-1])))
    fail("iv_of_12_bytes", cms.envelope([to_us], IV[:12], cms.in_pieces(content)))
    fail("no_recipient", cms.envelope([], IV, cms.in_pieces(content)))
    fail("two_recipients", cms.envelope([to_us, to_us], IV, cms.in_pieces(content)))
    fail("recipient_version_0", wrapped(cms.recipient(encrypted_key(), version=0)))
    fail("recipient_by_issuer", wrapped(cms.recipient(encrypted_key(), rid=cms.der(0x30))))
    sha1 = cms.sha256_identifier(cms.SHA1)
    fail("oaep_sha1", wrapped(cms.recipient(encrypted_key(), algorithm=cms.oaep_identifier(sha1, sha1))))
    fail("mgf1_sha1", wrapped(cms.recipient(encrypted_key(), algorithm=cms.oaep_identifier(None, sha1))))
    plain = cms.der(0x30, cms.RSA_ENCRYPTION, cms.NULL)
    fail("pkcs1_v1_5", wrapped(cms.recipient(encrypted_key(), algorithm=plain)))
    fail("version_0", wrapped(version=0))
    fail("another_content_type", wrapped(outer=cms.DATA))
    fail("another_inner_type", wrapped(inner=cms.ENVELOPED_DATA))
    fail("aes_128", wrapped(cipher=cms.AES_128_CBC))
    fail("unprotected_attributes", wrapped(trailing=cms.der(0xA1)))
    fail("trailing", good + b"\x00")
    fail("end_missing", good[:-2])
    fail("empty", b"")
    return out
