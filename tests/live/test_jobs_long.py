"""Jobs for long: kills at the worst moments, and many of them at once."""

import asyncio
import random
import time

import httpx
import pytest

from support.jobs import connected, ended, finalise, note, time_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(60 * 60)]

KILLS = 100
MANY = 1_000
KILL_EVERY_S = 20
QUEUED = 10_000



def resident(service):
    """Memory of the service's own process, MiB."""
    with open(f"/proc/{service.process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@pytest.mark.parametrize("when", ["after the press", "at any moment"])
def test_kills_while_a_note_is_posted(office, local, when):
    """Every note once, none lost: the service is killed when the platform has it and nobody knows, or whenever."""
    service = office()
    connected(service.api, local)
    dice = random.Random(7)
    for number in range(KILLS):
        local.posted.clear()
        if when == "after the press":
            local.answering.clear()
        job_id = finalise(service.api, note(service.api, local, text=f"note {number}"))
        if when == "after the press":
            assert local.posted.wait(60)
        else:
            time.sleep(dice.uniform(0, 1.2))
        service.kill()
        local.answering.set()
        service = office()
        ended(service.api, job_id, within=90)
    texts = local.texts()
    assert sorted(texts) == sorted(f"note {number}" for number in range(KILLS))


def test_many_jobs_and_a_service_that_is_killed(office, local):
    """A thousand notes of six users by three browsers, with a kill every 20 s: all posted, none twice."""
    service = office()
    users = [f"user-{number}" for number in range(6)]
    for user in users:
        connected(service.api, local, user)
    jobs = []
    for number in range(MANY):
        user = users[number % len(users)]
        jobs.append(finalise(service.api, note(service.api, local, text=f"note {number}", user=user)))
    began, killed = time.monotonic(), 0
    while len(set(local.texts())) < MANY:
        time.sleep(KILL_EVERY_S)
        service.kill()
        killed += 1
        service = office()
        assert time.monotonic() - began < 3_000, len(local.comments)
    for job_id in jobs:
        ended(service.api, job_id, within=120)
    took = time.monotonic() - began
    print(f"{MANY} notes in {took:.0f} s, {killed} kills")
    assert sorted(local.texts()) == sorted(f"note {number}" for number in range(MANY))


def test_a_long_queue(office):
    """Ten thousand are taken at a thousand a second, in order, and cost no memory."""
    service = office(jobs={"automation": 1})
    api = service.api

    async def put(numbers, at):
        async with httpx.AsyncClient(base_url=api.base, limits=httpx.Limits(max_connections=16)) as client:
            waiting = iter(numbers)

            async def one():
                for number in waiting:
                    args = {"platform": "local", "workflow": "read", "n": number}
                    answer = await client.post("/jobs", json={"kind": "workflow", "args": args, "run_at": at})
                    assert answer.status_code == 201, answer.text

            await asyncio.gather(*(one() for _ in range(16)))

    before, at = resident(service), time.time() + 3_600
    began = time.monotonic()
    asyncio.run(put(range(QUEUED), at))
    rate = QUEUED / (time.monotonic() - began)
    grown = resident(service) - before
    waits = []
    for number in range(20):
        asked = time.time()
        args = {"platform": "local", "workflow": "read", "late": number}
        made = api.request("POST", "/jobs", json={"kind": "workflow", "args": args}).json()
        done = ended(api, made["job_id"])
        waits.append(time_of(done["started_at"]) - asked)
    middle = sorted(waits)[len(waits) // 2]
    print(f"{rate:.0f} a second, {grown:.1f} MiB more; behind them a job begins after {1000 * middle:.1f} ms")
    assert grown < 40, grown
    assert middle < 0.1, waits
