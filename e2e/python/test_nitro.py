"""The inside as an image on an emulated Nitro machine: measured, attested, killed and started again.

`cargo xtask nitro` runs these and the other suites with every vault's inside there; elsewhere they start the one machine
that CI boots.
"""

import json
import os
import signal
import subprocess

import pytest
from conftest import BINARIES, PATIENCE, eventually

NUMBER = "+14155550142"


def adyton(*arguments, timeout=PATIENCE):
    return subprocess.run([BINARIES / "adyton", *map(str, arguments)], capture_output=True, text=True, timeout=timeout)


def measured(up):
    """What the image measures, computed from its file."""
    run = adyton("image", "measure", up.data / "adyton.eif", "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def judged(up, *arguments):
    ready = up.ready
    run = adyton("verify", ready["api"], "--vault-id", ready["vault_id"], "--root", ready["root"], "--json", *arguments)
    assert run.stdout, run.stderr
    return run.returncode, json.loads(run.stdout)


def verification(up):
    service = up.verify()
    started = service.verifications.create(to=NUMBER, channel="sms")
    assert started.status == "pending"
    check = service.verification_checks.create(to=NUMBER, code=up.code(NUMBER))
    assert (check.status, check.valid) == ("approved", True)


def test_a_code_is_sent_and_checked_and_evidence_has_the_computed_registers(start):
    machine = start(enclave="nitro-qemu")
    # `up` itself answers the heartbeat, and starts a machine again that has none.
    assert machine.ready["machine"]["heartbeat_ms"] > 0
    verification(machine)
    registers = measured(machine)
    expected = [argument for number in (0, 1, 2, 16) for argument in ("--pcr", f"{number}={registers[f'pcr{number}']}")]
    code, said = judged(machine, *expected)
    assert code == 0, said
    assert said["facts"]["profile"].startswith("kms") and said["code_is_known"] is True
    # One byte of a register more or less is another image.
    other = registers["pcr0"][:-1] + ("0" if registers["pcr0"][-1] != "0" else "1")
    code, said = judged(machine, "--pcr", f"0={other}")
    assert (code, said["refusal"]) == (1, "measurement"), said
    # AWS's root vouches for nothing that is emulated.
    run = adyton("verify", machine.ready["api"], "--vault-id", machine.ready["vault_id"], "--json")
    assert run.returncode == 1 and json.loads(run.stdout)["refusal"] == "root", run.stdout

    # A machine that is killed is another boot of the same vault: live codes are void, and everything else is there.
    service = machine.verify()
    service.verifications.create(to="+14155550143", channel="sms")
    code_before = machine.code("+14155550143")
    before = machine.children()["adyton-enclave"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: verification(machine))
    assert machine.children()["adyton-enclave"] != before
    with pytest.raises(Exception, match="404|not found"):
        service.verification_checks.create(to="+14155550143", code=code_before)
    assert machine.stop() == 0
    check = machine.log_check()
    assert check.returncode == 0, check.stdout

