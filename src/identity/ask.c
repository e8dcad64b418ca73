/* ask.c - see ask.h. Each message: its numbers, then its fields in their order, counted. */
#include "identity/ask.h"

#include "base/macros.h"

static struct err
read_end(const struct reader *r)
{
	return reader_left(r) == 0 ? OK : fail(ERR_PEER, "a message is longer than it says");
}

static void
put_fields(struct buf *out, const struct bytes *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_put_counted(out, fields[i]);
}

static struct err
read_fields(struct reader *r, struct bytes *ret, size_t count)
{
	for (size_t i = 0; i < count; i++)
		TRY(read_counted(r, ASK_TEXT_MAX, &ret[i]));
	return read_end(r);
}

/* A byte that names one of `count` things. */
static struct err
read_kind(struct reader *r, unsigned count, unsigned *ret)
{
	uint8_t kind;

	TRY(read_u8(r, &kind));
	if (kind >= count)
		return fail(ERR_PEER, "a message of an unknown kind");
	*ret = kind;
	return OK;
}

void
shared_keys_put(struct buf *out, const struct shared_keys *k)
{
	buf_put(out, k->cursor);
	buf_put(out, k->fingerprint);
	buf_put(out, k->ticket);
}

struct err
shared_keys_read(struct bytes message, struct shared_keys *ret)
{
	struct reader r = reader_of(message);

	TRY(read_bytes(&r, SHARED_KEY_LEN, &ret->cursor));
	TRY(read_bytes(&r, SHARED_KEY_LEN, &ret->fingerprint));
	TRY(read_bytes(&r, SHARED_KEY_LEN, &ret->ticket));
	return read_end(&r);
}

void
ask_put(struct buf *out, const struct ask *a)
{
	buf_put_u8(out, (uint8_t)a->kind);
	put_fields(out, a->fields, ASK_FIELD_COUNT);
}

struct err
ask_read(struct bytes message, struct ask *ret)
{
	struct reader r = reader_of(message);
	unsigned kind;

	TRY(read_kind(&r, ASK_KIND_COUNT, &kind));
	ret->kind = kind;
	return read_fields(&r, ret->fields, ASK_FIELD_COUNT);
}

const char *
oauth_error_name(enum oauth_error e)
{
	static const char *const names[OAUTH_ERROR_COUNT] = {
		[OAUTH_NONE] = "temporarily_unavailable",
		[OAUTH_INVALID_REQUEST] = "invalid_request",
		[OAUTH_INVALID_CLIENT] = "invalid_client",
		[OAUTH_INVALID_GRANT] = "invalid_grant",
		[OAUTH_UNAUTHORIZED_CLIENT] = "unauthorized_client",
		[OAUTH_UNSUPPORTED_GRANT_TYPE] = "unsupported_grant_type",
		[OAUTH_INVALID_SCOPE] = "invalid_scope",
		[OAUTH_INVALID_TARGET] = "invalid_target",
		[OAUTH_ACCESS_DENIED] = "access_denied",
	};

	return names[(unsigned)e < OAUTH_ERROR_COUNT ? e : OAUTH_NONE];
}

void
answer_put(struct buf *out, const struct answer *a)
{
	buf_put_u8(out, (uint8_t)a->result);
	buf_put_u8(out, (uint8_t)a->error);
	buf_put_u32le(out, a->wait_s);
	buf_put_u32le(out, a->expires_in_s);
	put_fields(out, a->fields, ANSWER_FIELD_COUNT);
}

struct err
answer_read(struct bytes message, struct answer *ret)
{
	struct reader r = reader_of(message);
	unsigned result, error;

	TRY(read_kind(&r, ANSWER_RESULT_COUNT, &result));
	TRY(read_kind(&r, OAUTH_ERROR_COUNT, &error));
	ret->result = result;
	ret->error = error;
	TRY(read_u32le(&r, &ret->wait_s));
	TRY(read_u32le(&r, &ret->expires_in_s));
	return read_fields(&r, ret->fields, ANSWER_FIELD_COUNT);
}

void
revocation_put(struct buf *out, const struct revocation *r)
{
	buf_put_u8(out, (uint8_t)r->kind);
	buf_put_u64le(out, (uint64_t)r->before);
	buf_put_u64le(out, (uint64_t)r->until_s);
	buf_put_counted(out, r->issuer);
	buf_put_counted(out, r->value);
}

struct err
revocation_read(struct bytes message, struct revocation *ret)
{
	struct reader r = reader_of(message);
	uint64_t before, until;
	unsigned kind;

	TRY(read_kind(&r, REVOCATION_KIND_COUNT, &kind));
	TRY(read_u64le(&r, &before));
	TRY(read_u64le(&r, &until));
	TRY(read_counted(&r, ASK_TEXT_MAX, &ret->issuer));
	TRY(read_counted(&r, ASK_TEXT_MAX, &ret->value));
	ret->kind = kind;
	ret->before = (int64_t)before;
	ret->until_s = (int64_t)until;
	return read_end(&r);
}
