"""The phone's page in a browser: what a person sees of the messages."""

import html.parser
import os
import re
import shutil
import signal
import struct
import subprocess

import pytest
from conftest import PATIENCE, eventually

NUMBER = "+12025550123"
PERSON = "Jo.Doe@example.com"
#: A name that would run if the page took it for markup.
HOSTILE = "<img src=x onerror=alert(1)>"


class Items(html.parser.HTMLParser):
    """Texts of the page's messages: head, time, body, button's digits; and its state."""

    def __init__(self, page):
        super().__init__()
        self.messages, self.state, self.tags, self.place = [], "", set(), []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag in ("li", "p", "small", "span", "time", "div", "b"):
            self.place.append(dict(attributes).get("id", tag))
        if tag == "li":
            self.messages.append({})

    def handle_endtag(self, tag):
        if tag in ("li", "p", "small", "span", "time", "div", "b"):
            self.place.pop()

    def handle_data(self, data):
        where = ".".join(self.place)
        if where == "state":
            self.state += data
        elif where.startswith("li."):
            self.messages[-1][where.removeprefix("li.")] = data


@pytest.fixture
def browser(tmp_path):
    """Opens an address in headless Chromium; the answer is what it writes to stdout."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")

    def visit(address, *arguments):
        command = [
            program,
            "--headless",
            # The tests may run as root, and the page is ours.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-first-run",
            f"--user-data-dir={tmp_path / 'chromium'}",
            # The page's own clock: it asks for messages once a second.
            "--virtual-time-budget=3000",
            "--enable-logging=stderr",
            *arguments,
            address,
        ]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            stop(process)
        assert process.returncode == 0, err
        console = [line for line in err.splitlines() if ":CONSOLE" in line]
        assert console == [], "the page has nothing to complain about"
        return out

    return visit


def stop(process):
    """Chromium is many processes."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def test_what_a_person_sees(up, browser, tmp_path):
    address = up.ready["phone"]
    empty = Items(browser(address, "--dump-dom"))
    assert (empty.messages, empty.state) == ([], "No messages yet.")

    service = up.service(AppHashes="He42w354ol9", FriendlyName="Adyton")[1]
    create = up.client().verify.v2.services(service["sid"]).verifications.create
    create(to=NUMBER, channel="sms")
    up.code(NUMBER)
    create(to=PERSON, channel="email", locale="de")
    eventually(lambda: up.messages(PERSON)[0])
    create(to=NUMBER, channel="sms", custom_friendly_name=HOSTILE, app_hash="He42w354ol9")
    up.code(NUMBER, count=2)

    page = Items(browser(address, "--dump-dom"))
    assert page.state == "" and "img" not in page.tags, "a name is text"
    hostile, mail, plain = page.messages
    texts = [message["body"] for message in (*up.messages(NUMBER), *up.messages(PERSON))]
    assert [hostile["div"], plain["div"], mail["div"]] == texts
    assert [found["small.span"] for found in page.messages] == [f"{NUMBER} · sms", f"{PERSON} · email", f"{NUMBER} · sms"]
    assert hostile["div"].startswith(f"<#> Your {HOSTILE} verification code is: ")
    assert mail["div"].startswith("Ihr Code für Adyton:\n\n    ") and "\nEr gilt 10 Minuten.\n" in mail["div"]
    for found in page.messages:
        assert found["b"] == re.search(r"(?<!\w)\d{6}(?!\w)", found["div"])[0], "the button has the code"
        assert re.fullmatch(r"\d{1,2}:\d\d:\d\d.*", found["small.time"])
    assert hostile["b"] == plain["b"], "a resend repeats the code"

    for name, size in (("wide", (1000, 900)), ("narrow", (500, 900))):
        picture = tmp_path / f"{name}.png"
        browser(address, f"--screenshot={picture}", f"--window-size={size[0]},{size[1]}")
        head = picture.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", head[16:24]) == size
