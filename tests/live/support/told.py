"""Where an operator is told: a webhook and a mail server."""

import email
import http.server
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Hook:
    """A webhook, which believes what the specification's own library does."""

    def __init__(self):
        hook = self
        self.heard, self.refused, self.answers = [], [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            """One request."""

            def log_message(self, *_):
                """Keeps stderr quiet."""

            def do_POST(self):
                """Takes a notice, or says what the test wants."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.answers:
                    hook.refused.append(self.headers["webhook-id"])
                    return self.answer(hook.answers.pop(0))
                notice = Webhook(SECRET).verify(body, dict(self.headers))
                hook.heard.append((self.headers["webhook-id"], notice))
                return self.answer(204)

            def answer(self, status):
                """Answers without a body."""
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?token=hush-hush"

    def close(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()


class Mailbox:
    """A mail server that keeps what it is sent, by whoever has logged in."""

    def __init__(self, port):
        self.mails, self.logins = [], []
        more = {"authenticator": self.log_in, "auth_required": True, "auth_require_tls": False}
        self.controller = Controller(self, hostname="127.0.0.1", port=port, **more)
        self.controller.start()
        self.url = f"smtp://127.0.0.1:{port}"

    def log_in(self, _server, _session, _envelope, _mechanism, told):
        """Lets in who says the right words."""
        self.logins.append((told.login.decode(), told.password.decode()))
        return AuthResult(success=told.password == b"hush-hush")

    async def handle_DATA(self, _server, _session, envelope):
        """Keeps one."""
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, email.message_from_bytes(envelope.content)))
        return "250 OK"

    def close(self):
        """Ends it."""
        self.controller.stop()
