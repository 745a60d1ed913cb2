"""What `adyton up` prints and what the README shows, run as it stands there."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest
import requests
from conftest import BINARIES, PATIENCE, eventually

NUMBER = "+12025550123"
README = pathlib.Path(__file__).parents[2] / "README.md"


class Printed:
    """The instructions of a running `adyton up`."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [BINARIES / "adyton", "up", "--data", folder / "vault", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.text = ""
        for line in self.process.stdout:
            self.text += line
            if line.startswith("Stop: "):
                break

    def field(self, pattern):
        return re.search(pattern, self.text)[1]

    def lines(self, after):
        """The lines that stand indented below one that begins so."""
        below = re.search(rf"^{re.escape(after)}.*\n\n((?: .*\n)+)", self.text, re.MULTILINE)
        return textwrap.dedent(below[1])

    def code(self):
        """The code that came last; waits for one."""

        def newest():
            phone = self.field(r"Phone: (\S+)")
            found = requests.get(f"{phone}/messages", params={"to": NUMBER}, timeout=10).json()
            return re.search(r"\b\d{6}\b", found[0]["body"])[0]

        return eventually(newest)


@pytest.fixture(params=["plain", "my vault's"])
def printed(request, tmp_path):
    """Instructions for folders of any name."""
    folder = tmp_path / request.param
    folder.mkdir()
    printed = Printed(folder)
    yield printed
    printed.process.send_signal(signal.SIGINT)
    assert printed.process.wait(timeout=PATIENCE) == 0


def run(script, code=lambda: ""):
    """What a shell says that gets these lines, and then a code."""
    environment = {name: value for name, value in os.environ.items() if name != "REQUESTS_CA_BUNDLE"}
    # `python3` is the one that has the SDK.
    environment["PATH"] = f"{pathlib.Path(sys.executable).parent}:{environment['PATH']}"
    shell = subprocess.Popen(
        ["sh", "-euc", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )
    try:
        said, _ = shell.communicate(code() + "\n", timeout=PATIENCE)
    finally:
        shell.kill()
    assert shell.returncode == 0
    return said


def test_the_printed_python(printed):
    # Byte for byte, as it is pasted: indented.
    pasted = re.search(r"^Send a first code.*\n\n((?: .*\n)+)", printed.text, re.MULTILINE)[1]
    assert run(pasted, printed.code) == "pending\ncode: approved\n"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_printed_curl(printed):
    send, check = re.findall(r"^curl (?:.*\\\n)*.*$", printed.lines("or with curl:"), re.MULTILINE)
    assert '"status":"pending"' in run(send)
    code = printed.code()
    # The example's code is a guess like any other.
    if code != "123456":
        assert '"valid":false' in run(check)
    said = run(check.replace("Code=123456", f"Code={code}"))
    assert '"status":"approved","valid":true' in said


def test_the_printed_question_what_it_is(printed):
    said = run(printed.field(r"Ask it what it is: (.*)\n").replace("adyton ", f"{BINARIES / 'adyton'} ", 1))
    assert "shows what it is" in said and printed.field(r"vault id (\w+)") in said
    assert "Register 0 holds what was demanded." in said


def test_the_printed_check_of_the_log(printed):
    said = run(printed.field(r"Check the log: (.*)\n").replace("adyton ", f"{BINARIES / 'adyton'} ", 1))
    assert printed.field(r"vault id (\w+)") in said


def test_the_python_of_the_readme(printed):
    example = re.search(r"^```python\n(from twilio.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)[1]
    curl = re.search(r"^ *(curl .*/v2/Services/.*) \\$", printed.text, re.MULTILINE)[1]
    _, _, ca, _, user, url = shlex.split(curl)
    api = url.split("/v2/")[0]
    account_sid, auth_token = user.split(":")
    service_sid = printed.field(r"/v2/Services/(VA\w+)/")
    assert "https://127.0.0.1:8443" in example
    values = f"{account_sid = }\n{auth_token = }\n{service_sid = }\n"
    program = values + example.replace("https://127.0.0.1:8443", api)
    script = f"export REQUESTS_CA_BUNDLE={shlex.quote(ca)}\npython3 -c {shlex.quote(program)}"
    assert run(script, printed.code) == "code: approved\n"


@pytest.mark.regression
def test_the_printed_commands(printed, tmp_path):
    lines = printed.lines("or the adyton command").replace("support.json", str(tmp_path / "support.json"))
    lines = re.sub(r"^adyton ", f"{BINARIES / 'adyton'} ", lines, flags=re.MULTILINE)
    said = run(lines)
    assert re.search(r"^SK[0-9a-f]{32} may support; its secret is in ", said, re.MULTILINE)
    assert re.search(r"^SK[0-9a-f]{32}: support$", said, re.MULTILINE)
    # What is pasted after a change changes nothing.
    assert re.search(r'^version = 1\n\n\[credentials\]\npretend-messages = "', said, re.MULTILINE)
    assert "settings set" not in lines
