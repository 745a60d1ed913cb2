"""A request is one command, and a command costs what it names, not what other tenants have."""

import json
import pathlib
import secrets

import population
import pytest
import requests
from conftest import ENCLAVE, eventually
from test_writer import hundred_keys

NUMBER = "+12025550123"


@pytest.mark.regression
def test_a_check_that_is_refused_for_a_second_is_refused_once_and_at_once(start):
    """The handler slept until the next try was there, and asked again in its caller's name."""
    up = start(policy=["limits.failed_checks=1", "limits.failed_checks_refill_seconds=1"])
    eventually(lambda: up.verify().verifications.create(to=NUMBER, channel="sms"))
    code = up.code(NUMBER)
    wrong = str(int(code[0]) ^ 1) + code[1:]
    url = f"{up.ready['api']}/v2/Services/{up.ready['service_sid']}/VerificationCheck"
    answers = []
    with requests.Session() as session:
        session.auth, session.verify = (up.ready["account_sid"], up.ready["auth_token"]), up.ready["ca"]
        for _ in range(3):
            answers.append(session.post(url, data={"To": NUMBER, "Code": wrong}, timeout=30))
    refused = [answer for answer in answers if answer.status_code == 429]
    # Three checks follow one another well within a second of tries.
    assert refused, [answer.status_code for answer in answers]
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}


def cpu_seconds(process):
    """Processor time of all threads of a process."""
    total = 0
    for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
        try:
            total += int((thread / "schedstat").read_text().split()[0])
        except (OSError, ValueError):
            continue
    return total / 1e9


@pytest.mark.regression
@pytest.mark.skipif(ENCLAVE != "process", reason="a machine's processor time is not that of its enclave")
def test_a_change_of_keys_costs_what_it_names(up):
    """Each walked all keys of the vault, several times, while the writer stood still for all."""
    (tenant,) = population.tenants(up, 1)
    enclave = up.children()["adyton-enclave"]

    def changes():
        """Processor time of the enclave for sixty changes of one key each, one after the other."""
        before = cpu_seconds(enclave)
        for _ in range(30):
            key = "SK" + secrets.token_hex(16)
            sealed = tenant.vault.seal(32 * "s", "api key", tenant.account, key)
            added = json.dumps({"add": [{"key_sid": key, "scopes": ["verify"], "sealed_secret": sealed}]})
            asked = [tenant.signed("tenant-keys", added), tenant.signed("tenant-keys", json.dumps({"remove": [key]}))]
            assert [status for status, _ in population.ask_all(up, asked, clients=1)] == [200, 200]
        return cpu_seconds(enclave) - before

    # The lesser of two: what else runs on the machine only ever adds.
    alone = min(changes(), changes())
    others = population.tenants(up, 500)
    answers = population.ask_all(up, [hundred_keys(other) for other in others])
    assert {status for status, _ in answers} == {200}
    among_others = min(changes(), changes())
    # 50,000 keys of others. A walk over them costs many times what the change itself does.
    assert among_others < 3 * alone, f"{alone:.3f} s alone, {among_others:.3f} s among others"
