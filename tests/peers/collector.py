"""A collector of OpenTelemetry: what it is sent must parse as the official protobuf messages (opentelemetry-proto).

OTLP's JSON form has ids in hex where protobuf's has base64 (OTLP specification, "JSON Protobuf Encoding"): that,
and nothing else, is changed before it is parsed; unknown fields are errors.
"""
import base64
import http.server
import json
import re
import threading

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}


def with_base64_ids(value):
    if isinstance(value, list):
        return [with_base64_ids(v) for v in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for name, v in value.items():
        if name in IDS:
            if not re.fullmatch(f"[0-9a-f]{{{IDS[name]}}}", v):
                raise ValueError(f"{name} is not an id: {v!r}")
            v = base64.b64encode(bytes.fromhex(v)).decode()
        out[name] = with_base64_ids(v)
    return out


def attributes_of(thing):
    """{key: value} of a span, a point or a resource."""
    out = {}
    for a in thing.attributes:
        if a.key in out:
            raise ValueError(f"{a.key} stands twice")
        out[a.key] = getattr(a.value, a.value.WhichOneof("value"))
    return out


class Collector(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.requests = []  # (path, headers)
        self.traces, self.metrics = [], []
        self.wrong = []
        self.answers = []  # (status, headers, body) of the next ones; then 200
        self.lock = threading.Lock()
        self.wait = threading.Event()
        self.wait.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self):
        with self.lock:
            return [s for t in self.traces for r in t.resource_spans for c in r.scope_spans for s in c.spans]

    def span(self, **wanted):
        """The spans that have these attributes; dots are written as two underscores."""
        wanted = {k.replace("__", "."): v for k, v in wanted.items()}
        return [s for s in self.spans() if wanted.items() <= attributes_of(s).items()]

    def handle_error(self, *_):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self):
        of, server = {"/v1/traces": (ExportTraceServiceRequest, self.server.traces),
                      "/v1/metrics": (ExportMetricsServiceRequest, self.server.metrics)}.get(self.path), self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.wait.wait(30)
        with server.lock:
            status, headers, answer = server.answers.pop(0) if server.answers and self.path == "/v1/traces" else (200, {}, b"{}")
            server.requests.append((self.path, dict(self.headers)))
            if status == 200:
                try:
                    message = json_format.ParseDict(with_base64_ids(json.loads(body)), of[0]())
                    of[1].append(message)
                except Exception as e:  # noqa: BLE001 - whatever it is, it is not OTLP
                    server.wrong.append(f"{self.path}: {e!r}: {body[:200]!r}")
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)
        self.wfile.flush()

    def log_message(self, *_):
        pass
