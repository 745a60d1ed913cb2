"""What the SDKs and their users rely on, over plain HTTP: shapes of answers, spellings of requests, what stays unsaid."""

import concurrent.futures
import re

import pytest
import requests
from conftest import eventually
from test_verification import NUMBER, wrong

PERSON = "Jo+news@example.com"
UNKNOWN = "0" * 32
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Http:
    """One tenant's requests."""

    def __init__(self, up, ready=None):
        ready = ready or up.ready
        self.api, self.ca = up.ready["api"], up.ready["ca"]
        self.auth = (ready["account_sid"], ready["auth_token"])
        self.service = f"/v2/Services/{up.ready['service_sid']}"

    def __call__(self, method, path, data=None, **options):
        options = {"auth": self.auth, "verify": self.ca, "timeout": 30, "allow_redirects": False, **options}
        return requests.request(method, self.api + path, data=data, **options)

    def start(self, to=NUMBER, channel="sms", **fields):
        return self("POST", f"{self.service}/Verifications", {"To": to, "Channel": channel, **fields})

    def check(self, **fields):
        return self("POST", f"{self.service}/VerificationCheck", fields)


def error(answer):
    """Status and code of an error in Twilio's legacy shape: another one would escape from an `except` for it."""
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert set(body) - {"details"} == {"code", "message", "more_info", "status"}, "never RFC 9457's type and title"
    assert body["status"] == answer.status_code and body["more_info"].endswith(f"/{body['code']}")
    return answer.status_code, body["code"]


def dates(value):
    """Every date, wherever it stands."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from [inner] if name.startswith("date_") or name == "time" else dates(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from dates(inner)


def test_statuses_and_dates(up):
    http = Http(up)
    started = http.start()
    made = http("POST", "/v2/Services", {"FriendlyName": "Bank"})
    service = f"/v2/Services/{made.json()['sid']}"
    answers = [
        (started, 201, 3),
        (http("GET", f"{http.service}/Verifications/{NUMBER}"), 200, 3),
        (http.check(To=NUMBER, Code=wrong(up.code(NUMBER))), 200, 2),
        (made, 201, 2),
        (http("GET", service), 200, 2),
        (http("POST", service, {"FriendlyName": "Other"}), 200, 2),
        (http("GET", "/v2/Services"), 200, 4),
    ]
    for answer, status, count in answers:
        assert answer.status_code == status and answer.headers["Cache-Control"] == "no-store"
        found = list(dates(answer.json()))
        assert len(found) == count and all(DATE.fullmatch(date) for date in found), found
    gone = http("DELETE", service)
    assert (gone.status_code, gone.content) == (204, b"")


def test_errors_have_the_legacy_shape(up):
    http = Http(up)
    challenged = http("GET", "/v2/Services", auth=None)
    assert error(challenged) == (401, 20003)
    assert challenged.headers["WWW-Authenticate"] == 'Basic realm="Adyton"'
    assert error(http("GET", "/v2/Nothing")) == (404, 20404)
    assert error(http("GET", f"{http.service}/Entities")) == (404, 20404)
    assert error(http("PUT", http.service)) == (405, 20004)
    assert error(http.start(to="nobody")) == (400, 60200)
    assert error(http.start(Amount="5", Payee="Acme")) == (403, 60204)
    assert error(http.check(Code="123456")) == (400, 60221)
    assert error(http.check(To=NUMBER, Code="123456")) == (404, 20404)
    assert error(http.start(to="+4915112345678")) == (403, 60605)


def test_the_sixth_sending_and_the_sixth_check(up):
    http = Http(up)
    sid = http.start().json()["sid"]
    code = up.code(NUMBER)
    for count in range(2, 6):
        assert len(http.start().json()["send_code_attempts"]) == count
    assert error(http.start()) == (429, 60203)
    for _ in range(5):
        assert http.check(To=NUMBER, Code=wrong(code)).json()["status"] == "pending"
    for target in ({"To": NUMBER}, {"VerificationSid": sid}):
        assert error(http.check(**target, Code=code)) == (429, 60202)


def test_reasons_are_for_those_who_have_the_sid(up):
    http = Http(up)
    sid = http.start().json()["sid"]
    code = up.code(NUMBER)
    assert http.check(To=NUMBER, Code=code).json()["valid"]
    for path in (sid, "VE" + sid[2:].upper()):
        answer = http("GET", f"{http.service}/Verifications/{path}")
        assert error(answer) == (404, 20404) and answer.json()["details"] == {"reason": "approved"}
    answer = http.check(VerificationSid=sid, Code=code)
    assert error(answer) == (404, 20404) and answer.json()["details"] == {"reason": "approved"}
    # By address, and for a SID that never was, it is as if there had been nothing.
    nothing = [
        http.check(To=NUMBER, Code=code),
        http.check(To="+12025550199", Code=code),
        http.check(VerificationSid=f"VE{UNKNOWN}", Code=code),
    ]
    assert [error(answer) for answer in nothing] == [(404, 20404)] * 3
    assert len({answer.text for answer in nothing}) == 1
    message = f"The requested resource {http.service.removeprefix('/v2')}/VerificationCheck was not found"
    assert nothing[0].json()["message"] == message


def test_a_sid_and_an_address_must_name_one_verification(up):
    http = Http(up)
    mine, other = "+12025550124", NUMBER
    sid, others = http.start(to=mine).json()["sid"], http.start(to=other).json()["sid"]
    code = up.code(mine)
    for to in (other, "+12025550199"):
        answer = http.check(To=to, VerificationSid=sid, Code=code)
        assert error(answer) == (404, 20404) and "details" not in answer.json()
    assert error(http.check(To="nobody", VerificationSid=sid, Code=code)) == (400, 60200)
    assert http.check(To=other, VerificationSid=others, Code=wrong(up.code(other))).json()["status"] == "pending"
    assert http.check(To=mine, VerificationSid=sid, Code=code).json()["valid"]
    answer = http.check(To=mine, VerificationSid=sid, Code=code)
    assert error(answer) == (404, 20404) and answer.json()["details"] == {"reason": "approved"}


@pytest.mark.parametrize("to, channel", [(NUMBER, "sms"), (PERSON, "email")])
def test_an_address_in_a_path(up, to, channel):
    http = Http(up)
    sid = http.start(to, channel).json()["sid"]
    escaped = to.replace("+", "%2B").replace("@", "%40")
    assert escaped != to
    # Before it is canceled: a message of a canceled verification does not leave.
    assert eventually(lambda: up.messages(to)[0])
    for spelling in (to, escaped):
        assert http("GET", f"{http.service}/Verifications/{spelling}").json()["sid"] == sid
    canceled = http("POST", f"{http.service}/Verifications/{escaped}", {"Status": "canceled"}).json()
    assert (canceled["sid"], canceled["status"]) == (sid, "canceled")
    gone = http("GET", f"{http.service}/Verifications/{escaped}")
    assert error(gone) == (404, 20404) and to not in gone.text, "the address is not repeated"


def test_json_and_lists_in_forms(up):
    http = Http(up)
    # One SDK writes a blank after the colon, the other none; off is off in either.
    for tags in ('{"a": "b"}', '{"a":"b"}', '{"a":"b"', '["a"]'):
        assert error(http.start(Tags=tags)) == (403, 60204)
    lists = [("RateLimits", '{"ip": "1"}'), ("ChannelConfiguration", '{"from":"a@example.com"}'), ("Tags", '{"a":"b"}')]
    for field, value in lists:
        assert error(http.start(**{field: value})) == (403, 60204)
        assert http.start(to="+12025550124", **{field: "{}"}).status_code == 201
    # A key that repeats is a list; none of what is offered is one.
    assert error(http.check(To=[NUMBER, "+12025550124"], Code="123456")) == (400, 60200)
    assert error(http("POST", "/v2/Services", {"FriendlyName": ["A", "B"]})) == (400, 60200)


def test_codes_are_digits_and_what_is_none_costs_nothing(up):
    http = Http(up)
    http.start()
    code = up.code(NUMBER)
    doubtful = [f" {code}", f"{code} ", f"{code}\n", f"{code[:3]} {code[3:]}", f"+{code[1:]}", f"{code}\0", f"0x{code}"]
    doubtful += ["", code[:3], code + "12345", "１２３４５６", "١٢٣٤٥٦", "12345a", "1.5e10"]
    for text in doubtful:
        assert error(http.check(To=NUMBER, Code=text)) == (400, 60200), repr(text)
    assert http.check(To=NUMBER, Code=code).json()["valid"]


def test_of_many_checks_at_once_one_is_approved(up):
    http = Http(up)
    http.start()
    code = up.code(NUMBER)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: http.check(To=NUMBER, Code=code), range(8)))
    approved = [answer for answer in answers if answer.status_code == 200]
    assert [answer.json()["status"] for answer in approved] == ["approved"]
    assert {error(answer) for answer in answers if answer not in approved} == {(404, 20404)}


def test_a_code_is_bound_to_a_domain(up):
    http = Http(up)
    made = http("POST", "/v2/Services", {"FriendlyName": "Bank", "WebOtpDomain": "bank.example"}).json()
    assert made["web_otp_domain"] == "bank.example"
    verify = up.client().verify.v2.services(made["sid"])
    verify.verifications.create(to=NUMBER, channel="sms")
    up.code(NUMBER)
    body = up.messages(NUMBER)[0]["body"]
    first, blank, last = body.split("\n")
    code = re.search(r"\d{6}", first)[0]
    assert (blank, last) == ("", f"@bank.example #{code}") and len(body) <= 160
    assert verify.verification_checks.create(to=NUMBER, code=code).status == "approved"


def test_a_start_tells_nothing_of_whom_the_vault_knows(up):
    http = Http(up)
    http.start()
    assert http.check(To=NUMBER, Code=up.code(NUMBER)).json()["valid"]

    def shape(answer):
        body = re.sub(r"\b(V[EL])[0-9a-f]{32}", r"\1", answer.text)
        body = re.sub(DATE, "DATE", body).replace("+12025550199", NUMBER)
        return answer.status_code, len(answer.content), body

    assert shape(http.start()) == shape(http.start(to="+12025550199"))


def test_another_tenants_things_are_as_if_they_were_not(start):
    first = start()
    owner = first.ready
    old = first.verify().verifications.create(to=NUMBER, channel="sms").sid
    assert first.stop() == 0

    up = start(tenant="other")
    assert up.ready["vault_id"] == owner["vault_id"] and up.ready["account_sid"] != owner["account_sid"]
    theirs, own = Http(up, owner), Http(up)
    theirs.service = f"/v2/Services/{owner['service_sid']}"
    live = theirs.start().json()["sid"]
    code = up.code(NUMBER)
    known = theirs("GET", f"{theirs.service}/Verifications/{old}").json()
    assert known["details"] == {"reason": "vault_restarted"}, "their own tenant may know"

    def asked(service, verification):
        place = f"/v2/Services/{service}"
        requests_ = [
            ("GET", place, None),
            ("POST", place, {"FriendlyName": "Mine"}),
            ("DELETE", place, None),
            ("POST", f"{place}/Verifications", {"To": NUMBER, "Channel": "sms"}),
            ("GET", f"{place}/Verifications/{verification}", None),
            ("GET", f"{place}/Verifications/{NUMBER}", None),
            ("POST", f"{place}/Verifications/{verification}", {"Status": "canceled"}),
            ("POST", f"{place}/VerificationCheck", {"To": NUMBER, "Code": code}),
            ("POST", f"{place}/VerificationCheck", {"VerificationSid": verification, "Code": code}),
        ]
        answers = [own(*request) for request in requests_]
        assert {error(answer) for answer in answers} == {(404, 20404)}
        return [answer.text.replace(service, "VA").replace(verification, "VE") for answer in answers]

    unknown = asked(f"VA{UNKNOWN}", f"VE{UNKNOWN}")
    assert asked(owner["service_sid"], live) == unknown
    assert asked(owner["service_sid"], old) == unknown
    # Nor through a service of one's own, nor in a list.
    for sid in (live, old):
        answer = own("GET", f"{own.service}/Verifications/{sid}")
        assert error(answer) == (404, 20404) and "details" not in answer.json()
        assert error(own.check(VerificationSid=sid, Code=code)) == (404, 20404)
    listed = own("GET", "/v2/Services").json()["services"]
    assert [service["sid"] for service in listed] == [up.ready["service_sid"]]
    # What they tried changed nothing.
    assert len(up.messages(NUMBER)) == 1
    # The budgets of wrong codes begin empty at a boot: the first check is answered a second later.
    assert eventually(lambda: theirs.check(VerificationSid=live, Code=code).json()["valid"])
