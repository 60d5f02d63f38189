"""examples/voice_agent.py as a program: an agent of livekit-agents, with a script for a model.

A person chats in the same room. What the agent prints is looked at, and what really came of it.
"""

import contextlib
import re
import signal

import pytest

from support import procs
from support.api import new_room
from support.conversation import START_S, Agent, Person
from support.pictures import colour_distance
from support.service import Ghostcast, running_service
from support.wait import wait_for

# What the page of `form` turns to when it is painted.
BLUE = (0x33, 0x66, 0xCC)
# The native part of the SDK now and then aborts while the interpreter ends, when all is said and done.
ENDED = (0, -signal.SIGABRT)


@pytest.fixture
def room(api):
    """A room of the test's own."""
    name = new_room("voice")
    yield name
    api.close(name)


def settings(service, server):
    """What the agent needs to know."""
    return {**server.env(), "GHOSTCAST_URL": service.api.base}


@contextlib.contextmanager
def meeting(service, server, room):
    """The agent in the room, and the person that it talks with."""
    with Agent(room, "--scripted", env=settings(service, server)) as agent:
        agent.wait("ready: ", START_S)
        with Person(server, room) as person:
            agent.wait("joined: ada")
            yield agent, person


@pytest.fixture
def met(ghostcast, livekit_server, room):
    """Agent and person, with the service that tests share."""
    with meeting(ghostcast, livekit_server, room) as both:
        yield both


@pytest.fixture
def agent(met):
    """The agent."""
    return met[0]


@pytest.fixture
def person(met):
    """The person."""
    return met[1]


def ask(agent, person, words, answer, within=10):
    """Says something and waits for an answer that holds `answer`; the number of its line."""
    number = len(agent.lines)
    person.say(words)
    number, _, _ = agent.wait(f"user: {words}", after=number)
    agent.wait_said(answer, within, after=number)
    return number


def test_it_acts_and_prints_events(agent, person, api, room, web):
    """Starts the browser by tool, prints navigations and failures, awaits its clicks."""
    visit = web.visit("/form")
    ask(agent, person, f"Show me {visit.url}", 'shows "Form & more"')
    agent.wait(f"event: navigated to {visit.url}")
    record = api.record(room)
    assert record["state"] == "live" and record["current_url"] == visit.url
    assert record["livekit"] == "connected"
    nowhere = "http://nowhere.invalid/"
    ask(agent, person, f"Go to {nowhere}", f"The host name of {nowhere} could not be found.")
    agent.wait("event: failed {'action_type': 'navigate'")
    ask(agent, person, f"Go to {visit.url}", 'Opened "Form & more"')
    index = api.index_of(room, "Press me")
    ask(agent, person, f"Click {index}", 'Clicked the button "Press me"')
    agent.wait(f"event: completed {{'action_type': 'click', 'params': {{'index': {index}}}}}")
    assert visit.wait_note("click")["target"] == "press"
    ask(agent, person, 'Press "Add one"', 'Clicked the button "Add one"')
    visit.wait_note("click", accept=lambda note: note["target"] == "add")
    for sentence in agent.said():
        wait_for(person.heard, 5, f"the room hears {sentence!r}", accept=lambda t: sentence in t)
    ask(agent, person, "Close the browser", "closed and has left")
    assert api.request("GET", f"/sessions/{room}").status_code == 404
    person.leave()
    assert agent.ended() in ENDED, agent.texts()[-5:]


def test_it_talks_while_a_page_loads(agent, person, api, room, web):
    """A sentence within a second, the turn free within five, and the end told when it comes."""
    ask(agent, person, f"Show me {web.url('/form')}", "shows")
    slow = web.url("/slow", seconds=6)
    number = ask(agent, person, f"Go to {slow}", "still loading")
    asked_at = agent.lines[number][0]
    _, first_at, first = agent.wait("agent: ", after=number)
    assert "one moment" in first and first_at - asked_at < 1, first
    _, freed_at, _ = agent.wait("still loading", after=number)
    assert freed_at - asked_at < 5
    # It is free to do something else, and the page still comes.
    ask(agent, person, "How are you?", "All right.", within=1)
    done, done_at, _ = agent.wait("agent: The navigate is done now.", after=number)
    assert done_at - asked_at > 5
    assert api.record(room)["current_url"] == slow
    ask(agent, person, "Wait for #never", "The wait goes on", within=6)
    agent.wait("agent: That failed after all.", after=done)
    agent.wait("event: failed {'action_type': 'wait'", after=done)


def test_it_stops_when_told(agent, person, api, room, web):
    """A call that the person wants no more is cancelled in the browser, and the next one runs."""
    visit = web.visit("/form")
    ask(agent, person, f"Show me {visit.url}", "shows")
    number = ask(agent, person, f"Go to {web.url('/slow', seconds=20)}", "one moment")
    ask(agent, person, "Never mind", "cancelled successfully", within=2)
    _, _, line = agent.wait("event: failed {'action_type': 'navigate'", after=number)
    assert "cancelled" in line, line
    ask(agent, person, 'Press "Press me"', 'Clicked the button "Press me"', within=3)
    assert visit.wait_note("click")["target"] == "press"


def test_it_corrects_itself(agent, person, api, room, web):
    """A wrong index: the failure, what there is instead, and the click that corrects it."""
    visit = web.visit("/form")
    ask(agent, person, f"Show me {visit.url}", "shows")
    with api.events(room, types=["action_started", "action_error", "action_completed"]) as events:
        number = ask(agent, person, 'Press "Paint it", number 4000', 'the button "Paint it"')
        events.wait("action_completed")
    agent.wait("event: failed {'action_type': 'click', 'params': {'index': 4000}}", after=number)
    wrong, right = events.of("action_started")
    assert wrong["action"]["params"] == {"index": 4000}
    assert right["correction_of"] == wrong["action_id"]
    assert [e["action"] for e in events.of("action_error")] == [wrong["action"]]
    assert [e["action"] for e in events.of("action_completed")] == [right["action"]]
    assert visit.wait_note("click")["target"] == "paint"
    # The agent knew already, so the event is no second piece of news.
    assert not any("A click failed" in sentence for sentence in agent.said())


def test_it_corrects_what_it_hears_of(agent, person, api, room, web):
    """Somebody else's click fails: the event, the page's context, and the agent's correction."""
    visit = web.visit("/form")
    ask(agent, person, f"Show me {visit.url}", "shows")
    ask(agent, person, 'Somebody presses "Press me" for us', "All right.")
    with api.events(room, types=["action_started", "action_completed"]) as events:
        failed = api.fail(room, "click", "element_not_found", index=4000)
        agent.wait(f"agent: A click failed. {failed['error']}")
        agent.wait('agent: Clicked the button "Press me"')
        events.wait("action_completed")
    assert events.of("action_started")[-1]["correction_of"] == failed["action_id"]
    assert visit.wait_note("click")["target"] == "press"


def test_it_sees_the_browser(agent, person, api, room, web):
    """A decoded frame of the track on request, of the page as it is; no viewer otherwise."""
    ask(agent, person, "What do you see?", "no browser yet")
    ask(agent, person, f"Show me {web.url('/form')}", "shows")
    assert not api.record(room)["viewers"]["livekit"]
    looks(agent, person, (255, 255, 255))
    ask(agent, person, 'Press "Paint it"', 'the button "Paint it"')
    looks(agent, person, BLUE)
    api.wait_record(room, lambda r: not r["viewers"]["livekit"], 10, "nobody watches any more")
    person.leave()
    assert agent.ended() in ENDED, agent.texts()[-5:]


def looks(agent, person, colour):
    """Has the agent look, and compares what it sees."""
    number = ask(agent, person, "What do you see?", "I see ")
    _, _, text = agent.wait("agent: I see ", after=number)
    numbers = [int(digits) for digits in re.findall(r"\d+", text)]
    assert numbers[:2] == [1280, 720]
    assert colour_distance(numbers[2:], colour) <= 6, text


def test_it_survives_a_lost_browser(ghostcast_bin, livekit_server, web):
    """Killed: the event, a word to the person, recovery tried in vain, a new start that works."""
    room, visit = new_room("voice"), web.visit("/form")
    with (
        running_service(ghostcast_bin, env=livekit_server.env()) as service,
        meeting(service, livekit_server, room) as (agent, person),
    ):
        ask(agent, person, f"Show me {visit.url}", "shows")
        first = service.api.record(room)["session_id"]
        number = len(agent.lines)
        procs.kill_all(service.browsers())
        for line in (
            "event: browser lost: ",
            "agent: I am afraid the browser crashed.",
            "agent: That did not help, so I start it again.",
            'agent: The browser is open and shows "Form & more".',
        ):
            number, _, _ = agent.wait(line, after=number, within=15)
        record = service.api.record(room)
        assert record["state"] == "live" and record["session_id"] != first
        assert record["current_url"] == visit.url
        ask(agent, person, 'Press "Press me"', 'Clicked the button "Press me"')
        assert visit.wait_note("click")["target"] == "press"
        wait_for(person.heard, 5, "it was heard", accept=lambda t: any("crashed" in x for x in t))


def test_it_survives_a_restart_of_the_service(ghostcast_bin, livekit_server, web):
    """Events and tools come back by themselves; the browser, when it is started again."""
    room, visit = new_room("voice"), web.visit("/form")
    first = Ghostcast(ghostcast_bin, env=livekit_server.env()).start()
    try:
        with meeting(first, livekit_server, room) as (agent, person):
            ask(agent, person, f"Show me {visit.url}", "shows")
            assert not first.stop()
            with running_service(ghostcast_bin, env=livekit_server.env(), port=first.port):
                agent.wait("trouble: over")
                ask(agent, person, f"Go to {visit.url}", "Call start_browser_session")
                number = ask(agent, person, f"Show me {visit.url}", "shows")
                agent.wait(f"event: navigated to {visit.url}", after=number)
                ask(agent, person, "Close the browser", "closed and has left")
    finally:
        if first in Ghostcast.running:
            first.kill()
        first.remove_home()


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ({"AGENT_LLM": ""}, "Set AGENT_LLM"),
        ({"AGENT_LLM": "no_such"}, "AGENT_LLM=no_such: "),
        ({"LIVEKIT_URL": ""}, "Set LIVEKIT_URL"),
        ({"GHOSTCAST_URL": "http://127.0.0.1:9"}, "Ghostcast does not answer"),
        ({"LIVEKIT_URL": "ws://127.0.0.1:9"}, "LiveKit at ws://127.0.0.1:9 cannot be joined"),
    ],
)
def test_it_says_what_it_lacks(ghostcast, livekit_server, lacking, words):
    """What is not set or not there is named, with what to do; nothing hangs."""
    scripted = [] if "AGENT_LLM" in lacking else ["--scripted"]
    env = {**settings(ghostcast, livekit_server), **lacking}
    with Agent("a-room", *scripted, env=env) as agent:
        assert agent.ended(START_S) == 1
        assert any(line.startswith(words) for line in agent.texts()), agent.texts()
        assert not any("Traceback" in line for line in agent.texts()), agent.texts()
