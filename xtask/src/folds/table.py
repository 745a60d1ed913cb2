"""Prints the table of `inside/workflows/services/src/message/fold/table.rs`: `cargo xtask folds`.

A character's replacement is, by what this Python's `unicodedata` knows:

1. its compatibility decomposition (NFKD) without marks, each part replaced by the rules below;
2. the letter or digit that its name says: LATIN LETTER SMALL CAPITAL H, LATIN SMALL LETTER L WITH STROKE, DIGIT FOUR;
3. `+`, `/` or `:` where its name says that it is one;
4. a pair of `PAIRS`: what carriers are known to replace and names do not show.

Characters of the GSM 7-bit alphabet have none, for nobody replaces what a text message can hold. Only replacements with a
character that a rule for names looks at are kept: an ASCII letter or digit, or one of `+/:.@`.
"""

import re
import sys
import unicodedata

WIDTH = 120
LONGEST_ROW = 64
# 3GPP TS 23.038 §6.2.1, its letters and signs that are not ASCII.
GSM = set("£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà€")
PAIRS = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"))  # Unicode's GSM0338.TXT gives them the codes of these letters.
PAIRS |= {"®": "R", "©": "C", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ŋ": "n", "Ŋ": "N", "ẞ": "SS"}
PAIRS |= {"\u3002": ".", "÷": "/", "∶": ":", "։": ":", "׃": ":"}

LATIN = re.compile(
    r"LATIN (?P<case>SMALL |CAPITAL |)(?:LETTER|LIGATURE) "
    r"(?P<small>SMALL CAPITAL |DOTLESS |SCRIPT |INSULAR |LONG |OPEN )?(?P<letters>[A-Z]{1,2})(?: WITH .*)?$"
)
REGIONAL = re.compile(r"REGIONAL INDICATOR SYMBOL LETTER ([A-Z])$")
SLASH = re.compile(r"(?!.*(REVERSE|INVERTED)).*(SOLIDUS|SLASH)( OVERLAY)?$")


def by_name(char):
    """Rules 2 and 3."""
    name = unicodedata.name(char, "")
    if latin := LATIN.search(name):
        letters = latin["letters"]
        return letters.lower() if latin["case"] == "SMALL " else letters
    if regional := REGIONAL.match(name):
        return regional[1]
    if unicodedata.category(char) in ("Nd", "Nl", "No"):
        number = unicodedata.numeric(char)
        return str(int(number)) if number == int(number) else None
    if "PLUS SIGN" in name:
        return "+"
    if re.search(r"\bCOLON$", name):
        return ":"
    return "/" if SLASH.match(name) else None


def fold(char):
    """The replacement; the character itself if it has none."""
    if ord(char) < 0x80 or char in GSM:
        return char
    if char in PAIRS:
        return PAIRS[char]
    # 1.
    parts = [part for part in unicodedata.normalize("NFKD", char) if unicodedata.category(part) != "Mn"]
    if parts and parts != [char]:
        return "".join(map(fold, parts))
    return by_name(char) or char


def is_looked_at(text):
    return re.search("[A-Za-z0-9+/:.@]", text) is not None


def escaped(code):
    return f"'\\u{{{code:X}}}'"


def rows(folds):
    """Neighbours that become one ASCII character each, as one row; a blank stands for one between them that has none."""
    row = []
    for code in sorted(folds):
        if row and (code - row[-1][0] > 8 or len(row) > LONGEST_ROW):
            yield row
            row = []
        row += [(between, " ") for between in range(row[-1][0] + 1, code)] if row else []
        row.append((code, folds[code]))
    yield row


def lines(items):
    line = ""
    for item in items:
        if line and len(line) + len(item) + 1 > WIDTH:
            yield line
            line = ""
        line += f" {item}" if line else f"    {item}"
    yield line


def literal(text):
    return '"' + "".join(char if char.isascii() else f"\\u{{{ord(char):X}}}" for char in text) + '"'


def ranges(codes):
    """Ranges of these, over unassigned characters too."""
    first = last = None
    for code in codes:
        if last is None or any(unicodedata.category(chr(between)) != "Cn" for between in range(last + 1, code)):
            if last is not None:
                yield first, last
            first = code
        last = code
    yield first, last


def unassigned():
    """Ranges of characters that this Unicode does not have, private ones included: a later version may give them a meaning."""
    first = None
    for code in range(0x80, 0x110001):
        missing = code < 0x110000 and unicodedata.category(chr(code)) in ("Cn", "Co")
        if missing and first is None:
            first = code
        if not missing and first is not None:
            yield first, code - 1
            first = None


def main():
    every = [code for code in range(0x80, 0x30000) if unicodedata.category(chr(code)) not in ("Cn", "Co", "Cs")]
    folds = {code: fold(chr(code)) for code in every}
    folds = {code: text for code, text in folds.items() if text != chr(code) and is_looked_at(text)}
    single = list(rows({code: text for code, text in folds.items() if len(text) == 1}))
    several = {code: text for code, text in folds.items() if len(text) > 1}
    # A letter between digits makes them words; these are no letters to a reader, whatever Unicode calls them.
    clicks_and_dots = (0x1C0, 0x1C1, 0x1C2, 0x1C3, 0x119E, 0x318D)
    no_letters = ("Lm", "Mn", "Mc")
    is_modifier = lambda code: unicodedata.category(chr(code)) in no_letters or code in clicks_and_dots
    spans = list(ranges([code for code in every if is_modifier(code)]))
    marks = list(ranges([code for code in every if unicodedata.category(chr(code)) in ("Mn", "Mc", "Me")]))
    missing = list(unassigned())
    out = [
        "//! What carriers may put in the place of characters, and what is no letter of a word. Written by `cargo xtask folds`",
        f"//! from Unicode {unicodedata.unidata_version} (`xtask/src/folds/table.py` has the rules). Do not edit.",
        "",
        "/// The first of several characters that follow each other, and what each becomes; a blank: nothing.",
        "#[rustfmt::skip]",
        f"pub(super) static SINGLE: [(char, &str); {len(single)}] = [",
        *lines(f'({escaped(row[0][0])}, {literal("".join(text for _, text in row))}),' for row in single),
        "];",
        "",
        "/// Characters that become several.",
        "#[rustfmt::skip]",
        f"pub(super) static SEVERAL: [(char, &str); {len(several)}] = [",
        *lines(f"({escaped(code)}, {literal(text)})," for code, text in several.items()),
        "];",
        "",
        "/// First and last of modifier letters, marks and letters that look like punctuation. Digits beside them stand together.",
        "#[rustfmt::skip]",
        f"pub(super) static MODIFIERS: [(char, char); {len(spans)}] = [",
        *lines(f"({escaped(first)}, {escaped(last)})," for first, last in spans),
        "];",
        "",
        "/// First and last of marks, which belong to the character before them.",
        "#[rustfmt::skip]",
        f"pub(super) static MARKS: [(char, char); {len(marks)}] = [",
        *lines(f"({escaped(first)}, {escaped(last)})," for first, last in marks),
        "];",
        "",
        "/// First and last of characters that this version of Unicode does not have, and of private ones.",
        "#[rustfmt::skip]",
        f"pub(super) static UNASSIGNED: [(char, char); {len(missing)}] = [",
        *lines(f"({escaped(first)}, {escaped(last)})," for first, last in missing),
        "];",
    ]
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
