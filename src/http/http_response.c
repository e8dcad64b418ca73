/* http_response.c - see http_response.h. RFC 9112 sections 4, 6 and 9.3. */
#include "http/http_response.h"

#include "base/macros.h"
#include "http/http_message.h"

enum { BAD_GATEWAY = 502, SWITCHING = 101, NO_CONTENT = 204, NOT_MODIFIED = 304 };

static struct err
refuse(const char *why)
{
	return (struct err){ .kind = ERR_UPSTREAM, .code = BAD_GATEWAY, .why = why };
}

/* What the shared rules refuse is the service's fault here. */
static struct err
as_upstream(struct err e)
{
	return failed(e) ? refuse(e.why) : OK;
}

/* The parse in progress. */
struct parse {
	struct http_response *r;
	struct http_options connection;
	bool is_chunked;
};

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* version SP status [SP reason]. The space in front of an empty reason is left out by many. */
static struct err
parse_status_line(struct bytes line, struct http_response *r)
{
	enum { VERSION_LEN = 8, STATUS_END = 12 };

	if (line.len < STATUS_END || !bytes_starts(line, BYTES("HTTP/1.")) ||
	    (line.at[7] != '0' && line.at[7] != '1'))
		return refuse("a response is not of HTTP/1.0 or HTTP/1.1");
	const uint8_t *status = line.at + VERSION_LEN + 1;
	if (line.at[VERSION_LEN] != ' ' || status[0] < '1' || status[0] > '5' ||
	    !is_digit(status[1]) || !is_digit(status[2]) ||
	    (line.len > STATUS_END && line.at[STATUS_END] != ' '))
		return refuse("the status of a response is malformed");
	if (!http_value_is_clean(bytes_slice(line, STATUS_END, line.len)))
		return refuse("the reason of a response holds a control byte");
	r->minor = line.at[7] - '0';
	r->status =
		(unsigned)((status[0] - '0') * 100 + (status[1] - '0') * 10 + (status[2] - '0'));
	return OK;
}

static struct err
on_content_length(struct parse *p, struct bytes value)
{
	if (p->r->has_length)
		return refuse("Content-Length of a response stands twice");
	p->r->has_length = true;
	return as_upstream(http_content_length(value, &p->r->content_length));
}

static struct err
on_transfer_encoding(struct parse *p, struct bytes value)
{
	if (p->is_chunked || p->r->minor == 0 || !bytes_equal_nocase(value, BYTES("chunked")))
		return refuse("Transfer-Encoding of a response is not exactly chunked");
	p->is_chunked = true;
	return OK;
}

static struct err
on_field(struct parse *p, const struct http_field *f)
{
	switch (f->name.len) {
	case 10:
		return bytes_equal_nocase(f->name, BYTES("Connection"))
		               ? as_upstream(http_options_add(&p->connection, f->value))
		               : OK;
	case 14:
		return bytes_equal_nocase(f->name, BYTES("Content-Length"))
		               ? on_content_length(p, f->value)
		               : OK;
	case 17:
		return bytes_equal_nocase(f->name, BYTES("Transfer-Encoding"))
		               ? on_transfer_encoding(p, f->value)
		               : OK;
	default:
		return OK;
	}
}

/* RFC 9112 section 6.3, in its order. */
static struct err
find_framing(struct parse *p, enum http_method method)
{
	struct http_response *r = p->r;
	bool never_has_body = r->status < 200 || r->status == NO_CONTENT;

	if (r->has_length && p->is_chunked)
		return refuse("a response has Content-Length and Transfer-Encoding");
	/* A sender must not (RFC 9112 section 6.1, RFC 9110 section 8.6): who reads by the fields
	 * and who reads by the status would see the next response begin at different places. */
	if (never_has_body && (p->is_chunked || (r->has_length && r->content_length > 0)))
		return refuse("a response that has no body announces one");
	if (r->status == SWITCHING)
		r->framing = HTTP_BODY_TUNNEL;
	else if (never_has_body || r->status == NOT_MODIFIED || method == HTTP_HEAD)
		r->framing = HTTP_BODY_NONE;
	else if (p->is_chunked)
		r->framing = HTTP_BODY_CHUNKED;
	else if (r->has_length)
		r->framing = r->content_length > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	else
		r->framing = HTTP_BODY_CLOSE;
	r->keep_alive = !p->connection.close && (r->minor == 1 || p->connection.keep_alive) &&
	                r->framing != HTTP_BODY_CLOSE;
	return OK;
}

static struct err
parse_head(struct bytes head, enum http_method method, struct http_response *r)
{
	struct parse p = { .r = r };
	struct bytes line;

	/* All but the fields, which are written before they are counted. */
	memset(r, 0, offsetof(struct http_response, fields));
	TRY(parse_status_line(http_take_line(&head), r));
	while ((line = http_take_line(&head)).len > 0) {
		if (r->field_count == HTTP_FIELDS_MAX)
			return refuse("a response has too many fields");

		struct http_field *f = &r->fields[r->field_count++];
		TRY(as_upstream(http_field_parse_token(line, f)));
		TRY(on_field(&p, f));
	}
	return find_framing(&p, method);
}

struct err
http_response_parse(struct bytes in, size_t *scanned, enum http_method method,
                    struct http_response *ret, size_t *ret_len, enum step *step)
{
	size_t len;

	in = bytes_slice(in, 0, HTTP_HEAD_MAX);
	TRY(as_upstream(http_find_end(in, scanned, &len)));
	if (len == 0) {
		*step = STEP_MORE;
		return in.len == HTTP_HEAD_MAX ? refuse("the head of a response is too large") : OK;
	}
	TRY(parse_head(bytes_slice(in, 0, len), method, ret));
	*scanned = 0;
	*ret_len = len;
	*step = STEP_DONE;
	return OK;
}

/* ---- fields of a connection ---- */

static bool
is_always_hop(struct bytes name)
{
	static const struct bytes names[] = {
		BYTES("TE"),
		BYTES("Upgrade"),
		BYTES("Trailer"),
		BYTES("Connection"),
		BYTES("Keep-Alive"),
		BYTES("Proxy-Connection"),
		BYTES("Transfer-Encoding"),
		BYTES("Proxy-Authenticate"),
		BYTES("Proxy-Authorization"),
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (name.len == names[i].len && bytes_equal_nocase(name, names[i]))
			return true;
	return false;
}

static bool
list_names(struct bytes list, struct bytes name)
{
	while (list.len > 0) {
		size_t comma = bytes_find(list, ',');

		if (bytes_equal_nocase(http_trim(bytes_slice(list, 0, comma)), name))
			return true;
		list = bytes_slice(list, comma + 1, list.len);
	}
	return false;
}

bool
http_field_is_hop(struct bytes name, const struct http_field *fields, size_t count)
{
	static const struct bytes connection = BYTES("Connection");

	if (is_always_hop(name))
		return true;
	for (size_t i = 0; i < count; i++)
		if (fields[i].name.len == connection.len &&
		    bytes_equal_nocase(fields[i].name, connection) &&
		    list_names(fields[i].value, name))
			return true;
	return false;
}
