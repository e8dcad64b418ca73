/* login.c - see login.h. Each message: its fields in the order of the struct, counted. */
#include "identity/login.h"

#include "base/macros.h"

enum { TOKEN_MAX = 16384 };

static struct err
read_end(const struct reader *r)
{
	return reader_left(r) == 0 ? OK : fail(ERR_PEER, "a message is longer than it says");
}

void
shared_keys_put(struct buf *out, const struct shared_keys *k)
{
	buf_put(out, k->cursor);
	buf_put(out, k->fingerprint);
}

struct err
shared_keys_read(struct bytes message, struct shared_keys *ret)
{
	struct reader r = reader_of(message);

	TRY(read_bytes(&r, SHARED_KEY_LEN, &ret->cursor));
	TRY(read_bytes(&r, SHARED_KEY_LEN, &ret->fingerprint));
	return read_end(&r);
}

void
login_put(struct buf *out, const struct login *l)
{
	const struct bytes fields[] = { l->user, l->password, l->refresh_token, l->client_id,
		                        l->address };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		buf_put_counted(out, fields[i]);
}

struct err
login_read(struct bytes message, struct login *ret)
{
	struct bytes *const fields[] = { &ret->user, &ret->password, &ret->refresh_token,
		                         &ret->client_id, &ret->address };
	struct reader r = reader_of(message);

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		TRY(read_counted(&r, LOGIN_TEXT_MAX, fields[i]));
	return read_end(&r);
}

void
login_answer_put(struct buf *out, const struct login_answer *a)
{
	buf_put_u8(out, (uint8_t)a->result);
	buf_put_u32le(out, a->wait_s);
	buf_put_u32le(out, a->expires_in_s);
	buf_put_counted(out, a->access_token);
	buf_put_counted(out, a->refresh_token);
	buf_put_counted(out, a->subject);
	buf_put_counted(out, a->name);
	buf_put_counted(out, a->reason);
}

struct err
login_answer_read(struct bytes message, struct login_answer *ret)
{
	struct reader r = reader_of(message);
	uint8_t result;

	TRY(read_u8(&r, &result));
	if (result >= LOGIN_RESULT_COUNT)
		return fail(ERR_PEER, "a login answer of an unknown kind");
	ret->result = result;
	TRY(read_u32le(&r, &ret->wait_s));
	TRY(read_u32le(&r, &ret->expires_in_s));
	TRY(read_counted(&r, TOKEN_MAX, &ret->access_token));
	TRY(read_counted(&r, LOGIN_TEXT_MAX, &ret->refresh_token));
	TRY(read_counted(&r, LOGIN_TEXT_MAX, &ret->subject));
	TRY(read_counted(&r, LOGIN_TEXT_MAX, &ret->name));
	TRY(read_counted(&r, LOGIN_TEXT_MAX, &ret->reason));
	return read_end(&r);
}
