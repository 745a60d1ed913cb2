"""Ceilings of sending: what stops fraud stops no product."""

import urllib.request

import pytest
from conftest import eventually
from test_verification import refusal


def metric(up, name):
    with urllib.request.urlopen(up.ready["metrics"], timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return next(int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + " "))


@pytest.mark.regression
def test_more_than_two_hundred_people_at_one_mail_provider_get_their_codes(up):
    verify = up.verify()
    for person in range(210):
        verify.verifications.create(to=f"person{person}@example.com", channel="email")


@pytest.mark.regression(starts=False)
def test_a_number_block_has_a_ceiling_and_its_nearness_is_told(start):
    up = start(policy=["limits.sends_per_number_block_hour=10", "limits.sends_per_mail_domain_hour=3"])
    verify = up.verify()
    near = 'adyton_ceiling_near_total{ceiling="number_block"}'
    for number in range(7):
        verify.verifications.create(to=f"+120255501{number:02}", channel="sms")
    assert metric(up, near) == 0
    for number in range(7, 10):
        verify.verifications.create(to=f"+120255501{number:02}", channel="sms")
    assert refusal(lambda: verify.verifications.create(to="+12025550199", channel="sms")) == (403, 60410)
    # The next block, and mail, have ceilings of their own.
    verify.verifications.create(to="+12025560100", channel="sms")
    for person in range(3):
        verify.verifications.create(to=f"person{person}@example.com", channel="email")
    last = lambda: verify.verifications.create(to="person3@example.com", channel="email")  # noqa: E731
    assert refusal(last) == (403, 60410)

    def told():
        # Once in an hour, however many came after it; an hour may have ended meanwhile.
        assert metric(up, near) in (1, 2)

    eventually(told)
