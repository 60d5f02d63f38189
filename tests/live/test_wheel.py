"""People take the wheel: by links, by the socket, on their page; agents ask for them and go on."""

import concurrent.futures
import json
import os
import signal
import time

import httpx
import pytest
from livekit import api as livekit_api
from websockets.exceptions import ConnectionClosed

from support.api import Api, assert_envelope, new_room
from support.kept import KEPT_WITHIN_S, browser_of, start
from support.people import Person, heard
from support.playwright_browser import browser_context, spot
from support.service import running_service
from support.wait import wait_for

PAGE = b"""<!doctype html><title>form</title><style>body { margin: 0; height: 3000px }
  * { position: absolute; font: 16px sans-serif }</style>
<button id=press style="left:20px;top:20px;width:120px;height:40px">Press</button>
<input id=field style="left:20px;top:80px;width:200px;height:30px">
<p id=said style="left:20px;top:130px"></p>
<script>
  const log = [];
  const say = (what) => { log.push(what); document.getElementById('said').textContent = log.join(' '); };
  document.getElementById('press').onclick = () => say('click');
  document.getElementById('press').ondblclick = () => say('double');
  document.addEventListener('contextmenu', (event) => { event.preventDefault(); say('menu'); });
  addEventListener('scroll', () => say('scroll'), { once: true });
</script>"""


@pytest.fixture
def page(web):
    """A page that says what is done to it."""
    web.files["/wheel.html"] = PAGE
    return web.url("/wheel.html")


def said(api, room):
    """What the page says was done to it: read by its text, which goes on while a person drives."""
    return api.get(f"/sessions/{room}/context", params={"text": "true"}).json()["text"].strip()


def test_a_person_drives_and_the_agent_waits(api, page):
    """The page's own state says what was done; agents are refused with who and since when, and read on."""
    with api.session(initial_url=page) as room, api.events(room, types=["all"]) as events:
        ada = Person(api, room)
        assert not ada.state["yours"] and ada.state["may_drive"]
        assert ada.state["control"]["owner"] == "agent"
        ada.click(40, 40)
        for _ in range(3):
            assert "do not have the wheel" in ada.refused()["message"]
        ada.take()
        told = heard(events, "taken")
        assert (told["owner"], told["who"]) == ("human", "somebody"), told
        record = api.record(room)["control"]
        assert record["owner"] == "human" and record["since"].endswith("Z"), record
        for action in (("click", {"x": 40, "y": 40}), ("navigate", {"url": page}), ("press", {"keys": "a"})):
            result = api.act(room, action[0], **action[1])
            assert result["error_kind"] == "human_in_control" and "somebody" in result["error"], result
            assert result["context"]["since"] == record["since"] and result["retry"] == "safe"
        answer = api.request("POST", f"/sessions/{room}/execute", json={"script": "1"})
        assert_envelope(answer, 409, "human_in_control")
        assert api.act(room, "wait", seconds=0.1)["success"]
        ada.click(60, 40)
        wait_for(lambda: "click" in said(api, room), 3, "the press")
        ada.click(60, 40, count=2)
        wait_for(lambda: "double" in said(api, room), 3, "the second press")
        ada.click(400, 300, button="right")
        wait_for(lambda: "menu" in said(api, room), 3, "the right button")
        ada.say("wheel", x=300, y=300, dy=200)
        wait_for(lambda: "scroll" in said(api, room), 3, "the wheel")
        ada.say("wheel", x=300, y=300, dy=-9000)
        time.sleep(0.5)
        ada.click(60, 95)
        ada.type("Hi ")
        ada.say("text", text="日本語")
        ada.say("compose", text="に")
        ada.say("compose", text="にほ")
        ada.say("text", text="人")
        ada.say("key", down=True, key="Backspace")
        ada.say("key", down=False, key="Backspace")
        ada.say("key", down=True, key="Backspace")
        ada.say("key", down=False, key="Backspace")
        ada.say("key", down=True, key="a", modifiers=2)
        ada.say("key", down=False, key="a", modifiers=2)
        ada.say("hand_back", done=True)
        ada.hear(lambda: not ada.state["yours"])
        told = heard(events, "done")
        assert told["owner"] == "agent", told
        wait_for(lambda: api.run(room, "field.value") == "Hi 日本", 3, "what was typed")
        assert api.run(room, "[field.selectionStart, field.selectionEnd]") == [0, 5]
        assert api.act(room, "click", x=60, y=40)["success"]
        for wrong in ({"type": "jump"}, {"type": "move", "x": -1, "y": 0}, {"type": "move", "x": "a", "y": 0}):
            ada.socket.send(json.dumps(wrong))
            assert ada.refused()["kind"] == "invalid_input"
        ada.socket.send("[")
        assert ada.refused()["kind"] == "invalid_input"


def test_reading_goes_on_and_moves_nothing(api, page):
    """Pictures of what is in view are given; one of an element, which would be brought into view, is not."""
    with api.session(initial_url=page) as room:
        index = next(one["index"] for one in api.elements(room) if one["name"] == "Press")
        ada = Person(api, room)
        ada.take()
        assert api.get(f"/sessions/{room}/screenshot").content[:4] == b"\x89PNG"
        refused = api.request("GET", f"/sessions/{room}/screenshot", params={"index": index})
        assert_envelope(refused, 409, "human_in_control")
        ada.say("hand_back", done=True)
        ada.hear(lambda: not ada.state["yours"])
        assert api.get(f"/sessions/{room}/screenshot", params={"index": index}).status_code == 200


def test_history_and_compositions(api, web, page):
    """A person goes back, forward and loads anew, and the page sees what an input method is at."""
    web.files["/first.html"] = b"""<!doctype html><title>first</title><input id=field autofocus><script>
      window.seen = [];
      for (const type of ['compositionstart', 'compositionupdate', 'compositionend'])
        addEventListener(type, ({ data }) => seen.push(type.slice(11) + ' ' + data));
    </script>"""
    first = web.url("/first.html")
    with api.session(initial_url=first) as room:
        api.do(room, "navigate", url=page)
        ada = Person(api, room)
        ada.take()
        ada.say("back")
        ada.hear(lambda: ada.state["url"] == first)
        ada.say("forward")
        ada.hear(lambda: ada.state["url"] == page)
        ada.say("back")
        ada.hear(lambda: ada.state["url"] == first)
        # What is not drawn yet cannot be pressed, by nobody's hand.
        api.do(room, "wait", **{"for": {"selector": "#field"}})
        ada.click(60, 18)
        ada.say("compose", text="に")
        ada.say("compose", text="にほ")
        ada.say("text", text="日本")
        ada.say("compose", text="x")
        ada.say("compose", text="")
        ada.say("hand_back", done=True)
        ada.hear(lambda: not ada.state["yours"])
        wait_for(lambda: api.run(room, "field.value") == "日本", 3, "what was put together")
        seen = api.run(room, "seen")
        assert seen[:3] == ["start ", "update に", "update にほ"] and "end 日本" in seen, seen
        ada.take()
        ada.say("reload")
        ada.say("hand_back", done=True)
        ada.hear(lambda: not ada.state["yours"])
        anew = "document.getElementById('field')?.value === ''"
        wait_for(lambda: api.run(room, anew), 5, "it is loaded anew")


def test_a_request_counts_as_use(lone_api, page):
    """A session that nobody uses stays for as long as somebody may come."""
    room = new_room()
    lone_api.create(room, initial_url=page, idle_timeout_s=2)
    assert lone_api.act(room, "request_human", reason="Come.", wait_s=6)["success"]
    asked = time.monotonic()
    wait_for(lambda: lone_api.request("GET", f"/sessions/{room}").status_code == 404, 20, "it ends")
    assert time.monotonic() - asked > 6


@pytest.mark.alone
def test_the_wheel_outlives_the_browser(house, page):
    """A kept session's browser is killed: who drives still does on the one that takes its place, as told."""
    service = house()
    api = service.api
    start(api, "kept", initial_url=page)
    with api.events("kept", types=["control"]) as events:
        asked = api.act("kept", "request_human", reason="Fill it in.")
        ada = Person(api, "kept")
        ada.take()
        seat = ada.state["seat"]
        time.sleep(KEPT_WITHIN_S)
        os.kill(browser_of(service, "kept"), signal.SIGKILL)
        events.wait("browser_error", 5)
        api.wait_record("kept", lambda record: record["state"] == "live" and not record["is_opening"], 15, "it is back")
        record = api.record("kept")["control"]
        assert (record["owner"], record["request"]["reason"]) == ("human", "Fill it in."), record
        ada = wait_for(lambda: Person(api, "kept", seat=seat), 5, "she comes back", tolerate=(Exception,))
        ada.hear(lambda: ada.state["yours"])
        ada.click(60, 95)
        ada.type("still")
        ada.say("hand_back", done=True)
        told = heard(events, "done")
    assert told["request_id"] == asked["data"]["request_id"], told
    wait_for(lambda: api.run("kept", "field.value") == "still", 3, "what was typed")


def test_a_link_ends_with_the_token_that_made_it(ghostcast_bin, tmp_path, page):
    """Whoever drives by it is sent away, and what was asked for waits for somebody else."""
    path = tmp_path / "tokens"
    path.write_text("ops admin an-operators-token-01\nagent control:lent an-agents-token-0001\n")
    path.chmod(0o600)
    with running_service(ghostcast_bin, args=["--tokens-file", str(path)]) as ghostcast:
        ops, agent = (Api(ghostcast.api.base, token) for token in ("an-operators-token-01", "an-agents-token-0001"))
        agent.create("lent", initial_url=page)
        asked = agent.act("lent", "request_human", reason="Log in.")
        made = agent.request("POST", "/sessions/lent/takeover", json={"name": "Ada"}).json()
        token = made["url"].rsplit("/", 1)[1]
        ada = Person(ops, "lent", token=token)
        ada.take()
        path.write_text("ops admin an-operators-token-01\n")
        os.kill(ghostcast.pid, signal.SIGHUP)
        with pytest.raises(ConnectionClosed) as closed:
            ada.hear(lambda: False, 10)
        assert closed.value.rcvd.code == 1008
        assert ops.record("lent")["control"]["owner"] == "nobody"
        for link in (token, asked["data"]["takeover_url"].rsplit("/", 1)[1]):
            assert ops.request("POST", "/takeover", json={"token": link}).status_code == 401
        ops.close("lent")


def test_one_person_at_a_time(api, page):
    """Another one is told who has it, may ask and be given it, or take it by force; who leaves loses it."""
    with api.session(initial_url=page) as room, api.events(room, types=["control"]) as events:
        ada, bob = Person(api, room), Person(api, room)
        ada.take()
        bob.say("take")
        assert "has the wheel" in bob.refused()["message"]
        bob.say("ask")
        ada.hear(lambda: ada.state["control"]["asking"])
        ada.say("grant", name="nobody of that name")
        assert ada.refused()["kind"] == "not_found"
        ada.say("grant", name="somebody")
        bob.hear(lambda: bob.state["yours"])
        ada.hear(lambda: not ada.state["yours"])
        ada.say("hand_back", done=True)
        assert ada.refused()["kind"] == "conflict"
        ada.take(force=True)
        bob.hear(lambda: not bob.state["yours"])
        seat = ada.state["seat"]
        ada.socket.close()
        ada = Person(api, room, seat=seat)
        assert ada.state["yours"] and ada.state["seat"] == seat
        gone = time.monotonic()
        ada.socket.close()
        heard(events, "gone", 15)
        assert 8 < time.monotonic() - gone < 13
        bob.hear(lambda: bob.state["control"]["owner"] == "agent")
        assert api.act(room, "wait", seconds=0.01)["success"]


def test_a_running_action_gives_way(api, web, page):
    """It ends as taken over, what waits behind it is not begun; a wait goes on."""
    with api.session(initial_url=page) as room:
        waiting = api.request("POST", f"/sessions/{room}/actions", params={"wait": "false"}, json={
            "action_type": "wait", "params": {"for": {"text": "click"}, "timeout_ms": 20000}}).json()
        behind = api.request("POST", f"/sessions/{room}/actions", params={"wait": "false"}, json={
            "action_type": "press", "params": {"keys": "a"}}).json()
        ada = Person(api, room)
        ada.take()
        path = f"/sessions/{room}/actions"
        ended = wait_for(
            lambda: api.get(f"{path}/{behind['action_id']}").json(), 5, "it ends",
            accept=lambda status: status["state"] == "done")  # fmt: skip
        assert ended["result"]["error_kind"] == "human_in_control", ended
        assert ended["result"]["delivery"] == "not_sent"
        assert api.get(f"{path}/{waiting['action_id']}").json()["state"] == "running"
        ada.click(60, 40)
        ended = wait_for(
            lambda: api.get(f"{path}/{waiting['action_id']}").json(), 5, "it ends",
            accept=lambda status: status["state"] == "done")  # fmt: skip
        assert ended["result"]["success"], ended


def test_a_running_script_gives_way(api, page):
    """It ends in the page too."""
    with api.session(initial_url=page) as room, concurrent.futures.ThreadPoolExecutor() as pool:
        script = "new Promise((done) => { window.ticks = 0; setInterval(() => window.ticks++, 20); })"
        body = {"script": script, "timeout_ms": 20000}
        running = pool.submit(api.request, "POST", f"/sessions/{room}/execute", json=body)
        wait_for(lambda: api.record(room)["title"] == "form", 5, "the page is there")
        time.sleep(0.5)
        ada = Person(api, room)
        ada.take()
        refusal = assert_envelope(running.result(5), 409, "human_in_control")
        assert "has taken the wheel" in str(refusal), refusal


def test_nothing_stays_held(api, page):
    """What a person held when they gave the wheel back, or lost it, is let go."""
    with api.session(initial_url=page) as room:
        api.run(room, """window.seen = [];
            for (const type of ['mousedown', 'mouseup', 'keydown', 'keyup'])
              addEventListener(type, ({ key, button }) => {
                seen.push(type + ' ' + (key ?? button));
                document.getElementById('said').textContent = seen.join(', ');
              }, true);""")
        ada, bob = Person(api, room), Person(api, room)
        ada.take()
        ada.say("down", x=400, y=300)
        ada.say("key", down=True, key="Shift", modifiers=8)
        ada.say("key", down=True, key="q", modifiers=8)
        ada.say("key", down=False, key="Q", modifiers=8)
        wait_for(lambda: "keyup Q" in said(api, room), 3, "all of it is done")
        bob.take(force=True)
        bob.say("hand_back", done=True)
        bob.hear(lambda: bob.state["control"]["owner"] == "agent")
        held = ["mouseup 0", "keyup Shift"]
        wait_for(lambda: api.run(room, "seen"), 3, "all is let go", accept=lambda seen: seen[-2:] == held)
        seen = api.run(room, "seen")
        assert sorted(seen) == sorted(["mousedown 0", "keydown Shift", "keydown q", "keyup Q", *held]), seen


def test_who_may_not_lend_asks_for_nobody(ghostcast_bin, page):
    """A ticket is for one request, and makes nothing that lasts longer."""
    with running_service(ghostcast_bin, token="a-token-of-the-service") as ghostcast:
        api = ghostcast.api
        with api.session("lent", initial_url=page) as room:
            order = {"for": room, "scope": "control"}
            ticket = api.request("POST", "/tickets", json=order).json()["ticket"]
            body = {"action_type": "request_human", "params": {"reason": "x"}}
            answer = httpx.post(f"{api.base}/sessions/{room}/actions", params={"ticket": ticket}, json=body).json()
            assert answer["error_kind"] == "unsupported", answer
            assert api.act(room, "request_human", reason="x")["success"]


def test_an_agent_asks_for_a_person(api, page):
    """It gets a link and goes on with other things; events tell when somebody comes and when they are through."""
    with api.session(initial_url=page) as room, api.events(room, types=["control"]) as events:
        assert api.act(room, "withdraw_request")["error_kind"] == "condition_not_met"
        asked = api.act(room, "request_human", reason="Log in, please.", wait_s=60)
        assert asked["success"] and asked["delivery"] == "not_sent", asked
        link = asked["data"]["takeover_url"]
        assert link.startswith(f"{api.base}/takeover/gcs_"), link
        told = heard(events, "requested")
        assert (told["owner"], told["reason"]) == ("nobody", "Log in, please.")
        assert told["request_id"] == asked["data"]["request_id"]
        assert api.act(room, "request_human", reason="again")["error_kind"] == "condition_not_met"
        record = api.record(room)["control"]
        assert record["owner"] == "nobody" and record["request"]["reason"] == "Log in, please."
        # It may go on by itself meanwhile.
        assert api.act(room, "click", x=60, y=40)["success"]
        entered = api.request("POST", "/takeover", json={"token": link.rsplit("/", 1)[1]}).json()
        assert entered["role"] == "control" and entered["session"]["session_id"] == api.record(room)["session_id"]
        ada = Person(api, room, token=entered["token"])
        ada.take()
        heard(events, "taken")
        ada.say("hand_back", done=True)
        told = heard(events, "done")
        assert (told["owner"], told["request_id"]) == ("agent", asked["data"]["request_id"])
        # The link was for that.
        assert api.request("POST", "/takeover", json={"token": link.rsplit("/", 1)[1]}).status_code == 401
        assert api.record(room)["control"]["request"] is None
        # One that is withdrawn sends away who came by its link.
        asked = api.act(room, "request_human", reason="Once more.")
        entered = api.request("POST", "/takeover", json={"token": asked["data"]["takeover_url"].rsplit("/", 1)[1]})
        bob = Person(api, room, token=entered.json()["token"])
        bob.take()
        api.do(room, "withdraw_request")
        assert heard(events, "withdrawn")["owner"] == "human"
        assert heard(events, "gone")["owner"] == "agent"
        with pytest.raises(ConnectionClosed):
            bob.hear(lambda: False)
        unheeded = api.act(room, "request_human", reason="Nobody comes.", wait_s=1)
        assert unheeded["success"], unheeded
        late = api.act(room, "request_human", reason="Twice.")
        assert late["error_kind"] == "condition_not_met", late
        assert heard(events, "expired")["owner"] == "agent"
        token = unheeded["data"]["takeover_url"].rsplit("/", 1)[1]
        assert api.request("POST", "/takeover", json={"token": token}).status_code == 401
        for params in ({}, {"reason": " "}, {"reason": "x" * 501}, {"reason": "x", "wait_s": 0}):
            kind = api.act(room, "request_human", **params)["error_kind"]
            assert kind in ("missing_parameter", "invalid_parameter"), (params, kind)


def test_links_are_for_one_session_and_one_role(lone_api, page):
    """A watcher asks and is given; a link that is good once is not good twice; revoked and closed ones are not good."""
    api = lone_api
    room, other = new_room(), new_room()
    with api.session(room, initial_url=page), api.session(other, initial_url=page):

        def link(**order):
            made = api.request("POST", f"/sessions/{room}/takeover", json=order)
            assert made.status_code == 201 and made.headers["cache-control"] == "no-store"
            return made.json()["url"].rsplit("/", 1)[1]

        def enter(token, status=200):
            answer = api.request("POST", "/takeover", json={"token": token})
            assert answer.status_code == status, answer.text
            return answer.json()

        watcher = Person(api, room, token=link(role="watch", name="Wanda"))
        assert not watcher.state["may_drive"]
        watcher.say("take")
        assert watcher.refused()["kind"] == "forbidden"
        watcher.say("ask")
        driver = Person(api, room, token=link(name="Dora"))
        driver.take()
        assert driver.state["control"]["who"] == "Dora" and driver.state["control"]["asking"] == ["Wanda"]
        driver.say("grant", name="Wanda")
        watcher.hear(lambda: watcher.state["yours"])
        # What a link is not for.
        once = link(one_time=True)
        for token in (link(), enter(once)["token"]):
            headers = {"authorization": f"Bearer {token}"}
            for method, path, status in (
                ("GET", f"/sessions/{room}", 200),
                ("GET", f"/sessions/{other}", 403),
                ("POST", f"/sessions/{room}/actions", 403),
                ("POST", f"/sessions/{room}/takeover", 403),
                ("DELETE", f"/sessions/{room}", 403),
                ("GET", "/stats", 403),
            ):
                body = {"action_type": "refresh"} if path.endswith("actions") else None
                answer = api.request(method, path, json=body, headers=headers)
                assert answer.status_code == status, (method, path, answer.text)
        enter(once, 401)
        enter("gcs_nonsense", 401)
        assert api.request("DELETE", f"/sessions/{room}/takeover").json()["revoked"] >= 2
        with pytest.raises(Exception):
            driver.hear(lambda: False, 3)
        for wrong in ({"ttl_s": 0}, {"ttl_s": 10**9}, {"role": "admin"}, {"private": 1}):
            assert api.request("POST", f"/sessions/{room}/takeover", json=wrong).status_code in (400, 422), wrong
        late = link()
    enter(late, 404)


@pytest.mark.parametrize("kind", ["desktop", "phone"])
def test_the_page_of_a_person(api, web, page, kind):
    """A real browser opens the link, sees the picture, drives, answers a dialog and gives the wheel back."""
    phone = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
    options = phone if kind == "phone" else {"viewport": {"width": 1100, "height": 800}}
    with api.session(initial_url=page) as room, browser_context(**options) as context:
        person = context.new_page()
        asked = api.act(room, "request_human", reason="Fill in the form.")
        answer = person.goto(asked["data"]["takeover_url"])
        headers = answer.headers
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        began = time.monotonic()
        person.wait_for_selector("#screen[data-picture=true]", timeout=5000)
        print(f"the first picture after {time.monotonic() - began:.2f} s")
        assert "Fill in the form." in person.text_content("#reason")
        person.click("#take")
        person.wait_for_selector("body[data-yours=true]")
        press = person.touchscreen.tap if kind == "phone" else person.mouse.click
        press(*spot(person, 60, 40))
        wait_for(lambda: "click" in said(api, room), 3, "the press")
        press(*spot(person, 60, 95))
        person.keyboard.type("Grace")
        person.keyboard.insert_text("日本")
        if kind == "desktop":
            person.mouse.move(*spot(person, 600, 400))
            person.mouse.wheel(0, 300)
            wait_for(lambda: "scroll" in said(api, room), 3, "the wheel")
        person.click("#done")
        person.wait_for_selector("#notice-title:text-is('Thank you')")
        wait_for(lambda: api.run(room, "field.value") == "Grace日本", 3, "what was typed")
        # The link of a request is good for that request; another one leads here as well.
        person.goto(api.request("POST", f"/sessions/{room}/takeover", json={"one_time": True}).json()["url"])
        person.wait_for_selector("#screen[data-picture=true]", timeout=5000)
        api.run(room, "setTimeout(() => { window.answer = prompt('Your name?', 'x') }, 300)")
        person.click("#take")
        person.wait_for_selector("#dialog[open]")
        assert person.text_content("#dialog-text") == "Your name?"
        person.fill("#dialog-field", "Ada")
        person.click("#dialog button[type=submit]")
        person.click("#done")
        person.wait_for_selector("body[data-yours=false]")
        wait_for(lambda: api.run(room, "window.answer") == "Ada", 3, "the answer")
        # It comes back by itself, at the same seat.
        person.click("#take")
        person.wait_for_selector("body[data-yours=true]")
        person.reload()
        person.wait_for_selector("body[data-yours=true]", timeout=8000)


def test_what_a_person_types_is_told_nobody(ghostcast_bin, page):
    """Not in events, logs, records or errors."""
    with running_service(ghostcast_bin, env={"RUST_LOG": "debug"}) as ghostcast:
        api = ghostcast.api
        with api.session("secret", initial_url=page) as room, api.events(room, types=["all"]) as events:
            ada = Person(api, room)
            ada.take()
            ada.click(60, 95)
            ada.say("text", text="tiger-of-the-wheel")
            ada.type("hunter")
            ada.say("move", x=-5, y=0)
            ada.refused()
            ada.socket.send('{"type": "text", "text": ["lion-of-the-wheel"]}')
            refused = ada.refused()
            ada.say("hand_back", done=False)
            ada.hear(lambda: not ada.state["yours"])
            wait_for(lambda: "hunter" in api.run(room, "field.value"), 3, "it is typed")
            told = json.dumps([events.events, refused, api.record(room)])
            for word in ("tiger", "lion"):
                assert word not in told and word not in ghostcast.log()


def test_the_dashboard_leads_to_the_wheel(api, page):
    """It says who drives, and opens a person's own page for whoever may drive."""
    with api.session(initial_url=page) as room, browser_context(viewport={"width": 1400, "height": 900}) as context:
        person = context.new_page()
        person.goto(f"{api.base}/?room={room}")
        person.wait_for_selector("#driver:text-is('The agent drives')")
        with person.expect_popup() as opened:
            person.click("#take-wheel")
        own = opened.value
        own.click("#take")
        own.wait_for_selector("body[data-yours=true]")
        person.wait_for_selector("#driver:text-is('somebody drives')")
        own.close()
        person.wait_for_selector("#driver:text-is('The agent drives')", timeout=15000)


def test_the_livekit_room_knows_who_drives(api, livekit_server, page):
    """The browser's participant says it in an attribute, as the server has it."""

    async def listed(service):
        return await service.list_participants(livekit_api.ListParticipantsRequest(room=room))

    def owner():
        return [one.attributes.get("browser.control") for one in livekit_server.administer(listed).participants]

    with api.session(initial_url=page) as room:
        wait_for(owner, 10, "the agent", accept=lambda owners: owners == ["agent"])
        ada = Person(api, room)
        ada.take()
        wait_for(owner, 5, "a person", accept=lambda owners: owners == ["human"])
        ada.say("hand_back", done=True)
        wait_for(owner, 5, "the agent again", accept=lambda owners: owners == ["agent"])
