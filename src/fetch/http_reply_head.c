/* http_reply_head.c - see http_reply_head.h. */
#include "fetch/http_reply_head.h"

#include "base/macros.h"

static const char *const names[REPLY_FIELD_COUNT] = {
	[REPLY_CONTENT_TYPE] = "content-type",
	[REPLY_CACHE_CONTROL] = "cache-control",
	[REPLY_EXPIRES] = "expires",
	[REPLY_DATE] = "date",
	[REPLY_AGE] = "age",
	[REPLY_RETRY_AFTER] = "retry-after",
};

void
reply_head_done(struct reply_head *h)
{
	for (size_t i = 0; i < REPLY_FIELD_COUNT; i++)
		buf_done(&h->fields[i]);
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes
trim(struct bytes b)
{
	while (b.len > 0 && is_space(b.at[0]))
		b = bytes_slice(b, 1, b.len);
	while (b.len > 0 && is_space(b.at[b.len - 1]))
		b.len--;
	return b;
}

/* false: too long. */
static bool
add(struct buf *field, struct bytes value)
{
	field->limit = REPLY_FIELD_MAX;
	if (field->len > 0)
		buf_put(field, BYTES(", "));
	buf_put(field, value);
	return !field->overflow;
}

bool
reply_head_line(struct reply_head *h, struct bytes line)
{
	size_t colon = bytes_find(line, ':');
	struct bytes name = bytes_slice(line, 0, colon);

	h->len += line.len;
	if (h->len > REPLY_HEAD_MAX)
		return false;
	if (bytes_starts(line, BYTES("HTTP/"))) {
		for (size_t i = 0; i < REPLY_FIELD_COUNT; i++)
			buf_clear(&h->fields[i]);
		return true;
	}
	for (size_t i = 0; colon < line.len && i < REPLY_FIELD_COUNT; i++)
		if (bytes_equal_nocase(name, bytes_text(names[i])))
			return add(&h->fields[i], trim(bytes_slice(line, colon + 1, line.len)));
	return true;
}

static struct bytes
field(const struct reply_head *h, enum reply_field which)
{
	return buf_bytes(&h->fields[which]);
}

struct freshness
reply_head_freshness(const struct reply_head *h)
{
	return (struct freshness){ .cache_control = field(h, REPLY_CACHE_CONTROL),
		                   .expires = field(h, REPLY_EXPIRES),
		                   .date = field(h, REPLY_DATE),
		                   .age = field(h, REPLY_AGE) };
}

bool
reply_head_is_json(const struct reply_head *h)
{
	static const struct bytes suffixes[] = { BYTES("/json"), BYTES("+json") };
	struct bytes type = field(h, REPLY_CONTENT_TYPE);

	type = trim(bytes_slice(type, 0, bytes_find(type, ';')));
	if (!bytes_equal_nocase(bytes_slice(type, 0, 12), BYTES("application/")))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (type.len >= 12 + 4 &&
		    bytes_equal_nocase(bytes_slice(type, type.len - 5, type.len), suffixes[i]))
			return bytes_find(type, ',') == type.len;
	return false;
}
