"""Host and enclave are killed at random moments while codes go through; what was answered stays so."""

import os
import random
import threading
import time

import pytest
import requests
from conftest import eventually
from twilio.base.exceptions import TwilioRestException

KILLS = 14
WORKERS = 4


class Enclave:
    """How often it was killed; odd while that is under way."""

    def __init__(self):
        self.epoch = 0

    def settled(self):
        return self.epoch if self.epoch % 2 == 0 else None


class Worker(threading.Thread):
    """One code after the other, each to a number of its own, and now and then a service."""

    def __init__(self, name, up, enclave, stop):
        super().__init__(name=f"worker {name}")
        self.up, self.enclave, self.stop = up, enclave, stop
        self.first_number = name * 1_000_000
        self.services, self.approved, self.broken, self.wrong = [], 0, 0, []

    def run(self):
        try:
            turn = 0
            while not self.stop.is_set():
                turn += 1
                self.code(f"+1555{self.first_number + turn:07}")
                if turn % 5 == 0:
                    self.service()
        except Exception as error:  # noqa: BLE001 - the test must hear of whatever it is
            self.wrong.append(repr(error))

    def attempt(self, call):
        """An answer, the status of a refusal, or `None` if nothing is known."""
        try:
            return call()
        except TwilioRestException as refusal:
            if refusal.status != 503:
                return refusal.status
        except requests.exceptions.RequestException:
            pass
        self.broken += 1
        return None

    def service(self):
        credentials = (self.up.ready["account_sid"], self.up.ready["auth_token"])
        url, ca = self.up.ready["api"] + "/v2/Services", self.up.ready["ca"]
        post = lambda: requests.post(url, {"FriendlyName": "Acme"}, auth=credentials, verify=ca, timeout=20)  # noqa: E731
        answer = self.attempt(post)
        if answer is not None and answer.status_code == 201:
            self.services.append(answer.json()["sid"])

    def code(self, number):
        began = self.enclave.settled()
        verify = self.up.verify()
        started = self.attempt(lambda: verify.verifications.create(to=number, channel="sms"))
        if started is None:
            return
        code = self.read(number, began)
        if code is None:
            return
        check = lambda: verify.verification_checks.create(verification_sid=started.sid, code=code)  # noqa: E731
        answer = self.attempt(check)
        lost = answer is None
        while answer in (None, 429) and not self.stop.is_set():
            # The budgets of wrong codes begin empty at a boot, and give the first check after a second.
            if answer == 429:
                self.stop.wait(1)
            answer = self.attempt(check)
        if answer in (None, 429):
            return
        alive = began is not None and self.enclave.settled() == began
        if answer == 404:
            # A new enclave voids it; and an answer that was lost may have been the approval.
            if alive and not lost:
                self.wrong.append(f"{number}: the code is gone though its enclave lived on")
            return
        if getattr(answer, "status", answer) != "approved":
            self.wrong.append(f"{number}: the right code answers {answer}")
            return
        self.approved += 1
        again = self.attempt(check)
        if again not in (None, 404):
            self.wrong.append(f"{number}: approved twice")

    def read(self, number, began):
        """The code, unless its enclave was killed before it was sent."""
        patience = time.monotonic() + 20
        while time.monotonic() < patience and not self.stop.is_set():
            if found := self.up.messages(number):
                return found[0]["body"].rsplit(" ", 1)[1]
            if began is None or self.enclave.settled() != began:
                return None
            time.sleep(0.01)
        if not self.stop.is_set():
            self.wrong.append(f"{number}: no message came though its enclave lived on")
        return None


def kill(up, name):
    pid = eventually(lambda: up.children()[name])
    os.kill(pid, 9)
    while pid in up.children().values():
        time.sleep(0.005)


@pytest.mark.parametrize("seed", [int(os.environ.get("ADYTON_SEED", random.randrange(1 << 32)))])
def test_what_was_answered_survives_kills_at_random_moments(start, seed):
    # All these numbers have one prefix.
    up = start(policy=["limits.sends_per_number_block_hour=1000000", "limits.sends_per_tenant_hour=1000000"])
    dice, enclave, stop = random.Random(seed), Enclave(), threading.Event()
    workers = [Worker(name, up, enclave, stop) for name in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.05, 1.0))
            if dice.random() < 0.7:
                kill(up, "adyton-host")
            else:
                enclave.epoch += 1
                kill(up, "adyton-enclave")
                enclave.epoch += 1
        # Work goes on after the last one.
        before = sum(worker.approved for worker in workers)
        patience = time.monotonic() + 60
        while sum(worker.approved for worker in workers) < before + 5 and time.monotonic() < patience:
            time.sleep(0.05)
    finally:
        stop.set()
        for worker in workers:
            worker.join()

    assert [wrong for worker in workers for wrong in worker.wrong] == []
    assert sum(worker.approved for worker in workers) >= before + 5
    assert sum(worker.broken for worker in workers) > 0, "no kill met anything under way"
    services = [service for worker in workers for service in worker.services]
    assert services
    for number, service in enumerate(services):
        verify = up.client().verify.v2.services(service)
        started = eventually(lambda: verify.verifications.create(to=f"+1666{number:07}", channel="sms"))
        assert started.status == "pending", "an acknowledged service is lost"
    assert up.log_check().returncode == 0
