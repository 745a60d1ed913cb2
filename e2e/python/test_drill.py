"""`adyton drill` as a user runs it, and against an enclave that leaks."""

import fcntl
import hashlib
import html.parser
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import time

import pytest
from conftest import BINARIES, PATIENCE, children_of
from test_phone_page import browser  # noqa: F401 - a fixture

ROOT = pathlib.Path(__file__).resolve().parents[2]
#: What a laptop leaves open, and nothing else. A new row here is a promise less.
OPEN = {"clock", "cloned-vault", "enclave-memory", "kms-folder", "other-code-vouched-for", "restored-service"}
#: Rows that must be there; others may come.
CLOSED = {
    "core-dumps",
    "crash",
    "endpoints",
    "files",
    "host-memory",
    "network",
    "output",
    "pipes",
    "support",
}
ENCODINGS = {
    "raw",
    "hex",
    "base64+0",
    "base64+1",
    "base64+2",
    "percent",
    "quoted-printable",
    "utf-16le",
    "utf-16be",
    "gsm-7",
    "semi-octets",
    "reversed",
    "gzip",
}
PLACES = {"answers", "files", "memory", "network", "output", "pipes"}


def run(*arguments, binaries=BINARIES, **options):
    command = [binaries / "adyton", "drill", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, **options)


@pytest.fixture(scope="module")
def drill(tmp_path_factory):
    """One run: exit code, report, page."""
    folder = tmp_path_factory.mktemp("drill")
    temporary = folder / "tmp"
    temporary.mkdir()
    page = folder / "report.html"
    done = run("--json", "--html", page, env={**os.environ, "TMPDIR": str(temporary)})
    assert done.stdout, done.stderr
    assert list(temporary.iterdir()) == [], "the drill's folders go with it"
    return done, json.loads(done.stdout), page


def ids(report, outcome):
    return {attempt["id"] for attempt in report["attempts"] if attempt["outcome"] == outcome}


def test_nothing_leaks_and_what_is_open_is_what_the_profile_declares(drill):
    done, report, _ = drill
    assert (done.returncode, report["faults"]) == (0, []), done.stdout
    assert (report["profile"], report["freshness"]) == ("dev", "none")
    assert ids(report, "leak") == ids(report, "failed") == set()
    missing = ids(report, "not_run")
    assert ids(report, "open") == OPEN - missing
    assert ids(report, "closed") >= CLOSED - missing
    for attempt in report["attempts"]:
        assert attempt["detail"]
        assert bool(attempt["closed_by"]) == (attempt["outcome"] in ("open", "closed")), attempt
    assert done.stdout.count("\n") == 1, "one line, for scripts"


def test_every_detector_caught_the_control(drill):
    _, report, _ = drill
    found = {(check["id"], check["encoding"]) for check in report["detectors"]}
    assert found >= {(place, encoding) for place in PLACES for encoding in ENCODINGS}
    assert {check["control"] for check in report["detectors"]} == {"caught"}


def test_every_row_was_run(drill):
    """Counted by `cargo xtask ci` where a machine lacks what a row takes."""
    _, report, _ = drill
    missing = [f"{attempt['id']}: {attempt['detail']}" for attempt in report["attempts"] if attempt["outcome"] == "not_run"]
    if missing:
        pytest.skip("; ".join(missing))


class Page(html.parser.HTMLParser):
    """Rows of the attempts' table: outcome by id; and what could be loaded."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.row, self.word, self.loads = {}, None, False, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "tr":
            self.row = attributes.get("id")
        self.word = tag == "span" and attributes.get("class", "").startswith("word")
        self.loads += [value for name, value in attributes.items() if name in ("src", "href") and value != "data:,"]
        assert tag != "script"

    def handle_data(self, data):
        if self.word and self.row:
            self.rows[self.row] = data
        self.word = False


def test_the_page_for_an_auditor(drill, browser, tmp_path):  # noqa: F811 - the fixture
    _, report, page = drill
    shown = Page(browser(page.as_uri(), "--dump-dom"))
    words = {"closed": "CLOSED", "open": "OPEN", "not_run": "NOT RUN"}
    assert shown.rows == {attempt["id"]: words[attempt["outcome"]] for attempt in report["attempts"]}
    assert shown.loads == [], "the page needs no network"
    for name, size in (("wide", (1100, 2600)), ("narrow", (500, 3600))):
        picture = tmp_path / f"{name}.png"
        browser(page.as_uri(), f"--screenshot={picture}", f"--window-size={size[0]},{size[1]}")
        head = picture.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", head[16:24]) == size


def test_a_person_reads_a_table():
    done = run("--only", "output", "--only", "clock", "--only", "support")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CLOSED    output" in done.stdout and "CLOSED    support" in done.stdout
    assert "closed by closed-outputs" in done.stdout
    unknown = run("--only", "nonsense")
    assert unknown.returncode == 1 and "--only nonsense: there are another-tenant, " in unknown.stderr


@pytest.fixture
def short_folder():
    """A folder whose sockets' paths fit (108 bytes): pytest's own grow with every run of this machine."""
    with tempfile.TemporaryDirectory(prefix="drill", dir="/tmp") as folder:
        yield pathlib.Path(folder)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_drill_that_is_ended_leaves_no_process(how, short_folder):
    environment = {**os.environ, "TMPDIR": str(short_folder)}
    process = subprocess.Popen(
        [BINARIES / "adyton", "drill"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    for line in process.stderr:
        if "catching the leaky control" in line:
            break
    children = list(children_of(process.pid))
    assert {name for _, name in children} >= {"adyton-pretend", "adyton-host", "adyton-enclave"}
    process.send_signal(how)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    deadline = time.monotonic() + PATIENCE
    while left := [name for pid, name in children if alive(pid, name)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    if how != signal.SIGKILL:
        assert list(short_folder.iterdir()) == [], "its folders go with it"


def alive(pid, name):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return f"({name})" in stat and stat.rsplit(")", 1)[1].split()[0] != "Z"


def sources():
    """What an enclave is built from, without what others built."""
    for top in ("Cargo.toml", "Cargo.lock", "between", "inside", "outside", "bench", "fuzz", "xtask", "vectors", "e2e/leaky"):
        path = ROOT / top
        yield from [path] if path.is_file() else (file for file in path.rglob("*") if file.is_file())


@pytest.fixture(scope="session")
def leaky(tmp_path_factory):
    """The binaries, with an enclave that was patched to leak."""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo is not installed")
    compiler = subprocess.run([cargo, "--version", "--verbose"], capture_output=True, check=True).stdout
    # What is built is kept outside the checkout, for the next run: cargo knows what of it still holds.
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    key = hashlib.sha256(compiler).hexdigest()[:16]
    place = cache / "adyton-leaky" / key
    tree = place / "tree"
    tree.mkdir(parents=True, exist_ok=True)
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fresh = tmp_path_factory.mktemp("patched")
        for file in sources():
            copy = fresh / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        patch = ROOT / "e2e" / "leaky" / "trace.patch"
        # Outside any repository, or git would apply nothing and say nothing.
        apply = ["git", "apply", "--verbose", str(patch)]
        ceiling = {**os.environ, "GIT_CEILING_DIRECTORIES": str(fresh.parent)}
        applied = subprocess.run(apply, cwd=fresh, env=ceiling, capture_output=True, text=True, check=False)
        assert applied.returncode == 0 and "Applied patch" in applied.stderr, applied.stderr
        synchronise(fresh, tree)
        environment = {**os.environ, "CARGO_TARGET_DIR": str(place / "target")}
        build = [cargo, "build", "--quiet", "--locked", "--package", "adyton-enclave"]
        built = subprocess.run(build, cwd=tree, env=environment, capture_output=True, text=True, timeout=900, check=False)
        assert built.returncode == 0, built.stderr
        folder = tmp_path_factory.mktemp("leaky")
        for name in ("adyton", "adyton-host", "adyton-pretend"):
            shutil.copy2(BINARIES / name, folder / name)
        shutil.copy2(place / "target" / "debug" / "adyton-enclave", folder / "adyton-enclave")
    return folder


def synchronise(source, target):
    """Makes one tree like another; what is the same keeps its time, so that little is built again."""
    wanted = {file.relative_to(source) for file in source.rglob("*") if file.is_file()}
    for file in [file for file in target.rglob("*") if file.is_file()]:
        if file.relative_to(target) not in wanted:
            file.unlink()
    for name in wanted:
        content = (source / name).read_bytes()
        copy = target / name
        if not copy.exists() or copy.read_bytes() != content:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)


def test_an_enclave_that_leaks_is_caught(leaky):
    done = run("--json", binaries=leaky)
    assert done.returncode == 1, done.stdout
    report = json.loads(done.stdout)
    assert ids(report, "leak") == {"crash", "files", "output"}
    details = {attempt["id"]: attempt["detail"] for attempt in report["attempts"]}
    assert "codes 11" in details["output"] and "base64" in details["output"]
    assert "numbers 1" in details["files"] or "addresses 1" in details["files"]
    assert {f"{name}: LEAK" for name in ("crash", "files", "output")} <= set(report["faults"])
    assert {check["control"] for check in report["detectors"]} == {"caught"}


@pytest.mark.regression
def test_copies_of_one_vault_that_run_at_once_are_an_open_row():
    done = run("--only", "cloned-vault", "--json")
    assert done.returncode == 0, done.stderr
    (attempt,) = json.loads(done.stdout)["attempts"]
    assert (attempt["id"], attempt["outcome"]) == ("cloned-vault", "open")
    # Each copy has the whole of every limit, and nothing in its log shows the others.
    assert "3 copies at once compared 3 wrong codes for one number where one vault compares 1" in attempt["detail"]
    assert "sent it 6 messages where the policy allows 2 an hour" in attempt["detail"]
    assert "calls each of the 3 logs sound" in attempt["detail"]
    assert attempt["closed_by"].startswith("a vault with a register")
