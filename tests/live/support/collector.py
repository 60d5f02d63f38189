"""What watches services: a collector of OTLP, and a project of Sentry's protocol, read by the official libraries."""

import http.server
import threading

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sentry_sdk.envelope import Envelope


def value(any_value):
    """What an attribute says."""
    return getattr(any_value, any_value.WhichOneof("value"))


def attributes(pairs):
    """Attributes as a dictionary."""
    return {pair.key: value(pair.value) for pair in pairs}


class Watcher:
    """Hears whatever is posted."""

    def __init__(self):
        watcher = self
        self.spans, self.metrics, self.reports, self.resources, self.headers = [], [], [], [], []
        self.is_away, self.raw = False, []

        class Handler(http.server.BaseHTTPRequestHandler):
            """One request."""

            def log_message(self, *_):
                """Keeps stderr quiet."""

            def do_POST(self):
                """Takes what it is told."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = 503 if watcher.is_away else 200
                if status == 200:
                    watcher.headers.append(dict(self.headers))
                    watcher.raw.append(body)
                    watcher.take(self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.dsn = f"http://hushkey@127.0.0.1:{self.port}/42"

    def take(self, path, body):
        """Reads a request."""
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append(attributes(resource.resource.attributes))
                for scope in resource.scope_spans:
                    self.spans.extend(scope.spans)
        elif path == "/v1/metrics":
            told = {}
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.resources.append(attributes(resource.resource.attributes))
                for scope in resource.scope_metrics:
                    told.update({metric.name: metric for metric in scope.metrics})
            self.metrics.append(told)
        else:
            assert path == "/api/42/envelope/", path
            for item in Envelope.deserialize(body).items:
                self.reports.append(item.get_event())

    def close(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()
