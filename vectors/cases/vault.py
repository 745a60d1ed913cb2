"""The one vault that most cases are of. Everything random in it is a counting pattern, so that no test needs luck."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from spec.entry import Header, entry_of, size_of
from spec.head import Genesis, seal_ca_key, wrap_root_key
from spec.keys import KeyTree, sid
from spec.primitives import ed25519_public, x25519_public
from spec.wire import sha256


def pattern(first: int, length: int) -> bytes:
    """`length` bytes that count up from `first`."""
    return bytes((first + i) % 256 for i in range(length))


ROOT_KEY = pattern(0x00, 32)
KEYS = KeyTree(ROOT_KEY, epoch=1)
KMS_SECRET = pattern(0x20, 32)
GENESIS_NONCE = pattern(0x40, 32)
POLICY_HASH = sha256(b"policy")
BOOT_ID = pattern(0x60, 16)
WRAP_NONCE = pattern(0x70, 12)
CA_NONCE = pattern(0x80, 12)
TIME = 1_780_000_000

ACCOUNT = pattern(0xA0, 16)
ACCOUNT_SID = sid("AC", ACCOUNT)
OTHER_ACCOUNT_SID = sid("AC", pattern(0xA1, 16))
SALT = pattern(0xA8, 16)
OTHER_SALT = pattern(0xA9, 16)
SERVICE = pattern(0xB0, 16)
SERVICE_SID = sid("VA", SERVICE)
VERIFICATION = pattern(0xC0, 16)
VERIFICATION_SID = sid("VE", VERIFICATION)
ATTEMPT = pattern(0xD0, 16)
ATTEMPT_SID = sid("VL", ATTEMPT)
TOKEN = "0123456789abcdefghijABCDEFGHIJ01"
DESTINATION = "+12025550123"

# A P-256 key of small numbers. The certificate is a placeholder: it is associated data only.
CA_CERTIFICATE = b"the certificate in DER"
CA_KEY = ec.derive_private_key(int.from_bytes(pattern(0x01, 32), "big"), ec.SECP256R1())
CA_PKCS8 = CA_KEY.private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
CA_SPKI_HASH = sha256(
    CA_KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
)

LOG_SEED = KEYS.derive("log signing")
LOG_KEY = ed25519_public(LOG_SEED)
HPKE_PRIVATE_KEY = KEYS.derive("hpke")
HPKE_KEY = x25519_public(HPKE_PRIVATE_KEY)

GENESIS = Genesis(
    profile="dev",
    nonce=GENESIS_NONCE,
    attestation_root=sha256(b"attestation root certificate"),
    policy_hash=POLICY_HASH,
    log_key=LOG_KEY,
    hpke_key=HPKE_KEY,
    ca_certificate=CA_CERTIFICATE,
    sealed_ca_key=seal_ca_key(KEYS, CA_NONCE, GENESIS_NONCE, CA_CERTIFICATE, CA_PKCS8),
    wrapped_root=wrap_root_key(KMS_SECRET, WRAP_NONCE, GENESIS_NONCE, POLICY_HASH, ROOT_KEY),
    kms_ciphertext=b"what the KMS wants back",
)
GENESIS_HEADER = Header(
    kind="gov",
    hot_size=0,
    kept_size=size_of(len(GENESIS.encode())),
    index=0,
    time_bucket=TIME // 10,
    boot_id=BOOT_ID,
    release=1,
    hot_root=bytes(32),
    kept_root=bytes(32),
)
GENESIS_ENTRY = entry_of(GENESIS_HEADER.encode(), None, GENESIS.encode())
VAULT_ID = sha256(GENESIS_ENTRY)
OTHER_VAULT_ID = sha256(b"another vault")
