/* json.h - strict JSON (RFC 8259): a reader that keeps numbers as text, and a writer onto a buf.
 *
 * Why our own: exact numbers (decimals and 64-bit integers survive), duplicate members
 * refused (also after unescaping), no recursion, memory bounded by the input. */
#ifndef FORMAT_JSON_H
#define FORMAT_JSON_H

#include "base/arena.h"
#include "base/buf.h"

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* One value. Values stand in one array in document order: an array's items, or an object's
 * name and value pairs, follow it. Lives in the arena given to json_parse(); `text` borrows
 * the arena or the input. */
struct json {
	enum json_type type;
	uint32_t span;     /* values in this subtree, itself included */
	uint32_t count;    /* items of an array, members of an object */
	struct bytes text; /* string: unescaped UTF-8; number: as written */
};

enum { JSON_DEPTH_MAX = 32, JSON_VALUES_MAX = 100000 };

struct json_error {
	size_t offset;   /* byte in the input */
	const char *why; /* literal */
};

/* The whole of `text` must be one value. Invalid UTF-8, lone surrogates, \u0000, duplicate
 * names, a BOM and trailing bytes are refused. `error` may be NULL. Errors: ERR_PEER; ERR_LIMIT
 * for depth, number of values, memory. */
struct err json_parse(struct bytes text, struct arena *arena, const struct json **ret,
                      struct json_error *error);

/* The value of a member, or NULL when there is none or `object` is no object (or NULL). */
const struct json *json_member(const struct json *object, const char *name);
/* Items of an array; names of an object (the value is name + 1). NULL at the end:
 *   for (i = json_first(a); i != NULL; i = json_next(a, i)) */
const struct json *json_first(const struct json *parent);
const struct json *json_next(const struct json *parent, const struct json *item);

/* Questions about a value, which may be NULL. Each writes *ret only when it answers true. */
bool json_string(const struct json *v, struct bytes *ret);
/* The text of a member; empty where there is none, or it is no text. */
struct bytes json_member_text(const struct json *object, const char *name);
/* An integer within int64, written without fraction or exponent (or with a zero fraction). */
bool json_int64(const struct json *v, int64_t *ret);
/* The nearest double; not where that is infinite, nor of more than 1023 characters. */
bool json_double(const struct json *v, double *ret);
bool json_bool(const struct json *v, bool *ret);

/* Writing. A string is quoted and escaped; bytes that are not UTF-8 become U+FFFD. Control
 * bytes, quote and backslash are escaped; so are U+2028/2029 and `<` (safe inside HTML). */
void json_put_string(struct buf *out, struct bytes text);
/* `"name":` for a literal name that needs no escaping. */
void json_put_name(struct buf *out, const char *name);
/* One more member of an object, whose value is a text: a comma first. */
void json_put_text(struct buf *out, const char *name, struct bytes text);
/* The same; nothing where the text is empty. */
void json_put_text_if_any(struct buf *out, const char *name, struct bytes text);
/* Shortest form that reads back the same; NaN and infinities become null. */
void json_put_double(struct buf *out, double value);
/* A parsed value again, compact, member order kept. */
void json_put_value(struct buf *out, const struct json *v);

#endif
