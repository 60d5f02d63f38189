"""A stand-in for the language model of voice_agent.py and toolset_agent.py: a script, so that they run without one.

It sees what a model sees (what was said, answers of tools, news of the browser) and does what a
model is hoped to do. It understands:

    Show me URL                     starts the browser
    Go to URL                       goes on
    Click 5                         that index
    Press "NAME"                    looks for the element first
    Press "NAME", number 42         takes the number on trust, and corrects itself
    Wait for SELECTOR               until the page shows it, six seconds at most
    What do you see?                looks at the video
    Never mind                      cancels what was begun last
    Close the browser
"""

import json
import re

import numpy as np
from livekit import rtc
from livekit.agents import llm
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.utils import shortuuid

# Tried in turn on what the user says: the tool, and what it is given.
WORDS = (
    (r"show me (\S+)", lambda url: ("start_browser_session", {"initial_url": url})),
    (r"go to (\S+)", lambda url: act("navigate", url=url)),
    (r"(?:click|press .*number) (\d+)", lambda index: act("click", index=int(index))),
    (r'press "(.+)"', lambda _: ("get_browser_context", {})),
    (r"wait for (\S+)", lambda css: act("wait", **{"for": {"selector": css}, "timeout_ms": 6000})),
    (r"what do you see", lambda: ("look_at_browser", {})),
    (r"close the browser", lambda: ("close_browser_session", {})),
)

# Tools that are not the browser's, and take no room.
WITHOUT_ROOM = ("look_at_browser", "lk_agents_cancel_task")


def act(action_type, correction_of=None, **params):
    """A call of execute_action."""
    corrects = {"correction_of": correction_of} if correction_of else {}
    return "execute_action", {"action_type": action_type, "params": params, **corrects}


def fitting(name, arguments, tools):
    """The same call by the tools that there are: those of MCP, or one for each action, as ghostcast.livekit has them."""
    if any(tool.info.name == "execute_action" for tool in tools) or name != "execute_action":
        return name, arguments
    params = dict(arguments["params"])
    return f"browser_{arguments['action_type']}", params.pop("for", {}) | params


def decide(items):
    """What to say to the newest item of the conversation, and which tool to call."""
    last = items[-1]
    if last.type == "message" and last.role == "system":
        news = re.search(r"\{.*\}", last.text_content)
        if news:
            return hear_news(json.loads(news[0]))
        # A late answer of a tool is announced like this; it stands before the announcement.
        last = [item for item in items if item.type == "function_call_output"][-1]
    if last.type == "function_call_output":
        return hear_answer(last, items)
    picture = [part for part in last.content if isinstance(part, llm.ImageContent)]
    if picture:
        return describe(picture[0].image), None
    return hear_user(last.text_content, items)


def hear_user(text, items):
    """Follows what was said, as far as it is understood."""
    if "never mind" in text.lower():
        calls = [item.call_id for item in items if item.type == "function_call"]
        return "", ("lk_agents_cancel_task", {"call_id": calls[-1]})
    for pattern, call in WORDS:
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            return "", call(*found.groups())
    return "All right.", None


def hear_news(event):
    """Tells what happened by itself, and mends it."""
    match event["type"]:
        case "browser_error":
            sentence = "I am afraid the browser crashed. One moment, I try to get it back."
            return sentence, ("recover_browser_session", {})
        case "action_error" if event["action"]["action_type"] == "click":
            return f"A click failed. {event['error']}", ("get_browser_context", {})
        case "action_error":
            return f"That failed after all. {event['error']}", None
    return f"The {event['action']['action_type']} is done now.", None


def hear_answer(answer, items):
    """Goes on with what a tool answered: a sentence, and facts in the lines after it."""
    progress = re.search(r"has updated, message: (.*)", answer.output)
    if progress:
        return progress[1], None
    sentence, _, facts = answer.output.partition("\n")
    facts = json.loads(facts) if facts else {}
    match answer.name:
        case "recover_browser_session" if answer.is_error:
            page = {"initial_url": newest_page(items)}
            return "That did not help, so I start it again.", ("start_browser_session", page)
        case _ if answer.is_error and (facts.get("context") or {}).get("candidates"):
            return correct(facts["context"]["candidates"], items, facts["action_id"])
        case "get_browser_context" if not answer.is_error:
            return correct(facts["elements"], items, newest_failure(items))
    return sentence, None


def correct(elements, items, failed):
    """Clicks the element that the user named, and says what that corrects."""
    said = [i.text_content for i in items if i.type == "message" and i.role == "user"]
    name = re.findall(r'"(.+?)"', "\n".join(filter(None, said)))[-1:]
    found = [element["index"] for element in elements if [element["name"]] == name]
    if found:
        return "", act("click", index=found[0], correction_of=failed)
    if failed:
        return "That was the wrong one, I look again.", ("get_browser_context", {})
    return "I cannot find that on the page.", None


def newest_failure(items):
    """The id of the click that failed last, if the user has asked for nothing since."""
    for item in reversed(items):
        text = None
        if item.type == "function_call_output" and item.is_error:
            text = item.output
        elif item.type == "message":
            if item.role == "user":
                return None
            text = item.text_content
        found = re.search(r'"action_id": ?"(\w+)"', text or "")
        if found:
            return found[1]
    return None


def newest_page(items):
    """Where the browser was, as far as the conversation knows."""
    calls = [json.loads(item.arguments) for item in items if item.type == "function_call"]
    urls = [call.get("initial_url") or call.get("params", {}).get("url") for call in calls]
    return [url for url in urls if url][-1]


def describe(frame):
    """Size and main colour of a picture."""
    frame = frame.convert(rtc.VideoBufferType.RGB24)
    pixels = np.frombuffer(frame.data, np.uint8).reshape(-1, 3)
    red, green, blue = (int(channel) for channel in np.median(pixels, axis=0))
    return f"I see {frame.width} by {frame.height} pixels, mostly rgb({red}, {green}, {blue})."


class ScriptedLLM(llm.LLM):
    """Stands where a plugin's LLM does. It names the room to tools that want to know it."""

    def __init__(self, room_name=None):
        super().__init__()
        self.room_name = room_name

    def chat(self, *, chat_ctx, tools=None, conn_options=DEFAULT_API_CONNECT_OPTIONS, **_options):
        """One answer, to the conversation so far."""
        return ScriptedStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class ScriptedStream(llm.LLMStream):
    """The answer, all at once."""

    async def _run(self):
        text, call = decide(self._chat_ctx.items)
        calls = []
        if call:
            name, arguments = fitting(*call, self._tools)
            if self._llm.room_name and name not in WITHOUT_ROOM:
                arguments["room_name"] = self._llm.room_name
            called = {"name": name, "arguments": json.dumps(arguments)}
            calls.append(llm.FunctionToolCall(call_id=shortuuid("call_"), **called))
        delta = llm.ChoiceDelta(role="assistant", content=text or None, tool_calls=calls)
        self._event_ch.send_nowait(llm.ChatChunk(id=shortuuid("chunk_"), delta=delta))
