"""The drill with the inside as an image: fewer rows are open, and which is said."""

import json
import subprocess

from conftest import BINARIES, SOURCE

#: What profile `kms` leaves open. A new row here is a promise less.
OPEN = {"cloned-vault", "kms-administrator", "restored-service"}
#: What an emulator plays, and so cannot show.
NOT_SHOWN = {"clock", "enclave-memory", "kms-folder", "other-code-vouched-for"}
#: Rows that only an image has.
CLOSED = {"changed-image", "debug-mode", "edited-policy", "kms-asked-by-host", "unsigned-platform"}
#: It may build what an image and its machine are made of.
PATIENCE = 3600


def test_an_image_leaves_fewer_rows_open_and_says_which():
    drill = [BINARIES / "adyton", "drill", "--json", "--enclave", "nitro-qemu", "--source", SOURCE]
    run = subprocess.run(drill, capture_output=True, text=True, timeout=PATIENCE)
    assert run.stdout, run.stderr
    report = json.loads(run.stdout)
    rows = {row["id"]: row for row in report["attempts"]}
    of = lambda outcome: {name for name, row in rows.items() if row["outcome"] == outcome}  # noqa: E731
    assert (run.returncode, report["faults"]) == (0, []), run.stdout
    assert report["profile"] == "kms"
    assert of("open") == OPEN
    assert of("not_shown") == NOT_SHOWN
    assert CLOSED <= of("closed")
    assert of("leak") | of("failed") == set()
