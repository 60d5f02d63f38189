#!/usr/bin/env python3
"""The shortest voice agent with a browser: a worker of livekit-agents, with the tools of ghostcast.livekit.

    deploy/run.sh                                  # LiveKit and Ghostcast; prints what to set here
    export LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=secret
    pip install -r examples/requirements.txt
    python examples/toolset_agent.py dev

Then join any room by a LiveKit client that has a chat, such as https://meet.livekit.io, and write
"Show me https://example.com". It has a script for a model, which examples/scripted_llm.py explains; put the
LLM of a plugin in its place, and its STT and TTS beside it. GHOSTCAST_URL (http://localhost:8765) and
GHOSTCAST_TOKEN say where the browser is. voice_agent.py does more: it hears events, and looks at the video.
"""

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli
from livekit.agents.voice.room_io import RoomOptions
from scripted_llm import ScriptedLLM

from ghostcast.livekit import INSTRUCTIONS, BrowserToolset

server = AgentServer()


@server.rtc_session()
async def talk(job: JobContext):
    """One job: the browser is that of its room."""
    session = AgentSession(llm=ScriptedLLM(), max_tool_steps=6)
    session.on("conversation_item_added", lambda added: show(added.item))
    agent = Agent(instructions=f"You talk with a person. {INSTRUCTIONS}", tools=[BrowserToolset()])
    options = RoomOptions(audio_input=False, audio_output=False)
    await session.start(agent, room=job.room, room_options=options)
    print(f"ready: in room {job.room.name}", flush=True)


def show(item):
    """One line of the conversation."""
    if item.type == "message":
        print(f"{'agent' if item.role == 'assistant' else item.role}: {item.text_content}", flush=True)


if __name__ == "__main__":
    cli.run_app(server)
