"""Nobody outside can stop the writer for ever: what would overfill it is refused, and one that is stopped is started again."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import urllib.request

import pytest
import requests
from conftest import ENCLAVE, eventually
from test_tenants import api_key

NUMBER = "+12025550123"


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
