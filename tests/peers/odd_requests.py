"""Requests that two readers might understand differently: (category, bytes), the same ones in every run.

Each category bends one part of a request; `mixed` bends two at once. A request is complete or breaks off; who
sends it says that it sends no more.
"""
import random

BODY = b"a=1&b=22"

METHODS = [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"get", b"Get", b"CONNECT", b"TRACE", b"PROPFIND", b"M-SEARCH", b"QUERY",
           b"", b" GET", b"G ET", b"GET\x00", b"GET\t", b"G\xc3\x89T", b"GET:", b"PRI", b"X" * 40, b"X" * 300, b"GE\x7fT", b"POST\r", b"\"GET\"", b"G{T"]
VERSIONS = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/3", b"http/1.1", b"HTTP/1.1 ", b"HTTP/01.1", b"HTTP/1.01",
            b"HTTP/1.10", b"HTTP/1,1", b"HTTP/11", b"HTTP/-1.1", b"HTTP/1", b"HTTP/", b"HTTQ/1.1", b"", b"HTTP/1.1\t", b" HTTP/1.1", b"HTTP/1.1x", b"HTTP /1.1",
            b"HTTP/ 1.1", b"HTTP/1.1\x00", b"HTTPS/1.1"]
TARGETS = [b"/", b"/a", b"/a/", b"/a/b", b"/a//b", b"//a", b"///", b"/a/.", b"/a/./b", b"/a/..", b"/a/../b", b"/..", b"/../a", b"/a/b/../../c", b"/a/...", b"/a/.b",
           b"/%2e/a", b"/a/%2e%2e/b", b"/a/.%2e/b", b"/a%2fb", b"/a%2Fb", b"/a%5cb", b"/a\\b", b"/a;x=1", b"/a;x/b", b"/a;/../b", b"/%61", b"/%41", b"/a%20b",
           b"/a%00", b"/a%0d%0ab", b"/a%0a", b"/a%09", b"/a%7f", b"/a%c3%a9", b"/a\xc3\xa9", b"/a%ff", b"/a%c0%ae", b"/a%c0%ae%c0%ae/b", b"/a%e0%80%af", b"/a%u002e",
           b"/a%2", b"/a%", b"/a%zz", b"/a%252e", b"/a%25", b"/a%252fb", b"/a+b", b"/a*b", b"/a,b", b"/a:b", b"/a@b", b"/a=b", b"/a&b", b"/a$b", b"/a!b", b"/a'b",
           b"/a(b)", b"/a~b", b"/a_b", b"/a-b", b"/a.b", b"/a\"b", b"/a<b>", b"/a{b}", b"/a|b", b"/a^b", b"/a`b", b"/a[b]", b"/a%7eb", b"/a?", b"/a?x", b"/a?x=1&y=2",
           b"/a?x=%2e%2e/%2f", b"/a?x=/../b", b"/a??", b"/a?x=a b", b"/a?x=\xff", b"/a?x={}", b"/a?x=|", b"/a#f", b"/a?x#f", b"#", b"", b"*", b"a", b"a/b", b"?x", b"\\a",
           b"http://gate.test/a", b"http://gate.test", b"http://gate.test/a/../b", b"http://GATE.test/a", b"http://other.test/a", b"http://gate.test:80/a", b"https://gate.test/a",
           b"ftp://gate.test/a", b"http:///a", b"http://u:p@gate.test/a", b"http:/a", b"//gate.test/a", b"/http://gate.test/a", b"gate.test:443", b"/a\tb", b"/a\x01b", b"/a\x00b",
           b"/a\x7fb", b"/" + b"a" * 4000, b"/" + b"a" * 8180, b"/" + b"a" * 9000, b"/" + b"a/" * 30, b"/" + b"a/" * 40, b"/?" + b"q" * 4000, b"/a b", b"/a  b", b" /a"]
HOSTS = [b"gate.test", b"GATE.test", b"gate.test:80", b"gate.test:", b"gate.test:0", b"gate.test:99999", b"gate.test:http", b"gate.test:80:80", b"gate.test.", b"gate..test", b".gate.test",
         b"gate_x.test", b"-gate.test", b"", b" ", b"gate.test, other.test", b"gate.test other.test", b"u@gate.test", b"u:p@gate.test", b"gate.test/", b"gate.test/a", b"gate.test?x",
         b"gate.test#", b"http://gate.test", b"[::1]", b"[::1]:80", b"[::1", b"::1", b"127.0.0.1", b"0x7f.1", b"127.0.0.1:80", b"ga\xc3\xa9te.test", b"gate.test\x00", b"gate.test\x01",
         b"gate%2etest", b"\"gate.test\"", b"gate.test;x", b"xn--gte-bla.test", b"a" * 300, b"gate.test\\x", b"<gate>", b"gate.test|x"]
HOST_LINES = [[], [b"Host: gate.test", b"Host: gate.test"], [b"Host: gate.test", b"Host: other.test"], [b"host: gate.test"], [b"HOST:gate.test"], [b"Host : gate.test"], [b" Host: gate.test"],
              [b"Host:\tgate.test"], [b"Host: gate.test "], [b"Host gate.test"], [b"Host: gate.test", b"X-Forwarded-Host: other.test"], [b"Host: gate.test", b":authority: other.test"]]
NAMES = [b"X-Plain", b"x-lower", b"X_Under", b"X-Gatewarden_Assertion", b"X Space", b"X-Trail ", b"X-Tab\t", b" X-Lead", b"\tX-Lead", b"", b"X\x00Y", b"X\x01Y", b"X\xc3\xa9", b"X(Y)", b"X/Y",
         b"X@Y", b"X[Y]", b"X{Y}", b"X\"Y", b"X,Y", b"X;Y", b"X<Y>", b"X=Y", b"X?Y", b"X\\Y", b"X!Y", b"X#Y", b"X$Y", b"X%Y", b"X&Y", b"X'Y", b"X*Y", b"X+Y", b"X.Y", b"X^Y", b"X`Y", b"X|Y",
         b"X~Y", b"0", b"-", b"N" * 300, b"Content-Type", b"Cookie", b"Date", b"Range", b"If-None-Match", b"Via", b"Warning", b"Pragma", b"Max-Forwards", b"Accept-Encoding"]
VALUES = [b"plain", b"", b" ", b"\t", b" both ", b"a\tb", b"a\x00b", b"a\x01b", b"a\x0bb", b"a\x0cb", b"a\x1bb", b"a\x7fb", b"a\x80b", b"a\xffb", b"\xc3\xa9", b"a\rb", b"a\r", b"\r", b"a\nb: c", b"a\r b",
          b"v" * 4000, b"v" * 20000, b"\"quoted\"", b"a,b", b"a;b=c", b"a:b", b"%0d%0aX: y", b"\\r\\n", b"<script>", b"a\x85b"]
ENDINGS = [(b"\r\n", b""), (b"\n", b""), (b"\r", b""), (b"\r\r\n", b""), (b"\n\r", b""), (b"\r\n", b"\r\n"), (b"\r\n", b"\r\n\r\n"), (b"\r\n", b"\n"), (b"\n", b"\n"), (b"\r\n", b" "), (b"\r\n", b"\t"), (b"\r\n", b"\x00"),
           (b"\r\n", b"\xef\xbb\xbf"), (b"\r\n", b"\r")]
LENGTHS = [b"8", b"08", b"0000000008", b"+8", b"-8", b"0x8", b"8.0", b"8e0", b"1_0", b"", b" ", b"8 8", b"8, 8", b"8,8", b"8, 9", b"9", b"7", b"0", b"100", b"18446744073709551616", b"18446744073709551624",
           b"9223372036854775808", b"99999999999999999999999", b"8;", b"8\t", b"eight", b"8\x00", b"\x0b8", b"8\x0b", b"8,", b",8", b"\xef\xbc\x98", b"1e1", b"0b1000", b"8\r", b"-0", b"+0", b"00"]
LENGTH_LINES = [[b"8", b"8"], [b"8", b"9"], [b"9", b"8"], [b"0", b"8"], [b"8", b""], [b"8", b"x"]]
CODINGS = [b"chunked", b"Chunked", b"CHUNKED", b" chunked ", b"chunked ", b"\tchunked", b"\x0bchunked", b"chunked\x0b", b"\xa0chunked", b"xchunked", b"chunkedx", b"chunk", b"identity", b"gzip", b"gzip, chunked",
           b"chunked, gzip", b"chunked, identity", b"identity, chunked", b"chunked, chunked", b"chunked,", b",chunked", b"", b"\"chunked\"", b"chunked;x", b"chunked; q=1", b"ch\x00unked", b"chunked\r", b"cow",
           b"deflate", b"compress, chunked", b"chunked\x00", b"trailers"]
CHUNKED = b"8\r\n" + BODY + b"\r\n0\r\n\r\n"
CHUNKS = [CHUNKED, b"08\r\n" + BODY + b"\r\n0\r\n\r\n", b"8 \r\n" + BODY + b"\r\n0\r\n\r\n", b" 8\r\n" + BODY + b"\r\n0\r\n\r\n", b"0x8\r\n" + BODY + b"\r\n0\r\n\r\n", b"+8\r\n" + BODY + b"\r\n0\r\n\r\n",
          b"-8\r\n" + BODY + b"\r\n0\r\n\r\n", b"0_8\r\n" + BODY + b"\r\n0\r\n\r\n", b"8;x\r\n" + BODY + b"\r\n0\r\n\r\n", b"8;x=y\r\n" + BODY + b"\r\n0\r\n\r\n", b"8;x=\"y\"\r\n" + BODY + b"\r\n0\r\n\r\n",
          b"8;x=\"\r\n" + BODY + b"\r\n0\r\n\r\n", b"8;\nx\r\n" + BODY + b"\r\n0\r\n\r\n", b"8;a\rb\r\n" + BODY + b"\r\n0\r\n\r\n", b"8;\x00\r\n" + BODY + b"\r\n0\r\n\r\n", b"8;" + b"x" * 5000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
          b"8\n" + BODY + b"\n0\n\n", b"8\r\n" + BODY + b"\n0\r\n\r\n", b"8\r\n" + BODY + b"0\r\n\r\n", b"8\r\n" + BODY + b"XX0\r\n\r\n", b"8\r\n" + BODY + b"\r\n0\r\n", b"8\r\n" + BODY + b"\r\n0", b"8\r\n" + BODY + b"\r\n",
          b"8\r\n" + BODY, b"8\r\n" + BODY[:4], b"9\r\n" + BODY + b"\r\n0\r\n\r\n", b"7\r\n" + BODY + b"\r\n0\r\n\r\n", b"0\r\n\r\n", b"00\r\n\r\n", b"000000000000000008\r\n" + BODY + b"\r\n0\r\n\r\n",
          b"FFFFFFFFFFFFFFFF\r\n" + BODY + b"\r\n0\r\n\r\n", b"10000000000000000\r\n" + BODY + b"\r\n0\r\n\r\n", b"10000000000000008\r\n" + BODY + b"\r\n0\r\n\r\n", b"G\r\n" + BODY + b"\r\n0\r\n\r\n", b"\r\n\r\n",
          b"8\r\n" + BODY + b"\r\n0\r\nX-Trailer: t\r\n\r\n", b"8\r\n" + BODY + b"\r\n0\r\nContent-Length: 5\r\n\r\n", b"8\r\n" + BODY + b"\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
          b"8\r\n" + BODY + b"\r\n0\r\nHost: other.test\r\n\r\n", b"8\r\n" + BODY + b"\r\n0\r\nX-Gatewarden-Assertion: forged\r\n\r\n", b"8\r\n" + BODY + b"\r\n0\r\nbad trailer\r\n\r\n",
          b"8\r\n" + BODY + b"\r\n0\r\nX: a\nY: b\r\n\r\n", b"4\r\na=1&\r\n4\r\nb=22\r\n0\r\n\r\n", b"A\r\na=1&b=2345\r\n0\r\n\r\n", b"a\r\na=1&b=2345\r\n0\r\n\r\n", b"8\r\r\n" + BODY + b"\r\n0\r\n\r\n", b"8\x00\r\n" + BODY + b"\r\n0\r\n\r\n",
          b"8\t\r\n" + BODY + b"\r\n0\r\n\r\n", b"\xb8\r\n" + BODY + b"\r\n0\r\n\r\n", b"8\r\n" + BODY + b"\r\n0;last\r\n\r\n"]
CONNECTIONS = [b"close", b"keep-alive", b"Close", b"keep-alive, close", b"close, keep-alive", b"X-Plain", b"x-plain, close", b"X-Gatewarden-Assertion", b"Host", b"host, close", b"Content-Length", b"Transfer-Encoding",
               b"Cookie, Authorization", b"", b",", b",,close", b"upgrade", b"te", b"close\x00", b"\"close\"", b"traceparent", b"X-Forwarded-For", b"close;x", b"TE, X-Plain", b"connection"]
EXPECTS = [b"100-continue", b"100-Continue", b"100-continue, x", b"200-ok", b"", b"100", b"100-continue;x", b"100-continue\x00"]
UPGRADES = [[b"Upgrade: websocket", b"Connection: Upgrade"], [b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABkAAQAAP__"], [b"Upgrade: websocket"], [b"Upgrade: x/1, y/2", b"Connection: upgrade"],
            [b"Upgrade:", b"Connection: upgrade"], [b"Upgrade: TLS/1.2", b"Connection: Upgrade"], [b"Upgrade: websocket", b"Upgrade: h2c", b"Connection: Upgrade"]]
FORGED = [b"X-Gatewarden-Assertion", b"x-gatewarden-assertion", b"X-GATEWARDEN-ASSERTION", b"X-Pomerium-Jwt-Assertion", b"X-Auth-Request-User", b"X-Auth-Request-Email", b"X-Auth-Request-Groups", b"X-Forwarded-User",
          b"X-Forwarded-Email", b"X-Forwarded-Groups", b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"Forwarded", b"X-Real-IP", b"X-MS-CLIENT-PRINCIPAL", b"X-MS-CLIENT-PRINCIPAL-ID",
          b"X-MS-CLIENT-PRINCIPAL-NAME", b"Remote-User", b"X-Remote-User", b"X-Original-URL", b"X-Original-URI", b"X-Rewrite-URL", b"X-HTTP-Method-Override", b"X-Forwarded_User", b"X_Forwarded_User", b"True-Client-IP",
          b"Proxy-Authorization", b"Proxy-Connection", b"Proxy", b"Keep-Alive", b"TE", b"Trailer", b"Te"]
SECOND = b"GET /second HTTP/1.1\r\nHost: gate.test\r\n\r\n"
GLUED = [b"GET /a HTTP/1.1\r\nHost: gate.test\r\n\r\n" + SECOND, b"POST /a HTTP/1.1\r\nHost: gate.test\r\nContent-Length: 8\r\n\r\n" + BODY + SECOND,
         b"POST /a HTTP/1.1\r\nHost: gate.test\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED + SECOND,
         b"POST /a HTTP/1.1\r\nHost: gate.test\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", b"POST /a HTTP/1.1\r\nHost: gate.test\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED + SECOND,
         b"POST /a HTTP/1.1\r\nHost: gate.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 42\r\n\r\n0\r\n\r\n" + SECOND, b"GET /a HTTP/1.1\r\nHost: gate.test\r\nContent-Length: 41\r\n\r\n" + SECOND,
         b"GET /a HTTP/1.1\r\nHost: gate.test\r\n\r\n\r\n\r\n" + SECOND, b"POST /a HTTP/1.1\r\nHost: gate.test\r\nContent-Length: 8\r\n\r\n" + BODY + b"\r\n" + SECOND,
         b"GET /a HTTP/1.0\r\nHost: gate.test\r\n\r\n" + SECOND, b"GET /a HTTP/1.0\r\nHost: gate.test\r\nConnection: keep-alive\r\n\r\n" + SECOND, b"GET /a HTTP/1.1\r\nHost: gate.test\r\nConnection: close\r\n\r\n" + SECOND,
         b"POST /a HTTP/1.1\r\nHost: gate.test\r\nContent-Length: 8\r\nContent-Length: 0\r\n\r\n" + SECOND[:8], b"POST /a HTTP/1.1\r\nHost: gate.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SECOND,
         b"GET /a HTTP/1.1\r\nHost: gate.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + SECOND, b"GET /a\r\n" + SECOND, b"GET /a HTTP/1.1\r\nHost: gate.test\r\nX: " + b"\r\n\r\n" + SECOND]


class Request:
    """One request in parts, each of which can be bent."""

    def __init__(self, random_):
        self.has_body = random_.random() < 0.4
        self.method = b"POST" if self.has_body else b"GET"
        self.target, self.version = b"/a/b", b"HTTP/1.1"
        self.host = [b"Host: gate.test"]
        self.lines, self.body = [b"X-Plain: 1"], b""
        self.framing = [b"Content-Length: 8"] if self.has_body else []
        self.body = BODY if self.has_body else b""
        self.ending, self.before = b"\r\n", b""

    def chunked(self, coding=b"chunked", body=CHUNKED):
        self.method, self.framing, self.body = b"POST", [b"Transfer-Encoding: " + coding], body

    def text(self):
        lines = [b" ".join(p for p in (self.method, self.target, self.version) if p or p is self.target)] + self.host + self.lines + self.framing
        return self.before + self.ending.join(lines) + self.ending * 2 + self.body


def bend_method(q, r):
    q.method = r.choice(METHODS)


def bend_version(q, r):
    q.version = r.choice(VERSIONS)


def bend_target(q, r):
    q.target = r.choice(TARGETS)
    if r.random() < 0.3:
        q.target = b"".join(b"%%%02x" % c if r.random() < 0.1 and c != 0x25 else bytes([c]) for c in q.target[:200])


def bend_host(q, r):
    q.host = r.choice(HOST_LINES) if r.random() < 0.3 else [b"Host: " + r.choice(HOSTS)]


def bend_name(q, r):
    q.lines.append(r.choice(NAMES) + b": 1")


def bend_value(q, r):
    q.lines.append(b"X-Odd:" + r.choice([b" ", b""]) + r.choice(VALUES))


def bend_line(q, r):
    q.lines.append(r.choice([b"X-Fold: a\r\n b", b"X-Fold: a\r\n\tb", b"no colon", b":", b"=", b"X-Twice: 1\r\nX-Twice: 2", b"\x00", b"X-Nul\x00: 1", b" ", b"X-Many: 1\r\n" * 90 + b"X: 1", b"X-Many: 1\r\n" * 120 + b"X: 1",
                             b"Authorization: Basic eDp5", b"Cookie: a=b\r\nCookie: c=d", b"Content-Encoding: gzip", b"Referer: http://x.test/"]))


def bend_ending(q, r):
    q.ending, q.before = r.choice(ENDINGS)


def bend_length(q, r):
    q.method, q.body = b"POST", BODY
    q.framing = [b"Content-Length: " + v for v in (r.choice(LENGTH_LINES) if r.random() < 0.25 else [r.choice(LENGTHS)])]


def bend_coding(q, r):
    q.chunked(r.choice(CODINGS))
    if r.random() < 0.3:
        q.framing.insert(r.choice([0, 1]), b"Content-Length: " + r.choice([b"8", b"0", b"5", b"30"]))
    if r.random() < 0.2:
        q.framing.append(b"Transfer-Encoding: " + r.choice(CODINGS))
    if r.random() < 0.1:
        q.version = b"HTTP/1.0"


def bend_chunks(q, r):
    q.chunked(body=r.choice(CHUNKS))


def bend_connection(q, r):
    q.lines.append(b"Connection: " + r.choice(CONNECTIONS))


def bend_expect(q, r):
    q.lines.append(b"Expect: " + r.choice(EXPECTS))


def bend_upgrade(q, r):
    q.lines += r.choice(UPGRADES)


def bend_identity(q, r):
    q.lines.append(r.choice(FORGED) + b": forged")


BENDS = {"method": bend_method, "version": bend_version, "target": bend_target, "host": bend_host, "field name": bend_name, "field value": bend_value, "field line": bend_line,
         "line ending": bend_ending, "Content-Length": bend_length, "Transfer-Encoding": bend_coding, "chunks": bend_chunks, "Connection": bend_connection, "Expect": bend_expect,
         "Upgrade": bend_upgrade, "identity": bend_identity}


def flip(text, r):
    """One byte of a good request changed, dropped or doubled."""
    at = r.randrange(len(text))
    what = r.randrange(3)
    return text[:at] + (bytes([r.randrange(256)]) if what == 0 else b"" if what == 1 else text[at:at + 1] * 2) + text[at + 1:]


def odd_requests(count, seed=20):
    r = random.Random(seed)
    seen = {}
    for text in GLUED:
        seen.setdefault(text, "glued")
    names = list(BENDS)
    while len(seen) < count:
        q = Request(r)
        kind = r.random()
        if kind < 0.12:
            seen.setdefault(flip(q.text(), r), "one byte")
            continue
        chosen = [r.choice(names)] if kind < 0.5 else r.sample(names, 2)
        for name in chosen:
            BENDS[name](q, r)
        seen.setdefault(q.text(), chosen[0] if len(chosen) == 1 else "mixed")
    return [(category, text) for text, category in seen.items()]
