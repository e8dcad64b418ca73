/* http2_block.c - see http2_block.h. nghttp2 has checked the block before (order, number and form
 * of pseudo-header fields, fields of a connection, `te`); what is appended to the text is checked
 * once more all the same: a line break that came through would be a line of its own. */
#include "http/http2_block.h"

#include "base/macros.h"
#include "http/http_body.h"

enum { KEPT = 1024, FIELD_OVERHEAD = 32, SIZE_MAX_FACTOR = 4 };

static struct err
refuse(enum http_refusal code, const char *why)
{
	return (struct err){ .kind = ERR_PEER, .code = code, .why = why };
}

static void
empty(struct buf *b)
{
	if (b->room > KEPT)
		buf_wipe(b);
	buf_clear(b);
	b->limit = HTTP_HEAD_MAX;
}

void
http2_block_close(struct http2_block *b)
{
	b->is_open = false;
	empty(&b->method);
	empty(&b->path);
	empty(&b->authority);
	buf_wipe(&b->cookie); /* may hold a session */
	buf_wipe(&b->text);
}

void
http2_block_open(struct http2_block *b, enum http2_block_kind kind, enum http_byte names)
{
	http2_block_close(b);
	b->names = names;
	b->kind = (uint8_t)kind;
	b->is_open = true;
	b->has_host = b->has_length = false;
	b->count = 0;
	b->size = 0;
	b->fault = OK;
	b->cookie.limit = b->text.limit = HTTP_HEAD_MAX;
}

static void
put_line(struct http2_block *b, struct bytes name, struct bytes value)
{
	b->count++;
	buf_put(&b->text, name);
	buf_put(&b->text, BYTES(": "));
	buf_put(&b->text, value);
	buf_put(&b->text, BYTES("\r\n"));
}

/* The pseudo-header fields come first, so the first line is written when the first field comes. */
static struct err
put_request_line(struct http2_block *b)
{
	if (b->path.len > HTTP_TARGET_MAX || b->path.overflow)
		return refuse(HTTP_TARGET_LONG, "the request target is too long");
	/* It has no path, and nothing to be proxied to by name is offered. */
	if (bytes_is(buf_bytes(&b->method), "CONNECT"))
		return refuse(HTTP_METHOD_UNKNOWN, "the method is not served");
	/* The absolute form is none of HTTP/2. */
	if (b->path.len == 0 || (b->path.at[0] != '/' && !bytes_is(buf_bytes(&b->path), "*")))
		return refuse(HTTP_BAD, "the request target has a form that is not served");
	buf_put(&b->text, buf_bytes(&b->method));
	buf_put_u8(&b->text, ' ');
	buf_put(&b->text, buf_bytes(&b->path));
	buf_put(&b->text, BYTES(" HTTP/1.1\r\n"));
	if (b->authority.len > 0)
		put_line(b, BYTES("host"), buf_bytes(&b->authority));
	return OK;
}

static struct err
begin_lines(struct http2_block *b)
{
	if (b->text.len > 0)
		return OK;
	if (b->kind == HTTP2_BLOCK_REQUEST)
		return put_request_line(b);
	if (b->kind == HTTP2_BLOCK_TRAILERS)
		return OK;
	buf_put(&b->text, BYTES("HTTP/1.1 "));
	buf_put(&b->text, buf_bytes(&b->method)); /* the status, of a response */
	buf_put(&b->text, BYTES(" \r\n"));
	return OK;
}

static struct err
add_pseudo(struct http2_block *b, struct bytes name, struct bytes value)
{
	static const struct {
		const char *name;
		size_t at;
	} kept[] = {
		{ ":method", offsetof(struct http2_block, method) },
		{ ":status", offsetof(struct http2_block, method) },
		{ ":path", offsetof(struct http2_block, path) },
		{ ":authority", offsetof(struct http2_block, authority) },
	};

	if (b->text.len > 0 || b->kind == HTTP2_BLOCK_TRAILERS)
		return refuse(HTTP_BAD, "a pseudo-header field stands behind a field");
	/* Which one a proxy in front of us was asked with is no matter of ours. */
	if (bytes_is(name, ":scheme"))
		return bytes_is(value, "http") || bytes_is(value, "https")
		               ? OK
		               : refuse(HTTP_BAD, "the scheme is not served");
	if (http_run(value, HTTP_BYTE_TARGET) != value.len)
		return refuse(HTTP_BAD, "a pseudo-header field holds a byte it may not hold");
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		struct buf *place = (struct buf *)(void *)((char *)b + kept[i].at);

		if (!bytes_is(name, kept[i].name))
			continue;
		if (place->len > 0)
			return refuse(HTTP_BAD, "a pseudo-header field stands twice");
		buf_put(place, value);
		return OK;
	}
	return refuse(HTTP_BAD, "a pseudo-header field is unknown");
}

/* Host may stand beside :authority, and must say the same (RFC 9113 section 8.3.1). */
static struct err
add_host(struct http2_block *b, struct bytes value)
{
	if (b->has_host)
		return refuse(HTTP_BAD, "Host stands twice");
	b->has_host = true;
	if (b->authority.len == 0)
		put_line(b, BYTES("host"), value);
	else if (!bytes_equal_nocase(buf_bytes(&b->authority), value))
		return refuse(HTTP_BAD, "Host and the request target disagree");
	return OK;
}

/* Cookies may come in crumbs, which are one field for everybody else (RFC 9113 section 8.2.3). */
static void
add_cookie(struct http2_block *b, struct bytes value)
{
	if (b->cookie.len > 0)
		buf_put(&b->cookie, BYTES("; "));
	buf_put(&b->cookie, value);
}

static struct err
add_field(struct http2_block *b, struct bytes name, struct bytes value)
{
	if (http_run(name, b->names) != name.len || name.len == 0)
		return refuse(HTTP_BAD, "a field name holds a byte it may not hold");
	if (!http_value_is_clean(value))
		return refuse(HTTP_BAD, "a field value holds a control byte");
	TRY(begin_lines(b));
	if (b->kind == HTTP2_BLOCK_REQUEST && bytes_is(name, "host"))
		return add_host(b, value);
	/* nghttp2 has refused it; here it would be another framing. */
	if (bytes_is(name, "transfer-encoding") || bytes_is(name, "connection"))
		return refuse(HTTP_BAD, "a field of HTTP/1.1 connections");
	if (b->kind == HTTP2_BLOCK_REQUEST && bytes_is(name, "cookie")) {
		add_cookie(b, value);
		return OK;
	}
	if (b->kind == HTTP2_BLOCK_TRAILERS && !http_trailer_is_allowed(name))
		return OK;
	b->has_length |= bytes_is(name, "content-length");
	if (b->count == HTTP_FIELDS_MAX)
		return refuse(HTTP_FIELDS_LARGE, "the request has too many fields");
	put_line(b, name, value);
	return OK;
}

bool
http2_block_add(struct http2_block *b, struct bytes name, struct bytes value)
{
	b->size += name.len + value.len + FIELD_OVERHEAD;
	if (b->size > (size_t)HTTP_HEAD_MAX * SIZE_MAX_FACTOR)
		return false;
	if (!failed(b->fault))
		b->fault = name.len > 0 && name.at[0] == ':' ? add_pseudo(b, name, value)
		                                             : add_field(b, name, value);
	return true;
}

static struct err
end_lines(struct http2_block *b, bool has_unknown_length)
{
	TRY(b->fault);
	TRY(begin_lines(b));
	if (b->cookie.len > 0)
		put_line(b, BYTES("cookie"), buf_bytes(&b->cookie));
	if (has_unknown_length)
		buf_put(&b->text, BYTES("transfer-encoding: chunked\r\n"));
	buf_put(&b->text, BYTES("\r\n"));
	if (b->text.overflow || b->cookie.overflow || b->authority.overflow || b->method.overflow)
		return refuse(HTTP_FIELDS_LARGE, "the request head is too large");
	return OK;
}

struct err
http2_block_request(struct http2_block *b, bool is_last, struct http_head *ret)
{
	size_t scanned = 0, len;
	enum step step;

	TRY(end_lines(b, !is_last && !b->has_length));
	TRY(http_head_parse(buf_bytes(&b->text), &scanned, ret, &len, &step));
	return step == STEP_DONE && len == b->text.len
	               ? OK
	               : refuse(HTTP_BAD, "the request head is malformed");
}

static struct err
read_response(struct http2_block *b, enum http_method method, struct http_response *ret)
{
	size_t scanned = 0, len;
	enum step step;

	TRY(end_lines(b, false));
	TRY(http_response_parse(buf_bytes(&b->text), &scanned, method, ret, &len, &step));
	return step == STEP_DONE && len == b->text.len && ret->status != 101
	               ? OK
	               : refuse(HTTP_BAD, "the head of the response is malformed");
}

struct err
http2_block_response(struct http2_block *b, enum http_method method, bool is_last,
                     struct http_response *ret)
{
	struct err e = read_response(b, method, ret);

	if (failed(e))
		return (struct err){ .kind = ERR_UPSTREAM, .code = 502, .why = e.why };
	ret->keep_alive = true;
	if (is_last)
		ret->framing = HTTP_BODY_NONE;
	return OK;
}

struct err
http2_block_trailers(struct http2_block *b, struct bytes *ret)
{
	TRY(b->fault);
	if (b->text.overflow)
		return refuse(HTTP_FIELDS_LARGE, "the trailers are too large");
	*ret = buf_bytes(&b->text);
	return OK;
}
