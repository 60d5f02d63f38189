"""The web that the tested browser sees: a few pages on loopback."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOME = """<!doctype html><title>Home</title>
<style>#tall { height: 3000px } #pick { width: 120px; height: 40px; background: silver }</style>
<button id="press" onclick="say('clicked')" ondblclick="say('twice')">Press</button>
<button id="over" onmouseover="say('over')">Over</button>
<button id="late" onclick="setTimeout(() => say('later'), 300)">Late</button>
<button id="ask" onclick="say(String(confirm('Sure?')))">Ask</button>
<label>Field <input id="field" value="old" onkeydown="if (event.key == 'Enter') say('entered')"></label>
<label>List <select id="list" onchange="say(this.value)">
  <option value="a">Ay<option value="b">Bee</select></label>
<label>Many <select id="many" multiple><option>one<option>two<option>three</select></label>
<label><input type="checkbox" id="tick" onchange="say('tick ' + this.checked)">Tick</label>
<label>Stubborn <input type="checkbox" id="stubborn" onclick="return false"></label>
<label>File
  <input type="file" id="file" multiple onchange="say([...this.files].map(f => f.name).join())"></label>
<a id="other" href="/other">Other</a> <a id="save" href="/file.txt" download>Save</a>
<div id="pick" draggable="true" ondragstart="event.dataTransfer.setData('text', 'pick')">Pick</div>
<button id="drop" ondragover="event.preventDefault()" ondrop="say('dropped')">Drop here</button>
<p id="said"></p><div id="tall"></div>
<script>
const say = (text) => { document.querySelector('#said').textContent = text };
console.log('home is here');
</script>"""

PAGES = {
    "/": ("text/html", HOME),
    "/other": ("text/html", "<!doctype html><title>Other</title><h1>Another page</h1>"),
    "/file.txt": ("application/octet-stream", "what the file holds"),
}


class Site(ThreadingHTTPServer):
    """The pages, served from a thread."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def end(self) -> None:
        """Closes the port."""
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave together: by themselves, the second one would wait for the first one's receipt.
    wbufsize = -1

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        kind, text = PAGES.get(path, ("text/plain", "nothing"))
        body = text.encode()
        self.send_response(200 if path in PAGES else 404)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""
