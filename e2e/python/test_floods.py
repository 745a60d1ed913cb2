"""A flood delays the one who sends it, and nobody else: admission is fair among tenants, and strangers are one of them."""

import asyncio
import secrets
import time

import population
import pytest
from acknowledgements import Acknowledgements
from conftest import ENCLAVE
from test_commands import cpu_seconds

NUMBER = "+12025550123"


# Those without a marker do not show the fault on old binaries: these know no `AppHashes`, and a service without them is so small
# that three batches of them are more connections than a vault keeps; and what is refused fills no batch.
FLOODS = [("one tenant", ()), ("strangers", pytest.mark.regression), ("bogus credentials", ())]


def quiet(process):
    """Waits until a process has nothing to do."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        before = cpu_seconds(process)
        time.sleep(0.5)
        if cpu_seconds(process) - before < 0.05:
            return
    raise AssertionError("the process did not come to rest")


# How many ask at once: more than three batches of the largest new services, and of new tenants.
FLOOD = {"one tenant": 4000, "strangers": 3000, "bogus credentials": 3000}


@pytest.mark.skipif(ENCLAVE != "process", reason="a machine is behind another bridge")
@pytest.mark.parametrize("who", [pytest.param(who, marks=marks) for who, marks in FLOODS])
def test_a_flood_does_not_keep_another_tenant_waiting(up, who):
    """There was one queue in order of arrival. The host lets one acknowledgement pass at a time, so batches are counted, not
    seconds: the first has what came first, the second was filled meanwhile, and the third one begins after the other tenant
    came. A fourth may be an entry without events, by which a vault learns that it may answer."""
    flooding, other = population.tenants(up, 2)
    if who == "bogus credentials":
        flooding.token = secrets.token_hex(16)
    made = population.ask_all(up, [other.form("/v2/Services", FriendlyName="Acme")], clients=1)
    path = f"/v2/Services/{made[0][1]['sid']}/Verifications"
    app_hashes = ",".join(f"He42w354ol{at}" for at in range(8))
    flood_of = {
        "one tenant": lambda: flooding.form("/v2/Services", FriendlyName=15 * "\u4e2d", AppHashes=app_hashes),
        "strangers": lambda: population.Tenant(other.vault, "\U0001d11e" * 64).introduction(),
        "bogus credentials": lambda: flooding.form("/v2/Services", FriendlyName="Acme"),
    }
    requests_of_flood = [flood_of[who]() for _ in range(FLOOD[who])]
    acknowledgements = Acknowledgements(up)
    enclave = up.children()["adyton-enclave"]

    async def together():
        places = asyncio.Semaphore(40)

        async def one(request):
            # A connection that says nothing for ten seconds is closed, so each speaks once it is open.
            async with places:
                each = await population.Line.open(up)
                await each.say(request)
                return each

        acknowledgements.hold()
        flood = await asyncio.gather(*(one(request) for request in requests_of_flood))
        await asyncio.to_thread(quiet, enclave)
        line = await population.Line.open(up)
        await line.say(other.form(path, To=NUMBER, Channel="sms"))
        await asyncio.to_thread(quiet, enclave)
        heard, batches = asyncio.create_task(line.hear()), 0
        while not heard.done() and batches < 20:
            acknowledgements.let_pass()
            batches += 1
            await asyncio.to_thread(quiet, enclave)
        acknowledgements.release()
        status, _ = await heard
        for each in [line, *flood]:
            each.close()
        return status, batches

    status, batches = asyncio.run(asyncio.wait_for(together(), 180))
    assert status == 201
    assert batches <= 4
