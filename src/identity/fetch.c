/* fetch.c - see fetch.h. Each message: its numbers, then its texts, counted. */
#include "identity/fetch.h"

#include "base/macros.h"

static struct err
read_end(const struct reader *r)
{
	return reader_left(r) == 0 ? OK : fail(ERR_PEER, "a message is longer than it says");
}

static struct err
read_flag(struct reader *r, bool *ret)
{
	uint8_t byte;

	TRY(read_u8(r, &byte));
	if (byte > 1)
		return fail(ERR_PEER, "a flag of a message is neither 0 nor 1");
	*ret = byte == 1;
	return OK;
}

static void
put_texts(struct buf *out, const struct bytes *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_put_counted(out, *texts[i]);
}

static struct err
read_texts(struct reader *r, struct bytes *const *ret, size_t count)
{
	for (size_t i = 0; i < count; i++)
		TRY(read_counted(r, FETCH_TEXT_MAX, ret[i]));
	return read_end(r);
}

struct bytes
issuer_source(const struct issuer_settings *s)
{
	const char *url = s->jwks_file != NULL  ? NULL
	                  : s->jwks_url != NULL ? s->jwks_url
	                                        : s->metadata_url;

	return url == NULL ? (struct bytes){ 0 } : bytes_text(url);
}

void
fetched_keys_put(struct buf *out, const struct fetched_keys *k)
{
	buf_put_u8(out, k->is_last);
	buf_put_u64le(out, (uint64_t)k->stale_until_s);
	buf_put_counted(out, k->source);
	buf_put_counted(out, k->part);
}

struct err
fetched_keys_read(struct bytes message, struct fetched_keys *ret)
{
	struct reader r = reader_of(message);
	uint64_t until;

	TRY(read_flag(&r, &ret->is_last));
	TRY(read_u64le(&r, &until));
	ret->stale_until_s = (int64_t)until;
	TRY(read_counted(&r, FETCH_URL_MAX, &ret->source));
	TRY(read_counted(&r, FETCH_PART_MAX, &ret->part));
	return read_end(&r);
}

void
fetched_state_put(struct buf *out, const struct fetched_state *s)
{
	const struct bytes *const texts[] = { &s->source, &s->why, &s->authorization_endpoint,
		                              &s->end_session_endpoint };

	buf_put_u32le(out, s->retry_s);
	put_texts(out, texts, ARRAY_LEN(texts));
}

struct err
fetched_state_read(struct bytes message, struct fetched_state *ret)
{
	struct bytes *const texts[] = { &ret->source, &ret->why, &ret->authorization_endpoint,
		                        &ret->end_session_endpoint };
	struct reader r = reader_of(message);

	TRY(read_u32le(&r, &ret->retry_s));
	return read_texts(&r, texts, ARRAY_LEN(texts));
}

void
fetch_ask_put(struct buf *out, const struct fetch_ask *a)
{
	const struct bytes *const texts[] = { &a->issuer, &a->token,    &a->tenant,      &a->object,
		                              &a->code,   &a->verifier, &a->redirect_uri };

	buf_put_u8(out, a->is_app);
	put_texts(out, texts, ARRAY_LEN(texts));
}

struct err
fetch_ask_read(struct bytes message, struct fetch_ask *ret)
{
	struct bytes *const texts[] = { &ret->issuer,      &ret->token, &ret->tenant,
		                        &ret->object,      &ret->code,  &ret->verifier,
		                        &ret->redirect_uri };
	struct reader r = reader_of(message);

	TRY(read_flag(&r, &ret->is_app));
	return read_texts(&r, texts, ARRAY_LEN(texts));
}

void
fetch_answer_put(struct buf *out, const struct fetch_answer *a)
{
	const struct bytes *const texts[] = { &a->why, &a->claims, &a->id_token, &a->access_token };

	buf_put_u8(out, (uint8_t)a->result);
	buf_put_u32le(out, a->retry_s);
	put_texts(out, texts, ARRAY_LEN(texts));
}

struct err
fetch_answer_read(struct bytes message, struct fetch_answer *ret)
{
	struct bytes *const texts[] = { &ret->why, &ret->claims, &ret->id_token,
		                        &ret->access_token };
	struct reader r = reader_of(message);
	uint8_t result;

	TRY(read_u8(&r, &result));
	if (result >= FETCH_RESULT_COUNT)
		return fail(ERR_PEER, "a message of an unknown kind");
	ret->result = result;
	TRY(read_u32le(&r, &ret->retry_s));
	return read_texts(&r, texts, ARRAY_LEN(texts));
}
