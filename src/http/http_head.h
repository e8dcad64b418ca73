/* http_head.h - the head of an HTTP/1.1 request (RFC 9112), read strictly and in place.
 *
 * Whatever two readers could understand differently is refused. Nothing is allocated: all bytes
 * borrow the input.
 *
 * Stricter than the RFC: field names with '_' (some programs read it as '-'); Content-Length with
 * leading zeros, as a list or twice; any Transfer-Encoding but one `chunked`; an empty Host, or one
 * with characters other than letters, digits, '-', '.', '_', or an absolute target that names
 * another; '#' in the target; more than one empty line in front. CONNECT and TRACE are unknown
 * methods; Upgrade is a field like any other. */
#ifndef HTTP_HTTP_HEAD_H
#define HTTP_HTTP_HEAD_H

#include "base/bytes.h"
#include "base/step.h"
#include "http/http_field.h"

enum { HTTP_HEAD_MAX = 32768, HTTP_TARGET_MAX = 8192, HTTP_FIELDS_MAX = 100 };

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_METHOD_COUNT,
};

/* "GET", ... Not for HTTP_METHOD_COUNT. */
struct bytes http_method_name(enum http_method m);

/* .code of a refusal: the status to answer with before closing. */
enum http_refusal {
	HTTP_BAD = 400,
	HTTP_BODY_LARGE = 413,
	HTTP_TARGET_LONG = 414,
	HTTP_EXPECT = 417,
	HTTP_MISDIRECTED = 421,
	HTTP_FIELDS_LARGE = 431,
	HTTP_METHOD_UNKNOWN = 501,
	HTTP_VERSION = 505,
};

struct http_head {
	enum http_method method;
	struct bytes target;      /* as sent */
	struct bytes path, query; /* split at the first '?'; query without it; "*" for OPTIONS */
	bool has_query;
	struct bytes host; /* authority; checked for form; .at is NULL when HTTP/1.0 gave none */
	uint8_t minor;     /* 0 or 1 */
	bool keep_alive;
	bool has_length, is_chunked;
	uint64_t content_length;
	bool expect_continue;
	uint16_t field_count;
	struct http_field fields[HTTP_FIELDS_MAX];
};

/* Looks for a whole head at the start of `in`. STEP_MORE: not all there. STEP_DONE: *ret_len bytes
 * were the head and *ret is filled; its contents mean nothing otherwise. `scanned` (start with 0; 0
 * again after STEP_DONE) remembers how far was looked, so that bytes that come one by one cost no
 * more than bytes that come at once. Errors: ERR_PEER with .code = enum http_refusal. */
struct err http_head_parse(struct bytes in, size_t *scanned, struct http_head *ret, size_t *ret_len,
                           enum step *step);

/* The only field of that name (case folds). *ret untouched and ERR_OK when absent: look at ret->at,
 * which is never NULL for a field that is there, even with an empty value. ERR_PEER when it stands
 * twice. */
struct err http_field_single(const struct http_head *h, const char *name, struct bytes *ret);

#endif
