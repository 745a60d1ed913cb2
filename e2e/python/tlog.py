"""A client of C2SP tlog-tiles, tlog-checkpoint and signed-note, and of RFC 6962's tree, written from their texts alone."""

import base64
import hashlib
import urllib.request

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256
ED25519 = 1


class Refused(Exception):
    """The log does not show what its checkpoint says."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_hash(entry):
    return sha256(b"\x00", entry)


def node_hash(left, right):
    return sha256(b"\x01", left, right)


class Verifier:
    """A verifier's key of C2SP signed-note: `<key name>+<key ID>+base64(type || public key)`."""

    def __init__(self, vkey):
        self.name, key_id, key = vkey.split("+", 2)
        key = base64.b64decode(key, validate=True)
        assert key[0] == ED25519 and len(key) == 33
        self.key_id = bytes.fromhex(key_id)
        assert self.key_id == sha256(self.name.encode(), b"\n", key)[:4]
        self.public_key = Ed25519PublicKey.from_public_bytes(key[1:])

    def open(self, note):
        """The text of a note that this key signed."""
        note = note.decode("utf-8")
        if any(ord(char) < 0x20 and char != "\n" for char in note):
            raise Refused("a control character")
        text, separator, signatures = note.rpartition("\n\n")
        if not separator or not signatures.endswith("\n"):
            raise Refused("no signatures")
        text += "\n"
        verified = False
        for line in signatures.splitlines():
            dash, name, signature = line.split(" ")
            signature = base64.b64decode(signature, validate=True)
            if dash != "\u2014" or not name or len(signature) < 5:
                raise Refused("a signature line of another form")
            if (name, signature[:4]) != (self.name, self.key_id):
                continue
            try:
                self.public_key.verify(signature[4:], text.encode())
            except Exception as error:
                raise Refused("a signature that does not verify") from error
            verified = True
        if not verified:
            raise Refused("no signature of a known key")
        return text


class Checkpoint:
    """Size and root hash, from the text of an opened note."""

    def __init__(self, text, origin):
        lines = text.splitlines()
        if lines[0] != origin or not text.endswith("\n") or len(lines) < 3:
            raise Refused("another origin")
        if lines[1] != str(int(lines[1])):
            raise Refused("a size of another form")
        self.size, self.root = int(lines[1]), base64.b64decode(lines[2], validate=True)


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


class Log:
    """One log, by its prefix and its verifier's key; its origin is the key's name."""

    def __init__(self, prefix, vkey, fetch=fetch):
        self.prefix, self.verifier, self.fetch = prefix, Verifier(vkey), fetch
        self.resources = {}

    def checkpoint(self):
        text = self.verifier.open(self.fetch(f"{self.prefix}/checkpoint"))
        return Checkpoint(text, self.verifier.name)

    def resource(self, level, number, size):
        """A tile, or with level "entries" a bundle, of a tree of `size`: full, or of the width that the tree gives it."""
        hashes = size >> 8 * (0 if level == "entries" else level)
        width = min(WIDTH, hashes - number * WIDTH)
        assert width > 0, "a client asks for no tile that the tree does not have"
        path = f"{number % 1000:03}"
        while number := number // 1000:
            path = f"x{number % 1000:03}/{path}"
        path = f"tile/{level}/{path}" + ("" if width == WIDTH else f".p/{width}")
        if path not in self.resources:
            self.resources[path] = self.fetch(f"{self.prefix}/{path}")
        return self.resources[path], width

    def tile(self, level, number, size):
        content, width = self.resource(level, number, size)
        if len(content) != 32 * width:
            raise Refused(f"a tile of {len(content)} bytes for {width} hashes")
        return [content[at : at + 32] for at in range(0, len(content), 32)]

    def entries(self, size):
        """Every entry of a tree of `size`, each compared with its leaf hash."""
        found = []
        for number in range(-(-size // WIDTH)):
            content, width = self.resource("entries", number, size)
            bundle = []
            while content:
                length = int.from_bytes(content[:2], "big")
                if len(content) < 2 + length:
                    raise Refused("a bundle that is cut short")
                bundle.append(content[2 : 2 + length])
                content = content[2 + length :]
            if [leaf_hash(entry) for entry in bundle] != self.tile(0, number, size)[:width]:
                raise Refused(f"bundle {number} is not of the tile's entries")
            found += bundle
        return found

    def subtree(self, start, end, size):
        """MTH(D[start:end]) of a tree of `size`, from its tiles (RFC 6962, section 2.1)."""
        count = end - start
        if count & (count - 1) == 0 and start % count == 0:
            height = count.bit_length() - 1
            # A full subtree is hashed together from the hashes of one tile.
            level, first, hashes = height // 8, start >> height // 8 * 8, 1 << height % 8
            tile = self.tile(level, first // WIDTH, size)[first % WIDTH :][:hashes]
            while len(tile) > 1:
                tile = [node_hash(tile[at], tile[at + 1]) for at in range(0, len(tile), 2)]
            return tile[0]
        middle = start + split(count)
        return node_hash(self.subtree(start, middle, size), self.subtree(middle, end, size))

    def inclusion(self, index, size):
        """PATH(index, D[size]), RFC 6962, section 2.1.1."""

        def path(index, start, end):
            if end - start == 1:
                return []
            middle = start + split(end - start)
            if index < middle:
                return path(index, start, middle) + [self.subtree(middle, end, size)]
            return path(index, middle, end) + [self.subtree(start, middle, size)]

        return path(index, 0, size)

    def consistency(self, old, size):
        """PROOF(old, D[size]), RFC 6962, section 2.1.2."""

        def proof(old, start, end, whole):
            if old == end - start:
                return [] if whole else [self.subtree(start, end, size)]
            k = split(end - start)
            if old <= k:
                return proof(old, start, start + k, whole) + [self.subtree(start + k, end, size)]
            return proof(old - k, start + k, end, False) + [self.subtree(start, start + k, size)]

        return proof(old, 0, size, True)

    def check_tree(self, checkpoint):
        """The tree of the tiles is the one that was signed."""
        root = self.subtree(0, checkpoint.size, checkpoint.size) if checkpoint.size else sha256()
        if root != checkpoint.root:
            raise Refused("the tiles lead to another root")

    def check_inclusion(self, entry, index, checkpoint):
        check_inclusion(leaf_hash(entry), index, checkpoint.size, self.inclusion(index, checkpoint.size), checkpoint.root)

    def check_consistency(self, old, new):
        check_consistency(old.size, old.root, new.size, new.root, self.consistency(old.size, new.size))


def split(count):
    """The largest power of two below a count of at least two."""
    return 1 << (count - 1).bit_length() - 1


def check_inclusion(leaf, index, size, path, root):
    """RFC 9162, section 2.1.3.2."""
    if index >= size:
        raise Refused("an index outside the tree")
    node, last, hashed = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise Refused("a proof that is too long")
        if node & 1 or node == last:
            hashed = node_hash(sibling, hashed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hashed = node_hash(hashed, sibling)
        node, last = node >> 1, last >> 1
    if last or hashed != root:
        raise Refused("the entry is not in the tree")


def check_consistency(old_size, old_root, size, root, proof):
    """RFC 9162, section 2.1.4.2."""
    if not 0 < old_size <= size:
        raise Refused("sizes that say nothing")
    if old_size == size:
        if proof or old_root != root:
            raise Refused("two trees of one size")
        return
    if old_size & (old_size - 1) == 0:
        proof = [old_root, *proof]
    if not proof:
        raise Refused("a proof that is too short")
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    from_old = from_new = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            raise Refused("a proof that is too long")
        if node & 1 or node == last:
            from_old, from_new = node_hash(sibling, from_old), node_hash(sibling, from_new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            from_new = node_hash(from_new, sibling)
        node, last = node >> 1, last >> 1
    if last or (from_old, from_new) != (old_root, root):
        raise Refused("the newer tree does not begin with the older one")
