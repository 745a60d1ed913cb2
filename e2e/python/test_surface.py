"""The Verify surface that applications use, by the official SDK and over plain HTTP."""

import signal
import time

import pytest
import requests
from conftest import eventually
from test_verification import NUMBER, refusal
from twilio.base.exceptions import TwilioRestException

PERSON = "Jo.Doe@example.com"


def post(up, path, data, **options):
    auth = (up.ready["account_sid"], up.ready["auth_token"])
    return requests.post(up.ready["api"] + path, data=data, auth=auth, verify=up.ready["ca"], timeout=30, **options)


def test_an_e_mail_carries_a_code(up):
    verify = up.verify()
    started = verify.verifications.create(to=PERSON, channel="email", locale="de")
    assert (started.to, started.channel) == (PERSON, "email")
    deadline = time.monotonic() + 30
    while not (found := up.messages(PERSON)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    code = next(word for word in found[0]["body"].split() if word.isdigit() and len(word) == 6)
    # Another spelling of the local part is the same person.
    assert verify.verification_checks.create(to=PERSON.lower(), code=code).status == "approved"


def test_services(up):
    services = up.client().verify.v2.services
    made = services.create(friendly_name="Bank", code_length=8)
    assert (made.friendly_name, made.code_length, made.custom_code_enabled) == ("Bank", 8, False)
    assert made.date_created.tzinfo is not None
    assert services(made.sid).fetch().sid == made.sid
    assert services(made.sid).update(friendly_name="Other", code_length=10).code_length == 10
    assert refusal(lambda: services(made.sid).update(code_length=6)) == (403, 20403)
    assert refusal(lambda: services(made.sid).update(custom_code_enabled=True)) == (403, 60204)
    assert refusal(lambda: services.create(friendly_name="x", lookup_enabled=True)) == (403, 60204)
    assert refusal(lambda: services.create(friendly_name="go to evil.example")) == (400, 60200)
    assert refusal(lambda: services.create(friendly_name="x", code_length=4)) == (400, 60200)
    services(made.sid).verifications.create(to=NUMBER, channel="sms")
    assert len(up.code(NUMBER)) == 10
    assert services(made.sid).delete()
    assert refusal(lambda: services(made.sid).fetch()) == (404, 20404)


def test_pages_lead_nowhere_but_here(up):
    services = up.client().verify.v2.services
    made = [services.create(friendly_name=f"Service {count}").sid for count in range(5)]
    page = services.page(page_size=2)
    assert page.next_page_url.startswith(up.ready["api"] + "/v2/Services?")
    seen = [service.sid for service in services.stream(page_size=2)]
    assert sorted(seen) == sorted(made + [up.ready["service_sid"]])
    answer = post(up, "/v2/Services", {"FriendlyName": "x"}, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (421, 20421)


def test_fetch_cancel_and_reasons(up):
    verify = up.verify()
    started = verify.verifications.create(to=NUMBER, channel="sms")
    assert verify.verifications(started.sid).fetch().status == "pending"
    assert verify.verifications(NUMBER).fetch().sid == started.sid
    assert verify.verifications(NUMBER).update(status="canceled").status == "canceled"
    with pytest.raises(TwilioRestException) as caught:
        verify.verifications(started.sid).fetch()
    assert (caught.value.status, caught.value.code, caught.value.details) == (404, 20404, {"reason": "canceled"})
    assert refusal(lambda: verify.verifications(NUMBER).fetch()) == (404, 20404)
    again = verify.verifications.create(to=NUMBER, channel="sms")
    assert again.sid != started.sid
    assert refusal(lambda: verify.verifications(again.sid).update(status="approved")) == (403, 60204)
    up.stop(signal.SIGKILL)


def test_a_restart_says_so_and_buys_no_guess(start):
    first = start()
    started = first.verify().verifications.create(to=NUMBER, channel="sms")
    first.code(NUMBER)
    assert first.stop() == 0
    second = start()
    verify = second.verify()
    with pytest.raises(TwilioRestException) as caught:
        verify.verification_checks.create(verification_sid=started.sid, code="000000")
    assert caught.value.details == {"reason": "vault_restarted"}
    verify.verifications.create(to=NUMBER, channel="sms")
    code = second.code(NUMBER)
    assert eventually(lambda: verify.verification_checks.create(to=NUMBER, code=code)).status == "approved"


def test_what_is_closed_or_not_offered(up):
    status, service = up.service(AppHashes="He42w354ol9")
    assert (status, service["app_hashes"]) == (201, ["He42w354ol9"])
    create = up.client().verify.v2.services(service["sid"]).verifications.create
    assert refusal(lambda: create(to="+4915112345678", channel="sms")) == (403, 60605)
    assert refusal(lambda: create(to="+2101234567", channel="sms")) == (400, 60200)
    assert refusal(lambda: create(to=NUMBER, channel="call")) == (403, 60204)
    assert refusal(lambda: create(to=NUMBER, channel="sms", rate_limits={"ip": "1"})) == (403, 60204)
    assert refusal(lambda: create(to=NUMBER, channel="sms", locale="it")) == (400, 60200)
    assert refusal(lambda: create(to=NUMBER, channel="sms", device_ip="192.0.2.1")) == (403, 60204)
    assert refusal(lambda: create(to=NUMBER, channel="sms", tags='{"a":"b"}')) == (403, 60204)
    assert refusal(lambda: create(to=NUMBER, channel="sms", app_hash="AAAAAAAAAAA")) == (400, 60200)
    assert refusal(lambda: create(to=NUMBER, channel="sms", custom_friendly_name="evil.example")) == (400, 60200)
    create(to=NUMBER, channel="sms", custom_friendly_name="Acme", locale="fr", app_hash="He42w354ol9", tags="{}")
    deadline = time.monotonic() + 30
    while not (found := up.messages(NUMBER)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    body = found[0]["body"]
    assert body.startswith("<#> Votre code pour Acme: ") and body.endswith("\nHe42w354ol9")


def test_hostile_bodies_get_an_answer(up):
    path = f"/v2/Services/{up.ready['service_sid']}/Verifications"
    answer = post(up, path, b"To=" + b"1" * 10_000_000)
    assert (answer.status_code, answer.json()["code"]) == (413, 20413)
    assert post(up, path, b"To=%2B12025550123&To=%2B12025550124&Channel=sms").json()["code"] == 60200
    assert post(up, path, b"To=\xff&Channel=sms").status_code == 400
