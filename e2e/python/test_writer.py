"""Nobody outside can stop the writer for ever: what would overfill it is refused, and one that is stopped is started again."""

import asyncio
import hashlib
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import urllib.request

import population
import pytest
import requests
from conftest import ENCLAVE, eventually
from test_tenants import api_key

NUMBER = "+12025550123"
# Gives a process another time (Debian: faketime), as the drill's row `clock` does.
FAKETIME = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


def kill_host(up):
    """Kills the host while nobody starts it again; `up` goes on with SIGCONT."""
    up.process.send_signal(signal.SIGSTOP)
    os.kill(up.children()["adyton-host"], signal.SIGKILL)


def metrics(up):
    with urllib.request.urlopen(up.ready["metrics"], timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


@pytest.mark.regression
@pytest.mark.skipif(ENCLAVE != "process", reason="a machine's exit status says nothing of what it ran")
def test_a_fenced_vault_ends_and_is_started_again(start, tmp_path, capfd):
    up = start()
    eventually(lambda: up.verify().verifications.create(to=NUMBER, channel="sms"))
    # An older copy of the log is put back under a running enclave: as another writer would, it has another size.
    kill_host(up)
    shutil.copytree(up.data, tmp_path / "old")
    up.process.send_signal(signal.SIGCONT)
    eventually(lambda: up.client().verify.v2.services.create(friendly_name="Later"))
    before = up.children()["adyton-enclave"]
    kill_host(up)
    for file in (tmp_path / "old").iterdir():
        if file.is_file():
            shutil.copy(file, up.data / file.name)
    up.process.send_signal(signal.SIGCONT)
    # The next append is refused. The vault does not answer 503 for ever, but is another process that serves.
    eventually(lambda: up.verify().verifications.create(to=NUMBER, channel="sms"))
    assert up.children()["adyton-enclave"] != before
    assert metrics(up)['adyton_writer_stopped_total{reason="conflict"}'] == "1"
    said = capfd.readouterr().err
    assert "adyton-enclave: the writer of log ops-0 has stopped: another writer is at it" in said
    assert "adyton: the enclave has ended with status 70: it is started again after a pause" in said


def signed(up, folder, action, sequence, body):
    """A request that the first tenant's key signed."""
    text = folder / "request"
    digest = hashlib.sha256(body.encode()).hexdigest()
    account = up.ready["account_sid"]
    text.write_text(
        f"adyton request v1\nvault {up.ready['vault_id']}\nsigner {account}\nsequence {sequence}\n"
        f"action {action}\nsha256 {digest}\n"
    )
    signature = text.with_suffix(".sig")
    signature.unlink(missing_ok=True)
    key = up.ready["tenant_key"]
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "adyton", "-f", key, text], check=True, timeout=30)
    request = {"action": action, "signer": account, "sequence": sequence, "body": body}
    request["signatures"] = [signature.read_text()]
    return requests.post(up.ready["api"] + "/adyton/v1/requests", json=request, verify=up.ready["ca"], timeout=30)


@pytest.mark.regression
def test_a_key_that_stands_twice_in_a_request_is_refused_by_its_member(up, tmp_path):
    sid, _ = api_key(up, tmp_path / "key.json", "verify")
    answer = signed(up, tmp_path, "tenant-keys", 2, json.dumps({"remove": [sid, sid]}))
    assert (answer.status_code, answer.json()["code"]) == (400, 60200)
    assert answer.json()["message"] == "Invalid parameter: remove: a key's SID stands there twice"
    answer = signed(up, tmp_path, "tenant-keys", 2, json.dumps({"remove": [sid] * 101}))
    assert (answer.status_code, answer.json()["message"]) == (400, "Invalid parameter: remove: expected at most 100 keys")
    # Nothing was changed, the sequence included.
    answer = signed(up, tmp_path, "tenant-keys", 2, json.dumps({"remove": [sid]}))
    assert answer.status_code == 200


def loosen(tenant):
    """A request that makes the tenant's service weaker, once its wait is over."""
    return tenant.signed("service-loosen", json.dumps({"service_sid": tenant.service, "code_length": 6}))


@pytest.mark.regression(starts=False)
@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed (Debian: faketime)")
@pytest.mark.skipif(ENCLAVE != "process", reason="a machine has a clock of its own")
def test_loosenings_of_many_tenants_that_fall_due_at_once_take_effect(start, monkeypatch):
    up = start(policy=["tenants.loosening_hours=1"])
    # An entry of the first log format was 436 bytes for each of them, and a frame has 1 MiB.
    tenants = population.tenants(up, 2600)
    made = population.ask_all(up, [tenant.form("/v2/Services", FriendlyName="Acme", CodeLength=8) for tenant in tenants])
    for tenant, (status, service) in zip(tenants, made):
        assert status == 201, service
        tenant.service = service["sid"]
    scheduled = population.ask_all(up, [loosen(tenant) for tenant in tenants])
    assert {(status, service.get("code_length")) for status, service in scheduled} == {(200, 8)}
    assert up.stop() == 0
    # Two hours later all are due, before anything else is asked.
    monkeypatch.setenv("LD_PRELOAD", str(FAKETIME[0]))
    monkeypatch.setenv("FAKETIME", "+2h")
    up = start()

    def all_in_effect():
        asked = [tenant.get(f"/v2/Services/{tenant.service}") for tenant in tenants]
        answers = population.ask_all(up, asked, checked=False)
        assert {(status, service.get("code_length")) for status, service in answers} == {(200, 6)}

    eventually(all_in_effect)
    assert up.stop() == 0
    up = start()
    all_in_effect()


@pytest.mark.regression
def test_a_tenant_has_a_hundred_loosenings_waiting_at_most(up):
    (tenant,) = population.tenants(up, 1)
    made = population.ask_all(up, [tenant.form("/v2/Services", FriendlyName="Acme", CodeLength=8)] * 101)
    services = [service["sid"] for _, service in made]

    def loosened(service):
        tenant.service = service
        (answer,) = population.ask_all(up, [loosen(tenant)], clients=1)
        return answer

    assert [loosened(service)[0] for service in services[:100]] == [200] * 100
    status, refusal = loosened(services[100])
    assert (status, refusal.get("code")) == (429, 20429)
    # Nothing was changed, the sequence included. One that is taken back makes room.
    tenant.sequence -= 1
    withdraw = tenant.request("DELETE", f"/adyton/v1/services/{services[0]}/loosening")
    assert population.ask_all(up, [withdraw], clients=1)[0][0] == 200
    assert loosened(services[100])[0] == 200


def hundred_keys(tenant):
    """A request that adds as many keys as a tenant may have."""
    keys = ["SK" + secrets.token_hex(16) for _ in range(100)]
    added = [
        {"key_sid": key, "scopes": ["verify"], "sealed_secret": tenant.vault.seal(32 * "s", "api key", tenant.account, key)}
        for key in keys
    ]
    return tenant.signed("tenant-keys", json.dumps({"add": added}))


@pytest.mark.regression
@pytest.mark.skipif(ENCLAVE != "process", reason="a machine's host process is not its bridge")
def test_large_changes_of_many_tenants_in_one_batch_do_not_stop_the_writer(start):
    up = start()
    tenants = population.tenants(up, 400)
    asked = [hundred_keys(tenant) for tenant in tenants]

    async def together():
        lines = await asyncio.gather(*(population.Line.open(up) for _ in asked))
        await asyncio.gather(*(line.say(request) for line, request in zip(lines, asked)))
        # What the host has passed on is decided while the first batch's acknowledgement is withheld.
        await asyncio.sleep(0.3)
        host = up.children()["adyton-host"]
        os.kill(host, signal.SIGSTOP)
        await asyncio.sleep(5)
        os.kill(host, signal.SIGCONT)
        await asyncio.gather(*(line.hear() for line in lines))
        for line in lines:
            line.close()

    def all_have_their_keys():
        answers = population.ask_all(up, [tenant.get("/adyton/v1/account") for tenant in tenants])
        lacking = [at for at, (_, account) in enumerate(answers) if len(account.get("keys", [])) != 100]
        # A slow machine refuses some with 503: a client asks again.
        population.ask_all(up, [asked[at] for at in lacking])
        assert not lacking

    asyncio.run(asyncio.wait_for(together(), 90))
    eventually(all_have_their_keys)
    assert up.stop() == 0
    up = start()
    all_have_their_keys()
