"""Page 03."""

from spec import head as spec
from spec import tree
from spec.wire import sha256, u8

from . import genesis, vault
from .vault import pattern

LEAVES = [tree.leaf_hash(f"leaf {n}".encode()) for n in range(65_793)]
OPS, GOV = spec.origin(vault.VAULT_ID, 1), spec.origin(vault.VAULT_ID, 0)
OTHER_SEED, WITNESS = pattern(0x42, 32), "witness.example/w"
ROOT_7 = tree.root(LEAVES[:7])


def cases() -> list[dict]:
    out = trees() + inclusions() + consistencies() + frontiers() + tile_paths() + verifier_keys() + good_heads() + refused_heads()
    return out + genesis.cases()


def trees() -> list[dict]:
    out = []
    for size in (0, 1, 2, 3, 4, 7, 8, 255, 256, 257, 1000, 65_793):
        leaves = LEAVES[:size]
        root, frontier = tree.root(leaves).hex(), tree.frontier(leaves).hex()
        out.append({"name": f"tree_{size}", "what": "tree", "size": size, "root": root, "frontier": frontier})
    return out


def hexes(hashes: list[bytes]) -> list[str]:
    return [value.hex() for value in hashes]


def inclusions() -> list[dict]:
    def proof(index: int, size: int) -> dict:
        return {
            "what": "inclusion",
            "index": index,
            "size": size,
            "leaf": LEAVES[index].hex(),
            "root": tree.root(LEAVES[:size]).hex(),
            "proof": hexes(tree.inclusion(index, LEAVES[:size])),
        }

    places = ((0, 1), (0, 2), (1, 3), (6, 7), (3, 8), (254, 257), (256, 257), (999, 1000))
    out = [{"name": f"inclusion_{index}_of_{size}"} | proof(index, size) for index, size in places]
    good = proof(3, 7)
    first, rest = good["proof"][0], good["proof"][1:]
    for name, refusal, changes in (
        ("short", "Length", {"proof": good["proof"][:-1]}),
        ("long", "Length", {"proof": good["proof"] + [first]}),
        ("outside", "OutOfRange", {"index": 7}),
        ("other_index", "Root", {"index": 2}),
        ("other_hash", "Root", {"proof": [sha256(b"other").hex()] + rest}),
    ):
        out.append({"name": f"fail_inclusion_{name}"} | good | changes | {"refusal": refusal})
    return out


def consistencies() -> list[dict]:
    def proof(old: int, size: int) -> dict:
        return {
            "what": "consistency",
            "old": old,
            "size": size,
            "old_root": tree.root(LEAVES[:old]).hex(),
            "root": tree.root(LEAVES[:size]).hex(),
            "proof": hexes(tree.consistency(old, LEAVES[:size])),
        }

    sizes = ((0, 5), (1, 1), (1, 2), (3, 7), (4, 7), (6, 8), (7, 7), (256, 257), (257, 1000))
    out = [{"name": f"consistency_{old}_{size}"} | proof(old, size) for old, size in sizes]
    good, forked = proof(3, 7), sha256(b"forked").hex()
    for name, refusal, changes in (
        ("short", "Length", {"proof": good["proof"][:-1]}),
        ("long", "Length", {"proof": good["proof"] + good["proof"][:1]}),
        ("shrunk", "OutOfRange", {"old": 8}),
        ("forked", "Root", {"old_root": forked}),
        ("other_new_root", "Root", {"root": forked}),
    ):
        out.append({"name": f"fail_consistency_{name}"} | good | changes | {"refusal": refusal})
    return out


def frontiers() -> list[dict]:
    good = tree.frontier(LEAVES[:3])
    return [
        {"name": f"fail_frontier_{name}", "what": "frontier", "hex": encoded.hex(), "refusal": "FrontierError"}
        for name, encoded in (("count", good[:8] + u8(1) + good[9:41]), ("cut", good[:-1]), ("empty", b""))
    ]


def tile_paths() -> list[dict]:
    out = []
    places = ((0, 0, 256), (0, 5, 256), (1, 1_234_067, 256), (0, 1000, 17), (3, 999, 1), (63, 2**64 - 1, 255))
    for level, number, width in (*places, ("entries", 0, 256), ("entries", 1_234_067, 112)):
        path = tree.tile_path(level, number, width)
        place = {"level": str(level), "number": number, "width": width}
        out.append({"name": f"tile_path_{level}_{number}_{width}", "what": "tile_path"} | place | {"path": path})
    wrong = {
        "level_64": "tile/64/000",
        "level_with_a_zero": "tile/01/000",
        "two_digits": "tile/0/00",
        "without_x": "tile/0/001/000",
        "last_with_x": "tile/0/x001",
        "zeros_in_front": "tile/0/x000/001",
        "number_above_64_bits": "tile/0/x018/x446/x744/x073/x709/x551/616",
        "width_0": "tile/0/000.p/0",
        "width_256": "tile/0/000.p/256",
        "width_with_a_zero": "tile/0/000.p/07",
        "no_width": "tile/0/000.p/",
        "capitals": "tile/Entries/000",
    }
    for name, path in wrong.items():
        out.append({"name": f"fail_tile_path_{name}", "what": "tile_path", "path": path, "refusal": "TilePathError"})
    return out


def verifier_keys() -> list[dict]:
    out = []
    for name in ("gov", "ops-0"):
        origin = f"adyton/{'ab' * 32}/{name}"
        key = spec.ed25519_public(bytes([7] * 32))
        vkey = spec.verifier_key(origin, key)
        out.append({"name": f"verifier_key_{name}", "what": "verifier_key", "origin": origin, "key": key.hex(), "vkey": vkey})
    return out


def note(text: str, *lines: str) -> str:
    return text + "\n" + "".join(lines)


def good_heads() -> list[dict]:
    out = []

    def case(name: str, origin: str, size: int, root: bytes, before: str = "", after: str = "") -> None:
        text = spec.head_text(origin, size, root)
        signed = note(text, before, spec.signature_line(origin, vault.LOG_SEED, text), after)
        value = {"size": size, "root": root.hex()}
        out.append(head(f"head_{name}", origin, signed) | value)

    text = spec.head_text(OPS, 7, ROOT_7)
    witness = spec.signature_line(WITNESS, OTHER_SEED, text)
    case("ops", OPS, 7, ROOT_7)
    case("gov", GOV, 1, tree.root(LEAVES[:1]))
    case("empty", OPS, 0, tree.root([]))
    case("largest", OPS, 2**63 - 1, ROOT_7)
    case("with_witness_before", OPS, 7, ROOT_7, before=witness)
    case("with_witness_after", OPS, 7, ROOT_7, after=witness)
    case("with_another_key_of_this_name", OPS, 7, ROOT_7, before=spec.signature_line(OPS, OTHER_SEED, text))
    return out


def head(name: str, origin: str, signed: str) -> dict:
    return {"name": name, "what": "head", "origin": origin, "key": vault.LOG_KEY.hex(), "note": signed}


def refused_heads() -> list[dict]:
    out = []

    def fail(name: str, refusal: str, signed: str, origin: str = OPS) -> None:
        out.append(head(f"fail_head_{name}", origin, signed) | {"refusal": refusal})

    def sign(text: str) -> str:
        return spec.signature_line(OPS, vault.LOG_SEED, text)

    def of_text(name: str, refusal: str, text: str) -> None:
        """A wrong text, rightly signed."""
        fail(name, refusal, note(text, sign(text)))

    root = spec.base64(ROOT_7)
    text = spec.head_text(OPS, 7, ROOT_7)
    line = sign(text)
    good = note(text, line)
    fail("other_log", "Origin", good, origin=GOV)
    fail("other_vault", "Origin", good, origin=spec.origin(vault.OTHER_VAULT_ID, 1))
    of_text("text_of_another_log", "Origin", spec.head_text(GOV, 7, ROOT_7))
    for name, size in (
        ("leading_zero", "07"),
        ("plus", "+7"),
        ("no_size", ""),
        ("negative", "-7"),
        ("size_2_63", str(2**63)),
        ("size_2_64", str(2**64)),
        ("space", "7 "),
    ):
        of_text(name, "Size", f"{OPS}\n{size}\n{root}\n")
    for name, written in (
        ("short_root", spec.base64(ROOT_7[:31])),
        ("long_root", spec.base64(ROOT_7 + b"\x00")),
        ("root_unpadded", root.rstrip("=")),
        # The last character carries two bits that must be zero.
        ("root_loose_bits", root[:-2] + chr(ord(root[-2]) + 1) + "="),
    ):
        of_text(name, "Root", f"{OPS}\n7\n{written}\n")
    of_text("extension", "Extension", text + "extra\n")
    of_text("carriage_returns", "Form", text.replace("\n", "\r\n"))
    other = spec.signature_line(OPS, OTHER_SEED, text)
    fail("other_key", "NoSignature", note(text, other))
    signature = spec.key_hash(OPS, vault.LOG_KEY) + spec.ed25519_sign(OTHER_SEED, text.encode())
    fail("other_key_same_hash", "Signature", note(text, f"\u2014 {OPS} {spec.base64(signature)}\n"))
    fail("changed_size", "Signature", note(spec.head_text(OPS, 8, ROOT_7), line))
    own = spec.key_hash(OPS, vault.LOG_KEY) + spec.ed25519_sign(vault.LOG_SEED, text.encode())
    flipped = own[:4] + bytes([own[4] ^ 1]) + own[5:]
    fail("signature_flipped", "Signature", note(text, f"\u2014 {OPS} {spec.base64(flipped)}\n"))
    fail("signature_cut", "Signature", note(text, f"\u2014 {OPS} {spec.base64(own[:-1])}\n"))
    fail("witness_only", "NoSignature", note(text, spec.signature_line(WITNESS, OTHER_SEED, text)))
    fail("no_signature_lines", "NoSignature", note(text))
    fail("text_only", "Form", text)
    fail("no_blank_line", "Form", text + line)
    fail("no_last_newline", "Form", good[:-1])
    fail("plain_dash", "Form", note(text, line.replace("\u2014", "-")))
    witness = spec.signature_line(WITNESS, OTHER_SEED, text)
    fail("too_long", "Form", note(text, *[witness] * 200, line))
    fail("signed_twice", "Form", note(text, line, line))
    fail("two_texts", "Extension", note(text + "\n" + text, line))
    fail("witness_line_without_signature", "Form", note(text, f"\u2014 {WITNESS}\n", line))
    fail("witness_line_of_a_key_hash_only", "Form", note(text, f"\u2014 {WITNESS} {spec.base64(own[:4])}\n", line))
    fail("witness_line_without_name", "Form", note(text, f"\u2014  {spec.base64(own)}\n", line))
    fail("witness_line_name_with_plus", "Form", note(text, f"\u2014 a+b {spec.base64(own)}\n", line))
    return out
