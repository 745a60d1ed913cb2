"""Enclave images by the `adyton` command, with keys that OpenSSL makes."""

import json
import pathlib
import shutil
import subprocess

import pytest
from conftest import BINARIES

VECTORS = json.loads((pathlib.Path(__file__).parents[2] / "vectors/images.json").read_text())


def adyton(*arguments):
    run = subprocess.run([BINARIES / "adyton", "image", *map(str, arguments)], capture_output=True, text=True)
    return run.returncode, run.stdout, run.stderr


def vector(folder, name):
    case = next(case for case in VECTORS if case["name"] == name)
    path = folder / f"{name}.eif"
    path.write_bytes(bytes.fromhex(case["hex"]))
    return case, path


def signer(folder, name, curve="secp384r1"):
    """A key as OpenSSL's oldest command writes it, and its certificate."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(["openssl", "ecparam", "-name", curve, "-genkey", "-out", key], check=True)
    request = ["openssl", "req", "-new", "-x509", "-key", key, "-subj", f"/CN={name}", "-out", certificate]
    subprocess.run(request, check=True)
    return ["--key", key, "--certificate", certificate]


def test_what_is_measured_is_what_the_second_implementation_says(tmp_path):
    case, image = vector(tmp_path, "vault")
    code, out, _ = adyton("measure", image, "--json")
    measured = json.loads(out)
    assert code == 0
    assert {register: measured[register] for register in ("pcr0", "pcr1", "pcr2", "pcr16")} == {
        register: case[register] for register in ("pcr0", "pcr1", "pcr2", "pcr16")
    }
    assert measured["pcr8"] is None
    code, out, _ = adyton("measure", image)
    assert code == 0 and all(case[register] in out for register in ("pcr0", "pcr1", "pcr2", "pcr16"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
def test_an_image_is_signed_and_measures_the_same(tmp_path):
    _, image = vector(tmp_path, "vault")
    one, two = signer(tmp_path, "one"), signer(tmp_path, "two")
    signed, again = tmp_path / "signed.eif", tmp_path / "again.eif"
    assert adyton("sign", image, *one, "--out", signed)[0] == 0
    assert adyton("sign", signed, *two, "--out", again)[0] == 0
    of = lambda file: json.loads(adyton("measure", file, "--json")[1])  # noqa: E731
    assert [of(file)["pcr0"] for file in (signed, again)] == [of(image)["pcr0"]] * 2
    assert len({of(file)["pcr8"] for file in (image, signed, again)}) == 3
    code, out, _ = adyton("diff", image, signed)
    assert code == 0 and "signature: differs; not measured" in out
    code, _, error = adyton("sign", image, one[0], one[1], two[2], two[3], "--out", tmp_path / "none")
    assert code == 1 and "of another key" in error
    code, _, error = adyton("sign", image, *signer(tmp_path, "small", "prime256v1"), "--out", tmp_path / "none")
    assert code == 1 and "not a P-384 key" in error
    assert not (tmp_path / "none").exists()


def test_a_signature_of_another_image_is_refused(tmp_path):
    _, image = vector(tmp_path, "fail_another_image")
    code, out, error = adyton("measure", image)
    assert code == 1 and out == "" and "the signature is of another image" in error


@pytest.mark.parametrize("other", ["fail_third_ramdisk", "fail_another_command_line", "fail_setuid"])
def test_a_difference_is_named_and_is_the_exit_code(tmp_path, other):
    (_, one), (_, two) = vector(tmp_path, "vault"), vector(tmp_path, other)
    part = {"fail_third_ramdisk": "ramdisk", "fail_another_command_line": "command_line", "fail_setuid": "file"}[other]
    code, out, _ = adyton("diff", one, two, "--json")
    difference = json.loads(out)
    assert code == 1 and not difference["same"] and [found["part"] for found in difference["measured"]] == [part]
    code, out, _ = adyton("measure", two)
    assert code == 0 and "PCR16  not known" in out


def test_what_is_no_image_is_named(tmp_path):
    _, image = vector(tmp_path, "fail_hidden_section")
    code, _, error = adyton("measure", image)
    assert code == 1 and "entry 4 of the table belongs to no section" in error


@pytest.mark.regression
def test_what_no_image_can_be_made_of_is_refused_before_anything_is_built(tmp_path):
    tests = pathlib.Path(__file__).parents[2] / "outside/image/tests"
    out, small = tmp_path / "vault.eif", tests / "kms.toml"
    broken = tmp_path / "broken.toml"
    broken.write_text("version = 1\nprofil = 1\n")
    nothing = tmp_path / "empty"
    nothing.mkdir()
    kernel = tmp_path / "bzImage"
    kernel.write_text("no kernel")
    for policy, where, options, words in (
        (tests / "adyton.toml", out, (), "profile dev is a laptop's, and an image refuses to boot under it"),
        (broken, out, (), "unknown key"),
        (tmp_path / "nowhere.toml", out, (), "nowhere.toml: "),
        (small, tmp_path / "no/such/folder/vault.eif", (), "--out "),
        (small, nothing, (), "a folder; name a file in it"),
        (small, out, ("--kernel", kernel), "not a Linux kernel as a bzImage"),
    ):
        # Without tools on its path it could not build anything.
        command = [BINARIES / "adyton", "image", "build", "--policy", policy, "--out", where, *options]
        run = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            timeout=60,
            cwd=pathlib.Path(__file__).parents[2],
            env={"PATH": str(nothing), "HOME": str(tmp_path)},
        )
        assert run.returncode == 1 and words in run.stderr and "building" not in run.stderr, (words, run.stderr)
        assert not out.exists() and list(nothing.iterdir()) == []
    # What is there stays.
    out.write_text("an image")
    command = [BINARIES / "adyton", "image", "build", "--policy", tests / "adyton.toml", "--out", out]
    assert subprocess.run(list(map(str, command)), capture_output=True, timeout=60).returncode == 1
    assert out.read_text() == "an image"


@pytest.mark.regression
def test_packages_are_not_installed_without_consent(tmp_path):
    """With a dpkg that knows no package and an apt that must not be run."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, script in (("dpkg-query", "exit 1"), ("apt-get", f"touch {tmp_path}/installed; exit 1")):
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    small = pathlib.Path(__file__).parents[2] / "outside/image/tests/kms.toml"
    command = [BINARIES / "adyton", "image", "build", "--policy", small, "--out", tmp_path / "vault.eif"]
    run = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        cwd=pathlib.Path(__file__).parents[2],
        env={"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    line = "apt-get install --no-install-recommends bc bison flex gcc libelf-dev make patch xz-utils"
    assert run.returncode == 1 and line in run.stderr, run.stderr
    assert not (tmp_path / "installed").exists()
