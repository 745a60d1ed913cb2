"""Files of `deploy/`, as far as a machine without Nitro can tell: units, the script, manifests, the key's policy."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest
from conftest import BINARIES, PATIENCE

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"
UNITS = {name: DEPLOY / "systemd" / f"{name}.service" for name in ("adyton-host", "adyton-enclave")}
systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")


def program(path, text="#!/bin/sh\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@systemd
def test_units_are_units(tmp_path):
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    for path in UNITS.values():
        shutil.copy(path, units)
    for name in ("usr/bin/adyton-host", "usr/bin/nitro-cli", "usr/libexec/adyton-run-enclave", "bin/true"):
        program(tmp_path / name)
    (units / "nitro-enclaves-allocator.service").write_text("[Service]\nType=oneshot\nExecStart=/bin/true\n")
    for target in ("basic", "multi-user", "network-online", "shutdown", "sysinit"):
        (units / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    names = [path.name for path in UNITS.values()]
    run = subprocess.run(["systemd-analyze", "verify", f"--root={tmp_path}", *names], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


@systemd
@pytest.mark.parametrize(("name", "most"), [("adyton-host", 1.3), ("adyton-enclave", 1.5)])
def test_units_expose_little(name, most):
    # A number of systemd's own; docs/deploy-nitro.md names it.
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", UNITS[name]], capture_output=True, text=True
    )
    (exposure,) = re.findall(r"exposure level for .*: ([0-9.]+)", run.stdout)
    assert float(exposure) <= most, run.stdout


def test_the_host_takes_the_arguments_of_its_unit_and_pod(tmp_path):
    text = UNITS["adyton-host"].read_text().replace("\\\n", " ")
    (unit,) = re.findall(r"^ExecStart=/usr/bin/adyton-host (.*)$", text, re.MULTILINE)
    recipe = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    (container,) = re.findall(r"^CMD (\[.*\])$", recipe, re.MULTILINE)
    assert json.loads(container) == unit.split()
    pod = (DEPLOY / "kubernetes/vault.yaml").read_text()
    (pod,) = re.findall(r"args: \[(.*?)\]", pod, re.DOTALL)
    assert [argument.strip().strip('"') for argument in pod.split(",")] == unit.split()
    # The addresses are taken; here there is no vsock to listen on, or a folder that may not be made.
    host = pathlib.Path(os.environ["ADYTON_BIN_DIR"]) / "adyton-host"
    arguments = [tmp_path / "vault" if argument.startswith("/var") else argument for argument in unit.split()]
    arguments = ["127.0.0.1:0" if str(argument).startswith(("0.0.0.0", "127.")) else argument for argument in arguments]
    with subprocess.Popen([host, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            _, error = run.communicate(timeout=2)
            assert error.startswith("adyton-host: cannot listen on vsock:4294967295:9001"), error
        except subprocess.TimeoutExpired:
            run.terminate()


NITRO = """#!/bin/sh
# A nitro-cli that has one enclave at most, in a file.
echo "$@" >>"$CALLS"
case $1 in
    run-enclave) [ ! -e "$STATE" ] || exit 39; cp "$3" "$STATE" ;;
    describe-enclaves)
        if [ -e "$STATE" ]; then
            printf '[\\n  {\\n    "EnclaveName": "adyton",\\n    "EnclaveID": "i-1-enc1",\\n    "State": "RUNNING",\\n    "Flags": "NONE"\\n  }\\n]\\n'
        else
            echo '[]'
        fi ;;
    terminate-enclave) rm "$STATE" ;;
esac
"""


class Runner:
    def __init__(self, folder):
        program(folder / "bin/nitro-cli", NITRO)
        self.calls, self.state = folder / "calls", folder / "state"
        self.calls.touch()
        self.environment = os.environ | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "CALLS": str(self.calls),
            "STATE": str(self.state),
            "ADYTON_ENCLAVE_CONFIG": str(DEPLOY / "nitro/enclave.json"),
            "ADYTON_ENCLAVE_POLL_SECONDS": "0.05",
        }

    def start(self):
        return subprocess.Popen([DEPLOY / "nitro/adyton-run-enclave"], env=self.environment, stderr=subprocess.PIPE)

    def until(self, condition):
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def polls(self):
        return self.calls.read_text().count("describe-enclaves")


def test_the_enclave_is_started_once_and_its_end_is_told(tmp_path):
    runner = Runner(tmp_path)
    runner.state.write_text("left behind")
    run = runner.start()
    runner.until(lambda: runner.polls() > 2)
    assert json.loads(runner.state.read_text())["debug_mode"] is False, "the one left behind was ended first"
    runner.state.unlink()
    assert run.wait(timeout=30) == 1
    assert b"is gone" in run.stderr.read()
    # Told to stop, it ends the enclave.
    run = runner.start()
    before = runner.polls()
    runner.until(lambda: runner.polls() > before)
    run.terminate()
    assert run.wait(timeout=30) == 0
    assert not runner.state.exists()
    assert "--debug-mode" not in runner.calls.read_text()


def test_memory_cores_and_context_id_are_the_same_everywhere():
    config = json.loads((DEPLOY / "nitro/enclave.json").read_text())
    allocator = dict(re.findall(r"^(\w+): (\d+)$", (DEPLOY / "nitro/allocator.yaml").read_text(), re.MULTILINE))
    assert allocator == {"memory_mib": str(config["memory_mib"]), "cpu_count": str(config["cpu_count"])}
    manifest = (DEPLOY / "kubernetes/vault.yaml").read_text()
    assert manifest.count(f"hugepages-2Mi: {config['memory_mib'] // 1024}Gi") == 2
    for path in (UNITS["adyton-host"], DEPLOY / "kubernetes/vault.yaml", DEPLOY / "Containerfile"):
        assert f"vsock:{config['enclave_cid']}:8443" in path.read_text(), path
    assert config["cpu_count"] % 2 == 0 and config["enclave_name"] == "adyton"


def constant(place):
    """The value of a row's constant: `FILE` `NAME`, a multiple of it, or a product of two; `None` if the row names none."""
    found = re.findall(r"(?:(\d+) × )?`([\w/]+\.rs)` `(\w+)`", place)
    product = 1
    for times, path, name in found:
        text = (DEPLOY.parent / path).read_text()
        (value,) = re.findall(rf"const {name}: \w+ = ([\d_ *]+);", text)
        for factor in value.replace("_", "").split("*"):
            product *= int(factor)
        product *= int(times or 1)
    return product if found else None


def test_the_sum_of_all_bounds_fits_the_memory_that_is_given():
    page = (DEPLOY.parent / "docs/LIMITS.md").read_text()
    section = page.split("\n## Memory\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| (.+) \|$", section, re.MULTILINE)
    number = lambda text: int(text.replace(",", ""))  # noqa: E731
    total, last = 0, None
    for what, most, each, mib, place in rows:
        last = last if place.startswith("the same") else constant(place)
        assert last in (None, number(most)), f"{what}: {last} in the source"
        exact = number(most) * number(each) / 2**20
        assert exact <= number(mib) < exact + 1, f"{what}: {exact} MiB"
        total += number(mib)
    assert sum(constant(place) is not None for *_, place in rows) >= 10
    (default,) = re.findall(r"live_verifications: ([\d_]+),", (DEPLOY.parent / "between/policy/src/lib.rs").read_text())
    assert [number(most) for what, most, *_ in rows if what == "live verifications"] == [int(default)]
    # Bytes that a test of the decider's holds what it measures to.
    held = {name: constant(f"`inside/vault/tests/memory.rs` `{name}`") for name in ("KEY", "LOOSENING")}
    counted = {what.split(" of ")[0]: number(each) for what, _, each, *_ in rows}
    assert counted["API keys"] == 2 * held["KEY"]
    assert counted["waiting loosenings"] == 2 * held["LOOSENING"]
    given = json.loads((DEPLOY / "nitro/enclave.json").read_text())["memory_mib"]
    assert f"That is {total:,} MiB of {given:,}." in section and total <= given * 0.9, total
    # The host's pod.
    each = int(re.search(r"On the host a connection takes (\d+) KiB", section)[1])
    (most,) = re.findall(r"const MAX_CONNECTIONS: usize = (\d+);", (DEPLOY.parent / "outside/host/src/main.rs").read_text())
    limit = re.search(r"memory: (\d+)Gi", (DEPLOY / "kubernetes/vault.yaml").read_text())[1]
    assert int(most) * each / 2**20 <= int(limit) / 2


def test_manifests_are_yaml_of_the_kinds_they_say():
    yaml = pytest.importorskip("yaml", reason="PyYAML is missing")
    with open(DEPLOY / "kubernetes/vault.yaml") as file:
        objects = {one["kind"]: one for one in yaml.safe_load_all(file)}
    assert set(objects) == {"Namespace", "PersistentVolumeClaim", "Deployment", "Service", "NetworkPolicy"}
    deployment = objects["Deployment"]["spec"]
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate"), "two would fence each other"
    host, enclave = deployment["template"]["spec"]["containers"]
    assert host["securityContext"]["runAsNonRoot"] and host["securityContext"]["readOnlyRootFilesystem"]
    for container in (host, enclave):
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert enclave["resources"]["limits"]["aws.ec2.nitro/nitro_enclaves"] == "1"


def test_who_manages_the_key_never_uses_it_and_who_uses_it_is_attested():
    manage, use, look = json.loads((DEPLOY / "nitro/key-policy.json").read_text())["Statement"]
    used = {"kms:Decrypt", "kms:GenerateDataKey"}
    cryptographic = re.compile(r"kms:(Decrypt|Encrypt|ReEncrypt|GenerateData|GenerateMac|Sign|DeriveShared|CreateGrant|\*)")
    for statement in (manage, look):
        assert not [action for action in statement["Action"] if cryptographic.match(action)]
    assert "kms:ReplicateKey" not in manage["Action"] and "kms:UpdatePrimaryRegion" not in manage["Action"]
    assert set(use["Action"]) == used
    assert set(use["Condition"]) == {"StringEqualsIgnoreCase"}
    conditions = use["Condition"]["StringEqualsIgnoreCase"]
    assert set(conditions) == {"kms:RecipientAttestation:ImageSha384", "kms:RecipientAttestation:PCR16"}
    assert set(look["Action"]) == {"kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"}
    (role,) = json.loads((DEPLOY / "nitro/role-policy.json").read_text())["Statement"]
    assert set(role["Action"]) == used | set(look["Action"])
    # What the page shows is what lies there.
    page = (DEPLOY.parent / "docs/deploy-nitro.md").read_text()
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert json.loads((DEPLOY / "nitro/key-policy.json").read_text()) in shown


def test_the_sample_of_a_key_policy_keeps_the_vaults_rule(tmp_path):
    registers = {"PCR0-OF-THE-IMAGE-96-HEXADECIMAL-DIGITS": "ab" * 48, "PCR16-OF-THE-POLICY-96-HEXADECIMAL-DIGITS": "cd" * 48}
    text = (DEPLOY / "nitro/key-policy.json").read_text()
    for placeholder, value in registers.items():
        assert placeholder in text
        text = text.replace(placeholder, value)
    file = tmp_path / "key-policy.json"
    file.write_text(text)
    check = [BINARIES / "adyton", "kms", "check", "--json", "--pcr", f"0={'ab' * 48}", "--pcr"]
    held = subprocess.run([*check, f"16={'cd' * 48}", file], capture_output=True, text=True, timeout=PATIENCE)
    assert held.returncode == 0, held.stdout + held.stderr
    # Another policy's register, and it is refused.
    other = subprocess.run([*check, f"16={'00' * 48}", file], capture_output=True, text=True, timeout=PATIENCE)
    assert other.returncode != 0, other.stdout


def test_the_sample_of_a_policy_is_one():
    policy = DEPLOY / "nitro/adyton.toml"
    checked = subprocess.run([BINARIES / "adyton", "policy", "check", policy], capture_output=True, text=True, timeout=PATIENCE)
    assert checked.returncode == 0, checked.stdout + checked.stderr
