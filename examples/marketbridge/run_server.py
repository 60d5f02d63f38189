#!/usr/bin/env python3
"""A small web app that looks like MarketBridge: a form that subscribes to market data, and a login.

    python examples/marketbridge/run_server.py                     # on http://localhost:8080/
    python examples/marketbridge/run_server.py --port 9000

It needs nothing but Python, and keeps what it is told in memory only. Any user may log in; the password
is `demo`. `marketbridge.toml` beside it tells a controller how to use it.
"""

import argparse
import contextlib
import html
import json
import re
import secrets
import threading
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PASSWORD = "demo"
COOKIE = "marketbridge_session"
WEEK_S = 7 * 24 * 3600
BODY_BYTES_MAX = 10_000
SYMBOL = re.compile(r"[A-Z][A-Z.]{0,9}")
INSTRUMENT_TYPES = {"stock": "Stock", "option": "Option", "future": "Future", "forex": "Forex"}
DATA_TYPES = {"market_data": "Market data", "level_2": "Order book", "trades": "Trades"}

FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>MarketBridge</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 40rem; }}
  form {{ display: grid; gap: .8rem; max-width: 20rem; }}
  label {{ display: grid; gap: .2rem; }}
  input, select, button {{ font: inherit; padding: .4rem; }}
  #status-text.error, #login-error {{ color: #b00020; }}
</style>
</head>
<body>
<h1>MarketBridge</h1>
{content}
</body>
</html>
"""

FORM = """<p>{who}</p>
<form id="subscription-form">
  <label>Symbol <input id="symbol" name="symbol" autocomplete="off" required></label>
  <label>Instrument type
    <select id="instrument-type" name="instrument_type">{instrument_types}</select>
  </label>
  <label>Data type
    <select id="data-type" name="data_type">{data_types}</select>
  </label>
  <button id="subscribe">Subscribe</button>
</form>
<p id="status-text" role="status">Ready</p>
<h2>Subscriptions</h2>
<ul id="subscriptions"></ul>
<script>
const status = document.querySelector("#status-text");
const list = document.querySelector("#subscriptions");
const words = (one) => [one.symbol, one.instrument_type, one.data_type].join(", ");
const say = (text, isError) => {{
  status.textContent = text;
  status.classList.toggle("error", isError);
}};
const show = (all) => list.replaceChildren(...all.map((one) => {{
  const item = document.createElement("li");
  item.dataset.symbol = one.symbol;
  item.textContent = words(one);
  return item;
}}));
document.querySelector("#subscription-form").addEventListener("submit", async (event) => {{
  event.preventDefault();
  say("Subscribing…", false);
  const wanted = Object.fromEntries(new FormData(event.target));
  const answer = await fetch("/api/subscriptions", {{ method: "POST", body: JSON.stringify(wanted) }});
  const told = await answer.json();
  if (!answer.ok) return say(told.error, true);
  show(told.subscriptions);
  say("Subscribed: " + words(wanted), false);
}});
fetch("/api/subscriptions").then((answer) => answer.json()).then((told) => show(told.subscriptions));
</script>
"""

LOGIN = """<form id="login-form" method="post" action="/login">
  <label>User <input id="user" name="user" required></label>
  <label>Password <input id="password" name="password" type="password" required></label>
  <button id="log-in">Log in</button>
  {error}
</form>
"""


class App(ThreadingHTTPServer):
    """The app and what it remembers."""

    daemon_threads = True

    def __init__(self, address):
        super().__init__(address, Pages)
        self.lock = threading.Lock()
        self.subscriptions = []
        self.users = {}

    def subscribe(self, wanted):
        """Adds a subscription once; answers all of them, or what is wrong with it."""
        for field, known in (("instrument_type", INSTRUMENT_TYPES), ("data_type", DATA_TYPES)):
            if wanted.get(field) not in known:
                return None, f"No such {field}: {wanted.get(field)}"
        if not SYMBOL.fullmatch(str(wanted.get("symbol"))):
            return None, f"No such symbol: {wanted.get('symbol')}"
        one = {field: wanted[field] for field in ("symbol", "instrument_type", "data_type")}
        with self.lock:
            if one not in self.subscriptions:
                self.subscriptions.append(one)
            return list(self.subscriptions), None

    def log_in(self, user):
        """Remembers a user and answers the cookie that stands for it."""
        token = secrets.token_urlsafe(16)
        with self.lock:
            self.users[token] = user
        return token


class Pages(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    # Head and body leave together: by themselves, the second one would wait for the first one's receipt.
    wbufsize = -1

    def do_GET(self):
        path = urlsplit(self.path).path
        if path == "/":
            self.page(FORM.format(who=self.who(), **CHOICES))
        elif path == "/login":
            self.page(LOGIN.format(error=""))
        elif path == "/api/subscriptions":
            with self.server.lock:
                self.json(HTTPStatus.OK, {"subscriptions": self.server.subscriptions})
        else:
            self.page("<p>There is no such page.</p>", HTTPStatus.NOT_FOUND)

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > BODY_BYTES_MAX:
            self.close_connection = True
            return self.json(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "That is too long."})
        body = self.rfile.read(length).decode(errors="replace")
        path = urlsplit(self.path).path
        if path == "/api/subscriptions":
            return self.subscribe(body)
        if path == "/login":
            return self.log_in({name: values[0] for name, values in parse_qs(body).items()})
        return self.json(HTTPStatus.NOT_FOUND, {"error": "There is no such path."})

    def subscribe(self, body):
        try:
            wanted = dict(json.loads(body))
        except (TypeError, ValueError):
            wanted = {}
        subscriptions, error = self.server.subscribe(wanted)
        if error:
            return self.json(HTTPStatus.BAD_REQUEST, {"error": error})
        return self.json(HTTPStatus.CREATED, {"subscriptions": subscriptions})

    def log_in(self, fields):
        if fields.get("password") != PASSWORD or not fields.get("user"):
            error = '<p id="login-error">The user or the password is wrong.</p>'
            return self.page(LOGIN.format(error=error), HTTPStatus.FORBIDDEN)
        token = self.server.log_in(fields["user"])
        cookie = f"{COOKIE}={token}; Path=/; Max-Age={WEEK_S}; HttpOnly; SameSite=Lax"
        return self.answer(HTTPStatus.SEE_OTHER, b"", {"Location": "/", "Set-Cookie": cookie})

    def who(self):
        """Who is logged in, as a part of the page."""
        cookies = SimpleCookie(self.headers.get("Cookie", ""))
        user = self.server.users.get(cookies[COOKIE].value) if COOKIE in cookies else None
        if user is None:
            return '<a id="login-link" href="/login">Log in</a>'
        return f'Logged in as <b id="user-name">{html.escape(user)}</b>'

    def page(self, content, status=HTTPStatus.OK):
        body = FRAME.format(content=content).encode()
        self.answer(status, body, {"Content-Type": "text/html; charset=utf-8"})

    def json(self, status, content):
        self.answer(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """Says nothing: what matters shows in the page."""


def choices(known):
    """The options of a list."""
    return "".join(f'<option value="{value}">{label}</option>' for value, label in known.items())


CHOICES = {"instrument_types": choices(INSTRUMENT_TYPES), "data_types": choices(DATA_TYPES)}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8080, help="0 for any that is free")
    chosen = options.parse_args()
    with App((chosen.host, chosen.port)) as app:
        print(f"MarketBridge at http://localhost:{app.server_address[1]}/", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            app.serve_forever()


if __name__ == "__main__":
    main()
