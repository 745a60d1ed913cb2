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
