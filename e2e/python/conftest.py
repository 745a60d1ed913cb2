"""A vault for the tests: the release binaries, started by `adyton up` as a user would."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
from twilio.rest import Client

BINARIES = pathlib.Path(os.environ["ADYTON_BIN_DIR"])
PATIENCE = 60
# What the inside is: a process, or with nitro-qemu an image on an emulated machine (`cargo xtask nitro`).
ENCLAVE = os.environ.get("ADYTON_ENCLAVE", "process")
SOURCE = pathlib.Path(__file__).resolve().parents[2]
# A process's name is cut to 15 characters. Who kills the inside kills what emulates its machine.
INSIDE = {"qemu-system-x86": "adyton-enclave"}
# What stands between that and the host.
BRIDGE = "vhost-device-vs"
# What the marker means; `cargo xtask regressions` holds every test to it.
REGRESSION = (
    "regression(starts=True): fails on binaries of the commit before its fault was mended. "
    "starts=False: there a vault does not start or a fixture fails, and that is the fault"
)


class NotStarted(Exception):
    """The vault did not start. An old binary that lacks an option ends here, too."""


def pytest_configure(config):
    config.addinivalue_line("markers", "regression: fails on binaries of the commit before its fault was mended")


class Up:
    """One run of `adyton up`."""

    def __init__(
        self,
        folder,
        listen="127.0.0.1:0",
        policy=(),
        tenant=None,
        pretend=None,
        profile=None,
        enclave=ENCLAVE,
        extra=(),
    ):
        """`policy`: keys and values that a new vault's policy has instead of those that `up` writes. `tenant`: name of
        another tenant than the first, who is made when first named. `pretend`: a folder of the platform's, in place of one of its
        own. `profile`: who keeps the root key of a new vault. `enclave`: what the inside is. `extra`: further arguments."""
        self.data = folder / "vault"
        # A vault has its policy from when it was made.
        policy = () if (self.data / "adyton.toml").exists() else policy
        arguments = [argument for change in policy for argument in ("--set", change)]
        arguments += ["--enclave", enclave, "--source", SOURCE]
        if profile is not None:
            arguments += ["--profile", profile]
        if tenant is not None:
            arguments += ["--client-dir", folder / tenant]
        self.pretend = pretend or folder / "vault.pretend"
        arguments += ["--pretend-dir", self.pretend, *extra]
        self.process = subprocess.Popen(
            [BINARIES / "adyton", "up", "--json", "--data", self.data, "--listen", listen, *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        if not line:
            raise NotStarted(f"adyton up ended with status {self.process.wait(timeout=PATIENCE)} and printed nothing")
        self.ready = json.loads(line)

    def place(self):
        """What the command line needs to speak with this vault by its evidence."""
        return ("--api", self.ready["api"], "--vault-id", self.ready["vault_id"], "--root", self.ready["root"])

    def client(self):
        """The official SDK, unmodified but for its base URL."""
        os.environ["REQUESTS_CA_BUNDLE"] = self.ready["ca"]
        client = Client(self.ready["account_sid"], self.ready["auth_token"])
        client.verify.base_url = self.ready["api"]
        return client

    def verify(self):
        return self.client().verify.v2.services(self.ready["service_sid"])

    def service(self, **fields):
        """A new service, by the SDK's own way to send parameters that it does not know."""
        made = self.client().request("POST", f"{self.ready['api']}/v2/Services", data={"FriendlyName": "Acme", **fields})
        return made.status_code, json.loads(made.text)

    def messages(self, to):
        query = urllib.parse.urlencode({"to": to})
        with urllib.request.urlopen(f"{self.ready['phone']}/messages?{query}", timeout=10) as answer:
            return json.load(answer)

    def code(self, to, count=1):
        """The newest code on the phone, once `count` messages are there."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = self.messages(to)
            if len(found) >= count:
                return found[0]["body"].rsplit(" ", 1)[1]
            time.sleep(0.02)
        raise AssertionError(f"no message {count} for the number in time")

    def children(self):
        """Process ids of the running children, by name; a killed one has a new id once it is started again."""
        children = children_of(self.process.pid)
        return {INSIDE.get(name, name): pid for pid, name in children if name != BRIDGE}

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(timeout=PATIENCE)

    def log_check(self):
        return subprocess.run(
            [BINARIES / "adyton", "log", "check", "--json", "--data", self.data],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )


def children_of(parent):
    """Process id and name of each child that runs."""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text()
        except (OSError, ValueError):
            continue
        name, rest = stat.split("(", 1)[1].rsplit(")", 1)
        state, found = rest.split()[:2]
        if int(found) == parent and state != "Z":
            yield int(entry.name), name


def eventually(attempt):
    """Repeats what an outage interrupts; the last error is the test's."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return attempt()
        except Exception:  # noqa: BLE001 - every kind of broken connection
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def pytest_configure(config):
    config.addinivalue_line("markers", REGRESSION)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Writes each phase of a test for `cargo xtask regressions`."""
    report = yield
    if "ADYTON_RESULTS" in os.environ:
        marker = item.get_closest_marker("regression")
        why = ""
        if call.excinfo is not None:
            why = (call.excinfo.exconly().splitlines() or [""])[0]
        phase = {
            "when": report.when,
            "outcome": report.outcome,
            "why": why,
            "not_started": call.excinfo is not None and call.excinfo.errisinstance(NotStarted),
            "starts": marker is None or marker.kwargs.get("starts", True),
        }
        with open(os.environ["ADYTON_RESULTS"], "a") as file:
            print(json.dumps(phase), file=file)
    return report


def pytest_runtest_logreport(report):
    """A skipped test is counted by `cargo xtask ci`."""
    if report.skipped and "ADYTON_NOT_RUN" in os.environ:
        with open(os.environ["ADYTON_NOT_RUN"], "a") as file:
            print(f"{report.nodeid}: {report.longrepr[2]}", file=file)


@pytest.fixture
def up(tmp_path):
    run = Up(tmp_path)
    yield run
    if run.process.poll() is None:
        run.stop()


@pytest.fixture
def start(tmp_path):
    """Starts vaults over one folder, one after the other."""
    runs = []

    def begin(**options):
        runs.append(Up(tmp_path, **options))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.stop()


@pytest.fixture
def outside(tmp_path):
    """Starts a vault whose carrier is played here; `routes` makes the routes of its policy of those that `up` writes."""
    running = []

    def begin(carrier, routes=None):
        folder = tmp_path / "usual"
        folder.mkdir()
        up = Up(folder, extra=["--route", carrier.route])
        if routes is not None:
            # A vault has its policy from when it was made: one more is made, with the same platform and owner.
            policy = (up.data / "adyton.toml").read_text()
            up.stop()
            folder = tmp_path / "changed"
            (folder / "vault").mkdir(parents=True, mode=0o700)
            (folder / "vault" / "adyton.toml").write_text(routes(policy))
            shutil.copytree(up.pretend, folder / "vault.pretend")
            # But for what is remembered of the other vault, in a folder named by its id.
            of_vault = shutil.ignore_patterns(64 * "[0-9a-f]")
            shutil.copytree(tmp_path / "usual" / "vault.client", folder / "vault.client", ignore=of_vault)
            up = Up(folder, extra=["--route", carrier.route])
        running.extend([up.stop, carrier.end])
        carrier.begin(up.pretend, tmp_path)
        return up

    yield begin
    for stop in running:
        stop()
