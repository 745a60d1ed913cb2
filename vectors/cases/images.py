"""Page 11: ramdisks, image files, registers, signatures, a vault's layout."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from spec import cbor, image
from spec.image import COMMAND_LINE, KERNEL, METADATA, RAMDISK, SIGNATURE, TRAILER, archive, eif, gzip, record, summed
from spec.nitro import certificate, key
from spec.wire import u16, u32, u64

FOLDERS = [("dev", 0o755, None)]
POLICY = b"version = 1\n"
FILES = [("init", 0o755, b"\x7fELF, it says"), ("adyton.toml", 0o444, POLICY)]
LINE = b"reboot=t panic=-1 console=ttyS0"
META = image.metadata()
RAMDISKS = [gzip(archive(FOLDERS)), gzip(archive(FILES))]
FIRST = [(KERNEL, b"a kernel"), (COMMAND_LINE, LINE), (METADATA, META)]
SECTIONS = [*FIRST, *((RAMDISK, ramdisk) for ramdisk in RAMDISKS)]
PCRS = image.registers(b"a kernel", LINE, RAMDISKS)
SMALL = [(KERNEL, b"k"), (COMMAND_LINE, b"c"), (METADATA, b"{}"), (RAMDISK, b"r")]

CERTIFICATE = certificate("image", "image")
PEM = image.pem(CERTIFICATE)
SIGNED = image.signature(PEM, image.cose(image.payload(PCRS["pcr0"]), signer=key("image")))


class Cases(list):
    def add(self, what: str, name: str, data: bytes, refusal: str | None = None, **facts: object) -> None:
        case = {"name": f"fail_{name}" if refusal else name, "what": what, "hex": data.hex()}
        case |= {field: value.hex() if isinstance(value, bytes) else value for field, value in facts.items()}
        self.append(case | ({"refusal": refusal} if refusal else {}))


def ramdisks(cases: Cases) -> None:
    def good(name: str, entries: list) -> None:
        listed = [
            {"name": name, "permissions": permissions, "content": None if content is None else content.hex()}
            for name, permissions, content in entries
        ]
        cases.add("ramdisk", name, gzip(archive(entries)), archive=archive(entries), entries=listed)

    good("folders", FOLDERS)
    good("files", FILES)
    good("nothing", [])
    good("file_in_a_folder", [("etc", 0o755, None), ("etc/empty", 0o4755, b""), ("etc/one", 0, b"1")])
    bad = lambda name, data, refusal: cases.add("ramdisk", name, gzip(data), f"Cpio({refusal})")  # noqa: E731
    folder, file = 0o040755, 0o100644
    one = record(1, file, 1, b"a", b"abc")
    bad("no_trailer", one, "Truncated { entry: 1, expected: 110, got: 0 }")
    bad("cut_file", one[:-4], "Truncated { entry: 0, expected: 3, got: 0 }")
    bad("after_the_trailer", one + TRAILER + bytes(4), "TrailingBytes { got: 4 }")
    bad("two_archives", one + TRAILER + one + TRAILER, f"TrailingBytes {{ got: {len(one + TRAILER)} }}")
    bad("old_magic", one.replace(b"070701", b"070702") + TRAILER, "Header { entry: 0 }")
    bad("small_letters", record(1, file, 1, b"a", b"abcdefghijk").replace(b"B", b"b") + TRAILER, "Header { entry: 0 }")
    for field in ("uid", "gid", "time", "dev", "dev_minor", "rdev", "rdev_minor", "check"):
        bad(f"{field}_not_zero", record(1, file, 1, b"a", b"abc", **{field: 1}) + TRAILER, "Header { entry: 0 }")
    bad("inode_of_another", one + record(1, file, 1, b"b", b"") + TRAILER, "Header { entry: 1 }")
    bad("links", record(1, file, 2, b"a", b"abc") + TRAILER, "Header { entry: 0 }")
    bad("trailer_with_a_time", one + record(0, 0, 1, b"TRAILER!!!", b"", time=1), "Header { entry: 1 }")
    bad("symbolic_link", record(1, 0o120777, 1, b"a", b"/b") + TRAILER, f"Kind {{ entry: 0, got: {0o120777} }}")
    bad("device", record(1, 0o020600, 1, b"a", b"") + TRAILER, f"Kind {{ entry: 0, got: {0o020600} }}")
    bad("folder_with_content", record(1, folder, 2, b"a", b"x") + TRAILER, f"Kind {{ entry: 0, got: {folder} }}")
    for name, path in {
        "absolute": b"/a",
        "ends_in_a_slash": b"a/",
        "dot": b"./a",
        "upward": b"../a",
        "space": b"a b",
        "no_ascii": "ä".encode(),
        "zero_inside": b"a\0b",
        "empty_name": b"",
    }.items():
        bad(f"name_{name}", record(1, file, 1, path, b"") + TRAILER, "Name { entry: 0 }")
    bad("name_of_256", record(1, file, 1, b"a" * 256, b"") + TRAILER, "Name { entry: 0 }")
    bad("name_twice", one + record(2, file, 1, b"a", b"") + TRAILER, "Twice { entry: 1 }")
    bad("no_parent", record(1, file, 1, b"a/b", b"") + TRAILER, "Parent { entry: 0 }")
    bad("parent_is_a_file", one + record(2, file, 1, b"a/b", b"") + TRAILER, "Parent { entry: 1 }")
    bad("padding", one[:-1] + b"x" + TRAILER, "Padding { entry: 0 }")
    packed = lambda name, data, refusal: cases.add("ramdisk", name, data, f"Gzip({refusal})")  # noqa: E731
    whole = gzip(archive(FOLDERS))
    packed("not_packed", archive(FOLDERS), "Header")
    packed("gzip_time", gzip(archive(FOLDERS), bytes.fromhex("1f8b08000000000102ff")), "Header")
    packed("two_members", whole + whole, f"TrailingBytes {{ got: {len(whole)} }}")
    packed("padded_member", whole + bytes(4), "TrailingBytes { got: 4 }")
    packed("cut_member", whole[:-1], "Damaged")
    packed("other_sum", whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:], "Damaged")


def files(cases: Cases) -> None:
    def good(name: str, sections: list, **options: int) -> None:
        listed = [{"kind": kind, "content": content.hex()} for kind, content in sections]
        of = lambda kind: [content for found, content in sections if found == kind]  # noqa: E731
        pcrs = image.registers(of(KERNEL)[0], of(COMMAND_LINE)[0], of(RAMDISK))
        cases.add("eif", name, eif(sections, **options), sections=listed, **pcrs, **options)

    good("smallest", SMALL, memory=1 << 30, processors=2)
    good("no_command_line", [SMALL[0], (COMMAND_LINE, b""), *SMALL[2:]], memory=1, processors=0)
    good("three_ramdisks", [*SMALL, (RAMDISK, b"s"), (RAMDISK, b"t")], memory=1 << 30, processors=2)
    good("full_table", [*SMALL, *((RAMDISK, b"%d" % n) for n in range(28))], memory=1 << 30, processors=2)

    bad = lambda name, data, refusal: cases.add("eif", name, data, refusal)  # noqa: E731
    small = eif(SMALL)

    def put(at: int, data: bytes, file: bytes = small) -> bytes:
        return summed(file[:at] + data + file[at + len(data) :])

    bad("shorter_than_a_header", small[:547], "Header { got: 547 }")
    bad("magic", put(0, b".EIF"), "Magic")
    bad("version_3", put(4, u16(3)), "Version { got: 3 }")
    bad("other_architecture", put(6, u16(1)), 'NotZero { field: "flags" }')
    bad("reserved", put(24, u16(1)), 'NotZero { field: "reserved" }')
    bad("unused", put(540, u32(1)), 'NotZero { field: "unused" }')
    bad("three_sections", eif(SMALL[:3]), "Count { got: 3 }")
    bad("33_sections", put(26, u16(33)), "Count { got: 33 }")
    bad("section_beside_the_table", put(28 + 8 * 31, u64(548)), "Unused { entry: 31 }")
    bad("size_beside_the_table", put(28 + 8 * (32 + 4), u64(1)), "Unused { entry: 4 }")
    bad("hidden_section", put(26, u16(4), eif([*SMALL, (RAMDISK, b"s")])), "Unused { entry: 4 }")
    bad("gap", put(28 + 8, u64(562)), "Offset { entry: 1, expected: 561, got: 562 }")
    bad("overlap", put(28 + 8, u64(548)), "Offset { entry: 1, expected: 561, got: 548 }")
    bad("offset_beyond_all", put(28, u64((1 << 64) - 1)), f"Offset {{ entry: 0, expected: 548, got: {(1 << 64) - 1} }}")
    bad("size_of_the_table", put(28 + 8 * 32, u64(2)), "Size { entry: 0, table: 2, got: 1 }")
    huge = put(28 + 8 * 35, u64((1 << 64) - 1), put(len(small) - 9, u64((1 << 64) - 1)))
    bad("size_beyond_all", huge, f"Truncated {{ entry: 3, expected: {(1 << 64) - 1}, got: 1 }}")
    bad("cut_content", summed(small[:-1]), "Truncated { entry: 3, expected: 1, got: 0 }")
    bad("cut_section_header", summed(small[:-2]), "Truncated { entry: 3, expected: 12, got: 11 }")
    bad("bytes_after_the_last_section", summed(small + b"x"), "TrailingBytes { got: 1 }")
    bad("section_flags", put(550, u16(1)), "SectionFlags { entry: 0, got: 1 }")
    bad("command_line_first", eif([SMALL[1], SMALL[0], *SMALL[2:]]), "Kind { entry: 0, expected: Kernel, got: 2 }")
    bad("two_kernels", eif([SMALL[0], SMALL[0], *SMALL[2:]]), "Kind { entry: 1, expected: CommandLine, got: 1 }")
    bad("no_metadata", eif([*SMALL[:2], SMALL[3], SMALL[3]]), "Kind { entry: 2, expected: Metadata, got: 3 }")
    bad("no_ramdisk", eif([*SMALL[:3], (SIGNATURE, b"s")]), "Kind { entry: 3, expected: Ramdisk, got: 4 }")
    early = [*SMALL, (SIGNATURE, b"s"), (RAMDISK, b"s")]
    bad("ramdisk_after_the_signature", eif(early), "Kind { entry: 4, expected: Ramdisk, got: 4 }")
    bad("unknown_kind", eif([*SMALL, (6, b"s")]), "Kind { entry: 4, expected: Ramdisk, got: 6 }")
    bad("invalid_kind", eif([*SMALL, (0, b"s")]), "Kind { entry: 4, expected: Ramdisk, got: 0 }")
    bad("sum", small[:544] + u32(0) + small[548:], "Sum")
    bad("damaged", small[:-1] + b"s", "Sum")
    bad("empty_kernel", eif([(KERNEL, b""), *SMALL[1:]]), "Empty { section: Kernel }")
    bad("empty_ramdisk", eif([*SMALL[:3], (RAMDISK, b"")]), "Empty { section: Ramdisk }")
    lines = {"with_a_zero": b"a\0", "no_text": b"\xff", "with_a_line": b"a\nb", "too_long": b"a" * 2048}
    for name, line in lines.items():
        bad(f"command_line_{name}", eif([SMALL[0], (COMMAND_LINE, line), *SMALL[2:]]), "CommandLine")


def keys() -> dict[str, str]:
    """What a signer may hold, in PEM: the key in both forms, certificates, and what it must refuse."""
    private = lambda key, form: key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()  # noqa: E731
    small, pkcs8 = key("small", ec.SECP256R1()), PrivateFormat.PKCS8
    return {
        "pkcs8": private(key("image"), pkcs8),
        "sec1": private(key("image"), PrivateFormat.TraditionalOpenSSL),
        "certificate": PEM.decode(),
        "other_certificate": image.pem(certificate("other", "other")).decode(),
        "other_key": private(key("other"), pkcs8),
        "p256_key": private(small, pkcs8),
        "p256_certificate": image.pem(certificate("image", "image", public=small.public_key())).decode(),
    }


def signatures(cases: Cases) -> None:
    def signed(name: str, section: bytes, refusal: str | None = None, **facts: object) -> None:
        cases.add("signed", name, eif([*SECTIONS, (SIGNATURE, section)]), refusal, **facts)

    mine, pcr0 = key("image"), PCRS["pcr0"]
    good = {**PCRS, "pcr8": image.register(CERTIFICATE)}
    signed("signed", SIGNED, certificate=CERTIFICATE, keys=keys(), **good)
    text = image.signature(b"Subject: CN=image\n" + PEM, image.cose(image.payload(pcr0), signer=mine))
    signed("text_before_the_certificate", text, certificate=CERTIFICATE, **good)
    a_cose = lambda **options: image.cose(image.payload(pcr0), **{"signer": mine} | options)  # noqa: E731
    by = lambda pem=PEM, cose=None: image.signature(pem, cose or a_cose())  # noqa: E731
    member = {"signing_certificate": list(PEM), "signature": list(a_cose())}
    signed("nothing", cbor.encode([]), "Section")
    signed("two_signatures", cbor.encode([member, member]), "Section")
    signed("byte_strings", cbor.encode([{"signing_certificate": PEM, "signature": a_cose()}]), "Section")
    swapped = {"signature": member["signature"], "signing_certificate": member["signing_certificate"]}
    signed("members_swapped", cbor.encode([swapped]), "Section")
    signed("third_member", cbor.encode([member | {"x": 0}]), "Section")
    signed("after_the_section", SIGNED + b"\0", "Section")
    signed("indefinite_map", cbor.encode([cbor.indefinite_map(list(member.items()))]), "Section")
    signed("number_of_256", cbor.encode([member | {"signature": [256]}]), "Section")
    signed("tagged", by(cose=a_cose(tag=18)), "Cose")
    signed("es256_header", by(cose=a_cose(protected=bytes.fromhex("a10126"))), "Cose")
    signed("unprotected_member", by(cose=a_cose(unprotected={4: b"k"})), "Cose")
    signed("short_signature", by(cose=a_cose(signature=bytes(95))), "Cose")
    signed("after_the_signature", by(cose=a_cose() + b"\0"), "Cose")
    signed("no_certificate", by(b"PEM"), "Certificate")
    signed("two_certificates", by(PEM + PEM), "Certificate")
    signed("damaged_certificate", by(image.pem(CERTIFICATE[:-1])), "Certificate")
    small = certificate("image", "image", public=key("small", ec.SECP256R1()).public_key())
    signed("certificate_of_p256", by(image.pem(small)), "Key")
    hybrid = CERTIFICATE.replace(bytes.fromhex("03620004"), bytes.fromhex("03620007"))
    assert hybrid != CERTIFICATE
    signed("certificate_with_a_hybrid_point", by(image.pem(hybrid)), "Key")
    signed("another_image", by(cose=image.cose(image.payload(bytes(48)), signer=mine)), "Register")
    signed("register_1", by(cose=image.cose(image.payload(pcr0, 1), signer=mine)), "Register")
    signed("another_key", by(cose=a_cose(signer=key("other"))), "Signature")
    signed("another_certificate", by(image.pem(certificate("other", "other"))), "Signature")
    signed("zero_signature", by(cose=a_cose(signature=bytes(96))), "Signature")


def layouts(cases: Cases) -> None:
    def layout(name: str, first: list, second: list, refusal: str | None = None, **facts) -> None:
        line, more = facts.pop("line", LINE), facts.pop("more", [])
        ramdisks = [(RAMDISK, gzip(archive(entries))) for entries in (first, second, *more)]
        cases.add("layout", name, eif([FIRST[0], (COMMAND_LINE, line), FIRST[2], *ramdisks]), refusal, **facts)

    init = FILES[0]
    layout("vault", FOLDERS, FILES, policy=POLICY, init=init[2], pcr16=image.policy_register(POLICY), **PCRS)
    layout("another_command_line", FOLDERS, FILES, "CommandLine", line=b"init=/bin/sh")
    layout("third_ramdisk", FOLDERS, FILES, "Ramdisks { got: 3 }", more=[FILES])
    layout("file_beside_the_folders", [*FOLDERS, init], FILES, "Folders")
    layout("folder_missing", FOLDERS[:-1], FILES, "Folders")
    layout("another_file", FOLDERS, [*FILES, ("x", 0o444, b"")], "Files")
    layout("no_policy", FOLDERS, [init], "Files")
    layout("swapped", FOLDERS, FILES[::-1], "Files")
    layout("setuid", FOLDERS, [("init", 0o4755, init[2]), FILES[1]], "Files")
    layout("policy_is_a_folder", FOLDERS, [init, ("adyton.toml", 0o444, None)], "Files")
    stray = eif([*FIRST, (RAMDISK, RAMDISKS[0]), (RAMDISK, b"no ramdisk")])
    cases.add("layout", "no_ramdisk_of_ours", stray, "Ramdisk { number: 2, error: Gzip(Header) }")


def cases() -> list[dict]:
    made = Cases()
    ramdisks(made)
    files(made)
    signatures(made)
    layouts(made)
    return made
