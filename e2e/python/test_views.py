"""Reads come from a published view: what is on its way shows in none, one read is one operation, and an answer leaves
only within the lease (ARCHITECTURE.md, "Life of a request")."""

import json
import pathlib
import threading
import time

import pytest
import requests
from acknowledgements import Acknowledgements
from conftest import ENCLAVE, PATIENCE, eventually
from test_policy import adyton
from test_scopes import Tenant

pytestmark = pytest.mark.skipif(ENCLAVE != "process", reason="a machine is behind another bridge")
LEASE = 3


def get(up, path):
    credentials = (up.ready["account_sid"], up.ready["auth_token"])
    return requests.get(up.ready["api"] + path, auth=credentials, verify=up.ready["ca"], timeout=PATIENCE)


def more_appends(acknowledgements, before):
    def more():
        assert len(acknowledgements.appends) > before

    eventually(more)


def test_a_list_of_any_length_is_one_operation(start):
    up = start()
    services = up.client().verify.v2.services
    for _ in range(39):
        services.create(friendly_name="Corner Shop")
    acknowledgements = Acknowledgements(up)
    for size in (16, 17, 40):
        before = len(acknowledgements.appends)
        assert len(get(up, f"/v2/Services?PageSize={size}").json()["services"]) == size
        time.sleep(0.3)
        assert len(acknowledgements.appends) == before + 1, size


def test_the_answer_of_a_recorded_read_leaves_only_within_the_lease(start):
    up = start()
    acknowledgements = Acknowledgements(up)
    service = f"/v2/Services/{up.ready['service_sid']}"
    assert get(up, service).status_code == 200
    acknowledgements.hold()
    before, answers = len(acknowledgements.appends), []
    asking = threading.Thread(target=lambda: answers.append(get(up, service).status_code))
    asking.start()
    more_appends(acknowledgements, before)
    # The append of the record began before the lease that it could renew.
    time.sleep(LEASE + 1)
    acknowledgements.let_pass(1)
    more_appends(acknowledgements, before + 1)
    time.sleep(0.5)
    assert answers == [], "an answer from a view that may not answer"
    acknowledgements.release()
    asking.join(PATIENCE)
    assert answers == [200]


def test_a_key_on_its_way_is_as_unknown_as_any(start, tmp_path, monkeypatch):
    up = start(policy=["tenants.loosening_hours=1"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", up.ready["ca"])
    acme = Tenant(up, tmp_path / "acme", "Acme")
    service = acme.sdk().services.create(friendly_name="Acme").sid
    path, form = f"/v2/Services/{service}/Verifications", {"To": "+12025550103", "Channel": "sms"}
    acknowledgements = Acknowledgements(up)
    acknowledgements.hold()
    before = len(acknowledgements.appends)
    making = threading.Thread(target=lambda: acme.key("verify"))
    making.start()
    more_appends(acknowledgements, before)
    # The command keeps the secret before it sends the request.
    kept = [file for file in acme.folder.rglob("*") if file.is_file() and "key_secret" in file.read_text(errors="ignore")]
    key = json.loads(kept[0].read_text())
    credentials, answers = (key["key_sid"], key["key_secret"]), []
    starting = threading.Thread(target=lambda: answers.append(acme.http("POST", path, credentials, data=form)))
    starting.start()
    time.sleep(1)
    acknowledgements.release()
    making.join(PATIENCE)
    starting.join(PATIENCE)
    # Its address would have been hashed for nobody.
    assert (answers[0].status_code, answers[0].json()["code"]) == (401, 20003)
    assert acme.http("POST", path, credentials, data=form).status_code == 201
    by_number = f"{path}/{form['To'].replace('+', '%2B')}"
    assert acme.http("GET", by_number, credentials).status_code == 200


def test_settings_show_once_they_have_passed_their_gate(start, tmp_path):
    up = start()
    acknowledgements = Acknowledgements(up)

    def shown():
        vault = requests.get(up.ready["api"] + "/adyton/v1/vault", verify=up.ready["ca"], timeout=PATIENCE).json()
        return vault["owners_sequence"], vault["settings_sha256"]

    before = shown()
    # The command makes records of the public log first; only the settings themselves are so long.
    file, text = tmp_path / "settings.toml", pathlib.Path(up.ready["settings"]).read_text()
    file.write_text(text + "\n[limits]\nfailed_checks = 5\n" + "# a line that makes it long\n" * 100)
    held = threading.Event()

    class Watched(list):
        def append(self, frame):
            super().append(frame)
            if len(frame) > 3500 and not held.is_set():
                acknowledgements.hold()
                held.set()

    acknowledgements.appends = Watched(acknowledgements.appends)
    words = ("settings", "set", *up.place(), "--yes", "--json", "--file", file, "--key", up.ready["owner_key"])
    setting = threading.Thread(target=lambda: adyton(*words))
    setting.start()
    assert held.wait(PATIENCE)
    # Nobody but the decider knows of them, however often is asked.
    for _ in range(20):
        assert shown() == before
        time.sleep(0.05)
    acknowledgements.release()
    setting.join(PATIENCE)
    after = shown()
    assert after[0] == before[0] + 1 and after[1] != before[1]
