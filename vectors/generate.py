"""Writes the test vectors of this folder, one file a page of docs/spec.

It is an implementation of those pages in its own right: `spec/` follows the pages and shares no code with the Rust
crates, so that what both agree on is what the pages say. `cases/` chooses what is tested. The output is the same on
every run.

    python vectors/generate.py            writes the files
    python vectors/generate.py --check    fails if a file is not what would be written

`rfc9180.json` is not written here: it is the RFC's own known answer, and it checks `spec/hpke.py` first. Neither are
`ssh.json`, which OpenSSH makes (`ssh_keygen.py`), `sigv4.json`, which botocore makes (`sigv4_botocore.py`), and
`kms_answers.json`, two answers of AWS's KMS from the tests of AWS's own SDK.
"""

import json
import sys
from pathlib import Path

from cases import attestation, bundle, entries, frames, heads, images, keys, kms_envelopes, sealed_values, snapshots, webhook
from spec import hpke

FOLDER = Path(__file__).resolve().parent

PAGES = {
    "keys.json": keys.cases,
    "frames.json": frames.cases,
    "entries.json": entries.cases,
    "heads.json": heads.cases,
    "snapshots.json": snapshots.cases,
    "bundle.json": bundle.cases,
    "attestation.json": attestation.cases,
    "sealed_values.json": sealed_values.cases,
    "webhook.json": webhook.cases,
    "kms_envelopes.json": kms_envelopes.cases,
    "images.json": images.cases,
}


def written(cases: list[dict]) -> bytes:
    """The bytes of a file. A name is used once, and `fail_` names exactly the cases that have a refusal."""
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    for case in cases:
        assert case["name"].startswith("fail_") == ("refusal" in case), case["name"]
    return (json.dumps(cases, indent=1, ensure_ascii=False) + "\n").encode()


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: generate.py [--check]", file=sys.stderr)
        return 2
    for answer in json.loads((FOLDER / "rfc9180.json").read_text()):
        hpke.check_known_answer(answer)
    differing = []
    for name, cases in PAGES.items():
        path, wanted = FOLDER / name, written(cases())
        if path.exists() and path.read_bytes() == wanted:
            continue
        differing.append(name)
        if not arguments:
            path.write_bytes(wanted)
    if arguments and differing:
        print(f"not what generate.py writes: {', '.join(differing)}", file=sys.stderr)
        return 1
    print(f"{len(PAGES)} files, {len(differing)} of them {'different' if arguments else 'written anew'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
