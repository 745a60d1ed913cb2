"""RFC 9162 §2.1: Merkle trees, written as the RFC writes them. Page 03: tile paths."""

from .wire import sha256, u8, u64


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00", leaf)


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01", left, right)


def split(size: int) -> int:
    """k: the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def root(hashes: list[bytes]) -> bytes:
    """MTH over leaf hashes."""
    if not hashes:
        return sha256()
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return node_hash(root(hashes[:k]), root(hashes[k:]))


def inclusion(index: int, hashes: list[bytes]) -> list[bytes]:
    """PATH(m, D_n)."""
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    if index < k:
        return inclusion(index, hashes[:k]) + [root(hashes[k:])]
    return inclusion(index - k, hashes[k:]) + [root(hashes[:k])]


def consistency(old: int, hashes: list[bytes]) -> list[bytes]:
    """PROOF(m, D_n); of the empty tree and of the same size, nothing."""
    return [] if old in (0, len(hashes)) else subproof(old, hashes, True)


def subproof(old: int, hashes: list[bytes], whole: bool) -> list[bytes]:
    size = len(hashes)
    if old == size:
        return [] if whole else [root(hashes)]
    k = split(size)
    if old <= k:
        return subproof(old, hashes[:k], whole) + [root(hashes[k:])]
    return subproof(old - k, hashes[k:], False) + [root(hashes[:k])]


def frontier(hashes: list[bytes]) -> bytes:
    """Page 04: size, and the roots of the full subtrees, largest first."""
    roots, at = [], 0
    for bit in reversed(range(len(hashes).bit_length())):
        if len(hashes) >> bit & 1:
            roots.append(root(hashes[at : at + (1 << bit)]))
            at += 1 << bit
    return u64(len(hashes)) + u8(len(roots)) + b"".join(roots)


def tile_path(level: int | str, number: int, width: int) -> str:
    """C2SP tlog-tiles; the level `entries` is of entry bundles, and a width of 256 is a full tile."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{path}" + ("" if width == 256 else f".p/{width}")
