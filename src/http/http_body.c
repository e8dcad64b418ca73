/* http_body.c - see http_body.h. RFC 9112 sections 6.3 and 7.1.
 *
 * A machine over single bytes, but for the data itself, which is passed on in runs. No line is kept
 * but a trailer that somebody asked for, and both are bounded. */
#include "http/http_body.h"

#include "base/macros.h"
#include "http/http_field.h"

enum body_state {
	BODY_DONE,
	BODY_FAILED,
	BODY_LENGTH,          /* `left` bytes of a body of known length */
	CHUNK_SIZE,           /* hex digits */
	EXTENSION_NAME_START, /* behind ';' */
	EXTENSION_NAME,
	EXTENSION_VALUE_START, /* behind '=' */
	EXTENSION_VALUE,
	EXTENSION_QUOTED,
	EXTENSION_ESCAPED, /* behind a backslash in quotes */
	EXTENSION_QUOTED_END,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	TRAILER_START, /* a name, or the CR of the empty line */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	BODY_LAST_LF,
};

/* Sums of sizes stay far from overflow: 16^15 is 2^60. */
enum { SIZE_DIGITS_MAX = 15 };

void
http_body_start(struct http_body *b, bool is_chunked, uint64_t length, uint64_t limit)
{
	*b = (struct http_body){ .is_chunked = is_chunked, .limit = limit, .state = BODY_DONE };
	if (is_chunked) {
		b->state = CHUNK_SIZE;
	} else if (length > 0) {
		b->state = BODY_LENGTH;
		b->left = length;
	}
}

void
http_body_init(struct http_body *b, const struct http_head *head, uint64_t limit)
{
	http_body_start(b, head->is_chunked, head->has_length ? head->content_length : 0, limit);
}

static struct err
refuse(struct http_body *b, const char *why)
{
	b->state = BODY_FAILED;
	return (struct err){ .kind = ERR_PEER, .code = HTTP_BAD, .why = why };
}

static struct err
refuse_large(struct http_body *b)
{
	b->state = BODY_FAILED;
	return (struct err){ .kind = ERR_LIMIT,
		             .code = HTTP_BODY_LARGE,
		             .why = "the body is larger than its limit" };
}

/* As much of the data as there is. */
static struct bytes
take_data(struct http_body *b, struct reader *in)
{
	size_t len = reader_left(in);
	struct bytes run;

	if (len > b->left)
		len = (size_t)b->left;
	run = (struct bytes){ in->at, len };
	in->at += len;
	b->left -= len;
	b->total += len;
	return run;
}

static uint64_t
hex_value(uint8_t c)
{
	return (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static struct err
on_size(struct http_body *b, uint8_t c)
{
	if (http_byte_is(c, HTTP_BYTE_HEX)) {
		if (b->digits == SIZE_DIGITS_MAX)
			return refuse(b, "a chunk size has too many digits");
		b->digits++;
		b->left = b->left << 4 | hex_value(c);
		return OK;
	}
	if (b->digits == 0 || (c != ';' && c != '\r'))
		return refuse(b, "a chunk size is malformed");
	if (b->left > b->limit - b->total)
		return refuse_large(b);
	b->state = c == ';' ? EXTENSION_NAME_START : CHUNK_SIZE_LF;
	return OK;
}

static struct err
count_overhead(struct http_body *b)
{
	if (++b->overhead > HTTP_OVERHEAD_MAX)
		return refuse(b, "chunk extensions and trailers are too long");
	return OK;
}

/* RFC 9112 section 7.1.1: names, and values that are tokens or quoted strings. Nothing is used, but
 * a quote left open is where readers disagree about the end of the line. White space, which the
 * grammar tolerates only from bad senders, is refused. */
static struct err
on_extension(struct http_body *b, uint8_t c)
{
	enum { CLASS = 0x100 };
	static const struct {
		uint8_t state, next;
		unsigned match; /* a byte, or CLASS and a class of bytes; the first row that fits
		                   counts */
	} rows[] = {
		{ EXTENSION_NAME_START, EXTENSION_NAME, CLASS | HTTP_BYTE_TOKEN },
		{ EXTENSION_NAME, EXTENSION_NAME, CLASS | HTTP_BYTE_TOKEN },
		{ EXTENSION_NAME, EXTENSION_VALUE_START, '=' },
		{ EXTENSION_NAME, EXTENSION_NAME_START, ';' },
		{ EXTENSION_NAME, CHUNK_SIZE_LF, '\r' },
		{ EXTENSION_VALUE_START, EXTENSION_QUOTED, '"' },
		{ EXTENSION_VALUE_START, EXTENSION_VALUE, CLASS | HTTP_BYTE_TOKEN },
		{ EXTENSION_VALUE, EXTENSION_VALUE, CLASS | HTTP_BYTE_TOKEN },
		{ EXTENSION_VALUE, EXTENSION_NAME_START, ';' },
		{ EXTENSION_VALUE, CHUNK_SIZE_LF, '\r' },
		{ EXTENSION_QUOTED, EXTENSION_QUOTED_END, '"' },
		{ EXTENSION_QUOTED, EXTENSION_ESCAPED, '\\' },
		{ EXTENSION_QUOTED, EXTENSION_QUOTED, CLASS | HTTP_BYTE_VALUE },
		{ EXTENSION_ESCAPED, EXTENSION_QUOTED, CLASS | HTTP_BYTE_VALUE },
		{ EXTENSION_QUOTED_END, EXTENSION_NAME_START, ';' },
		{ EXTENSION_QUOTED_END, CHUNK_SIZE_LF, '\r' },
	};

	TRY(count_overhead(b));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].state != b->state)
			continue;
		if (rows[i].match & CLASS ? http_byte_is(c, rows[i].match & 0xff)
		                          : rows[i].match == c) {
			b->state = rows[i].next;
			return OK;
		}
	}
	return refuse(b, "a chunk extension is malformed");
}

bool
http_trailer_is_allowed(struct bytes name)
{
	static const char *const forbidden[] = {
		/* framing and the connection */
		"transfer-encoding", "content-length", "trailer", "te", "connection", "keep-alive",
		"upgrade", "proxy-connection",
		/* routing, request modifiers */
		"host", "expect", "max-forwards", "range", "if-match", "if-none-match",
		"if-modified-since", "if-unmodified-since", "if-range", "cache-control", "pragma",
		/* authentication */
		"authorization", "proxy-authorization", "proxy-authenticate", "www-authenticate",
		"authentication-info", "proxy-authentication-info", "cookie", "set-cookie", "dpop",
		/* what the answer is, and how its content is read */
		"age", "date", "expires", "location", "retry-after", "vary", "content-encoding",
		"content-type", "content-range"
	};

	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
		if (bytes_equal_nocase(name, bytes_text(forbidden[i])))
			return false;
	return true;
}

static void
keep_byte(struct http_body *b, uint8_t c)
{
	if (b->trailers != NULL)
		buf_put_u8(b->trailers, c);
}

/* The line is complete: it stays, or goes again. */
static struct err
keep_trailer(struct http_body *b)
{
	struct http_field f;

	if (b->trailers == NULL)
		return OK;
	if (failed(buf_check(b->trailers)))
		return refuse(b, "the trailers are too long");
	if (failed(http_field_parse(bytes_slice(buf_bytes(b->trailers), b->line, b->trailers->len),
	                            &f)))
		return refuse(b, "a trailer is malformed");
	if (http_trailer_is_allowed(f.name))
		buf_put_text(b->trailers, "\r\n");
	else
		b->trailers->len = b->line;
	return OK;
}

static struct err
on_trailer_value(struct http_body *b, uint8_t c)
{
	if (c != '\r' && !http_byte_is(c, HTTP_BYTE_VALUE))
		return refuse(b, "a trailer holds a control byte");
	b->state = c == '\r' ? TRAILER_LF : TRAILER_VALUE;
	if (c == '\r')
		return keep_trailer(b);
	keep_byte(b, c);
	return OK;
}

static struct err
on_trailer_start(struct http_body *b, uint8_t c)
{
	if (c != '\r' && !http_byte_is(c, HTTP_BYTE_NAME))
		return refuse(b, "a trailer does not start with a name");
	b->state = c == '\r' ? BODY_LAST_LF : TRAILER_NAME;
	b->line = b->trailers == NULL ? 0 : b->trailers->len;
	if (c != '\r')
		keep_byte(b, c);
	return OK;
}

static struct err
on_trailer_name(struct http_body *b, uint8_t c)
{
	if (c != ':' && !http_byte_is(c, HTTP_BYTE_NAME))
		return refuse(b, "a trailer name holds a byte it may not hold");
	b->state = c == ':' ? TRAILER_VALUE : TRAILER_NAME;
	keep_byte(b, c);
	return OK;
}

static struct err
expect_byte(struct http_body *b, uint8_t c, uint8_t wanted, enum body_state after)
{
	if (c != wanted)
		return refuse(b, "a chunk is not framed by CRLF");
	b->state = (uint8_t)after;
	return OK;
}

/* The last chunk, of size 0, has no data: trailers follow its line. */
static struct err
on_size_lf(struct http_body *b, uint8_t c)
{
	b->digits = 0;
	return expect_byte(b, c, '\n', b->left > 0 ? CHUNK_DATA : TRAILER_START);
}

/* One byte of framing. */
static struct err
on_byte(struct http_body *b, uint8_t c)
{
	switch ((enum body_state)b->state) {
	case CHUNK_SIZE:
		return on_size(b, c);
	case EXTENSION_NAME_START:
	case EXTENSION_NAME:
	case EXTENSION_VALUE_START:
	case EXTENSION_VALUE:
	case EXTENSION_QUOTED:
	case EXTENSION_ESCAPED:
	case EXTENSION_QUOTED_END:
		return on_extension(b, c);
	case CHUNK_SIZE_LF:
		return on_size_lf(b, c);
	case CHUNK_DATA_CR:
		return expect_byte(b, c, '\r', CHUNK_DATA_LF);
	case CHUNK_DATA_LF:
		return expect_byte(b, c, '\n', CHUNK_SIZE);
	case TRAILER_START:
		TRY(count_overhead(b));
		return on_trailer_start(b, c);
	case TRAILER_NAME:
		TRY(count_overhead(b));
		return on_trailer_name(b, c);
	case TRAILER_VALUE:
		TRY(count_overhead(b));
		return on_trailer_value(b, c);
	case TRAILER_LF:
		return expect_byte(b, c, '\n', TRAILER_START);
	case BODY_LAST_LF:
		return expect_byte(b, c, '\n', BODY_DONE);
	case BODY_DONE:
	case BODY_FAILED:
	case BODY_LENGTH:
	case CHUNK_DATA:
		break;
	}
	return refuse(b, "the body has failed before");
}

/* The data of a known length or of this chunk; moves on when it is complete. */
static struct err
on_data(struct http_body *b, struct reader *in, struct bytes *ret)
{
	if (b->left > b->limit - b->total)
		return refuse_large(b);
	*ret = take_data(b, in);
	if (b->left == 0)
		b->state = b->is_chunked ? CHUNK_DATA_CR : BODY_DONE;
	return OK;
}

struct err
http_body_feed(struct http_body *b, struct reader *in, struct bytes *ret, enum step *step)
{
	*ret = (struct bytes){ 0 };
	if (b->state == BODY_FAILED)
		return refuse(b, "the body has failed before");
	while (b->state != BODY_DONE && (reader_left(in) > 0 || b->state == BODY_LENGTH)) {
		uint8_t c;

		if (b->state == BODY_LENGTH || b->state == CHUNK_DATA) {
			TRY(on_data(b, in, ret));
			break;
		}
		TRY(read_u8(in, &c));
		TRY(on_byte(b, c));
	}
	*step = b->state == BODY_DONE ? STEP_DONE : STEP_MORE;
	return OK;
}
