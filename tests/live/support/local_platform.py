"""A platform to log in at: a form, a second factor, videos with comments, and the moods that platforms have."""

import contextlib
import html
import http.server
import json
import secrets
import threading
import time
from urllib.parse import parse_qs, urlsplit

PASSWORD = "correct horse battery staple"
CODE = "314159"

HEAD = """<!doctype html><meta charset=utf-8><meta name=viewport content="width=device-width">
<style>body{font:20px sans-serif;margin:20px}input,button,textarea{font:inherit;display:block;margin:8px 0;
padding:8px;min-width:300px}</style>"""

VIDEO = """<title>video</title><p id=avatar>%(user)s</p><a id=logout href=/logout>Log out</a>
<ol id=comments>%(comments)s</ol>
<label>%(comment)s <textarea id="%(text)s"></textarea></label><label>At <input id="%(at)s"></label>
<button id="%(post)s">%(press)s</button>
<script>
  const post = document.getElementById('%(post)s');
  post.onclick = async () => {
    post.disabled = true;
    const body = JSON.stringify({text: document.getElementById('%(text)s').value,
      at: document.getElementById('%(at)s').value});
    const made = await (await fetch(location.pathname + '/comments', {method: 'POST', body})).json();
    const item = document.createElement('li');
    Object.assign(item.dataset, {id: made.id, text: made.text, at: made.at});
    const link = document.createElement('a');
    link.href = made.permalink;
    link.textContent = made.text;
    item.append(link);
    if (!made.hidden) document.getElementById('comments').append(item);
    post.disabled = false;
  };
</script>"""


FORM = """<title>form</title><ol id=sent>%(sent)s</ol>%(captcha)s<input id=text><button id=send>Send</button>
<script>
  document.getElementById('robot')?.addEventListener('click', () => {
    fetch('/human');
    document.getElementById('captcha').remove();
  });
  document.getElementById('send').onclick = async () => {
    const text = document.getElementById('text').value;
    await fetch('/sent', {method: 'POST', body: JSON.stringify({text})});
    const item = document.createElement('li');
    item.textContent = text;
    document.getElementById('sent').append(item);
  };
</script>"""

# In the page alone; and one that is passed for all pages, by a cookie.
CAPTCHA = "<div id=captcha><button id=robot style='position:fixed;left:300px;top:300px'>I am no robot</button></div>"
CHALLENGE = """<title>challenge</title><div id=challenge><button style='position:fixed;left:300px;top:300px'
onclick="document.cookie = 'human=1; path=/; max-age=86400'; location.reload()">I am no robot</button></div>"""
# Where the button is, CSS px.
ROBOT = (340, 320)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers from the platform."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Keeps stderr quiet."""

    def respond(self, body, status=200, content_type="text/html; charset=utf-8", headers=()):
        """Sends one complete answer."""
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(data)

    def go(self, where, cookie=None):
        """Sends the browser elsewhere."""
        headers = [("Location", where)]
        if cookie:
            headers.append(("Set-Cookie", f"login={cookie}; Path=/; HttpOnly"))
        self.respond("", 303, headers=headers)

    @property
    def platform(self):
        """What it answers for."""
        return self.server.platform

    def user(self):
        """Who is logged in."""
        cookies = self.headers.get("Cookie", "")
        for part in cookies.split(";"):
            name, _, value = part.strip().partition("=")
            if name == "login":
                return self.platform.logins.get(value)
        return None

    def do_GET(self):
        """Pages."""
        platform, path = self.platform, urlsplit(self.path).path
        # A browser asks for the icon when it likes.
        if path not in ("/shown", "/focused", "/favicon.ico"):
            platform.visits.append(path)
        platform.seen.append((path, time.time()))
        if path == "/shown":
            platform.shown = urlsplit(self.path).query
            return self.respond("")
        if path == "/focused":
            platform.focused = urlsplit(self.path).query
            return self.respond("")
        if platform.mood == "busy":
            return self.respond(HEAD + "<p>Please slow down.", 429)
        if path == "/login":
            told = "<script>addEventListener('focusin', (on) => fetch('/focused?' + on.target.name));"
            told += "fetch('/shown?' + [innerWidth, navigator.maxTouchPoints, 'ontouchstart' in window])</script>"
            form = f"<title>log in</title>{told}<form id=login method=post><input name=user placeholder=User>"
            return self.respond(HEAD + form + "<input name=password type=password><button>Log in</button></form>")
        if path == "/code":
            form = "<title>code</title><form id=login method=post><input name=code autofocus><button>Go on</button>"
            return self.respond(HEAD + form)
        user = self.user()
        if path == "/logout":
            platform.logins = {key: who for key, who in platform.logins.items() if who != user}
            return self.go("/login")
        if path == "/human":
            platform.humans += 1
            return self.respond("")
        if path == "/form":
            captcha = CAPTCHA if platform.mood == "captcha" else ""
            sent = "".join(f"<li>{html.escape(text)}</li>" for text in platform.sent)
            return self.respond(HEAD + FORM % {"sent": sent, "captcha": captcha})
        if platform.mood == "challenge" and path != "/login" and "human=1" not in self.headers.get("Cookie", ""):
            return self.respond(HEAD + CHALLENGE)
        if path == "/open":
            return self.respond(HEAD + "<title>open</title><p id=said>open to all</p>")
        if user is None:
            return self.go("/login")
        if path == "/":
            odd = platform.mood == "changed"
            mark = "<p id=somebody>" if odd else "<p id=avatar>"
            return self.respond(f"{HEAD}<title>home</title>{mark}{html.escape(user)}</p><a href=/logout>Log out</a>")
        renamed = "2" if platform.mood in ("renamed", "reworded", "unlike") else ""
        words = {"comment": "Comment", "press": "Post comment"}
        if platform.mood == "reworded":
            words = {"comment": "Comments", "press": "Post your comment"}
        if platform.mood == "unlike":
            words["press"] = "Send it off"
        items = "".join(
            f'<li data-id="{c["id"]}" data-text="{html.escape(c["text"])}" data-at="{html.escape(c["at"])}">'
            f'<a href="{c["permalink"]}">{html.escape(c["text"])}</a>'
            for c in platform.comments
            if c["video"] == path and not platform.hidden
        )
        names = {name: name + renamed for name in ("text", "at", "post")}
        return self.respond(HEAD + VIDEO % {"user": html.escape(user), "comments": items, **names, **words})

    def do_POST(self):
        """Logins and comments."""
        platform, path = self.platform, urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if path == "/login":
            if form.get("password") != PASSWORD:
                return self.go("/login")
            platform.half[form["user"]] = True
            return self.go("/code?" + form["user"]) if platform.has_code else self.enter(form["user"])
        if path == "/code":
            user = urlsplit(self.path).query
            is_right = form.get("code") == CODE and platform.half.get(user)
            return self.enter(user) if is_right else self.go("/login")
        if path == "/sent":
            platform.sent.append(json.loads(body)["text"])
            platform.answering.wait(30)
            return self.respond("{}", content_type="application/json")
        if self.user() is None:
            return self.respond("{}", 401, "application/json")
        wanted, video = json.loads(body), path.removesuffix("/comments")
        comment = {"video": video, "text": wanted["text"], "at": wanted["at"]}
        with platform.lock:
            comment["id"] = f"c{len(platform.comments) + 1}"
            comment["permalink"] = platform.url(f"{video}#{comment['id']}")
            if not platform.swallows:
                platform.comments.append(comment)
        platform.posted.set()
        platform.answering.wait(30)
        told = {**comment, "hidden": platform.hidden or platform.swallows}
        return self.respond(json.dumps(told), content_type="application/json")

    def enter(self, user):
        """Lets somebody in."""
        key = secrets.token_hex(8)
        self.platform.logins[key] = user
        self.go("/", cookie=key)


class Platform:
    """The platform, on loopback."""

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.platform = self
        self.logins, self.half, self.comments, self.visits, self.seen = {}, {}, [], [], []
        self.mood, self.has_code, self.focused = "", False, None
        self.hidden = self.swallows = False
        self.sent, self.humans, self.shown = [], 0, ""
        self.lock, self.posted, self.answering = threading.Lock(), threading.Event(), threading.Event()
        self.answering.set()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path="/"):
        """An address of it."""
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"

    def close(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()

    def texts(self):
        """What the comments say."""
        return [comment["text"] for comment in self.comments]

    def settings(self):
        """The platform in the service's settings."""
        return f"""
[platforms.local]
label = "Local"
url = "{self.url("/")}"
login_url = "{self.url("/login")}"
logged_in = "#avatar"
login_page = "#login"
challenge = "#challenge"
slow_down = "please slow down"

[platforms.local.workflows.post_note]
page = "${{video_url}}"
needs_login = true
seen = '''
  const mine = [...document.querySelectorAll('#comments li')].findLast((item) =>
    item.dataset.text === args.text && item.dataset.at === String(args.timestamp));
  return mine ? {{comment_id: mine.dataset.id, permalink: mine.querySelector('a').href, status: 'posted'}} : null;
'''
[[platforms.local.workflows.post_note.steps]]
action = "fill"
on = ["#text", 'role=textbox[name="Comment"]']
params = {{ text = "${{text}}" }}
timeout_ms = 2000
[[platforms.local.workflows.post_note.steps]]
action = "fill"
on = ["#at", 'role=textbox[name="At"]']
params = {{ text = "${{timestamp}}" }}
timeout_ms = 2000
[[platforms.local.workflows.post_note.steps]]
action = "click"
on = ["#post", 'role=button[name="Post comment"]']
about = "the button that posts the comment"
effect = true
timeout_ms = 2000

[platforms.local.workflows.read]
page = "{self.url("/open")}"
seen = "return document.querySelector('#said')?.textContent ?? null"
[[platforms.local.workflows.read.steps]]
action = "wait"
params = {{ for = {{ selector = "#said" }} }}

[platforms.local.workflows.form]
page = "{self.url("/form")}"
seen = "return [...document.querySelectorAll('#sent li')].some((it) => it.textContent === args.text) ? args.text : null"
[[platforms.local.workflows.form.steps]]
action = "fill"
on = ["#text"]
params = {{ text = "${{text}}" }}
[[platforms.local.workflows.form.steps]]
action = "request_human"
on = ["#captcha"]
params = {{ reason = "Show that ${{text}} is sent by no robot." }}
[[platforms.local.workflows.form.steps]]
action = "click"
on = ["#send"]
effect = true

[platforms.local.workflows.twice]
page = "{self.url("/form")}"
seen = '''
  const sent = [...document.querySelectorAll('#sent li')].map((it) => it.textContent);
  return sent.includes(args.text + '!') ? 'twice' : null;
'''
[[platforms.local.workflows.twice.steps]]
action = "fill"
on = ["#text"]
params = {{ text = "${{text}}" }}
[[platforms.local.workflows.twice.steps]]
action = "click"
on = ["#send"]
effect = true
[[platforms.local.workflows.twice.steps]]
action = "request_human"
params = {{ reason = "Confirm it by phone" }}
[[platforms.local.workflows.twice.steps]]
action = "fill"
on = ["#text"]
params = {{ text = "${{text}}!" }}
[[platforms.local.workflows.twice.steps]]
action = "click"
on = ["#send"]
effect = true

[platforms.local.workflows.slow]
page = "{self.url("/open")}"
seen = "return args.word"
[[platforms.local.workflows.slow.steps]]
action = "wait"
params = {{ seconds = 2 }}
"""


@contextlib.contextmanager
def platform():
    """A platform that ends with its block."""
    made = Platform()
    try:
        yield made
    finally:
        made.close()
