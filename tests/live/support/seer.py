"""A model that sees: a local server of the chat completions protocol that says what a test wants."""

import base64
import http.server
import json
import threading


class Seer:
    """Writes down what it is asked."""

    def __init__(self):
        seer = self
        self.asked, self.says = [], ""

        class Handler(http.server.BaseHTTPRequestHandler):
            """One question."""

            def log_message(self, *_):
                """Keeps stderr quiet."""

            def do_POST(self):
                """Answers."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                text, picture = body["messages"][-1]["content"]
                data = picture["image_url"]["url"].partition(",")[2]
                seer.asked.append((text["text"], base64.b64decode(data)))
                message = {"role": "assistant", "content": seer.says}
                answer = json.dumps({"model": "seer-1", "choices": [{"message": message}]}).encode()
                self.send_response(503 if seer.says is None else 200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.settings = {"GHOSTCAST_VISION__URL": url, "GHOSTCAST_VISION__MODEL": "seer-1"}

    def close(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()
