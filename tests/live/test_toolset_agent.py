"""examples/toolset_agent.py as a worker of livekit-agents: the tools of ghostcast.livekit in a job's room.

A person opens a room, LiveKit gives the job to the worker, and they chat. What the agent prints is looked at, and
what really came of it.
"""

import contextlib

import pytest

from support import procs
from support.api import new_room
from support.conversation import START_S, TOOLSET_AGENT, Agent, Person
from support.service import running_service
from test_voice_agent import ask, settings


@contextlib.contextmanager
def meeting(service, server, room):
    """The worker, and the person whose room is its job."""
    env = settings(service, server)
    with Agent("dev", "--no-reload", env=env, script=TOOLSET_AGENT) as agent:
        agent.wait("registered worker", START_S)
        with Person(server, room) as person:
            agent.wait(f"ready: in room {room}", START_S)
            yield agent, person


@pytest.fixture
def room(api):
    """A room of the test's own."""
    name = new_room("toolset")
    yield name
    api.close(name)


@pytest.fixture
def met(ghostcast, livekit_server, room):
    """Agent and person, with the service that tests share."""
    with meeting(ghostcast, livekit_server, room) as both:
        yield both


def test_it_starts_in_the_room_of_its_job_and_acts(met, api, room, web):
    """Starts the browser in the job's room, clicks, says failures in the service's words, and closes it."""
    agent, person = met
    visit = web.visit("/form")
    ask(agent, person, f"Go to {visit.url}", "The room has no browser yet. Call start_browser_session first.")
    ask(agent, person, f"Show me {visit.url}", 'The browser is open and shows "Form & more".')
    record = api.record(room)
    assert record["state"] == "live" and record["current_url"] == visit.url
    assert record["livekit"] == "connected", "everybody in the room sees it"
    nowhere = "http://nowhere.invalid/"
    ask(agent, person, f"Go to {nowhere}", f"The host name of {nowhere} could not be found.")
    ask(agent, person, f"Go to {visit.url}", 'Opened "Form & more".')
    index = api.index_of(room, "Press me")
    ask(agent, person, f"Click {index}", 'Clicked the button "Press me".')
    assert visit.wait_note("click")["target"] == "press"
    ask(agent, person, 'Press "Add one"', 'Clicked the button "Add one".')
    visit.wait_note("click", accept=lambda note: note["target"] == "add")
    # A wrong index: what there is instead comes with the failure, and the right one is clicked.
    ask(agent, person, 'Press "Paint it", number 4000', 'Clicked the button "Paint it".')
    visit.wait_note("click", accept=lambda note: note["target"] == "paint")
    ask(agent, person, "Close the browser", "The browser is closed and has left the room.")
    assert api.request("GET", f"/sessions/{room}").status_code == 404


def test_it_talks_while_a_page_loads_and_stops_when_told(met, api, room, web):
    """Word of a slow page within five seconds; a call that is wanted no more is cancelled in the browser."""
    agent, person = met
    ask(agent, person, f"Show me {web.url('/form')}", "shows")
    slow = web.url("/slow", seconds=6)
    number = ask(agent, person, f"Go to {slow}", "The navigate goes on, one moment.")
    asked_at = agent.lines[number][0]
    _, said_at, _ = agent.wait("agent: The navigate goes on", after=number)
    assert said_at - asked_at < 5
    agent.wait('agent: Opened', after=number)
    assert api.record(room)["current_url"] == slow
    number = ask(agent, person, f"Go to {web.url('/slow', seconds=20)}", "goes on, one moment.")
    with api.events(room, types=["action_error"]) as events:
        ask(agent, person, "Never mind", "cancelled successfully", within=4)
        assert events.wait("action_error")["action"]["action_type"] == "navigate"
    ask(agent, person, "Close the browser", "has left the room")


def test_it_starts_a_lost_browser_again(ghostcast_bin, livekit_server, web):
    """Killed: the next tool says so, and a new start works. Without a service at all, that is said."""
    room, visit = new_room("toolset"), web.visit("/form")
    with (
        running_service(ghostcast_bin, env=livekit_server.env()) as service,
        meeting(service, livekit_server, room) as (agent, person),
    ):
        ask(agent, person, f"Show me {visit.url}", "shows")
        first = service.api.record(room)["session_id"]
        procs.kill_all(service.browsers())
        service.api.wait_record(room, lambda r: not r["active"], 10, "the browser is gone")
        ask(agent, person, "Click 1", "browser")
        ask(agent, person, f"Show me {visit.url}", 'The browser is open and shows "Form & more".')
        assert service.api.record(room)["session_id"] != first
        service.stop()
        ask(agent, person, "Click 1", "The browser's service does not answer.")
