/* http_head.c - see http_head.h. RFC 9112 sections 2 to 6 and 9.
 *
 * Two passes: the first looks for the end of the head line by line, so that a bare LF is refused as
 * soon as it is seen; the second, over a head known to be whole, checks and splits. Neither ever
 * looks at a byte twice as more bytes come. */
#include "http/http_head.h"

#include "base/macros.h"
#include "http/http_message.h"
#include "http/http_target.h"

static struct err
refuse(enum http_refusal code, const char *why)
{
	return (struct err){ .kind = ERR_PEER, .code = code, .why = why };
}

static const struct bytes METHODS[] = {
	[HTTP_GET] = BYTES("GET"),         [HTTP_HEAD] = BYTES("HEAD"),
	[HTTP_POST] = BYTES("POST"),       [HTTP_PUT] = BYTES("PUT"),
	[HTTP_PATCH] = BYTES("PATCH"),     [HTTP_DELETE] = BYTES("DELETE"),
	[HTTP_OPTIONS] = BYTES("OPTIONS"),
};

struct bytes
http_method_name(enum http_method m)
{
	return METHODS[m];
}

/* ---- the end of the head ---- */

/* A CRLF in front of a request line is skipped, once (RFC 9112 section 2.2). */
static size_t
head_start(struct bytes in)
{
	return bytes_starts(in, BYTES("\r\n")) ? 2 : 0;
}

static struct err
refuse_unfinished(struct bytes in)
{
	if (bytes_find(bytes_slice(in, head_start(in), in.len), '\n') + head_start(in) == in.len)
		return refuse(HTTP_TARGET_LONG, "the request line is too long");
	return refuse(HTTP_FIELDS_LARGE, "the request head is too large");
}

/* ---- the request line ---- */

static struct err
find_method(struct bytes name, enum http_method *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(METHODS); i++)
		if (bytes_equal(name, METHODS[i])) {
			*ret = (enum http_method)i;
			return OK;
		}
	return refuse(HTTP_METHOD_UNKNOWN, "the method is not served");
}

static struct err
find_version(struct bytes version, uint8_t *ret_minor)
{
	if (bytes_equal(version, BYTES("HTTP/1.1")) || bytes_equal(version, BYTES("HTTP/1.0"))) {
		*ret_minor = version.at[7] - '0';
		return OK;
	}

	bool is_version = version.len == 8 && bytes_starts(version, BYTES("HTTP/")) &&
	                  version.at[6] == '.' && version.at[5] >= '0' && version.at[5] <= '9' &&
	                  version.at[7] >= '0' && version.at[7] <= '9';
	return is_version ? refuse(HTTP_VERSION, "the HTTP version is not served")
	                  : refuse(HTTP_BAD, "the request line is malformed");
}

/* method SP target SP version: one space each, none elsewhere (RFC 9112 section 3). */
static struct err
parse_request_line(struct bytes line, struct http_head *h, struct bytes *authority)
{
	size_t first = http_run(line, HTTP_BYTE_TOKEN);

	if (first == 0 || first == line.len || line.at[first] != ' ')
		return refuse(HTTP_BAD, "the request line does not start with a method");

	struct bytes rest = bytes_slice(line, first + 1, line.len);
	size_t second = bytes_find(rest, ' ');
	h->target = bytes_slice(rest, 0, second);
	TRY(find_version(bytes_slice(rest, second + 1, rest.len), &h->minor));
	TRY(find_method(bytes_slice(line, 0, first), &h->method));
	return http_target_split(h, authority);
}

/* ---- the fields the engine itself obeys ---- */

static struct err
on_host(struct http_head *h, struct bytes value)
{
	if (h->host.at != NULL)
		return refuse(HTTP_BAD, "Host stands twice");
	if (!http_authority_is(value))
		return refuse(HTTP_BAD, "Host is malformed");
	h->host = value;
	return OK;
}

static struct err
on_content_length(struct http_head *h, struct bytes value)
{
	if (h->has_length)
		return refuse(HTTP_BAD, "Content-Length stands twice");
	TRY(http_content_length(value, &h->content_length));
	h->has_length = true;
	return OK;
}

/* One coding, `chunked`, in one field: any other could hide where the body ends (RFC 9112
 * section 6.1). */
static struct err
on_transfer_encoding(struct http_head *h, struct bytes value)
{
	if (h->is_chunked)
		return refuse(HTTP_BAD, "Transfer-Encoding stands twice");
	if (h->minor == 0)
		return refuse(HTTP_BAD, "Transfer-Encoding in HTTP/1.0");
	if (!bytes_equal_nocase(value, BYTES("chunked")))
		return refuse(HTTP_BAD, "Transfer-Encoding is not exactly chunked");
	h->is_chunked = true;
	return OK;
}

/* Not of HTTP/1.0 clients: they could not understand the answer (RFC 9110 section 10.1.1). */
static struct err
on_expect(struct http_head *h, struct bytes value)
{
	if (!bytes_equal_nocase(value, BYTES("100-continue")))
		return refuse(HTTP_EXPECT, "Expect asks for something other than 100-continue");
	h->expect_continue = h->minor == 1;
	return OK;
}

static struct err
on_field(struct http_head *h, struct http_options *c, const struct http_field *f)
{
	switch (f->name.len) {
	case 4:
		return bytes_equal_nocase(f->name, BYTES("Host")) ? on_host(h, f->value) : OK;
	case 6:
		return bytes_equal_nocase(f->name, BYTES("Expect")) ? on_expect(h, f->value) : OK;
	case 10:
		return bytes_equal_nocase(f->name, BYTES("Connection"))
		               ? http_options_add(c, f->value)
		               : OK;
	case 14:
		return bytes_equal_nocase(f->name, BYTES("Content-Length"))
		               ? on_content_length(h, f->value)
		               : OK;
	case 17:
		return bytes_equal_nocase(f->name, BYTES("Transfer-Encoding"))
		               ? on_transfer_encoding(h, f->value)
		               : OK;
	default:
		return OK;
	}
}

/* ---- the whole ---- */

static struct err
check_whole(struct http_head *h, const struct http_options *c, struct bytes authority)
{
	if (h->has_length && h->is_chunked)
		return refuse(HTTP_BAD, "Content-Length and Transfer-Encoding together");
	if (h->minor == 1 && h->host.at == NULL)
		return refuse(HTTP_BAD, "Host is missing");
	/* RFC 9112 section 3.2.2 would let the target win: then a service behind us might let Host
	 * win. */
	if (authority.at != NULL && h->host.at != NULL && !bytes_equal_nocase(authority, h->host))
		return refuse(HTTP_BAD, "Host and the request target disagree");
	if (h->host.at == NULL)
		h->host = authority;
	h->keep_alive = !c->close && (h->minor == 1 || c->keep_alive);
	return OK;
}

/* Everything but the fields, which are written before they are counted. */
static void
clear(struct http_head *h)
{
	memset(h, 0, offsetof(struct http_head, fields));
}

static struct err
parse_head(struct bytes head, struct http_head *h)
{
	struct http_options connection = { 0 };
	struct bytes authority = { 0 }, line;

	clear(h);
	TRY(parse_request_line(http_take_line(&head), h, &authority));
	while ((line = http_take_line(&head)).len > 0) {
		if (h->field_count == HTTP_FIELDS_MAX)
			return refuse(HTTP_FIELDS_LARGE, "the request has too many fields");

		struct http_field *f = &h->fields[h->field_count++];
		TRY(http_field_parse(line, f));
		TRY(on_field(h, &connection, f));
	}
	return check_whole(h, &connection, authority);
}

struct err
http_head_parse(struct bytes in, size_t *scanned, struct http_head *ret, size_t *ret_len,
                enum step *step)
{
	size_t len;

	in = bytes_slice(in, 0, HTTP_HEAD_MAX);
	TRY(http_find_end(in, scanned, &len));
	if (len == 0) {
		*step = STEP_MORE;
		return in.len == HTTP_HEAD_MAX ? refuse_unfinished(in) : OK;
	}
	TRY(parse_head(bytes_slice(in, head_start(in), len), ret));
	*scanned = 0;
	*ret_len = len;
	*step = STEP_DONE;
	return OK;
}

struct err
http_field_single(const struct http_head *h, const char *name, struct bytes *ret)
{
	const struct http_field *found = NULL;
	struct bytes wanted = bytes_text(name);

	for (size_t i = 0; i < h->field_count; i++) {
		if (!bytes_equal_nocase(h->fields[i].name, wanted))
			continue;
		if (found != NULL)
			return refuse(HTTP_BAD, "a field stands twice");
		found = &h->fields[i];
	}
	if (found != NULL)
		*ret = found->value;
	return OK;
}
