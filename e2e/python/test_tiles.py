"""The published logs, read by the client algorithm of C2SP tlog-tiles (`tlog.py`) and by nothing of ours."""

import hashlib
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

import pytest
import tlog
from conftest import BINARIES, PATIENCE, Up, eventually

#: More than one full tile, so that level 1 has a hash.
ENTRIES = 2 * tlog.WIDTH + 20


def log_keys(up, *arguments):
    command = [BINARIES / "adyton", "log", "key", "--data", up.data, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout


def logs(up, fetch=tlog.fetch):
    """A client of `gov` and one of `ops-0`."""
    keys = json.loads(log_keys(up, "--json"))["keys"]
    return tlog.Log(up.ready["gov_log"], keys["gov"], fetch), tlog.Log(up.ready["ops_log"], keys["ops-0"], fetch)


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    """A vault with some hundred entries, and checkpoints from before, between and after."""
    up = Up(tmp_path_factory.mktemp("tiles"))
    seen = []
    while not seen or seen[-1].size < ENTRIES:
        seen.append(logs(up)[1].checkpoint())
        for _ in range(40):
            assert up.service()[0] == 201
    yield up, seen
    up.stop()


def test_every_entry_is_in_the_tree_that_was_signed(vault):
    up, _ = vault
    for log in logs(up):
        checkpoint = log.checkpoint()
        log.check_tree(checkpoint)
        entries = log.entries(checkpoint.size)
        assert len(entries) == checkpoint.size and len({len(entry) for entry in entries}) == 1
        for index, entry in enumerate(entries):
            log.check_inclusion(entry, index, checkpoint)
    assert checkpoint.size >= ENTRIES
    assert [path for path in log.resources if path.startswith("tile/1/")], "the tree has a level above its leaves' tiles"


def test_each_checkpoint_continues_those_before(vault):
    up, seen = vault
    _, log = logs(up)
    newest = log.checkpoint()
    assert len(seen) > 10
    for number, old in enumerate(seen):
        # Partial tiles of older checkpoints are served as before.
        log.check_tree(old)
        log.check_consistency(old, newest)
        log.check_consistency(old, seen[-1] if number % 2 else seen[(number + len(seen)) // 2])


def test_keys_name_the_vault_and_its_first_entry_is_its_id(vault):
    up, _ = vault
    gov, _ = logs(up)
    vault_id = up.ready["vault_id"]
    assert hashlib.sha256(gov.entries(gov.checkpoint().size)[0]).hexdigest() == vault_id
    printed = json.loads(log_keys(up, "--json"))
    assert printed["vault_id"] == vault_id
    assert log_keys(up).split() == [printed["keys"]["gov"], printed["keys"]["ops-0"]]
    assert [key.split("+")[0] for key in log_keys(up).split()] == [f"adyton/{vault_id}/gov", f"adyton/{vault_id}/ops-0"]
    # The evidence names the same key.
    command = [BINARIES / "adyton", "verify", up.ready["api"], "--vault-id", vault_id, "--root", up.ready["root"], "--json"]
    shown = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE).stdout)
    assert shown["facts"]["gov_vkey"] == printed["keys"]["gov"]
    assert bytes.fromhex(shown["facts"]["log_key"]) == gov.verifier.public_key.public_bytes_raw()


@pytest.mark.parametrize("changed", ["checkpoint", "tile/0/000", "tile/0/001", "tile/1/000", "tile/entries/000"])
def test_a_host_that_changes_anything_is_found_out(vault, changed):
    up, seen = vault

    def fetch(url):
        content = bytearray(tlog.fetch(url))
        if f"/{changed}" in url:
            content[len(content) // 2] ^= 1
        return bytes(content)

    _, log = logs(up, fetch)
    with pytest.raises((tlog.Refused, ValueError)):
        checkpoint = log.checkpoint()
        log.check_tree(checkpoint)
        log.entries(checkpoint.size)
        for index in range(checkpoint.size):
            log.inclusion(index, checkpoint.size)
            log.check_inclusion(log.entries(checkpoint.size)[index], index, checkpoint)


def test_the_key_of_one_log_opens_no_head_of_another(vault):
    up, _ = vault
    gov, ops = logs(up)
    for prefix, verifier in ((gov.prefix, ops.verifier), (ops.prefix, gov.verifier)):
        with pytest.raises(tlog.Refused):
            verifier.open(tlog.fetch(f"{prefix}/checkpoint"))


def test_the_public_address_shows_the_public_log_alone(vault):
    up, _ = vault
    public = up.ready["gov_log"].removesuffix("/gov")
    private = up.ready["ops_log"].removesuffix("/ops-0")
    for url in (f"{public}/ops-0/checkpoint", f"{private}/gov/checkpoint", f"{public}/", f"{public}/metrics", f"{public}/gov/log.redb"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            tlog.fetch(url)
        assert refused.value.code == 404, url
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(f"{public}/gov/checkpoint", data=b"x", method="POST"), timeout=10)
    assert refused.value.code == 405


def test_a_host_that_is_started_again_publishes_at_the_same_place(vault):
    up, seen = vault
    os.kill(up.children()["adyton-host"], signal.SIGKILL)
    _, log = logs_once_it_runs(up)
    newest = log.checkpoint()
    log.check_tree(newest)
    log.check_consistency(seen[-1], newest)


def logs_once_it_runs(up):
    def running():
        found = logs(up)
        found[1].checkpoint()
        return found

    return eventually(running)
