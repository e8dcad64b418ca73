"""Why the gate and another proxy differ: one row for each kind of difference that test_differential.py may find.

A row stands for what its pattern fits and for nothing else: a kind that no row fits is a finding.
"""
import collections
import re

# detail: our reason for "refused", the status of the other for "passed on", else what differs. `pattern` is searched in
# the request, as it was sent.
Row = collections.namedtuple("Row", "kind peers detail pattern what why source")

BOTH = ("nginx", "HAProxy")
START = rb"\A(?:\r\n)?"
PATH = START + rb"\S+ [^ ?\r\n]*"
NAME = rb"\-0-9A-Za-z!#$%&'*+.^`|~"


def refused(detail, pattern, what, why, source):
    return Row("refused", BOTH, rb"\A" + re.escape(detail.encode()) + rb"\Z", pattern, what, why, source)


def passed(peer, detail, pattern, what, why, source):
    return Row("passed on", (peer,), rb"\A" + detail + rb"\Z", pattern, what, why, source)


def changed(kind, detail, pattern, what, why, source, peers=BOTH):
    return Row(kind, peers, rb"\A(?:" + detail + rb")\Z", pattern, what, why, source)


ONE_READING = "programs read it in different ways, and any of them may stand behind the gate"
DETOUR = "a route that was decided by one reading could be reached by another"

REFUSED = [
    # The request line
    refused("the method is not served", START + rb"(?!(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) )[" + NAME + rb"_]+ ",
            "a method other than GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
            "roles name the methods they allow; one that nobody can allow is not forwarded (501)", "RFC 9110 section 9.1"),
    refused("", START + rb"PRI ", "the method `PRI`", "it begins HTTP/2 and nothing else: a connection that goes on otherwise is closed",
            "RFC 9113 section 3.4"),
    refused("the request line does not start with a method", START + rb"(?![" + NAME + rb"_]+ )",
            "a request line that does not begin with a method and one space, or has more than one empty line before it", ONE_READING,
            "RFC 9112 sections 2.2, 3"),
    refused("the request line is malformed", START + rb"(?!\S+ \S+ HTTP/\d\.\d\r\n)",
            "a request line without a version, with a version of another form, or with white space that does not belong there",
            ONE_READING + "; HTTP/0.9 has no fields to decide by", "RFC 9112 section 3"),
    refused("the HTTP version is not served", START + rb"\S+ \S+ HTTP/(?!1\.[01]\r)\d\.\d\r\n",
            "HTTP/1.2 to 1.9, and other major versions with one digit",
            "what a later version will mean nobody knows, and nobody sends one; 1.2 to 1.9 could be read as 1.1, as the peers do (505)",
            "RFC 9110 section 2.5"),
    refused("the request target is too long", START + rb"\S+ \S{8193}", "a target of more than 8 KiB",
            "a bound that holds for what a record keeps too (414)", "RFC 9110 section 15.5.15"),
    refused("the request target holds a byte it may not hold", START + rb"\S+ (?:[!-~]*[#\x00-\x1f\x7f-\xff]| ?HTTP/)",
            "no target, or one with a raw `#`, control byte or byte beyond ASCII", "no URI; what it is mended to is a guess", "RFC 9112 section 3.2"),
    refused("the request target has a form that is not served", START + rb"\S+ (?!/|https?://)\S+ HTTP",
            "a target that is neither a path nor an http URL, and `*` but for OPTIONS", "there is no path to decide by", "RFC 9112 section 3.2"),
    refused("the request target has a malformed authority", START + rb"\S+ (?i:https?)://(?![-.\w]{1,255}(?::\d{1,5})?[/? ])",
            "an absolute target with user information, or without a host", "no sender may write user information", "RFC 9110 section 4.2.4"),
    refused("Host and the request target disagree", START + rb"\S+ (?i:https?)://", "an absolute target for another host or port than Host tells",
            "the target wins, but behind the gate Host might", "RFC 9112 section 3.2.2"),
    # The path
    refused("URL: the path holds a dot segment", rb"(?i)" + PATH + rb"/(?:\.|%2e){1,2}[/? ]", "`.` and `..` as segments, encoded or not", DETOUR,
            "RFC 3986 section 5.2.4"),
    refused("URL: the path holds an empty segment", START + rb"\S+ (?:https?://[^/? ]*)?/(?:[^ ?]*/)?/", "empty segments",
            DETOUR + ": many merge the slashes", "RFC 3986 section 3.3"),
    refused("URL: the path holds an encoded slash, backslash or percent sign", rb"(?i)" + PATH + rb"%(?:2f|5c|25)", "`%2F`, `%5C`, `%25` in a path",
            DETOUR + ", decoded once more", "RFC 3986 section 2.2"),
    refused("URL: the path holds an encoded control byte", rb"(?i)" + PATH + rb"%(?:[01][0-9a-f]|7f)", "encoded control bytes in a path",
            "where it is decoded it ends a text, a line or a record", "RFC 3986 section 7.3"),
    refused("URL: the path holds a character that readers disagree on", PATH + rb"[;\\]", "`;` and `\\` in a path",
            DETOUR + ": some cut a segment at `;`, some take `\\` for `/`", "RFC 3986 section 3.3"),
    refused("URL: the path is not UTF-8", rb"(?i)" + PATH + rb"%[89a-f][0-9a-f]", "encoded bytes that are no UTF-8",
            "overlong forms hide dots and slashes", "RFC 3629 section 10"),
    refused("URL: % is not followed by two hex digits", START + rb"\S+ \S*%(?![0-9a-fA-F]{2})", "`%` without two hex digits", ONE_READING,
            "RFC 3986 section 2.1"),
    refused("URL: the path has too many segments", START + rb"\S+ (?:/[^/ ]+){33}", "more than 32 segments",
            "a bound, so that a look-up costs little", "RFC 9110 section 2.3"),
    # Fields
    refused("a line ends with a bare LF", rb"(?<!\r)\n", "a line that ends with LF alone", ONE_READING, "RFC 9112 section 2.2"),
    refused("a field line does not start with a name", rb"\n(?:[^" + NAME + rb"\r\n]|\r[^\n])",
            "a folded line, and one that begins with what is no name", ONE_READING, "RFC 9112 section 5.2"),
    refused("a field name holds a byte it may not hold", rb"\n[^:\r\n]*(?:[^" + NAME + rb":\r\n][^:\r\n]*:|[^:\r\n]\r\n)",
            "a field name with white space, `_`, or what is no token; a line without a colon",
            "programs make one name of `X_A` and `X-A`: a forged field could stand in for one of the gate. nginx leaves such fields out",
            "RFC 9112 section 5.1"),
    refused("a field value holds a control byte", rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]", "control bytes in a field value",
            "CR and NUL must not be passed on; of the others nobody knows what they do behind the gate", "RFC 9110 section 5.5"),
    refused("the request has too many fields", rb"(?:X-Many: 1\r\n){98}", "more than 100 fields", "a bound (431)", "RFC 9110 section 5.4"),
    refused("Host is missing", rb"(?i)\A(?!(?s:.*)\nhost:)", "HTTP/1.1 without Host", "must be refused", "RFC 9112 section 3.2"),
    refused("Host stands twice", rb"(?is)\nhost:.*\nhost:", "two Host fields", "must be refused", "RFC 9112 section 3.2"),
    refused("Host is malformed", rb"(?im)^host:(?![ \t]*(?:[-.\w]{1,255}|\[[0-9a-f:.]+\])(?::(?!99999)[1-9]\d{0,4})?[ \t]*\r?$)",
            "an empty Host, one with user information, path or list, a port that is none, or a name with other than letters, digits, `-`, `.`, `_`",
            "routes are found by it. RFC 3986 would let more stand in a name (`%`, `;`, an empty port); no client sends it", "RFC 9110 section 7.2"),
    refused("Connection is malformed", rb"(?im)^connection:[^\r\n]*[^" + NAME + rb"_, \t\r\n]", "Connection with what is no token",
            "what it names away would be a guess", "RFC 9110 section 7.6.1"),
    refused("Expect asks for something other than 100-continue", rb"(?im)^expect:(?![ \t]*100-continue[ \t]*\r?$)",
            "Expect other than `100-continue`, and an empty one", "what cannot be met is said so (417)", "RFC 9110 section 10.1.1"),
    refused("the authorization scheme is neither Bearer nor DPoP", rb"(?im)^authorization: Basic ", "`Authorization: Basic`, on a public route too",
            "credentials that are shown must be good, and these are not the gate's; nothing unknown is passed on", "RFC 9110 section 11.6.2"),
    # Where a body ends
    refused("Content-Length is malformed", rb"(?im)^content-length:(?![ \t]*(?:0|[1-9]\d{0,18})[ \t]*\r?$)|^content-length: 9223372036854775808",
            "Content-Length with a sign, leading zeros, a list, or beyond 2^63",
            ONE_READING + ": some take leading zeros for octal, some take the first of a list", "RFC 9112 section 6.3"),
    refused("Content-Length stands twice", rb"(?is)\ncontent-length:.*\ncontent-length:", "two Content-Length fields, equal ones too", ONE_READING,
            "RFC 9112 section 6.3"),
    refused("Content-Length and Transfer-Encoding together", rb"(?is)(?=.*\ncontent-length:)(?=.*\ntransfer-encoding:)",
            "Content-Length beside Transfer-Encoding", "an attempt to smuggle, or might as well be one", "RFC 9112 section 6.1"),
    refused("Transfer-Encoding in HTTP/1.0", START + rb"[^\n]* HTTP/1\.0\r\n(?is:.*\ntransfer-encoding:)", "Transfer-Encoding in HTTP/1.0",
            "faulty framing: who passed it on may not have known it", "RFC 9112 section 6.1"),
    refused("Transfer-Encoding stands twice", rb"(?is)\ntransfer-encoding:.*\ntransfer-encoding:", "two Transfer-Encoding fields", ONE_READING,
            "RFC 9112 section 6.1"),
    refused("Transfer-Encoding is not exactly chunked", rb"(?im)^transfer-encoding:(?![ \t]*chunked[ \t]*\r?$)",
            "Transfer-Encoding other than `chunked` alone", "any other coding hides where the body ends", "RFC 9112 section 6.1"),
    refused("a chunk size is malformed", rb"(?i)\r\n\r\n(?:8[^\r\n]*\r\na=1&b=22\r?\n?)?(?![0-9a-f]{1,15}(?:\r|;))",
            "a chunk size with a sign, white space or prefix, or a line that ends with LF alone", ONE_READING, "RFC 9112 section 7.1"),
    refused("a chunk size has too many digits", rb"\r\n\r\n[0-9A-F]{16,}\r\n", "a chunk size of more than 15 digits", "it overflows somewhere",
            "RFC 9112 section 7.1"),
    refused("a chunk extension is malformed", rb"\r\n\r\n8;(?:x=\"\r\n|\n|\x00)", "chunk extensions with open quotes or control bytes", ONE_READING,
            "RFC 9112 section 7.1.1"),
    refused("a chunk is not framed by CRLF", rb"\r\n\r\n(?:8\r\na=1&b=22(?!\r\n|\Z)|[79]\r\na=1&b=22\r\n|8(?:;a)?\r[^\n])",
            "a chunk whose data are longer or shorter than it says, or do not end with CRLF", ONE_READING, "RFC 9112 section 7.1"),
    refused("a trailer holds a control byte", rb"\n0\r\n(?:\S+: )[^\r\n]*[\n\x00-\x08]", "a trailer with a control byte or a bare LF", "as in fields",
            "RFC 9110 section 6.5"),
    refused("a trailer name holds a byte it may not hold", rb"\n0\r\nbad trailer\r\n", "a trailer that is no field line", "as in fields",
            "RFC 9112 section 7.1.2"),
]

LET_THROUGH = [
    passed("HAProxy", b"400", rb"(?i)\nupgrade: websocket\r\nconnection: upgrade\r\n", "an upgrade to WebSocket without its key",
           "the service decides: it is a plain request, forwarded as asked", "RFC 6455 section 4.2.1"),
    passed("HAProxy", b"400", rb": ?v{20000}\r\n", "a field of 20 kB", "its buffer is 16 KiB; a head may have 32 KiB here", "RFC 9110 section 5.4"),
    passed("nginx", b"400", rb": ?v{20000}\r\n", "a field of 20 kB", "its buffer is 8 KiB; a head may have 32 KiB here", "RFC 9110 section 5.4"),
    passed("HAProxy", b"400", rb"\nN{300}:", "a field name of 300 bytes", "a token; HAProxy has a bound", "RFC 9110 section 5.1"),
    passed("HAProxy", b"413", rb"(?is)\A(?:DELETE|GET|HEAD|OPTIONS) \S+ HTTP/1\.0\r\n.*\ncontent-length:", "DELETE and HTTP/1.0 with a body",
           "its length is told, and told anew to the service", "RFC 9112 section 6.3"),
    passed("nginx", b"400", rb"(?i)\nhost: (?:[-\w]+\.)*\.[-\w.]+\r\n", "empty labels in Host",
           "a name that no route has is no route's: hosts are compared whole", "RFC 3986 section 3.2.2"),
    passed("nginx", b"400", rb"(?i)\nhost:\tgate\.test\r\n|\ncontent-length: 8\t\r\n", "a tab before or behind Host or Content-Length",
           "white space around a value is none of it; what is forwarded has none", "RFC 9110 section 5.5"),
    passed("nginx", b"501", rb"(?i)\ntransfer-encoding: \tchunked\r\n", "a tab before `chunked`", "the same, and the body is framed anew",
           "RFC 9110 section 5.5"),
    passed("nginx", b"414", START + rb"\S+ \S{8150,8192} ", "a target close to 8 KiB",
           "its buffer holds the whole line; the bound here is the target's", "RFC 9110 section 15.5.15"),
]

FORGED = (rb"x-gatewarden[!-~]*|x-pomerium-[!-~]*|x-auth-request-[!-~]*|x-ms-client-principal[!-~]*|(?:x-)?remote-user|forwarded|x-real-ip"
          rb"|x-original-ur[il]|x-rewrite-url|x-http-method-override|true-client-ip|x-forwarded-(?:user|email|groups)|proxy")
CHANGED = [
    changed("fields", rb"-(?:" + FORGED + rb"): forged", rb": forged\r\n",
            "fields that say who is calling, from where, or that it is another request; `Proxy`, which CGI makes HTTP_PROXY of",
            "only the gate may say so: they are removed in every spelling", "RFC 9110 section 17.2"),
    changed("fields", rb"-(?:proxy-authorization|proxy-connection|trailer): forged", rb"(?i)\n(?:proxy-|trailer)",
            "Proxy-Authorization, Proxy-Connection, Trailer", "between the caller and the gate; trailers themselves are passed on",
            "RFC 9110 section 7.6.1"),
    changed("fields", rb"-(?:upgrade|http2-settings): [ -~]*", rb"(?i)\nupgrade:",
            "an upgrade to other than WebSocket, or one that Connection does not name, a POST or two protocols asks for",
            "h2c would be a tunnel that nobody decides in; other upgrades mean nothing", "RFC 9110 section 7.8"),
    changed("fields", rb"\+upgrade: websocket", rb"(?i)\nupgrade: websocket\r\nconnection: upgrade", "an upgrade to WebSocket",
            "it is decided, recorded and passed on; nginx must be told to", "RFC 6455 section 4.2.1", ("nginx",)),
    changed("fields", rb"\+expect: 100-continue", rb"(?i)\nexpect: 100-continue\r\n", "Expect, before a body",
            "the service says whether it wants it; nginx says so itself", "RFC 9110 section 10.1.1", ("nginx",)),
    changed("fields", rb"[+-]expect: 100-continue|-expect: 100-Continue", rb"(?i)\nexpect: 100-continue\r\n",
            "Expect in other letters, or where there is no body to wait for", "written anew where there is a body, else nobody may expect it",
            "RFC 9110 section 10.1.1", ("HAProxy",)),
    changed("fields", rb"-x-plain: n\d{5}", rb"(?i)\nconnection:[^\r\n]*x-plain", "a field that Connection names",
            "it is meant for the next program alone, and ends here", "RFC 9110 section 7.6.1"),
    changed("fields", rb"\+[-0-9a-z]*[!#$%&'*+.^`|~][!-9;-~]*: [ -~]*", rb"\n[" + NAME + rb"]*[!#$%&'*+.^`|~]",
            "field names with one of ``!#$%&'*+.^`|~``", "tokens; nginx leaves such fields out. The gate's own are recognised in these spellings too",
            "RFC 9110 section 5.1", ("nginx",)),
    changed("spelling", rb"/\S* (?i:https?)://\S*", START + rb"\S+ (?i:https?)://", "an absolute target",
            "it becomes the path, as every request's: Host says the rest", "RFC 9112 section 3.2.1", ("HAProxy",)),
    changed("spelling", rb"\S* \S*[\"<>\[\]^`{|}]\S*", PATH + rb"[\"<>\[\]^`{|}]", "characters raw in a path that no path may have",
            "encoded: what is forwarded is written anew", "RFC 3986 section 3.3"),
    changed("spelling", rb"\S* \S*%[0-9a-fA-F]{2}\S*", PATH + rb"%[0-9a-fA-F]{2}", "characters encoded that need not be, and lower-case hex digits",
            "one spelling for one path; the same bytes when decoded", "RFC 3986 section 6.2.2"),
    changed("requests", rb"1 2", rb"\r\n\r\n\r\n\r\nGET /second", "two empty lines between requests", "one is skipped, a second is refused",
            "RFC 9112 section 2.2"),
]
TABLES = (("Refused here, passed on by the other", REFUSED),
          ("Passed on here, refused by the other", LET_THROUGH),
          ("Passed on by both, differently", CHANGED))
ROWS = REFUSED + LET_THROUGH + CHANGED


def row_of(kind, peer, detail, text):
    """The row that explains it, or None. `detail` is None for a refusal without a reason, as of HEAD."""
    for row in ROWS:
        if row.kind == kind and peer in row.peers and (detail is None or re.search(row.detail, detail)) and re.search(row.pattern, text):
            return row
    return None
