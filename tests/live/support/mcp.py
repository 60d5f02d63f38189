"""MCP as its official Python SDK speaks it, on every transport of Ghostcast, for plain tests."""

import asyncio
import contextlib
import queue
import tempfile
import threading
import time
import uuid
from concurrent.futures import Future

from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from .service import STATE_ENV, clean_env

ANSWER_S = 15
# Where programs keep their state that embed a service.
STATES = tempfile.TemporaryDirectory(prefix="states-")

# Each way in, and each way to begin a conversation.
DOORS = ("http", "http-2025", "stdio", "stdio-2025")


class McpClient:
    """One conversation, held on a loop of its own so that tests need not be coroutines."""

    def __init__(self, server, mode):
        self.server = server
        self.mode = mode
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.closing = None
        self.client = None
        ready = Future()
        self.session = asyncio.run_coroutine_threadsafe(self.live(ready), self.loop)
        try:
            ready.result(ANSWER_S)
        except BaseException:
            self.session.cancel()
            raise

    async def live(self, ready):
        """The whole life of the conversation, in one task as the SDK wants it."""
        self.closing = asyncio.Event()
        try:
            async with Client(self.server, mode=self.mode) as client:
                self.client = client
                ready.set_result(client)
                await self.closing.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    def close(self):
        """Ends the conversation politely."""
        self.loop.call_soon_threadsafe(self.closing.set)
        with contextlib.suppress(Exception):
            self.session.result(ANSWER_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()

    def run(self, coroutine, within=ANSWER_S):
        """Runs one request to its end."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(within)

    def tools(self):
        """All tools by name."""
        return {tool.name: tool for tool in self.run(self.client.list_tools()).tools}

    def begin(self, name, arguments=None, progress=None):
        """Begins a call; answers its future. `progress` hears the messages with their times."""

        async def heard(_progress, _total, message):
            progress.put((time.monotonic(), message))

        callback = heard if progress is not None else None
        call = self.client.call_tool(name, arguments or {}, progress_callback=callback)
        return asyncio.run_coroutine_threadsafe(call, self.loop)

    def call(self, name, progress=None, **arguments):
        """Calls a tool, whatever comes of it."""
        return self.begin(name, arguments, progress).result(ANSWER_S)

    def do(self, name, **arguments):
        """Calls a tool that must succeed; answers its facts."""
        result = self.call(name, **arguments)
        assert not result.is_error, spoken(result)
        assert spoken(result) == result.structured_content["message"]
        return result.structured_content

    def fail(self, name, **arguments):
        """Calls a tool that must fail; answers the sentence and the facts."""
        result = self.call(name, **arguments)
        assert result.is_error, spoken(result)
        sentence = spoken(result)
        assert len(sentence.split()) >= 4, f"not a sentence: {sentence}"
        return sentence, result.structured_content

    def act(self, room, action_type, **params):
        """An action that must succeed."""
        named = {"room_name": room} if room else {}
        return self.do("execute_action", action_type=action_type, params=params, **named)


def spoken(result):
    """The sentence of an answer."""
    return result.content[0].text


def heard(progress):
    """What progress has been heard so far."""
    messages = []
    with contextlib.suppress(queue.Empty):
        while True:
            messages.append(progress.get_nowait())
    return messages


def stdio_server(binary, service=None, args=(), env=None):
    """How to start `ghostcast mcp` beside a service, or with one of its own."""
    listen = ["--listen", f"127.0.0.1:{service.port}"] if service else []
    own = service.env if service else {STATE_ENV: f"{STATES.name}/{uuid.uuid4().hex}"}
    environment = {**clean_env(), **own, **(env or {})}
    return StdioServerParameters(
        command=binary, args=["mcp", *listen, *args], env=environment
    )


def http_server(service, query=""):
    """The streamable HTTP door, with the token that the service wants."""
    url = f"{service.api.base}/mcp{query}"
    if not service.api.token:
        return url
    headers = {"Authorization": f"Bearer {service.api.token}"}
    return streamable_http_client(url, http_client=create_mcp_http_client(headers=headers))


@contextlib.contextmanager
def conversation(door, service, binary):
    """A conversation by one of `DOORS`."""
    mode = "legacy" if door.endswith("2025") else "auto"
    server = http_server(service) if door.startswith("http") else stdio_server(binary, service)
    client = McpClient(server, mode)
    try:
        yield client
    finally:
        client.close()
