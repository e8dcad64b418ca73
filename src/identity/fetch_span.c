/* fetch_span.c - a span on its way from a worker to fetcher: see fetch.h. Its length, its numbers,
 * then its texts, counted. */
#include "base/macros.h"
#include "identity/fetch.h"

enum { HAS_PARENT = 1, HAS_SERVICE = 2, IS_ANSWERED = 4, FLAGS = 7, TEXTS = 12 };

/* In the order of the wire. */
static void
texts_of(struct fetch_span *s, struct bytes *ret[TEXTS])
{
	struct bytes *const all[TEXTS] = { &s->method,       &s->path,       &s->route,
		                           &s->host,         &s->user_agent, &s->client,
		                           &s->http_version, &s->decision,   &s->outcome,
		                           &s->rule,         &s->backend,    &s->origin };

	memcpy(ret, all, sizeof all);
}

void
fetch_span_put(struct buf *out, const struct fetch_span *s)
{
	struct fetch_span copy = *s;
	const uint64_t numbers[] = { s->started_us, s->duration_us, s->service_after_us,
		                     s->service_us };
	struct bytes *texts[TEXTS];
	size_t len = 40 + 1 + 2 + sizeof numbers;

	texts_of(&copy, texts);
	for (size_t i = 0; i < TEXTS; i++) {
		*texts[i] = bytes_slice(*texts[i], 0, SPAN_TEXT_MAX);
		len += 4 + texts[i]->len;
	}
	buf_put_u32le(out, (uint32_t)len);
	buf_put(out, (struct bytes){ s->trace, sizeof s->trace });
	buf_put(out, (struct bytes){ s->span, sizeof s->span });
	buf_put(out, (struct bytes){ s->parent, sizeof s->parent });
	buf_put(out, (struct bytes){ s->service_span, sizeof s->service_span });
	buf_put_u8(out,
	           (uint8_t)((s->has_parent ? HAS_PARENT : 0) | (s->has_service ? HAS_SERVICE : 0) |
	                     (s->is_answered ? IS_ANSWERED : 0)));
	buf_put_u16le(out, s->status);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		buf_put_u64le(out, numbers[i]);
	for (size_t i = 0; i < TEXTS; i++)
		buf_put_counted(out, *texts[i]);
}

static struct err
read_id(struct reader *r, uint8_t *ret, size_t len)
{
	struct bytes id;

	TRY(read_bytes(r, len, &id));
	memcpy(ret, id.at, len);
	return OK;
}

static struct err
read_numbers(struct reader *r, struct fetch_span *s)
{
	uint64_t *const numbers[] = { &s->started_us, &s->duration_us, &s->service_after_us,
		                      &s->service_us };
	uint8_t flags;

	TRY(read_u8(r, &flags));
	if (flags > FLAGS)
		return fail(ERR_PEER, "a span has flags that there are not");
	s->has_parent = (flags & HAS_PARENT) != 0;
	s->has_service = (flags & HAS_SERVICE) != 0;
	s->is_answered = (flags & IS_ANSWERED) != 0;
	TRY(read_u16le(r, &s->status));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		TRY(read_u64le(r, numbers[i]));
		if (*numbers[i] > INT64_MAX / 1000) /* it becomes nanoseconds, and is added to */
			return fail(ERR_PEER, "a span has a time that is none");
	}
	return OK;
}

struct err
fetch_span_read(struct reader *message, struct fetch_span *ret)
{
	struct fetch_span s = { 0 };
	struct bytes *texts[TEXTS];
	struct bytes one;

	TRY(read_counted(message, (size_t)TEXTS * (SPAN_TEXT_MAX + 4) + 128, &one));
	struct reader r = reader_of(one);
	TRY(read_id(&r, s.trace, sizeof s.trace));
	TRY(read_id(&r, s.span, sizeof s.span));
	TRY(read_id(&r, s.parent, sizeof s.parent));
	TRY(read_id(&r, s.service_span, sizeof s.service_span));
	TRY(read_numbers(&r, &s));
	texts_of(&s, texts);
	for (size_t i = 0; i < TEXTS; i++)
		TRY(read_counted(&r, SPAN_TEXT_MAX, texts[i]));
	if (reader_left(&r) != 0)
		return fail(ERR_PEER, "a span is longer than it says");
	*ret = s;
	return OK;
}

uint64_t
fetch_spans_count(struct bytes message)
{
	struct reader r = reader_of(message);
	struct bytes one;
	uint64_t count = 0;

	while (!failed(read_counted(&r, SIZE_MAX, &one)))
		count++;
	return count;
}
