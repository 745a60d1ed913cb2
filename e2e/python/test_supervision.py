"""How `adyton up` starts, supervises and stops its processes, and what it leaves behind when it is not let."""

import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

import pytest
from conftest import BINARIES, PATIENCE, Up, children_of, eventually

#: Seconds after the start of `adyton up` at which it is interrupted: from before its first instruction to after it serves.
MOMENTS = [0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3]


class Run:
    """`adyton up` in a session of its own, with a folder of its own for temporary files."""

    def __init__(self, folder, *arguments, data=None):
        folder.mkdir(exist_ok=True)
        # Sockets are in it, and their paths must be short.
        self.folder, self.temporary = folder, pathlib.Path(tempfile.mkdtemp(prefix="up-"))
        self.data = data or folder / "vault"
        self.errors = open(folder / "errors", "w+")
        command = [BINARIES / "adyton", "up", "--json", "--data", self.data, "--listen", "127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            start_new_session=True,
            env=os.environ | {"TMPDIR": str(self.temporary)},
        )

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def signal_group(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def wait(self):
        code = self.process.wait(timeout=PATIENCE)
        self.process.stdout.close()
        return code

    def left(self):
        """Processes of its session that still run."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (OSError, ValueError, IndexError):
                continue
            if fields[0] != "Z" and int(fields[3]) == self.process.pid:
                found.append((entry.name, (entry / "cmdline").read_bytes()[:80]))
        return found

    def assert_nothing_left(self):
        # The kernel ends children with their parent, which may take a moment.
        def nothing():
            assert self.left() == []

        eventually(nothing)
        assert list(self.temporary.iterdir()) == []


@pytest.fixture
def runs():
    started = []
    yield started
    for run in started:
        for pid, _ in run.left():
            os.kill(int(pid), signal.SIGKILL)
        run.process.wait(timeout=PATIENCE)
        run.errors.close()
        shutil.rmtree(run.temporary, ignore_errors=True)


@pytest.mark.regression
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_ends_cleanly_at_every_moment(tmp_path, runs, number):
    for count, moment in enumerate(MOMENTS):
        run = Run(tmp_path / str(count))
        runs.append(run)
        time.sleep(moment)
        early = run.process.poll() is None and not run.left()[1:] and not run.data.exists()
        run.signal_group(number)
        # Impatient people do it again.
        time.sleep(random.choice([0, 0.01, 0.1]))
        run.signal_group(number)
        announced = run.process.stdout.read()
        code = run.wait()
        # Before it has done anything, the signal's default action is clean as well.
        assert code == 0 or (early and code == -number), (moment, code, run.said())
        run.assert_nothing_left()
        assert "did not" not in run.said() and "ended" not in run.said(), (moment, run.said())
        if code == 0 and not announced:
            assert not [name for name in os.listdir(run.folder) if name.startswith("vault")], (moment, run.said())


@pytest.mark.regression
def test_an_interrupt_while_a_child_ends_is_clean(tmp_path, runs):
    victims = ["adyton-enclave", "adyton-host", "adyton-pretend"]
    for count, (victim, moment) in enumerate((v, m) for m in [0, 0.01, 0.05, 0.11, 0.2] for v in victims):
        run = Run(tmp_path / str(count), data=tmp_path / "vault")
        runs.append(run)
        assert run.process.stdout.readline(), run.said()
        children = {name: pid for pid, name in children_of(run.process.pid)}
        os.kill(children[victim], signal.SIGKILL)
        # `up` ends with an error once it has noticed that its platform is gone, so that signal comes at once.
        if victim != "adyton-pretend":
            time.sleep(moment)
        run.signal_group(signal.SIGINT)
        run.signal_group(signal.SIGINT)
        assert run.wait() == 0, (victim, moment, run.said())
        run.assert_nothing_left()


def test_a_signal_to_every_process_ends_them_all_cleanly(tmp_path, runs):
    """As a service manager sends it: to each process, in any order. Old binaries failed a few times in a hundred, so this
    is no regression test."""
    for count in range(6):
        run = Run(tmp_path / str(count), data=tmp_path / "vault")
        runs.append(run)
        assert run.process.stdout.readline(), run.said()
        everybody = [pid for pid, _ in children_of(run.process.pid)] + [run.process.pid]
        for pid in everybody:
            os.kill(pid, signal.SIGTERM)
        assert run.wait() == 0, run.said()
        run.assert_nothing_left()


def test_without_its_platform_it_ends_with_a_reason_and_nothing_is_left(tmp_path, runs):
    run = Run(tmp_path / "run")
    runs.append(run)
    assert run.process.stdout.readline(), run.said()
    os.kill({name: pid for pid, name in children_of(run.process.pid)}["adyton-pretend"], signal.SIGKILL)
    assert run.wait() == 1
    assert "adyton-pretend has ended, and with it the phone" in run.said()
    run.assert_nothing_left()


@pytest.mark.regression
def test_a_taken_port_names_the_option_and_leaves_nothing(tmp_path, runs):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [BINARIES / "adyton", "up", "--json", "--data", tmp_path / "vault", "--listen", listen]
        refused = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert f"--listen {listen}: " in refused.stderr and "such as --listen 127.0.0.1:0" in refused.stderr
        assert list(tmp_path.iterdir()) == []
        # Another port works at once.
        run = Run(tmp_path / "run", data=tmp_path / "vault")
        runs.append(run)
        assert run.process.stdout.readline(), run.said()
        run.signal_group(signal.SIGINT)
        assert run.wait() == 0
        # And a vault that exists stays as it is.
        refused = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE)
        assert refused.returncode == 1 and f"--listen {listen}: " in refused.stderr
    run = Run(tmp_path / "again", data=tmp_path / "vault")
    runs.append(run)
    assert run.process.stdout.readline(), run.said()
    run.signal_group(signal.SIGINT)
    assert run.wait() == 0


@pytest.mark.regression
def test_set_is_refused_on_a_vault_that_exists(tmp_path):
    up = Up(tmp_path)
    assert up.stop() == 0
    policy = (up.data / "adyton.toml").read_bytes()
    command = [BINARIES / "adyton", "up", "--json", "--data", up.data, "--set", "retention_days=10"]
    refused = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "--set is for a new vault" in refused.stderr and "adyton policy approve" in refused.stderr
    assert (up.data / "adyton.toml").read_bytes() == policy
    # What is no policy leaves nothing behind.
    for wrong in ("retention_days", "retention_days=many", "retention_day=10"):
        command = [BINARIES / "adyton", "up", "--data", tmp_path / "new", "--listen", "127.0.0.1:0", "--set", wrong]
        refused = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE)
        assert refused.returncode == 1 and refused.stdout == "", wrong
        assert not [path for path in tmp_path.iterdir() if path.name.startswith("new")], wrong


@pytest.mark.regression
def test_folders_that_are_not_apart_are_refused(tmp_path):
    data = tmp_path / "vault"
    for option, folder in [("--client-dir", data), ("--pretend-dir", data / "pretend")]:
        command = [BINARIES / "adyton", "up", "--json", "--data", data, option, folder, "--listen", "127.0.0.1:0"]
        run = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = run.stdout.readline()
        run.send_signal(signal.SIGINT)
        _, error = run.communicate(timeout=PATIENCE)
        assert not line and run.returncode == 1 and "the three are kept apart" in error, (line, error)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.regression
def test_an_empty_variable_is_no_folder(tmp_path):
    def up(**variables):
        command = [BINARIES / "adyton", "up", "--json", "--listen", "127.0.0.1:0"]
        environment = {**os.environ, **variables}
        (tmp_path / "here").mkdir(exist_ok=True)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        run = subprocess.Popen(list(map(str, command)), cwd=tmp_path / "here", env=environment, text=True, **streams)
        line = run.stdout.readline()
        run.send_signal(signal.SIGINT)
        _, error = run.communicate(timeout=PATIENCE)
        assert list((tmp_path / "here").iterdir()) == []
        return line, run.returncode, error

    line, code, error = up(XDG_DATA_HOME="", HOME="")
    assert (line, code) == ("", 1) and "neither XDG_DATA_HOME nor HOME names a folder" in error, error
    line, code, _ = up(XDG_DATA_HOME="", HOME=str(tmp_path / "home"))
    assert line and code == 0 and (tmp_path / "home/.local/share/adyton/vault").is_dir()


@pytest.mark.regression
def test_a_reader_that_is_gone_ends_it_quietly(tmp_path):
    policy = pathlib.Path(__file__).parents[2] / "outside/image/tests/adyton.toml"
    for command in (
        ("policy", "check", policy),
        ("policy", "check", policy, "--json"),
        ("policy", "diff", policy, policy),
        ("up", "--data", tmp_path / "vault", "--listen", "127.0.0.1:0"),
    ):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            run = subprocess.run(
                list(map(str, (BINARIES / "adyton", *command))),
                stdout=writer,
                stderr=subprocess.PIPE,
                text=True,
                timeout=PATIENCE,
            )
        finally:
            os.close(writer)
        assert (run.returncode, run.stderr) == (128 + signal.SIGPIPE, ""), command
    # The same of what it complains to.
    reader, writer = os.pipe()
    os.close(reader)
    command = [BINARIES / "adyton", "policy", "check", tmp_path / "nowhere"]
    run = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=writer, timeout=PATIENCE)
    os.close(writer)
    assert (run.returncode, run.stdout) == (1, b"")


def counter(up, name):
    with urllib.request.urlopen(up.ready["metrics"], timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    return int(line.rsplit(" ", 1)[1])


def boot_again(up):
    """Ends the enclave and waits until another one serves."""
    before = counter(up, "adyton_boots_total")
    old = up.children()["adyton-enclave"]
    os.kill(old, signal.SIGKILL)

    def serves():
        assert counter(up, "adyton_boots_total") > before
        assert up.verify().fetch().sid == up.ready["service_sid"]

    eventually(serves)


@pytest.mark.regression
def test_boots_of_a_laptops_vault_are_not_delayed(tmp_path):
    up = Up(tmp_path, enclave="process")
    for _ in range(14):
        boot_again(up)
    assert counter(up, "adyton_boots_delayed_total") == 0
    assert up.stop() == 0
    again = Up(tmp_path, enclave="process")
    assert counter(again, "adyton_boots_delayed_total") == 0
    assert again.stop() == 0


@pytest.mark.regression
def test_a_delayed_boot_is_announced_and_waited_for(tmp_path, runs):
    up = Up(tmp_path, profile="kms", enclave="process")
    for _ in range(11):
        boot_again(up)
    assert up.stop() == 0
    # The thirteenth boot of the hour waits a minute.
    run = Run(tmp_path / "run", data=up.data)
    runs.append(run)
    assert run.process.stdout.readline(), run.said()
    assert "the vault has booted 13 times within an hour: this boot waits 60 s before it serves" in run.said()
    run.signal_group(signal.SIGINT)
    assert run.wait() == 0
