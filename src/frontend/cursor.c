/* cursor.c - see rest.h. Form: base64url(12-byte nonce, ciphertext, 16-byte tag). */
#include <openssl/evp.h>

#include "base/macros.h"
#include "format/base64.h"
#include "frontend/rest.h"

enum { NONCE_LEN = 12, TAG_LEN = 16, CURSOR_MAX = 8192 };

static void
evp_done(EVP_CIPHER_CTX **ctx)
{
	EVP_CIPHER_CTX_free(*ctx);
}

static void
put_value(struct buf *out, const struct value *v)
{
	buf_put_u8(out, (uint8_t)v->type);
	switch (v->type) {
	case VALUE_NULL:
		return;
	case VALUE_BOOL:
		buf_put_u8(out, v->boolean);
		return;
	case VALUE_INT64:
		buf_put_u64le(out, (uint64_t)v->int64);
		return;
	case VALUE_DOUBLE: {
		uint64_t word;
		memcpy(&word, &v->real, sizeof word);
		buf_put_u64le(out, word);
		return;
	}
	case VALUE_DECIMAL:
	case VALUE_TEXT:
	case VALUE_BYTES:
	case VALUE_DATE:
	case VALUE_TIME:
	case VALUE_TIMESTAMP:
	case VALUE_UUID:
	case VALUE_JSON:
		buf_put_counted(out, v->bytes);
	}
}

static struct err
read_value(struct reader *r, struct value *ret)
{
	uint8_t type, byte;
	uint64_t word;

	TRY(read_u8(r, &type));
	if (type > VALUE_JSON)
		return fail(ERR_PEER, "the cursor holds an unknown type");
	ret->type = type;
	switch (ret->type) {
	case VALUE_NULL:
		return OK;
	case VALUE_BOOL:
		TRY(read_u8(r, &byte));
		ret->boolean = byte != 0;
		return OK;
	case VALUE_INT64:
		TRY(read_u64le(r, &word));
		ret->int64 = (int64_t)word;
		return OK;
	case VALUE_DOUBLE:
		TRY(read_u64le(r, &word));
		memcpy(&ret->real, &word, sizeof word);
		return OK;
	case VALUE_DECIMAL:
	case VALUE_TEXT:
	case VALUE_BYTES:
	case VALUE_DATE:
	case VALUE_TIME:
	case VALUE_TIMESTAMP:
	case VALUE_UUID:
	case VALUE_JSON:
		break;
	}
	return read_counted(r, CURSOR_MAX, &ret->bytes);
}

/* What the cursor is bound to, unambiguous. */
static void
put_context(struct buf *out, const struct cursor_context *of)
{
	buf_put_counted(out, of->resource);
	buf_put_counted(out, of->order);
	buf_put_counted(out, of->filter);
}

struct err
cursor_seal(struct gate *g, const struct cursor_context *of, const struct value *values,
            size_t count, struct buf *out)
{
	CLEANUP(buf_done)
	struct buf plain = { .limit = CURSOR_MAX }, sealed = { .limit = 2 * CURSOR_MAX };
	CLEANUP(buf_done) struct buf context = { 0 };
	CLEANUP(evp_done) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len = 0, rest = 0;

	for (size_t i = 0; i < count; i++)
		put_value(&plain, &values[i]);
	put_context(&context, of);
	uint8_t *at = buf_reserve(&sealed, NONCE_LEN + plain.len + TAG_LEN);
	if (ctx == NULL || at == NULL || plain.overflow || context.overflow)
		return fail(ERR_LIMIT, "the order values of a row are too long for a cursor");
	gate_random(g, at, NONCE_LEN);
	if (EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, g->cursor_key, at) != 1 ||
	    EVP_EncryptUpdate(ctx, NULL, &len, context.at, (int)context.len) != 1 ||
	    EVP_EncryptUpdate(ctx, at + NONCE_LEN, &len, plain.at, (int)plain.len) != 1 ||
	    EVP_EncryptFinal_ex(ctx, at + NONCE_LEN + len, &rest) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, at + NONCE_LEN + plain.len) !=
	            1)
		return fail(ERR_SYSTEM, "the cursor could not be sealed");
	buf_commit(&sealed, NONCE_LEN + plain.len + TAG_LEN);
	base64url_put(out, buf_bytes(&sealed));
	return OK;
}

struct err
cursor_open(const struct gate *g, const struct cursor_context *of, struct bytes text,
            struct arena *arena, struct value *values, size_t count)
{
	static const struct err bad = {
		.kind = ERR_PEER, .why = "the cursor was not made by this service for this query"
	};
	CLEANUP(buf_done) struct buf context = { 0 };
	CLEANUP(evp_done) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *sealed = text.len > 2 * CURSOR_MAX ? NULL : arena_alloc(arena, text.len + 1);
	size_t sealed_len;
	int len = 0, rest = 0;

	if (sealed == NULL || ctx == NULL ||
	    failed(base64url_decode(text, sealed, text.len, &sealed_len)) ||
	    sealed_len < NONCE_LEN + TAG_LEN)
		return bad;
	size_t plain_len = sealed_len - NONCE_LEN - TAG_LEN;
	uint8_t *plain = arena_alloc(arena, plain_len + 1);
	put_context(&context, of);
	if (plain == NULL || context.overflow ||
	    EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, g->cursor_key, sealed) != 1 ||
	    EVP_DecryptUpdate(ctx, NULL, &len, context.at, (int)context.len) != 1 ||
	    EVP_DecryptUpdate(ctx, plain, &len, sealed + NONCE_LEN, (int)plain_len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN,
	                        sealed + NONCE_LEN + plain_len) != 1 ||
	    EVP_DecryptFinal_ex(ctx, plain + len, &rest) != 1)
		return bad;

	struct reader r = { plain, plain + plain_len };
	for (size_t i = 0; i < count; i++)
		if (failed(read_value(&r, &values[i])))
			return bad;
	return reader_left(&r) == 0 ? OK : bad;
}
