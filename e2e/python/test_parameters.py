"""Each parameter gets what `docs/verify-parameters.md` says, and no message loses what its service demands."""

import inspect
import re
import urllib.parse

import pytest
import twilio.rest.verify.v2.service as services
import twilio.rest.verify.v2.service.verification as verifications
import twilio.rest.verify.v2.service.verification_check as checks
from conftest import SOURCE
from test_scopes import Tenant
from test_shapes import Http, error
from test_verification import NUMBER

PAGE = (SOURCE / "docs/verify-parameters.md").read_text()
WARNING = ". Do not share it with anyone."
HASH = "He42w354ol9"


def tables():
    """(title, method, path, place, rows) of each resource; a row is (parameter, of, standing, note)."""
    for section in PAGE.split("\n## ")[1:]:
        title, rest = section.split("\n", 1)
        if "`/v2/" not in rest and " /v2/" not in rest:
            continue
        method, path, place = re.search(r"`(\w+) (\S+)`(?:, in the (form|query))?", rest).groups()
        rows = re.findall(r"^\| `(.+?)` \| (\w+) \| ([\w ]+?) \| (.+) \|$", rest, re.M)
        yield title, method, path, place, rows


TABLES = {title: (method, path, place, rows) for title, method, path, place, rows in tables()}
# What a request needs besides the parameter that is tried.
NEEDED = {
    "Create a service": {"FriendlyName": "Acme"},
    "Start a verification": {"To": NUMBER, "Channel": "sms"},
    "Update a verification": {"Status": "canceled"},
    "Check a code": {"To": NUMBER, "Code": "000000"},
}
# A value that an offered parameter may have.
VALUES = {
    "FriendlyName": "Other", "CodeLength": "8", "DoNotShareWarningEnabled": "true", "CustomCodeEnabled": "false",
    "WebOtpDomain": "", "AppHashes": "", "PageSize": "2", "Page": "0", "To": NUMBER, "Channel": "sms",
    "CustomFriendlyName": "Other", "Locale": "de", "AppHash": "", "Status": "canceled", "Code": "000000",
    "CustomCode": "12345678",
}  # fmt: skip
MADE = {"Create a service": 201, "Start a verification": 201, "Delete a service": 204}


class Tried:
    """Requests of each resource, with a service and a verification of the test's."""

    def __init__(self, up):
        self.http = Http(up)
        self.sid = self.http.start().json()["sid"]
        self.http("POST", "/v2/Services", {"FriendlyName": "Second"})
        following = self.http("GET", "/v2/Services?PageSize=1").json()["meta"]["next_page_url"]
        self.token = urllib.parse.parse_qs(urllib.parse.urlsplit(following).query)["PageToken"][0]

    def __call__(self, title, parameters, place=None):
        method, path, own, _ = TABLES[title]
        if title == "Update a verification":
            self.sid = self.http.start().json()["sid"]
        path = path.replace("{verification}", self.sid)
        if title == "Delete a service":
            path = f"/v2/Services/{self.http('POST', '/v2/Services', {'FriendlyName': 'Gone'}).json()['sid']}"
        path = path.replace("/v2/Services/{service}", self.http.service)
        if (place or own) == "query":
            needed = NEEDED.get(title) if own == "form" else None
            return self.http(method, f"{path}?{urllib.parse.urlencode(parameters)}", needed)
        return self.http(method, path, {**NEEDED.get(title, {}), **parameters})


@pytest.mark.parametrize(
    "module, titles",
    [
        (services, ["Create a service", "Update a service", "List services"]),
        (verifications, ["Start a verification", "Update a verification"]),
        (checks, ["Check a code"]),
    ],
)
def test_each_parameter_of_the_official_sdk_stands_in_a_table(module, titles):
    fields = re.findall(r"values\.of\(\s*\{(.*?)\}\s*\)", inspect.getsource(module), re.S)
    sent = {name for part in fields for name in re.findall(r'"([A-Za-z0-9.]+)":', part)}
    assert sent and sent <= {row[0] for title in titles for row in TABLES[title][3]}


@pytest.mark.regression
def test_each_parameter_gets_what_its_table_says(start):
    up = start(policy=["limits.sends_per_destination_hour=1000", "limits.failed_checks=100"])
    tried, seen = Tried(up), 0
    for title, (_, _, _, rows) in TABLES.items():
        for name, _, standing, note in rows:
            if title in ("Start a verification", "Check a code"):
                # Five sends and five checks of one verification are not what is tried here.
                tried.http("POST", f"{tried.http.service}/Verifications/{tried.sid}", {"Status": "canceled"})
                tried.sid = tried.http.start().json()["sid"]
            value = {"PageToken": tried.token, "VerificationSid": tried.sid}.get(name) or VALUES.get(name, "true")
            answer = tried(title, {name: value})
            if standing == "refused":
                reason = note.split("; `")[0]
                assert error(answer) == (403, 60204), (title, name)
                assert answer.json()["message"] == f"{name} is not offered by this vault: {reason}"
                assert tried(title, {name: ""}).status_code == MADE.get(title, 200), (title, name)
            elif name == "CustomCode":
                # Offered, and closed by this vault's policy.
                assert error(answer) == (403, 60204) and "the policy does not allow it" in answer.json()["message"]
            else:
                assert answer.status_code == MADE.get(title, 200), (title, name, answer.text)
            seen += 1
    assert seen > 70


@pytest.mark.regression
@pytest.mark.parametrize("title", TABLES)
def test_a_parameter_of_no_table_is_refused_by_its_name(up, title):
    tried = Tried(up)
    for place in ("form", "query") if TABLES[title][2] == "form" else ("query",):
        answer = tried(title, {"FooBar": "1"}, place)
        assert error(answer) == (400, 60200)
        assert answer.json()["message"] == "Invalid parameter: FooBar: this request has no such parameter"
        # What is no name is not repeated.
        answer = tried(title, {"+12025550199": "1"}, place)
        assert error(answer) == (400, 60200) and "2025550199" not in answer.text


@pytest.mark.regression
@pytest.mark.parametrize("name, value", [("RiskCheck", "enable"), ("DeviceIp", "192.0.2.1"), ("Tags", '{"a":"b"}')])
def test_a_parameter_that_would_do_nothing_is_refused(up, name, value):
    answer = Http(up).start(**{name: value})
    assert error(answer) == (403, 60204)
    assert answer.json()["message"].startswith(f"{name} is not offered by this vault: ")
    assert up.messages(NUMBER) == []


@pytest.mark.regression
def test_a_body_that_is_no_form_is_told_so(up):
    http = Http(up)
    path = f"{http.service}/Verifications"
    answer = http("POST", path, json={"To": NUMBER, "Channel": "sms"})
    assert error(answer) == (415, 20415)
    message = "JSON is not read here; send a form (application/x-www-form-urlencoded)"
    assert answer.json()["message"] == f"Invalid parameter: body: {message}"
    answer = http("POST", path, "To=%2B12025550123&Channel=sms", headers={"Content-Type": "text/plain"})
    assert error(answer) == (415, 20415)
    answer = http("GET", path + f"/{NUMBER}", "To=1", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert error(answer) == (400, 60200)
    assert up.messages(NUMBER) == []


@pytest.mark.regression
def test_the_vaults_own_api_has_no_query(up):
    http = Http(up)
    for path in ("account", "vault", "acme", "support/VE" + "0" * 32):
        answer = http("GET", f"/adyton/v1/{path}?FooBar=1")
        assert error(answer) == (400, 60200)
        assert answer.json()["message"] == "Invalid parameter: FooBar: this request has no such parameter"


@pytest.mark.regression
def test_an_unknown_member_is_named(up, tmp_path):
    tenant = Tenant(up, tmp_path / "tenant", "Acme")
    message = "Invalid parameter: code_lenght: there is no such member"
    answer = tenant.http("POST", "/adyton/v1/tenants", json={"code_lenght": 4})
    assert error(answer) == (400, 60200) and answer.json()["message"] == message
    body = '{"service_sid":"VA00000000000000000000000000000001","code_lenght":4}'
    for request in (tenant.signed(1, body, "service-loosen"), {"code_lenght": 4}):
        answer = tenant.post(request)
        assert error(answer) == (400, 60200) and answer.json()["message"] == message
    answer = tenant.http("POST", "/adyton/v1/tenants", json={"+12025550123": 4})
    assert error(answer) == (400, 60200) and "2025550123" not in answer.text


LENGTHS = "expected a number from 6 to 10; 6 is the policy's floor"
PLUS = "a + in a form is a blank: write %2B; "
E164 = "expected a phone number in E.164 form: +, country code, subscriber number, digits only"


@pytest.mark.regression
@pytest.mark.parametrize(
    "title, given, said",
    [
        ("Create a service", {"CodeLength": "3"}, f"CodeLength: {LENGTHS}"),
        ("Create a service", {"CodeLength": "11"}, f"CodeLength: {LENGTHS}"),
        ("Create a service", {"CodeLength": "06"}, f"CodeLength: {LENGTHS}"),
        ("Update a service", {"CodeLength": "six"}, f"CodeLength: {LENGTHS}"),
        ("Create a service", {"DoNotShareWarningEnabled": "1"}, "DoNotShareWarningEnabled: expected true or false"),
        ("Update a service", {"CustomCodeEnabled": "yes"}, "CustomCodeEnabled: expected true or false"),
        ("Start a verification", {"Channel": "SMS"}, "Channel: expected sms or email"),
        ("Start a verification", {"Channel": "foo"}, "Channel: expected sms or email"),
        ("Start a verification", {"To": " 12025550123"}, f"To: {PLUS}{E164}"),
        ("Update a verification", {"Status": "deleted"}, "Status: expected canceled or approved"),
        ("Check a code", {"Code": "123 456"}, "Code: expected 4 to 10 ASCII digits"),
        ("Check a code", {"To": " 12025550123"}, f"To: {PLUS}{E164}"),
        ("Check a code", {"VerificationSid": "VE1"}, "VerificationSid: expected VE and 32 hexadecimal digits"),
        ("List services", {"PageSize": "0"}, "PageSize: expected a number from 1 to 1000"),
        ("List services", {"PageSize": "1001"}, "PageSize: expected a number from 1 to 1000"),
        ("List services", {"PageToken": "x"}, "PageToken: expected the one in next_page_url of the page before"),
    ],
)
def test_a_refused_value_is_told_the_accepted_form(up, title, given, said):
    answer = Tried(up)(title, given)
    assert error(answer) == (400, 60200)
    assert answer.json()["message"] == f"Invalid parameter: {said}"


@pytest.mark.regression
def test_a_missing_parameter_and_a_lost_plus_are_told_so(up):
    http = Http(up)
    start, check = f"{http.service}/Verifications", f"{http.service}/VerificationCheck"
    for path, form, said in [
        ("/v2/Services", "", "FriendlyName: it is missing; expected a name of 1 to 30 characters of the GSM alphabet"),
        (start, "To=%2B12025550123", "Channel: it is missing; expected sms or email"),
        (start, "Channel=sms", "To: it is missing; expected a number in E.164 form"),
        (check, "To=%2B12025550123", "Code: it is missing; expected 4 to 10 ASCII digits"),
        # The commonest report of all, as it is sent by hand.
        (start, "To=+12025550123&Channel=sms", f"To: {PLUS}{E164}"),
        (start, "To=jo+tag@example.com&Channel=email", f"To: {PLUS}expected 1 to 64 plain ASCII characters"),
        (start, "To=%2B12025550123&Channel=sms&AppHash=FA+9qCX9VSu", f"AppHash: {PLUS}expected one of the service's AppHashes"),
        ("/v2/Services", "FriendlyName=A&AppHashes=FA+9qCX9VSu", f"AppHashes: {PLUS}expected app hashes of 11 characters"),
    ]:
        answer = http("POST", path, form, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert error(answer) == (400, 60200), form
        assert answer.json()["message"].startswith(f"Invalid parameter: {said}"), answer.text
        assert "2025550123" not in answer.text and "FA 9" not in answer.text
    assert up.messages(NUMBER) == []


@pytest.mark.regression
def test_pages_that_are_counted_end(up):
    """Who counts pages until one is empty would get the first one for ever."""
    http = Http(up)
    first = http("GET", "/v2/Services?PageSize=1&Page=0")
    assert first.status_code == 200 and first.json()["meta"]["page"] == 0
    for page in (1, 2, 4_000_000_000):
        answer = http("GET", f"/v2/Services?PageSize=1&Page={page}")
        assert error(answer) == (400, 60200)
        said = "without PageToken there is only page 0; follow next_page_url of the page before, which has the token"
        assert answer.json()["message"] == f"Invalid parameter: Page: {said}"
    # By their addresses they end.
    http("POST", "/v2/Services", {"FriendlyName": "Second"})
    url, numbers = "/v2/Services?PageSize=1", []
    while url:
        meta = http("GET", url.removeprefix(http.api)).json()["meta"]
        numbers.append(meta["page"])
        url = meta["next_page_url"]
    assert numbers == [0, 1]


@pytest.mark.regression
@pytest.mark.parametrize(
    "number, said",
    [
        ("+5215512345678", "write a number of Mexico as +52 and ten digits, without the 1 that was dialled until 2019"),
        ("+541112345678", "write a mobile number of Argentina as +54 9 and the area code, without 15"),
        ("+22997123456", "write a number of Benin as +229 01 and the eight digits of before 2024"),
        ("+4901701234567", "leave out the 0 behind +49: it is dialled only inside the country"),
        ("0012025550123", "write + instead of 00 before the country code"),
    ],
)
def test_a_refused_form_of_a_number_names_the_accepted_one(up, number, said):
    http = Http(up)
    for answer in (http.start(to=number), http.check(To=number, Code="123456")):
        assert error(answer) == (400, 60200)
        assert answer.json()["message"] == f"Invalid parameter: To: {said}"
        assert number[-7:] not in answer.text


@pytest.mark.regression
def test_no_request_takes_away_warning_and_domain(up):
    status, service = up.service(DoNotShareWarningEnabled="true", WebOtpDomain="login.bank.example")
    assert status == 201
    http = Http(up)
    http.service = f"/v2/Services/{service['sid']}"
    looks = [
        {"CustomFriendlyName": "Банк Пример 123"},
        {"CustomFriendlyName": "é" * 30},
        {"CustomFriendlyName": "Банк", "Locale": "en"},
        {},
    ]
    for count, look in enumerate(looks, 1):
        assert http.start(**look).status_code == 201
        up.code(NUMBER, count)
        body = up.messages(NUMBER)[0]["body"]
        assert WARNING in body, look
        code = re.search(r"\d{6}", body)[0]
        assert body.split("\n")[-1] == f"@login.bank.example #{code}", look
    # An app that the service does not list gets nothing, and nothing was sent.
    answer = http.start(AppHash=HASH)
    assert error(answer) == (400, 60200)
    message = "Invalid parameter: AppHash: it is not one of the service's AppHashes, which are fixed when a service is created"
    assert answer.json()["message"] == message
    assert len(up.messages(NUMBER)) == len(looks)


@pytest.mark.regression
def test_no_name_becomes_a_hash_a_code_or_a_link_on_its_way(up):
    """Carriers put plain characters in the place of others, such as full-width letters."""
    status, service = up.service()
    assert status == 201
    http = Http(up)
    http.service = f"/v2/Services/{service['sid']}"
    for name in ("Ｈe42w354ol9", "ʜe42w354ol9", "He42÷w54ol9", "call 493ー817", "Code꞉ 493ː817", "http：//ai", "a﹫b"):
        assert error(http.start(CustomFriendlyName=name)) == (400, 60200), name
        assert error(http("POST", http.service, {"FriendlyName": name})) == (400, 60200), name
    # The carrier is asked to replace nothing.
    assert http.start(CustomFriendlyName="ＮＴＴ東日本").status_code == 201
    up.code(NUMBER)
    assert "ＮＴＴ東日本" in up.messages(NUMBER)[0]["body"]


@pytest.mark.regression
def test_an_app_stands_beside_warning_and_domain(up):
    settings = {"DoNotShareWarningEnabled": "true", "WebOtpDomain": "login.bank.example", "AppHashes": f"{HASH},AAAAAAAAAAA"}
    status, service = up.service(**settings)
    assert (status, service["app_hashes"]) == (201, [HASH, "AAAAAAAAAAA"])
    http = Http(up)
    http.service = f"/v2/Services/{service['sid']}"
    assert http.start(AppHash=HASH, CustomFriendlyName="Other").status_code == 201
    up.code(NUMBER)
    text, hash_line, domain = up.messages(NUMBER)[0]["body"].split("\n")
    code = re.search(r"\d{6}", text)[0]
    assert text == f"<#> Your Other verification code is: {code}{WARNING}"
    assert (hash_line, domain) == (HASH, f"@login.bank.example #{code}")
    # A name that leaves no room is refused, and by how much it is too long.
    answer = http.start(AppHash=HASH, CustomFriendlyName="Банк")
    assert error(answer) == (400, 60200)
    assert re.search(r"CustomFriendlyName: .* \d+ characters too long: use a shorter name", answer.json()["message"])
    # So is a service's own.
    status, refused = up.service(**settings | {"FriendlyName": "Банк"})
    assert (status, refused["code"]) == (400, 60200) and "FriendlyName: " in refused["message"]
    # A key takes an app away, and brings none.
    added = http("POST", http.service, {"AppHashes": f"{HASH},BBBBBBBBBBB"})
    assert error(added) == (403, 20403)
    assert http("POST", http.service, {"AppHashes": HASH}).json()["app_hashes"] == [HASH]
    assert error(http("POST", http.service, {"AppHashes": f"{HASH},AAAAAAAAAAA"})) == (403, 20403)
    assert error(http.start(AppHash="AAAAAAAAAAA")) == (400, 60200)
    for text in ("He42w354ol", f"{HASH},{HASH}", f"{HASH};AAAAAAAAAAA", ",".join(f"AAAAAAAAAA{digit}" for digit in range(9))):
        assert up.service(AppHashes=text)[0] == 400, text
