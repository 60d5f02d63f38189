#!/usr/bin/env python3
"""A voice agent that shows what it talks about: livekit-agents, with Ghostcast as its browser.

    deploy/run.sh                                  # LiveKit and Ghostcast; prints what to set here
    export LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=secret
    pip install -r examples/requirements.txt
    python examples/voice_agent.py my-room --scripted

Then join the room by any LiveKit client that has a chat, such as https://meet.livekit.io, and write
"Show me https://example.com". `--scripted` needs no model: examples/scripted_llm.py lists what it
understands. With real models it is the same agent; each is named by its plugin, or plugin:model.

    pip install livekit-plugins-openai livekit-plugins-deepgram livekit-plugins-cartesia
    export AGENT_LLM=openai:gpt-4.1-mini OPENAI_API_KEY=...
    export AGENT_STT=deepgram DEEPGRAM_API_KEY=... AGENT_TTS=cartesia CARTESIA_API_KEY=...
    python examples/voice_agent.py my-room

Without AGENT_STT it reads the chat only, and without AGENT_TTS it writes only. GHOSTCAST_URL
(http://127.0.0.1:8765) and GHOSTCAST_TOKEN say where the browser is. It ends when its user leaves.
"""

import argparse
import asyncio
import collections
import contextlib
import importlib
import json
import os
import signal

import aiohttp
from livekit import api, rtc
from livekit.agents import Agent, AgentSession, ToolError, function_tool, llm, mcp
from livekit.agents.llm.mcp import MCPToolOptions, MCPToolset
from livekit.agents.utils import http_context
from livekit.agents.voice.room_io import RoomOptions

GHOSTCAST = os.environ.get("GHOSTCAST_URL", "http://127.0.0.1:8765").rstrip("/")
TOKEN = os.environ.get("GHOSTCAST_TOKEN", "")
HEADERS = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}
PICTURE_S = 5
RECONNECT_S = 1

INSTRUCTIONS = """You talk with a person, and have a browser that everybody in the room sees.
Give "room_name": "{room}" to every browser tool. Answer in one short sentence: you are heard,
not read. Indices of elements are those of get_browser_context. When an action fails, its answer has
an action_id and the nearest elements: try again with that id as correction_of, or ask the person.
When the browser is lost, say so, call recover_browser_session, and if that fails
start_browser_session with the same page."""

NEWS = """News of the browser, which the person has not heard yet: {event}
Tell it in one sentence. If it is a failure that you can mend, mend it."""


class BrowserAgent(Agent):
    """Has the browser's tools by MCP, and one of its own: to look at the video."""

    def __init__(self, room, toolset):
        super().__init__(instructions=INSTRUCTIONS.format(room=room.name), tools=[toolset])
        self.room = room
        self.picture = None

    @function_tool
    async def look_at_browser(self) -> str:
        """Looks at the browser as the people in the room see it, to tell how something looks."""
        try:
            self.picture = await asyncio.wait_for(newest_frame(self.room), PICTURE_S)
        except TimeoutError:
            message = "No picture came. If it is paused, call resume_browser_session."
            raise ToolError(message) from None
        return "The picture follows."

    async def llm_node(self, chat_ctx, tools, model_settings):
        """Shows the model the picture that it asked for, and only this once: they are costly."""
        if self.picture:
            chat_ctx.add_message(role="user", content=[llm.ImageContent(image=self.picture)])
            self.picture = None
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            yield chunk


async def newest_frame(room):
    """The next decoded frame of the track "browser".

    Subscribed to for this one look: Ghostcast captures nothing while nobody watches, and a newcomer
    gets the page as it is now.
    """
    members = room.remote_participants.values()
    tracks = [track for member in members for track in member.track_publications.values()]
    publication = next((track for track in tracks if track.name == "browser"), None)
    if publication is None:
        raise ToolError("The room has no browser yet. Call start_browser_session first.")
    # The track of the last look would show what it showed then.
    while publication.track is not None:
        await asyncio.sleep(0.02)
    publication.set_subscribed(True)
    try:
        while publication.track is None:
            await asyncio.sleep(0.02)
        async with contextlib.aclosing(rtc.VideoStream(publication.track, capacity=1)) as video:
            return (await anext(video)).frame
    finally:
        publication.set_subscribed(False)


class Browser:
    """Ghostcast as an agent has it: tools to act with, and events to hear of what comes of it."""

    def __init__(self, room_name, session):
        self.room_name = room_name
        self.session = session
        session.on("tool_execution_updated", self.called)
        self.calls = 0
        self.all_answered = asyncio.Event()
        self.all_answered.set()
        self.answers = collections.deque(maxlen=32)
        self.left_running = []
        self.action_id = None
        self.telling = set()
        # The first word of progress ends the turn, so that the agent can talk while a page loads;
        # what it says comes from Ghostcast. "Never mind" cancels the call, and with it the action.
        slow = MCPToolOptions(report_progress=True, flags=llm.ToolFlag.CANCELLABLE)
        names = ("start_browser_session", "execute_action", "recover_browser_session")
        self.server = mcp.MCPServerHTTP(
            f"{GHOSTCAST}/mcp", headers=HEADERS, tool_result_resolver=self.answered
        )
        self.toolset = MCPToolset(
            id="browser", mcp_server=self.server, tool_options=dict.fromkeys(names, slow)
        )

    def answered(self, call):
        """What the model reads of an answer: the sentence, and the facts as JSON."""
        if (call.result.structured_content or {}).get("status") == "running":
            action = {"action_type": call.arguments["action_type"]}
            self.left_running.append(action | {"params": call.arguments.get("params") or {}})
        return "\n".join(part.text for part in call.result.content)

    def called(self, event):
        """A tool call begins, or ends with an answer, which is kept."""
        match event.update.type:
            case "tool_call_started":
                self.calls += 1
                self.all_answered.clear()
            case "tool_call_ended":
                self.calls -= 1
                self.answers.append(event.update.message or "")
                if not self.calls:
                    self.all_answered.set()

    async def listen(self, http):
        """Hears every event of the room, also over a restart of the service."""
        url = f"{GHOSTCAST}/mcp/events/{self.room_name}?types=action_started"
        since, was_lost = "", False
        while True:
            try:
                async with http.ws_connect(url + since, headers=HEADERS, heartbeat=10) as socket:
                    if was_lost:
                        # A service that was restarted knows nothing of the conversation by MCP.
                        await self.server.aclose()
                        await self.server.initialize()
                        say("trouble", "over; the browser's service is back")
                    async for frame in socket:
                        event = json.loads(frame.data)
                        since = f"&since={event.get('seq', 0)}"
                        self.heard(event)
            except Exception as error:
                say("trouble", f"no events from {url}: {error}")
            was_lost = True
            await asyncio.sleep(RECONNECT_S)

    def heard(self, event):
        """Prints what happens, and tells the agent what no answer to a tool call tells it."""
        match event["type"]:
            case "page_navigation":
                say("event", f"navigated to {event['url']}")
            case "action_started":
                self.action_id = event["action_id"]
            case "action_completed":
                say("event", f"completed {event['action']}")
                self.tell(event)
            case "action_error":
                say("event", f"failed {event['action']}: {event['error']}")
                self.tell(event | {"action_id": self.action_id})
            case "browser_error":
                say("event", f"browser lost: {event['error']}")
                self.tell(event)

    def tell(self, event):
        """Tells the agent, as soon as it is its turn."""
        task = asyncio.create_task(self.tell_when_idle(event))
        self.telling.add(task)
        task.add_done_callback(self.telling.discard)

    async def tell_when_idle(self, event):
        """Waits for its turn, and keeps to itself what the agent knows by then."""
        await self.all_answered.wait()
        await self.session.wait_for_idle()
        if event.get("action") in self.left_running:
            self.left_running.remove(event["action"])
        elif event["type"] == "action_completed" or self.knows(event):
            return
        self.session.generate_reply(instructions=NEWS.format(event=json.dumps(event)))

    def knows(self, event):
        """Whether a tool's answer has told of the failure: by its id, or by its words."""
        words = event.get("action_id") or event["error"]
        return any(words in answer for answer in self.answers)


def say(who, text):
    """One line of the log, at once."""
    print(f"{who}: {text}", flush=True)


def show(item):
    """One line of the conversation."""
    if item.type == "message":
        say("agent" if item.role == "assistant" else item.role, item.text_content)


def model(kind):
    """The plugin's class `kind` that AGENT_`kind` names, such as "openai" or "openai:gpt-4.1"."""
    name, _, variant = os.environ.get(f"AGENT_{kind}", "").partition(":")
    package = f"livekit-plugins-{name.replace('_', '-')}"
    if not name:
        return None
    try:
        plugin = importlib.import_module(f"livekit.plugins.{name}")
        return getattr(plugin, kind)(**({"model": variant} if variant else {}))
    except ImportError as error:
        raise SystemExit(f"AGENT_{kind}={name}: {error}. pip install {package}")
    except Exception as error:
        raise SystemExit(f"AGENT_{kind}={name} cannot be used: {error}")


async def join(room_name):
    """Joins as an agent. In a worker of livekit-agents, the room of its job takes this place."""
    names = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise SystemExit(f"Set {', '.join(missing)} as for Ghostcast; deploy/run.sh prints them.")
    grants = api.VideoGrants(room_join=True, room=room_name, can_update_own_metadata=True)
    token = api.AccessToken().with_identity("voice-agent").with_kind("agent").with_grants(grants)
    room = rtc.Room()
    # Only voices; the browser's video is asked for when it is looked at.
    hear = lambda track, _: track.set_subscribed(track.kind == rtc.TrackKind.KIND_AUDIO)
    room.on("track_published", hear)
    room.on("participant_connected", lambda member: say("joined", member.identity))
    try:
        options = rtc.RoomOptions(auto_subscribe=False)
        await room.connect(os.environ["LIVEKIT_URL"], token.to_jwt(), options)
    except rtc.ConnectError as error:
        raise SystemExit(f"LiveKit at {os.environ['LIVEKIT_URL']} cannot be joined: {error}")
    for member in room.remote_participants.values():
        for track in member.track_publications.values():
            hear(track, member)
    return room


async def main(options):
    """Joins the room, and leaves it when the conversation is over; the browser stays as it is."""
    if options.scripted:
        from scripted_llm import ScriptedLLM

        brain = ScriptedLLM(options.room)
    else:
        brain = model("LLM")
        if brain is None:
            raise SystemExit('Set AGENT_LLM, for example to "openai", or try --scripted.')
    async with http_context.open() as http:
        # A correction takes three calls, a lost browser two: more than the three that are usual.
        session = AgentSession(
            llm=brain, stt=model("STT") or None, tts=model("TTS") or None, max_tool_steps=6
        )
        room = await join(options.room)
        try:
            await converse(session, room, http)
        finally:
            await room.disconnect()


async def converse(session, room, http):
    """Talks until the user leaves, or Ctrl-C."""
    browser = Browser(room.name, session)
    try:
        await browser.toolset.setup()
    except Exception as error:
        raise SystemExit(
            f"Ghostcast does not answer at {GHOSTCAST}/mcp: {error!r}. Start it with "
            "deploy/run.sh, or set GHOSTCAST_URL, and GHOSTCAST_TOKEN if it wants one."
        )
    ended = asyncio.Event()
    session.on("close", lambda _: ended.set())
    session.on("conversation_item_added", lambda added: show(added.item))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await session.start(
        BrowserAgent(room, browser.toolset),
        room=room,
        room_options=RoomOptions(audio_input=bool(session.stt), audio_output=bool(session.tts)),
    )
    listening = asyncio.create_task(browser.listen(http))
    say("ready", f"in room {room.name}")
    await ended.wait()
    listening.cancel()
    await session.aclose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("room", help="the LiveKit room to join")
    parser.add_argument("--scripted", action="store_true", help="a script instead of a model")
    asyncio.run(main(parser.parse_args()))
