"""What strangers and abusers send: each gets its exact answer or its end, and nobody else waits for it."""

import contextlib
import itertools
import pathlib
import threading
import time

import requests
from conftest import PATIENCE, eventually
from crowd import all_at_once
from test_verification import refusal, wrong
from wire import LARGE, Wire, answer, ask, post

NUMBER = "+12025550123"
FORM = b"To=%2B12025550123&Channel=sms"
# Half of what a client says first: a record of 512 bytes is announced and never comes.
HALF_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(40)


def verifications(up):
    return f"/v2/Services/{up.ready['service_sid']}/Verifications".encode()


def checks(up):
    return f"/v2/Services/{up.ready['service_sid']}/VerificationCheck".encode()


def code_of(answered):
    return answered[:2]


class Good:
    """A client that goes on verifying, whatever the others do."""

    numbers = itertools.count()

    def __init__(self, up):
        self.up, self.done, self.error = up, threading.Event(), None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            verify = self.up.verify()
            while True:
                number = f"+44770090{next(self.numbers):04}"
                verify.verifications.create(to=number, channel="sms")
                check = verify.verification_checks.create(to=number, code=self.up.code(number))
                assert check.status == "approved"
                if self.done.wait(0.5):
                    return
        except Exception as error:  # noqa: BLE001 - the test asks for it
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        assert self.error is None, self.error


def descriptors(up):
    """Open files of the host: two for each client that it still serves."""
    return len(list(pathlib.Path(f"/proc/{up.children()['adyton-host']}/fd").iterdir()))


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.2)


def test_whoever_says_or_takes_nothing_is_let_go(up):
    services = up.client().verify.v2.services
    for number in range(20):
        services.create(friendly_name=f"Service {number}")
    before = descriptors(up)
    silent = [Wire(up, tls=False) for _ in range(200)]
    silent += [Wire(up, tls=False).say(HALF_HELLO) for _ in range(100)]
    silent += [Wire(up) for _ in range(60)]
    idle = [Wire(up).say(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(20)]
    heads, bodies, stuck = ([Wire(up) for _ in range(30)] for _ in range(3))
    for wire in [*bodies, *stuck]:
        wire.say(wire.head(b"POST", verifications(up), b"Content-Length: 1000") + b"\r\n")
    greedy = [Wire(up, small_window=True) for _ in range(10)]
    for wire in greedy:
        wire.say((wire.head(b"GET", b"/v2/Services") + b"\r\n") * 1000)
    everybody = [*silent, *idle, *heads, *bodies, *stuck, *greedy]
    assert descriptors(up) >= before + 2 * len(everybody) - 2
    # Clients that asked for something are kept: their pools may use the connection again.
    kept = before + 2 * len(idle)

    def let_go():
        """A byte a second from those who are slow, until the vault serves none of them."""
        for wire in [*heads, *bodies]:
            with contextlib.suppress(OSError):
                wire.say(b"X")
        time.sleep(0.8)
        return descriptors(up) <= kept + 10

    with Good(up):
        # None of them closes its own end: the vault closes all others by itself.
        until(let_go)
    for wire in [*silent, *heads]:
        assert wire.hear() == b""
    for wire in idle:
        wire.say(wire.head(b"GET", b"/health", b"Connection: close") + b"\r\n")
        assert wire.hear().count(b"HTTP/1.1 200 OK") == 2
    for wire in stuck:
        assert code_of(answer(wire.hear())) == (408, 20408)
    for wire in everybody:
        wire.close()


def test_heads_that_are_too_much_or_none(up):
    services = b"/v2/Services"
    assert code_of(ask(up, services, *[b"X-%d: 1" % number for number in range(61)])) == (200, None)
    assert code_of(ask(up, services, *[b"X-%d: 1" % number for number in range(62)])) == (431, None)
    for path, header in [
        (services, b"X: " + b"a" * 20_000),
        (services + b"?" + b"a" * 20_000, b"X: 1"),
        (services + b"?" + b"a" * 70_000, b"X: 1"),
        (services, b"X: " + b"a" * 1_000_000),
    ]:
        assert code_of(ask(up, path, header)) == (431, None)
    for header in [b"X: a\0b", b"X: a\r\n b", b"X : a", b"X", b"\xff: a", b"Transfer-Encoding: xchunked"]:
        assert code_of(ask(up, services, header)) == (400, None), header
    for path in [b"/v2/Serv\x01ices", b"/v2/Services/\xff", b"/v2/Ser vices"]:
        assert code_of(ask(up, path)) == (400, None), path
    # Another protocol is hung up on.
    for hello in [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), b"\x16\x03\x01" + bytes(99), b"\0" * 99]:
        assert answer(Wire(up).say(hello).hear())[0] in (None, 400), hello
    assert Wire(up, tls=False).say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").hear()[:1] in (b"\x15", b"")
    # Who one is, and whom one asks, is said once.
    assert code_of(ask(up, services, b"Authorization: Basic eDp5")) == (401, 20003)
    assert code_of(ask(up, services, b"Host: evil.example")) == (400, 60200)
    assert code_of(ask(up, services, host=b"evil.example")) == (421, 20421)
    assert code_of(ask(up, b"https://evil.example/v2/Services")) == (421, 20421)
    # A target that is a whole address counts, and what Host says then does not (RFC 9112, 3.2.2).
    for host in (None, b"evil.example", b":1"):
        assert code_of(ask(up, up.ready["api"].encode() + services, host=host)) == (200, None), host
    for method, expected in [(b"TRACE", (405, 20004)), (b"PUT", (405, 20004)), (b"get", (405, 20004))]:
        assert code_of(ask(up, services, method=method)) == expected, method
    assert code_of(ask(up, services, b"Connection: Upgrade", b"Upgrade: h2c")) == (200, None)


def test_lengths_that_lie(up):
    path = verifications(up)
    for length in [b"-1", b"+29", b"29 29", b"29, 30", b"abc", b"9" * 23, b"0x1d", b""]:
        refused = ask(up, path, b"Content-Length: " + length, method=b"POST", body=FORM)
        assert code_of(refused) == (400, None), length
    two = [b"Content-Length: 29", b"Content-Length: 30"]
    assert code_of(ask(up, path, *two, method=b"POST", body=FORM)) == (400, None)
    # What follows a body is another request, not this one's, and a body that is not announced is none.
    assert code_of(ask(up, path, b"Content-Length: 9", method=b"POST", body=FORM)) == (400, 60200)
    assert code_of(ask(up, path, method=b"POST", body=FORM)) == (400, 60200)
    chunked = b"Transfer-Encoding: chunked"
    for body in [
        b"zz\r\n" + FORM + b"\r\n0\r\n\r\n",
        b"f" * 17 + b"\r\n",
        b"1d;" + b"a" * 100_000 + b"\r\n" + FORM + b"\r\n0\r\n\r\n",
        b"1d\r\n" + FORM + b"\r\n0\r\n" + b"X: y\r\n" * 2000 + b"\r\n",
        b"1d\r\n" + FORM + b"XX0\r\n\r\n",
    ]:
        assert code_of(ask(up, path, chunked, method=b"POST", body=body)) == (400, 60200), body[:20]
    whole = b"1d\r\n" + FORM + b"\r\n0\r\n\r\n"
    assert code_of(ask(up, path, chunked, method=b"POST", body=whole)) == (201, None)
    # Of two lengths the chunks count: nobody who could read the other stands between a client and the vault.
    assert code_of(ask(up, path, chunked, b"Content-Length: 5", method=b"POST", body=whole)) == (201, None)
    wire = Wire(up)
    first, last = wire.head(b"GET", b"/health"), wire.head(b"GET", b"/v2/Services", b"Connection: close")
    heard = wire.say((first + b"\r\n") * 3 + last + b"\r\n").hear()
    assert heard.count(b"HTTP/1.1 200 OK") == 4 and heard.count(b"\r\n\r\nok\n") == 3, "in order, one by one"


def test_ten_megabytes_get_an_answer_wherever_they_go(up):
    large = b"To=" + b"1" * LARGE
    with Good(up):
        for path in [verifications(up), checks(up), b"/v2/Services", b"/adyton/v1/tenants", b"/adyton/v1/requests"]:
            assert code_of(post(up, path, large)) == (413, 20413), path
        assert code_of(post(up, b"/nowhere", large)) == (413, 20413)
        # Where no body is taken, none is waited for.
        assert code_of(post(up, b"/health", large)) == (400, 60200)
        assert code_of(post(up, b"/v2/Services", large, host=b"evil.example")) == (413, 20413)
        assert code_of(ask(up, b"/v2/Services", b"Content-Length: %d" % len(large), body=large)) == (413, 20413)
        chunks = b"10000\r\n" + b"1" * 65536 + b"\r\n"
        refused = ask(
            up, verifications(up), b"Transfer-Encoding: chunked", method=b"POST", body=chunks * 160 + b"0\r\n\r\n"
        )
        assert code_of(refused) == (413, 20413)
        exactly = b"x=" + b"1" * (65_536 - 2)
        assert code_of(post(up, b"/v2/Services", exactly)) == (400, 60200)
        assert code_of(post(up, b"/v2/Services", exactly + b"1")) == (413, 20413)


def test_forms_and_paths_have_one_reading(up):
    path = verifications(up)
    for body in [
        b"To=%2B12025550123%00&Channel=sms",
        b"To=%2B12025550123\0&Channel=sms",
        b"To=%FF&Channel=sms",
        b"To=\xff&Channel=sms",
        b"To=%EF%BF%BD&Channel=sms",
        b"To=%C0%AB12025550123&Channel=sms",
        b"To=%252B12025550123&Channel=sms",
        b"To=%2B1202555%zz0123&Channel=sms",
        b"To=%2B1202555012%3&Channel=sms",
        b"To=+12025550123&Channel=sms",
        b"To=12025550123&Channel=sms",
        b"to=%2B12025550123&channel=sms",
        b"To[]=%2B12025550123&Channel=sms",
        b"To=%2B12025550123;Channel=sms",
        b"\xef\xbb\xbfTo=%2B12025550123&Channel=sms",
        b"To=%2B12025550123&Channel=sms&Channel=sms",
        b"To=%2B12025550123&Channel=sms&T%6F=%2B12025550124",
        b"To=%2B12025550123&Channel=SMS",
        b"To=%2B12025550123&Channel=sms%00",
        FORM + b"&" + b"&".join(b"F%d=" % number for number in range(63)),
        b"&" * 60_000,
        b"",
    ]:
        assert code_of(post(up, path, body)) == (400, 60200), body[:60]
    assert code_of(post(up, path, b'{"To":"+12025550123","Channel":"sms"}')) == (415, 20415)
    for tail in [b"%FF", b"%00", b"%C0%AE", b"%2B12025550123%00", b"%252B12025550123", b"..", b"%2e%2e", b"a" * 9000]:
        assert code_of(ask(up, path + b"/" + tail)) == (400, 60200), tail[:60]
    for odd in [b"//v2/Services", b"/v2/Services/", b"/V2/Services", b"/%76%32/Services", path + b"/../Verifications"]:
        assert code_of(ask(up, odd)) == (404, 20404), odd
    assert code_of(ask(up, b"/v2/Services/%FF")) == (400, 60200)
    for query in [b"PageSize=%FF", b"PageSize=1&PageSize=2", b"PageSize=01", b"PageSize=1001", b"PageToken=%00"]:
        assert code_of(ask(up, b"/v2/Services?" + query)) == (400, 60200), query
    # A body that says that it is no form is not read as one.
    for kind in [b"application/json", b"multipart/form-data", b"text/plain", b"\xff", b"a" * 999]:
        assert code_of(post(up, path, FORM, b"Content-Type: " + kind)) == (415, 20415), kind
    # None of it was sent or counted: all five sends are left.
    assert up.messages(NUMBER) == []
    form = b"application/x-www-form-urlencoded"
    for kind in [form, form.upper(), form + b"; charset=utf-8", form + b" ;x=y"]:
        assert code_of(post(up, path, FORM, b"Content-Type: " + kind)) == (201, None), kind
    assert code_of(post(up, path, FORM)) == (201, None), "nothing is said of it"
    assert code_of(post(up, path, FORM)) == (429, 60203)


# Each looks like the number, the code or the address to somebody.
NUMBERS = [
    "12025550123", "0012025550123", "01112025550123", "+1 (202) 555-0123", "+1-202-555-0123", "+1.202.555.0123",
    "+1 2025550123", " +12025550123", "+12025550123 ", "+12025550123\t", "+12025550123\n", "+12025550123\0",
    "+12025550123\u200b", "\ufeff+12025550123", "\u202a+12025550123\u202c", "\uff0b12025550123", "++12025550123",
    "+１２０２５５５０１２３", "+\u0661\u0662\u0660\u0662\u0665\u0665\u0665\u0660\u0661\u0662\u0663",
    "+\u0967\u09682025550123", "+1202555012³", "+1202555\u22120123", "+1202555\u20100123", "tel:+12025550123",
    "+12025550123;ext=1", "+12025550123x1", "+12025550123,", "+012025550123", "+1202555O123", "sms:+12025550123",
    "+1" + "2025550123" + "0", "\\u002b12025550123", "%2B12025550123", "+12025550123@example.com@",
    # Of other countries: what is dialled only inside, and forms from before a plan changed.
    "+440207946012", "+4901701234567", "+9109123456789", "+541112345678", "+551181234567", "+22997123456",
]  # fmt: skip
ADDRESSES = [
    " jo@example.com", "jo@example.com ", "jo@example.com\0", "jo@example.com.", "jo@ example.com", "<jo@example.com>",
    "Jo <jo@example.com>", '"jo"@example.com', "jo(x)@example.com", "jo@@example.com", "jo@exam\u200bple.com",
    "jo@ｅxample.com", "jｏ@example.com", "jo@[127.0.0.1]", "jo@example", "jo..@example.com", ".jo@example.com",
    "jo@example.com,mo@example.com", "jo@example.com\nbcc: mo@example.com", "mailto:jo@exämple.com", "j\u043e@example.com",
    "jo＠example.com",
]  # fmt: skip


def test_no_other_spelling_is_counted_or_compared(start):
    up = start(policy=["limits.failed_checks_refill_seconds=120"])
    verify = up.verify()
    create, check = verify.verifications.create, verify.verification_checks.create
    started, mailed = create(to=NUMBER, channel="sms"), create(to="jo@example.com", channel="email")
    code = up.code(NUMBER)
    eastern = "".join(chr(0x0660 + int(digit)) for digit in code)
    wide = "".join(chr(0xFF10 + int(digit)) for digit in code)
    codes = [
        f" {code}", f"{code} ", f"{code[:3]} {code[3:]}", f"{code[:3]}-{code[3:]}", f"{code}\0", f"{code}\n", f"+{code}",
        f"-{code}", f"{code}.0", f"0x{code}", f"{code}\u200b", eastern, wide, code[:3], code + "00000", "", "null",
    ]  # fmt: skip
    for spelling in NUMBERS:
        assert refusal(lambda spelling=spelling: create(to=spelling, channel="sms")) == (400, 60200), ascii(spelling)
        assert refusal(lambda spelling=spelling: check(to=spelling, code=code)) == (400, 60200), ascii(spelling)
    for spelling in ADDRESSES:
        assert refusal(lambda spelling=spelling: create(to=spelling, channel="email")) == (400, 60200), ascii(spelling)
        assert refusal(lambda spelling=spelling: check(to=spelling, code=code)) == (400, 60200), ascii(spelling)
    for spelling in codes:
        assert refusal(lambda spelling=spelling: check(to=NUMBER, code=spelling)) == (400, 60200), ascii(spelling)
    for sid in [started.sid.lower(), started.sid + "0", started.sid[:-1], f" {started.sid}", NUMBER]:
        assert refusal(lambda sid=sid: check(verification_sid=sid, code=code)) == (400, 60200), sid
    # Neither name wins over the other.
    assert refusal(lambda: check(to=NUMBER, verification_sid=mailed.sid, code=code)) == (404, 20404)

    # All of it cost nothing: five checks and five sends are left, and the right code was never tried.
    for _ in range(4):
        assert create(to=NUMBER, channel="sms").sid == started.sid
    assert refusal(lambda: create(to=NUMBER, channel="sms")) == (429, 60203)
    for _ in range(4):
        assert not check(to=NUMBER, code=wrong(code)).valid
    assert check(to=NUMBER, code=code).status == "approved"
    # An address in capitals is the same person, with the same sends and the same checks.
    for spelling in ["JO@EXAMPLE.COM", "Jo@example.com", "jo@Example.Com", "jO@example.com"]:
        assert create(to=spelling, channel="email").sid == mailed.sid
    assert refusal(lambda: create(to="JO@example.com", channel="email")) == (429, 60203)
    for spelling in ["jo@example.com", "JO@example.com", "jo@EXAMPLE.com", "Jo@example.com", "jO@example.com"]:
        assert not check(to=spelling, code="0000").valid
    assert refusal(lambda: check(to="jo@example.COM", code="0000")) == (429, 60202)


def at_once(calls):
    """Runs all at the same time; what each gave, in their order."""
    gate, given = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place, call):
        gate.wait(PATIENCE)
        given[place] = call()

    threads = [threading.Thread(target=run, args=at) for at in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return given


def session(up):
    made = requests.Session()
    made.auth, made.verify = (up.ready["account_sid"], up.ready["auth_token"]), up.ready["ca"]
    made.get(up.ready["api"] + "/health", timeout=PATIENCE)
    return made


def guess(made, up, service, number, code):
    url = f"{up.ready['api']}/v2/Services/{service}/VerificationCheck"
    return made.post(url, {"To": number, "Code": code}, timeout=PATIENCE)


def test_many_guess_at_once_and_five_are_heard(start):
    up = start(policy=["limits.failed_checks=20", "limits.failed_checks_refill_seconds=3600"])
    verify, service = up.verify(), up.ready["service_sid"]
    sessions = [session(up) for _ in range(40)]
    guesses = 0
    for send in range(5):
        verify.verifications.create(to=NUMBER, channel="sms")
        code = up.code(NUMBER, count=send + 1)
        calls = [lambda made=made: guess(made, up, service, NUMBER, wrong(code)) for made in sessions]
        with Good(up):
            given = at_once(calls)
        heard = [got for got in given if got.status_code == 200]
        assert all(got.json()["valid"] is False for got in heard)
        guesses += len(heard)
        # Twenty in all, whatever is canceled and sent anew; then the destination bears no more for an hour.
        assert len(heard) == (5 if send < 4 else 0)
        for got in given:
            if got.status_code != 200:
                assert (got.status_code, got.json()["code"]) == (429, 60202)
                assert 0 < int(got.headers["Retry-After"]) <= (600 if send < 4 else 3600)
        assert (got := guess(sessions[0], up, service, NUMBER, code)).status_code == 429, "nor is the right one: " + got.text
        verify.verifications(NUMBER).update(status="canceled")
    assert guesses == 20
    # Another service has a budget of its own; a restart gives nobody a fresh one.
    other = up.client().verify.v2.services.create(friendly_name="Other").sid
    assert up.stop() == 0
    up = start()
    for sid in (service, other):
        up.client().verify.v2.services(sid).verifications.create(to=NUMBER, channel="sms")
        refused = guess(session(up), up, sid, NUMBER, "000000")
        assert (refused.status_code, refused.json()["code"]) == (429, 60202)
        assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    assert up.log_check().returncode == 0


def test_two_services_race_for_one_destination(start):
    up = start(policy=["limits.failed_checks_refill_seconds=3600", "limits.sends_per_destination_hour=100"])
    services = up.client().verify.v2.services
    pair = [up.ready["service_sid"], services.create(friendly_name="Bank", code_length=8).sid]
    sessions = [session(up) for _ in range(24)]

    def begin(made, service):
        url = f"{up.ready['api']}/v2/Services/{service}/Verifications"
        return made.post(url, {"To": NUMBER, "Channel": "sms"}, timeout=PATIENCE)

    # Twelve starts of each, all at once: one verification of each, five sends, no more.
    given = at_once([lambda made=made, at=at: begin(made, pair[at % 2]) for at, made in enumerate(sessions)])
    for at, service in enumerate(pair):
        mine = given[at::2]
        begun = [got.json() for got in mine if got.status_code == 201]
        assert (len(begun), len({got["sid"] for got in begun})) == (5, 1)
        assert all(got["service_sid"] == service for got in begun)
        assert all((got.status_code, got.json()["code"]) == (429, 60203) for got in mine if got.status_code != 201)
        assert all(0 < int(got.headers["Retry-After"]) <= 600 for got in mine if got.status_code != 201)

    def both():
        # A resend takes the place of a message that has not left, so there are two to ten.
        bodies = [message["body"].rsplit(" ", 1)[1] for message in up.messages(NUMBER)]
        assert len(bodies) <= 10
        codes = sorted(set(bodies), key=len)
        assert [len(code) for code in codes] == [6, 8], "each service has one code"
        return codes

    codes = eventually(both)
    # Each code is wrong at the other one, and counted there only.
    calls = [lambda made=made, at=at: guess(made, up, pair[at % 2], NUMBER, codes[1 - at % 2]) for at, made in enumerate(sessions)]
    given = at_once(calls[:8])
    assert all(got.status_code == 200 and not got.json()["valid"] for got in given)
    calls = [lambda: guess(sessions[0], up, pair[0], NUMBER, codes[0])]
    calls += [lambda made=made: guess(made, up, pair[1], NUMBER, codes[0]) for made in sessions[1:]]
    given = at_once(calls)
    assert given[0].json()["status"] == "approved"
    assert sorted(got.status_code for got in given[1:]) == [200] + [429] * 22
    assert guess(sessions[0], up, pair[1], NUMBER, codes[1]).json()["code"] == 60202


def test_a_full_vault_says_so_and_recovers(start):
    up = start(policy=["limits.live_verifications=20"])
    verify, made = up.verify(), session(up)
    url = f"{up.ready['api']}/v2/Services/{up.ready['service_sid']}/Verifications"
    begin = lambda number: made.post(url, {"To": number, "Channel": "sms"}, timeout=PATIENCE)  # noqa: E731
    numbers = [f"+120255501{number:02}" for number in range(40)]
    given = at_once([lambda number=number: begin(number) for number in numbers])
    live = [number for number, got in zip(numbers, given, strict=True) if got.status_code == 201]
    assert len(live) == 20
    for got in given:
        if got.status_code != 201:
            assert (got.status_code, got.json()["code"], got.headers["Retry-After"]) == (429, 20429, "60")
    # Those who are in are served. One that is canceled makes room for one; one that is approved keeps its place until its
    # ten minutes are over, as one whose code was wrong does, so that a full vault does not tell the two apart.
    assert begin(live[0]).status_code == 201
    # The resend may have taken the place of the first message; the code is the same.
    assert verify.verification_checks.create(to=live[0], code=up.code(live[0])).status == "approved"
    verify.verifications(live[1]).update(status="canceled")
    late = [number for number in numbers if number not in live]
    assert [begin(number).status_code for number in late[:3]] == [201, 429, 429]


def test_ten_thousand_starts_at_once(start):
    up = start(policy=["limits.sends_per_number_block_hour=1000"])
    service = up.ready["service_sid"]
    numbers = [f"+1202{place // 1000 + 555:03}{place % 1000 + 1000}" for place in range(10_000)]
    path = f"/v2/Services/{service}/Verifications"
    forms = [(number, path, {"To": number, "Channel": "sms"}) for number in numbers]
    with Good(up):
        answers = all_at_once(up, forms)
    assert len(answers) == 10_000
    begun = {number: body["sid"] for number, (status, _, body) in answers.items() if status == 201}
    for status, head, body in answers.values():
        assert status == 201 or ((status, body["code"]) == (429, 20429) and "retry-after: 1\r\n" in head), body
    assert len(begun) > 9000 and len(set(begun.values())) == len(begun)
    # Every one that was acknowledged is there, and a sample's codes arrive and are right.
    path = f"/v2/Services/{service}/VerificationCheck"
    sample = list(begun)[:: len(begun) // 40]
    forms = [(number, path, {"To": number, "Code": up.code(number)}) for number in sample]
    answers = all_at_once(up, forms, clients=20)
    assert all(answers[number][2]["status"] == "approved" for number in sample)
    forms = [(number, path, {"To": number, "Code": "0000"}) for number in begun if number not in sample]
    answers = all_at_once(up, forms)
    assert all(body.get("sid") == begun[number] for number, (_, _, body) in answers.items())
    checked = up.log_check()
    assert checked.returncode == 0, checked.stdout + checked.stderr
