"""Pages 09 and 10: evidence from the document to the connection."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from spec import cbor, nitro, primitives, tree
from spec.nitro import CABUNDLE, DAY, HOUR, INSTANCE, LEAF, NOW, REGISTERS, ROOT, ZONAL, certificate, key
from spec.wire import sha256

from . import bundle

NONCE = sha256(b"the client's nonce")
OTHERS = [sha256(bytes([number])) for number in range(6)]
LOG_SEED = sha256(b"log key")
EXPORTER = sha256(b"exporter")
FIELDS = bundle.FIELDS | {"log_key": primitives.ed25519_public(LOG_SEED).hex()}
BUNDLE = bundle.encode(FIELDS)


def leaf(nonce: bytes) -> bytes:
    return tree.leaf_hash(b"adyton nonce v1\n" + nonce)


LEAVES = [leaf(nonce) for nonce in [*OTHERS[:4], NONCE, *OTHERS[4:]]]
NONCES = tree.root(LEAVES)
PROOF = {"index": 4, "count": 7, "path": [hash_.hex() for hash_ in tree.inclusion(4, LEAVES)]}
POLICY = {
    "vault_id": FIELDS["vault_id"],
    "registers": {},
    "releases": None,
    "policy_hash": None,
    "bundle_hash": None,
    "max_age_ms": 60_000,
    "certified": False,
    "reveals": [],
    "profiles": [],
}


def release(number: int = 7, policy: str = FIELDS["policy_hash"], **registers: bytes) -> dict:
    code = {f"pcr{register}": registers.get(f"pcr{register}", REGISTERS[register]).hex() for register in (0, 1, 2)}
    return {"number": number, "policy_hash": policy, **code}


def channel(exporter: bytes = EXPORTER, bundle_: bytes = BUNDLE, seed: bytes = LOG_SEED) -> dict:
    message = b"adyton channel binding v1\n" + sha256(bundle_) + exporter
    return {"exporter": EXPORTER.hex(), "signature": primitives.ed25519_sign(seed, message).hex()}


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


class Cases(list):
    def add(self, name: str, document: bytes, refusal: str | None = None, **changes: object) -> None:
        policy = POLICY | changes.pop("policy", {})
        case = {
            "name": f"fail_{name}" if refusal else name,
            "document": document.hex(),
            "root": ROOT.hex(),
            "now_ms": NOW * 1000 + 1000,
            "bundle": BUNDLE.hex(),
            "nonce": NONCE.hex(),
            "nonce_proof": PROOF,
            "policy": policy,
            "channel": None,
        }
        case |= {field: value.hex() if isinstance(value, bytes) else value for field, value in changes.items()}
        self.append(case | ({"refusal": refusal} if refusal else {}))


def members(**changes: object) -> dict:
    made = {"user_data": sha256(changes.pop("bundle", BUNDLE)), "nonce": changes.pop("root", NONCES)}
    return nitro.payload(**made | changes)


def good(cases: Cases) -> None:
    document = nitro.document(members())
    cases.add("any_code", document)
    cases.add("bound_channel", document, channel=channel())
    cases.add("tagged", nitro.document(members(), tag=18))
    cases.add("indefinite_map", nitro.document(cbor.indefinite_map(list(members().items()))))
    unsaid = nitro.document(members(certificate=certificate("leaf", "instance", usage=None)))
    cases.add("leaf_without_usage", unsaid)
    cases.add("optional_members_absent", nitro.document(members(public_key=...)))
    cases.add("with_a_key", nitro.document(members(public_key=bytes(1024))))
    registers = {str(number): REGISTERS[number].hex() for number in (0, 1, 2, 3, 4, 16)}
    cases.add("registers", document, policy={"registers": registers, "policy_hash": FIELDS["policy_hash"]})
    releases = [release(6), release(8), release()]
    cases.add("one_of_the_releases", document, policy={"releases": releases, "bundle_hash": sha256(BUNDLE).hex()})
    alone = nitro.document(members(root=leaf(NONCE)))
    cases.add("one_nonce", alone, nonce_proof={"index": 0, "count": 1, "path": []})
    cases.add("as_old_as_may_be", document, now_ms=NOW * 1000 + 60_000)
    cases.add("as_far_ahead_as_may_be", document, now_ms=NOW * 1000 - 60_000)
    certified = bundle.encode(FIELDS | {"profile": 3, "notaries": bundle.notaries(1, 2, 3, 4), "quorum": 3})
    cases.add(
        "certified",
        nitro.document(members(bundle=certified)),
        bundle=certified,
        policy={"certified": True, "profiles": [3, 4]},
    )
    revealing = bundle.encode(FIELDS | {"reveals": ["factor.binding", "share-1"]})
    cases.add(
        "accepted_reveals",
        nitro.document(members(bundle=revealing)),
        bundle=revealing,
        policy={"reveals": ["share-1", "factor.binding", "share-2"]},
    )


def cose(cases: Cases) -> None:
    document, content = nitro.document(members()), cbor.encode(members())
    cases.add("empty", b"", "document-cbor")
    cases.add("truncated", document[:-1], "document-cbor")
    cases.add("bytes_after_the_document", document + b"\0", "document-cbor")
    cases.add("too_large", nitro.document(members(), unprotected={1: bytes(10240)}), "document-size")
    cases.add("no_array", cbor.encode({"payload": content}), "cose-form")
    cases.add("three_parts", cbor.encode([nitro.ES384, {}, content]), "cose-form")
    cases.add("five_parts", cbor.encode([nitro.ES384, {}, content, bytes(96), b""]), "cose-form")
    cases.add("detached_payload", cbor.encode([nitro.ES384, {}, None, bytes(96)]), "cose-form")
    cases.add("tag_of_cose_sign", nitro.document(members(), tag=98), "cose-form")
    cases.add("two_tags", cbor.encode(cbor.tagged(18, cbor.Raw(nitro.document(members(), tag=18)))), "cose-form")
    cases.add("algorithm_es256", nitro.document(members(), protected=bytes.fromhex("a10126")), "protected-header")
    cases.add("algorithm_placeholder", nitro.document(members(), protected=bytes.fromhex("a10120")), "protected-header")
    cases.add("no_algorithm", nitro.document(members(), protected=b""), "protected-header")
    longer = cbor.encode({1: -35, 4: b"key"})
    cases.add("protected_key_id", nitro.document(members(), protected=longer), "protected-header")
    cases.add("unprotected_algorithm", nitro.document(members(), unprotected={1: -35}), "unprotected-header")
    cases.add("unprotected_null", nitro.document(members(), unprotected=cbor.Raw(b"\xf6")), "unprotected-header")
    cases.add("signature_short", nitro.document(members(), signature=bytes(95)), "signature-length")
    cases.add("signature_der", nitro.document(members(), signature=bytes(104)), "signature-length")


def payload(cases: Cases) -> None:
    def add(name: str, refusal: str, content: object) -> None:
        cases.add(name, nitro.document(content), refusal)

    add("payload_empty", "payload-cbor", b"")
    add("payload_array", "payload-cbor", cbor.Raw(cbor.encode(list(members()))))
    add("payload_trailing", "payload-cbor", cbor.encode(members()) + b"\0")
    add("payload_number_as_key", "payload-cbor", members() | {1: 2})
    add("unknown_member", "unknown-claim", members() | {"note": "trust me"})
    add("member_in_capitals", "unknown-claim", members() | {"Nonce": NONCES})
    twice = cbor.Pairs([*members().items(), ("nonce", sha256(b"another"))])
    add("nonce_twice", "repeated-claim", twice)
    add("pcrs_twice", "repeated-claim", cbor.Pairs([*members().items(), ("pcrs", {0: bytes(48)})]))
    for name in ("module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"):
        add(f"without_{name}", "missing-claim", members(**{name: ...}))
    add("module_id_empty", "claim-length", members(module_id=""))
    add("module_id_bytes", "claim-type", members(module_id=b"i-0"))
    add("digest_sha512", "digest", members(digest="SHA512"))
    add("digest_lower_case", "digest", members(digest="sha384"))
    add("timestamp_zero", "timestamp", members(timestamp=0))
    add("timestamp_negative", "claim-type", members(timestamp=-1))
    add("timestamp_text", "claim-type", members(timestamp="now"))
    add("no_registers", "claim-length", members(pcrs={}))
    add("too_many_registers", "claim-length", members(pcrs={number: bytes(48) for number in range(33)}))
    add("register_32", "pcr-index", members(pcrs=REGISTERS | {32: bytes(48)}))
    add("register_negative", "pcr-index", members(pcrs=REGISTERS | {-1: bytes(48)}))
    add("register_by_name", "claim-type", members(pcrs=REGISTERS | {"0": bytes(48)}))
    add("register_twice", "repeated-pcr", members(pcrs=cbor.Pairs([*REGISTERS.items(), (0, bytes(48))])))
    add("register_sha256", "claim-length", members(pcrs=REGISTERS | {5: bytes(32)}))
    add("register_null", "claim-type", members(pcrs=REGISTERS | {5: None}))
    add("certificate_empty", "claim-length", members(certificate=b""))
    add("certificate_too_large", "claim-length", members(certificate=bytes(1025)))
    add("cabundle_empty", "claim-length", members(cabundle=[]))
    add("cabundle_too_long", "claim-length", members(cabundle=[ROOT] + [b"\0"] * 8))
    add("cabundle_of_text", "claim-type", members(cabundle=["root"]))
    add("public_key_empty", "claim-length", members(public_key=b""))
    add("public_key_too_large", "claim-length", members(public_key=bytes(1025)))
    add("user_data_too_large", "claim-length", members(user_data=bytes(1025)))
    add("user_data_text", "claim-type", members(user_data="bundle"))
    add("nonce_too_large", "claim-length", members(nonce=bytes(1025)))


def chain(cases: Cases) -> None:
    def add(name: str, refusal: str | None, leaf_: bytes = LEAF, cabundle: list = CABUNDLE, **changes: object) -> None:
        signer = changes.pop("signer", None)
        document = nitro.document(members(certificate=leaf_, cabundle=cabundle), signer=signer)
        cases.add(name, document, refusal, **changes)

    other = certificate("root", "root", public=key("thief").public_key(), signed_by=key("thief"), ca=True, end=NOW + DAY)
    add("other_root", "root", cabundle=[other, ZONAL, INSTANCE])
    add("root_last", "root", cabundle=[INSTANCE, ZONAL, ROOT])
    add("demanded_root_is_another", "root", root=other)
    issued = certificate("zonal", "root", public=key("zonal").public_key(), signed_by=key("thief"), ca=True, path=1)
    add("issuer_of_other_root", "certificate-signature", cabundle=[ROOT, issued, INSTANCE])
    add("without_an_issuer", "certificate-issuer", cabundle=[ROOT, ZONAL])
    add("root_alone", "certificate-issuer", cabundle=[ROOT])
    add("swapped_issuers", "chain-order", cabundle=[ROOT, INSTANCE, ZONAL])
    add("issuer_twice", "chain-order", cabundle=[ROOT, ZONAL, ZONAL, INSTANCE])
    stranger = certificate("stranger", "root", ca=True)
    add("one_issuer_too_many", "chain-order", cabundle=[ROOT, ZONAL, INSTANCE, stranger])
    add("leaf_expired", "certificate-expired", now_ms=(NOW + 2 * HOUR) * 1000 + 1000, policy={"max_age_ms": DAY * 1000})
    add("leaf_not_yet_valid", "certificate-not-yet-valid", now_ms=(NOW - HOUR) * 1000 - 1000)
    ended = certificate("zonal", "root", ca=True, path=1, start=NOW - DAY, end=NOW - HOUR)
    add("issuer_expired", "certificate-expired", cabundle=[ROOT, ended, INSTANCE])
    begins = certificate("instance", "zonal", ca=True, path=0, start=NOW + HOUR, end=NOW + DAY)
    add("issuer_not_yet_valid", "certificate-not-yet-valid", cabundle=[ROOT, ZONAL, begins])
    add("leaf_signature", "certificate-signature", leaf_=flipped(LEAF, len(LEAF) - 1))
    add("leaf_of_other_issuer_key", "certificate-signature", leaf_=certificate("leaf", "instance", signed_by=key("thief")))
    add("leaf_self_signed", "certificate-issuer", leaf_=certificate("leaf", "leaf"))
    add("leaf_no_certificate", "certificate-encoding", leaf_=b"leaf")
    add("leaf_with_bytes_after_it", "certificate-encoding", leaf_=LEAF + b"\0")
    add("issuer_no_certificate", "certificate-encoding", cabundle=[ROOT, ZONAL, b"instance"])
    add("leaf_is_ca", "certificate-leaf-is-ca", leaf_=certificate("leaf", "instance", ca=True))
    no_ca = certificate("instance", "zonal")
    add("issuer_is_no_ca", "certificate-not-a-ca", cabundle=[ROOT, ZONAL, no_ca])
    short = certificate("zonal", "root", ca=True, path=0)
    add("path_too_long", "certificate-path-length", cabundle=[ROOT, short, INSTANCE])
    sha256_ = certificate("leaf", "instance", hash_=hashes.SHA256())
    add("leaf_signed_with_sha256", "certificate-algorithm", leaf_=sha256_)
    weak = key("weak", ec.SECP256R1())
    issuer = certificate("instance", "zonal", public=weak.public_key(), ca=True, path=0)
    add("issuer_of_p256", "certificate-algorithm", leaf_=certificate("leaf", "instance", signed_by=weak), cabundle=[ROOT, ZONAL, issuer])
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    critical = certificate("leaf", "instance", extensions=[(unknown, True)])
    add("critical_extension", "certificate-critical-extension", leaf_=critical)
    for_code = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.3")])
    add("leaf_for_something_else", "certificate-usage", leaf_=certificate("leaf", "instance", extensions=[(for_code, False)]))
    for_clients = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])
    client = certificate("leaf", "instance", extensions=[(for_clients, False)])
    add("leaf_for_clients", "certificate-usage", leaf_=client)
    agrees = certificate("leaf", "instance", usage=("key_agreement",))
    add("leaf_may_not_sign", "certificate-usage", leaf_=agrees)
    for name, usage in {"issuer_may_not_sign": ("crl_sign",), "issuer_without_usage": None}.items():
        cannot = certificate("instance", "zonal", ca=True, path=0, start=NOW - HOUR, end=NOW + 23 * HOUR, usage=usage)
        add(name, "certificate-usage", cabundle=[ROOT, ZONAL, cannot])
    for name, refusal, start, end in (
        ("root_expired", "certificate-expired", NOW - DAY, NOW),
        ("root_not_yet_valid", "certificate-not-yet-valid", NOW + 2, NOW + DAY),
    ):
        root = certificate("root", "root", ca=True, start=start, end=end)
        add(name, refusal, cabundle=[root, ZONAL, INSTANCE], root=root)
    leaf_p256 = certificate("leaf", "instance", public=weak.public_key())
    add("leaf_of_p256", "leaf-key", leaf_=leaf_p256)
    # A chain that held for one leaf does not hold for every other.
    named = lambda name: [(x509.SubjectAlternativeName([x509.DNSName(name)]), False)]  # noqa: E731
    within = x509.NameConstraints([x509.DNSName("enclaves.example")], None)
    narrow = [ROOT, certificate("zonal", "root", ca=True, path=1, extensions=[(within, True)]), INSTANCE]
    add("leaf_of_a_name_that_is_allowed", None, leaf_=certificate("leaf", "instance", extensions=named("a.enclaves.example")), cabundle=narrow)
    add("leaf_of_a_name_that_is_not", "certificate-other", leaf_=certificate("leaf", "instance", extensions=named("a.example")), cabundle=narrow)


def signature(cases: Cases) -> None:
    document = nitro.document(members())
    cases.add("signature_of_another_key", nitro.document(members(), signer=key("thief")), "signature")
    cases.add("signature_zero", nitro.document(members(), signature=bytes(96)), "signature")
    cases.add("signature_changed", flipped(document, len(document) - 1), "signature")
    signed = cbor.encode(members(pcrs=REGISTERS | {0: bytes(48)}))
    cases.add("signature_over_another_payload", nitro.document(members(), signed=signed), "signature")
    order = int("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)
    large = order.to_bytes(48, "big") + (1).to_bytes(48, "big")
    cases.add("signature_r_is_the_order", nitro.document(members(), signature=large), "signature")


def appraisal(cases: Cases) -> None:
    document = nitro.document(members())

    def wanted(name: str, refusal: str, document: bytes = document, **changes: object) -> None:
        cases.add(name, document, refusal, **changes)

    zero = REGISTERS | {0: bytes(48), 1: bytes(48), 2: bytes(48)}
    wanted("debug_mode", "debug-mode", nitro.document(members(pcrs=zero)))
    for register in (0, 1, 2):
        zero = nitro.document(members(pcrs=REGISTERS | {register: bytes(48)}))
        wanted(f"register_{register}_zero", "debug-mode", zero)
        gone = {number: value for number, value in REGISTERS.items() if number != register}
        wanted(f"register_{register}_missing", "debug-mode", nitro.document(members(pcrs=gone)))
    wanted("no_registers_of_code", "debug-mode", nitro.document(members(pcrs={3: REGISTERS[3]})))
    other = bundle.encode(FIELDS | {"tls_key": "45" * 32})
    wanted("bundle_of_another_boot", "bundle-hash", bundle=other)
    wanted("bundle_changed", "bundle-hash", bundle=flipped(BUNDLE, 100))
    wanted("no_user_data", "bundle-hash", nitro.document(members(user_data=None)))
    wanted("user_data_longer", "bundle-hash", nitro.document(members(user_data=sha256(BUNDLE) + b"\0")))
    broken = BUNDLE + b"\0"
    wanted("bundle_of_no_form", "bundle", nitro.document(members(bundle=broken)), bundle=broken)
    wanted("no_nonce", "nonce-length", nitro.document(members(nonce=None)))
    wanted("nonce_short", "nonce-length", nitro.document(members(root=NONCES[:31])))
    wanted("nonce_of_somebody_else", "nonce-proof", nonce=OTHERS[0])
    wanted("nonce_of_another_place", "nonce-proof", nonce_proof=PROOF | {"index": 3})
    wanted("nonce_past_the_end", "nonce-proof", nonce_proof=PROOF | {"index": 7})
    wanted("nonce_path_short", "nonce-proof", nonce_proof=PROOF | {"path": PROOF["path"][:-1]})
    wanted("nonce_path_long", "nonce-proof", nonce_proof=PROOF | {"path": [*PROOF["path"], "00" * 32]})
    wanted("nonce_itself_in_the_document", "nonce-proof", nitro.document(members(root=NONCE)), nonce_proof={"index": 0, "count": 1, "path": []})
    wanted("replayed", "nonce-proof", nonce=sha256(b"the next nonce"))
    wanted("too_old", "too-old", now_ms=NOW * 1000 + 60_001)
    wanted("from_the_future", "from-the-future", now_ms=NOW * 1000 - 60_001)
    wanted("other_vault", "vault-id", policy={"vault_id": "ab" * 32})
    wanted("other_bundle_wanted", "other-bundle", policy={"bundle_hash": "ab" * 32})
    wanted("other_policy", "policy-hash", policy={"policy_hash": "ab" * 32})
    for register in (0, 1, 2, 3, 4, 8, 16):
        wanted(f"other_register_{register}", "measurement", policy={"registers": {str(register): "ab" * 48}})
    wanted("register_missing", "measurement", nitro.document(members(pcrs={n: REGISTERS[n] for n in (0, 1, 2)})), policy={"registers": {"16": REGISTERS[16].hex()}})
    wanted("no_release", "release", policy={"releases": []})
    wanted("release_of_another_number", "release", policy={"releases": [release(6)]})
    wanted("release_of_another_policy", "release", policy={"releases": [release(policy="ab" * 32)]})
    wanted("release_of_other_code", "release", policy={"releases": [release(pcr2=REGISTERS[1]), release(8)]})
    wanted("other_profile", "profile", policy={"profiles": [2, 3]})
    wanted("freshness_none", "freshness", policy={"certified": True})
    revealing = bundle.encode(FIELDS | {"reveals": ["factor.binding", "share-1"]})
    document = nitro.document(members(bundle=revealing))
    wanted("reveal", "reveal", document, bundle=revealing, policy={"reveals": ["share-1"]})
    wanted("reveal_by_part_of_its_name", "reveal", document, bundle=revealing, policy={"reveals": ["share-1", "factor"]})

    document = nitro.document(members())
    cases.add("channel_of_another_connection", document, "channel-binding", channel=channel(sha256(b"his exporter")))
    cases.add("channel_of_another_boot", document, "channel-binding", channel=channel(bundle_=other))
    cases.add("channel_of_another_key", document, "channel-binding", channel=channel(seed=sha256(b"thief")))
    cases.add("channel_signature_empty", document, "channel-binding", channel={"exporter": EXPORTER.hex(), "signature": ""})


def cases() -> list[dict]:
    out = Cases()
    for part in (good, cose, payload, chain, signature, appraisal):
        part(out)
    return list(out)
