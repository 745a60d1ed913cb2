"""One code, from the official SDK through the wall and back."""

import datetime
import json
import signal
import stat
import pathlib
import subprocess

import pytest
import requests
from conftest import BINARIES, eventually
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

NUMBER = "+12025550123"


def wrong(code):
    return ("1" if code[0] == "0" else "0") + code[1:]


def refusal(call):
    with pytest.raises(TwilioRestException) as caught:
        call()
    return caught.value.status, caught.value.code


def test_start_check_resend_approve(up):
    verify = up.verify()
    started = verify.verifications.create(to=NUMBER, channel="sms")
    assert (started.status, started.valid, started.to, started.channel) == ("pending", False, NUMBER, "sms")
    assert started.account_sid == up.ready["account_sid"]
    assert isinstance(started.date_created, datetime.datetime)
    assert len(started.send_code_attempts) == 1
    code = up.code(NUMBER)
    assert len(code) == 6 and code.isdigit()

    check = verify.verification_checks.create(to=NUMBER, code=wrong(code))
    assert (check.status, check.valid) == ("pending", False)

    again = verify.verifications.create(to=NUMBER, channel="sms")
    assert again.sid == started.sid
    assert len(again.send_code_attempts) == 2
    assert up.code(NUMBER, count=2) == code

    check = verify.verification_checks.create(verification_sid=started.sid, code=code)
    assert (check.status, check.valid, check.sid) == ("approved", True, started.sid)
    used = lambda: verify.verification_checks.create(to=NUMBER, code=code)  # noqa: E731
    assert refusal(used) == (404, 20404)
    assert up.messages(NUMBER)[0]["from"] == "Adyton"


def test_limits(up):
    verify = up.verify()
    started = verify.verifications.create(to=NUMBER, channel="sms")
    code = up.code(NUMBER)
    for _ in range(4):
        verify.verifications.create(to=NUMBER, channel="sms")
    assert refusal(lambda: verify.verifications.create(to=NUMBER, channel="sms")) == (429, 60203)
    for _ in range(5):
        assert not verify.verification_checks.create(to=NUMBER, code=wrong(code)).valid
    by_sid = lambda: verify.verification_checks.create(verification_sid=started.sid, code=code)  # noqa: E731
    assert refusal(by_sid) == (429, 60202)


def test_refusals(up):
    verify = up.verify()
    create = verify.verifications.create
    assert refusal(lambda: create(to="12025550123", channel="sms")) == (400, 60200)
    assert refusal(lambda: create(to=NUMBER, channel="carrier-pigeon")) == (400, 60200)
    assert refusal(lambda: create(to=NUMBER, channel="sms", custom_code="123456")) == (403, 60204)
    check = verify.verification_checks.create
    assert refusal(lambda: check(code="123456")) == (400, 60221)
    assert refusal(lambda: check(to=NUMBER, code="12 456")) == (400, 60200)
    assert refusal(lambda: check(to=NUMBER, code="123456")) == (404, 20404)
    stranger = Client(up.ready["account_sid"], "0" * 32)
    stranger.verify.base_url = up.ready["api"]
    services = stranger.verify.v2.services(up.ready["service_sid"])
    assert refusal(lambda: services.verifications.create(to=NUMBER, channel="sms")) == (401, 20003)
    unknown = up.client().verify.v2.services("VA" + "0" * 32)
    assert refusal(lambda: unknown.verifications.create(to=NUMBER, channel="sms")) == (404, 20404)


def test_a_second_start_finds_its_tenant_and_voids_live_codes(start):
    first = start()
    sid = first.verify().verifications.create(to=NUMBER, channel="sms").sid
    code = first.code(NUMBER)
    assert first.stop(signal.SIGINT) == 0
    assert json.loads(first.log_check().stdout)["ok"], "checked from the file"

    second = start()
    for field in ("vault_id", "account_sid", "auth_token", "service_sid"):
        assert second.ready[field] == first.ready[field]
    verify = second.verify()
    assert refusal(lambda: verify.verification_checks.create(verification_sid=sid, code=code)) == (404, 20404)
    verify.verifications.create(to=NUMBER, channel="sms")
    code = second.code(NUMBER)
    check = eventually(lambda: verify.verification_checks.create(to=NUMBER, code=code))
    assert check.status == "approved"
    checked = second.log_check()
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert json.loads(checked.stdout)["vault_id"] == second.ready["vault_id"]


def test_killing_the_host_voids_nothing(up):
    verify = up.verify()
    started = verify.verifications.create(to=NUMBER, channel="sms")
    code = up.code(NUMBER)
    for _ in range(3):
        subprocess.run(["kill", "-KILL", str(up.children()["adyton-host"])], check=True)
        check = eventually(lambda: up.verify().verification_checks.create(to=NUMBER, code=wrong(code)))
        assert (check.status, check.sid) == ("pending", started.sid)
    check = eventually(lambda: up.verify().verification_checks.create(to=NUMBER, code=code))
    assert check.status == "approved"
    assert up.log_check().returncode == 0


def test_killing_the_enclave_voids_live_codes_and_nothing_else(up):
    started = up.verify().verifications.create(to=NUMBER, channel="sms")
    code = up.code(NUMBER)
    for count in range(2, 5):
        subprocess.run(["kill", "-KILL", str(up.children()["adyton-enclave"])], check=True)
        eventually(lambda: requests.get(up.ready["api"] + "/health", verify=up.ready["ca"], timeout=5))
        old = lambda: up.verify().verification_checks.create(verification_sid=started.sid, code=code)  # noqa: E731
        assert refusal(old) == (404, 20404)
        started = up.verify().verifications.create(to=NUMBER, channel="sms")
        code = up.code(NUMBER, count=count)
    check = eventually(lambda: up.verify().verification_checks.create(to=NUMBER, code=code))
    assert check.status == "approved"
    assert up.log_check().returncode == 0


def test_children_die_with_up_and_secrets_are_private(up):
    children = up.children()
    assert set(children) == {"adyton-enclave", "adyton-host", "adyton-pretend"}
    folder = pathlib.Path(up.ready["client_dir"]) / up.ready["vault_id"]
    assert stat.S_IMODE((folder / "tenant.json").stat().st_mode) == 0o600
    for outside in ("client_dir", "pretend_dir"):
        assert up.data not in pathlib.Path(up.ready[outside]).parents
    up.stop(signal.SIGKILL)
    for pid in children.values():
        eventually(lambda pid=pid: gone(pid))


def test_without_pretend_up_ends_and_says_so(start, capfd):
    up = start()
    children = up.children()
    subprocess.run(["kill", "-KILL", str(children["adyton-pretend"])], check=True)
    assert up.process.wait(timeout=30) == 1
    assert "adyton-pretend has ended, and with it the phone: start again" in capfd.readouterr().err
    for pid in children.values():
        eventually(lambda pid=pid: gone(pid))


def gone(pid):
    status = pathlib.Path(f"/proc/{pid}/stat")
    if status.exists():
        assert status.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_what_stands_outside_holds_no_number_and_no_code(up):
    # Ten digits do not stand there by chance, as six would.
    services = up.client().verify.v2.services
    verify = services(services.create(friendly_name="Acme", code_length=10).sid)
    verify.verifications.create(to=NUMBER, channel="sms")
    code = up.code(NUMBER)
    assert len(code) == 10
    verify.verification_checks.create(to=NUMBER, code=wrong(code))
    verify.verification_checks.create(to=NUMBER, code=code)
    stored = b"".join(file.read_bytes() for file in up.data.rglob("*") if file.is_file())
    assert b"adyton/" in stored and b"retention_days" in stored, "the search finds what is there"
    for secret in (NUMBER, NUMBER[1:], code, wrong(code), up.ready["auth_token"]):
        for form in (secret.encode(), secret.encode("utf-16-le"), secret.encode().hex().encode()):
            assert form not in stored


def test_a_second_up_on_the_same_folder_is_refused(up):
    second = subprocess.run(
        [BINARIES / "adyton", "up", "--json", "--data", up.data, "--listen", "127.0.0.1:0"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode == 1
    assert "is in use by another `adyton up`" in second.stderr


@pytest.fixture
def small_disk(tmp_path):
    """The vault's folder on a file system of 8 MiB."""
    folder = tmp_path / "vault"
    folder.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "adyton-test", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("this process may not mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_said_and_loses_nothing(small_disk, start):
    up = start()
    url = up.ready["api"] + "/v2/Services"
    credentials = (up.ready["account_sid"], up.ready["auth_token"])

    def create():
        return requests.post(url, {"FriendlyName": "Acme"}, auth=credentials, verify=up.ready["ca"], timeout=30)

    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        with pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(4096))
    answered = []
    while (answer := create()).status_code == 201:
        answered.append(answer.json()["sid"])
    for _ in range(3):
        assert (answer.status_code, answer.headers["Retry-After"], answer.json()["code"]) == (503, "1", 20503)
        answer = create()

    ballast.unlink()
    answered.append(eventually(lambda: create().json()["sid"]))
    for service in answered[:3] + answered[-3:]:
        started = up.client().verify.v2.services(service).verifications.create(to=NUMBER, channel="sms")
        assert started.status == "pending"
    assert up.log_check().returncode == 0
    # Nor does the next boot miss any.
    assert up.stop() == 0
    again = start()
    for service in answered[:3] + answered[-3:]:
        again.client().verify.v2.services(service).verifications.create(to=NUMBER, channel="sms")


def test_health_and_readiness_say_nothing_else(up):
    for path, said in (("/health", "ok\n"), ("/ready", "ready\n")):
        # A load balancer knows no name of the vault.
        answer = requests.get(up.ready["api"] + path, headers={"Host": "anything"}, verify=up.ready["ca"], timeout=5)
        assert (answer.status_code, answer.text) == (200, said)
    metrics = up.ready["metrics"].removesuffix("/metrics")
    for path, said in (("/healthz", "ok\n"), ("/readyz", "ready\n")):
        answer = requests.get(metrics + path, timeout=5)
        assert (answer.status_code, answer.text) == (200, said)
    # A host that is started again answers for the same vault, although it saw no boot.
    subprocess.run(["kill", "-KILL", str(up.children()["adyton-host"])], check=True)
    assert eventually(lambda: requests.get(metrics + "/readyz", timeout=5)).status_code == 200
