/* proxy_fields.c - what of a request's head a service reads, and what of an answer's head the
 * caller does. All ours is added behind what was taken away, so nothing that a caller sends, under
 * any spelling, stands in its place, and no Connection field names it away (RFC 9110 section
 * 7.6.1). */
#include "base/macros.h"
#include "frontend/assertion.h"
#include "frontend/cookie.h"
#include "frontend/proxy.h"
#include "http/http_body.h"

/* Paths */

/* RFC 3986 section 3.3: stands for itself in a path everywhere. Not ';', which some read as the end
 * of a segment. */
static bool
is_plain(uint8_t c)
{
	static const char marks[] = "-._~!$&'()*+,=:@";
	uint8_t folded = c | 0x20;

	return (folded >= 'a' && folded <= 'z') || (c >= '0' && c <= '9') ||
	       (c != 0 && memchr(marks, c, sizeof marks - 1) != NULL);
}

static void
put_segment(struct buf *out, struct bytes segment)
{
	while (segment.len > 0) {
		size_t run = 0;

		while (run < segment.len && is_plain(segment.at[run]))
			run++;
		buf_put(out, bytes_slice(segment, 0, run));
		if (run < segment.len)
			url_put_encoded(out, bytes_slice(segment, run, run + 1));
		segment = bytes_slice(segment, run + 1, segment.len);
	}
}

static void
put_query(struct buf *out, const struct http_head *h)
{
	if (!h->has_query)
		return;
	buf_put_u8(out, '?');
	buf_put(out, h->query);
}

void
proxy_write_path(struct request *r)
{
	const struct http_head *h = &r->head;
	size_t room = h->path.len * 3 + 1 + h->query.len;
	struct buf out = { .at = arena_alloc(&r->arena, room), .room = room, .limit = room };

	if (out.at == NULL)
		return; /* proxy_target() says so */
	for (size_t i = 0; i < r->segment_count; i++) {
		buf_put_u8(&out, '/');
		put_segment(&out, r->segments[i]);
	}
	if (h->path.at[h->path.len - 1] == '/')
		buf_put_u8(&out, '/');
	r->path = buf_bytes(&out);
	put_query(&out, h);
}

/* How many of the path's first segments are those of `strip`: all of them, or none. */
static size_t
stripped(const struct request *r, const char *strip)
{
	struct bytes rest = bytes_text(strip == NULL ? "" : strip);
	size_t count = 0;

	while (rest.len > 1) {
		struct bytes tail = bytes_slice(rest, 1, rest.len);
		struct bytes segment = bytes_slice(tail, 0, bytes_find(tail, '/'));

		if (count == r->segment_count || !bytes_equal(segment, r->segments[count]))
			return 0;
		count++;
		rest = bytes_slice(tail, segment.len, tail.len);
	}
	return count;
}

/* The length of the path's first `count` segments. */
static size_t
segments_len(struct bytes path, size_t count)
{
	size_t at = 0;

	for (; count > 0; count--)
		at += 1 + bytes_find(bytes_slice(path, at + 1, path.len), '/');
	return at;
}

struct err
proxy_target(struct request *r, const struct route_settings *route, struct bytes *ret)
{
	const struct http_head *h = &r->head;
	size_t query = h->has_query ? 1 + h->query.len : 0;

	if (r->path.at == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	size_t gone = segments_len(r->path, stripped(r, route->strip));
	if (gone < r->path.len) {
		*ret = (struct bytes){ r->path.at + gone, r->path.len - gone + query };
		return OK;
	}
	struct buf out = { .at = arena_alloc(&r->arena, 1 + query),
		           .room = 1 + query,
		           .limit = 1 + query };
	if (out.at == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	buf_put_u8(&out, '/');
	put_query(&out, h);
	*ret = buf_bytes(&out);
	return OK;
}

/* To the service */

static void
put_field(struct buf *lines, struct bytes name, struct bytes value)
{
	buf_put(lines, name);
	buf_put(lines, BYTES(": "));
	buf_put(lines, value);
	buf_put(lines, BYTES("\r\n"));
}

/* What is said anew, or is between the caller and us. */
static bool
is_ours(struct bytes name)
{
	static const struct bytes names[] = { BYTES("host"),        BYTES("content-length"),
		                              BYTES("expect"),      BYTES("dpop"),
		                              BYTES("cookie"),      BYTES("authorization"),
		                              BYTES("traceparent"), BYTES("tracestate") };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (bytes_equal_nocase(name, names[i]))
			return true;
	return false;
}

static bool
is_certificate(const struct request *r, struct bytes name)
{
	const char *field = r->gate->settings->listen.certificate_field;

	return field != NULL && bytes_equal_nocase(name, bytes_text(field));
}

/* A session is between the browser and us: a service that had its secret could be the caller
 * everywhere. */
static void
put_cookies(const struct request *r, struct bytes value, struct buf *lines)
{
	size_t start = lines->len;

	buf_put(lines, BYTES("Cookie: "));
	if (cookie_put_others(r, value, lines))
		buf_put(lines, BYTES("\r\n"));
	else
		lines->len = start;
}

static void
put_kept(const struct request *r, const struct route_settings *route, struct buf *lines)
{
	const struct http_head *h = &r->head;

	for (size_t i = 0; i < h->field_count; i++) {
		struct bytes name = h->fields[i].name, value = h->fields[i].value;

		if (bytes_equal_nocase(name, BYTES("cookie")))
			put_cookies(r, value, lines);
		else if (route->keeps_authorization &&
		         bytes_equal_nocase(name, BYTES("authorization")))
			put_field(lines, name, value);
		else if (!is_ours(name) && !http_field_is_hop(name, h->fields, h->field_count) &&
		         !identity_field_is(name) && !is_certificate(r, name))
			put_field(lines, name, value);
	}
}

/* What a proxy of ours says came before it, as a list. */
static bool
put_told(const struct request *r, const char *name, struct buf *lines)
{
	bool has = false;

	for (size_t i = 0; i < r->head.field_count; i++) {
		const struct http_field *f = &r->head.fields[i];

		if (!bytes_equal_nocase(f->name, bytes_text(name)) || f->value.len == 0)
			continue;
		if (has)
			buf_put(lines, BYTES(", "));
		buf_put(lines, f->value);
		has = true;
	}
	return has;
}

static void
put_origin(const struct request *r, struct buf *lines)
{
	bool is_proxied = request_is_proxied(r);
	struct bytes scheme = r->carrier->secure != NULL ? BYTES("https") : BYTES("http");

	buf_put(lines, BYTES("X-Forwarded-For: "));
	if (is_proxied && put_told(r, "x-forwarded-for", lines))
		buf_put(lines, BYTES(", "));
	buf_put(lines, r->client);
	buf_put(lines, BYTES("\r\nX-Forwarded-Proto: "));
	if (!is_proxied || !put_told(r, "x-forwarded-proto", lines))
		buf_put(lines, scheme);
	buf_put(lines, BYTES("\r\nX-Forwarded-Host: "));
	if (!is_proxied || !put_told(r, "x-forwarded-host", lines))
		buf_put(lines, r->head.host);
	buf_put(lines, BYTES("\r\n"));
}

void
proxy_put_fields(const struct request *r, const struct route_settings *route, struct buf *lines)
{
	put_kept(r, route, lines);
	put_origin(r, lines);
}

/* Upgrade counts only where Connection names it (RFC 9110 section 7.8). */
static bool
names_upgrade(struct bytes list)
{
	while (list.len > 0) {
		struct bytes option = bytes_slice(list, 0, bytes_find(list, ','));

		if (bytes_equal_nocase(http_trim(option), BYTES("upgrade")))
			return true;
		list = bytes_slice(list, option.len + 1, list.len);
	}
	return false;
}

bool
proxy_asks_upgrade(const struct http_head *h)
{
	struct bytes protocol = { 0 };

	if (h->method != HTTP_GET || h->minor == 0 || h->is_chunked ||
	    (h->has_length && h->content_length > 0) ||
	    failed(http_field_single(h, "upgrade", &protocol)) ||
	    !bytes_equal_nocase(protocol, BYTES("websocket")))
		return false;
	for (size_t i = 0; i < h->field_count; i++)
		if (bytes_equal_nocase(h->fields[i].name, BYTES("connection")) &&
		    names_upgrade(h->fields[i].value))
			return true;
	return false;
}

/* To the caller */

static bool
is_told(const struct request *r, const struct http_field *f)
{
	static const struct bytes own = { (const uint8_t *)"x-gatewarden-", 13 };

	if (bytes_equal_nocase(bytes_slice(f->name, 0, own.len), own) ||
	    bytes_equal_nocase(f->name, BYTES("content-length")))
		return false;
	/* A service sets cookies, but none that logs a browser in here. */
	return !bytes_equal_nocase(f->name, BYTES("set-cookie")) || !cookie_is_own(r, f->value);
}

void
proxy_put_answer_fields(const struct request *r, const struct http_response *head,
                        struct buf *lines, bool *ret_has_date)
{
	*ret_has_date = false;
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *f = &head->fields[i];

		if (!is_told(r, f) || http_field_is_hop(f->name, head->fields, head->field_count))
			continue;
		*ret_has_date |= bytes_equal_nocase(f->name, BYTES("date"));
		put_field(lines, f->name, f->value);
	}
}

void
proxy_put_trailers(struct bytes trailers, struct buf *lines)
{
	while (trailers.len > 0) {
		struct bytes line = bytes_slice(trailers, 0, bytes_find(trailers, '\n') + 1);
		struct bytes name = bytes_slice(line, 0, bytes_find(line, ':'));

		if (http_trailer_is_allowed(name) && !identity_field_is(name))
			buf_put(lines, line);
		trailers = bytes_slice(trailers, line.len, trailers.len);
	}
}
