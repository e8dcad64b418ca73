/* line.c - see line.h. There is exactly one spelling of a line, so every changed byte is seen:
 * either the shape breaks or the hash does. */
#include "audit/line.h"

#include <openssl/evp.h>

enum { HEX_LEN = 2 * AUDIT_HASH_LEN };

struct err
digest_init(struct digest *ret)
{
	struct digest d = { EVP_MD_fetch(NULL, "SHA256", NULL), EVP_MD_CTX_new() };

	if (d.method == NULL || d.context == NULL) {
		digest_done(&d);
		return fail(ERR_SYSTEM, "SHA-256 is not available");
	}
	*ret = d;
	return OK;
}

void
digest_done(struct digest *d)
{
	EVP_MD_CTX_free(d->context);
	EVP_MD_free(d->method);
	*d = (struct digest){ 0 };
}

struct err
digest_line(const struct digest *d, const uint8_t prev[AUDIT_HASH_LEN], struct bytes body,
            uint8_t ret[AUDIT_HASH_LEN])
{
	if (EVP_DigestInit_ex2(d->context, d->method, NULL) != 1 ||
	    EVP_DigestUpdate(d->context, prev, AUDIT_HASH_LEN) != 1 ||
	    EVP_DigestUpdate(d->context, body.at, body.len) != 1 ||
	    EVP_DigestFinal_ex(d->context, ret, NULL) != 1)
		return fail(ERR_SYSTEM, "SHA-256 failed");
	return OK;
}

struct err
line_seal(struct buf *out, size_t start, const struct digest *d, const uint8_t prev[AUDIT_HASH_LEN],
          uint8_t ret_hash[AUDIT_HASH_LEN])
{
	buf_put(out, BYTES(",\"prev\":\""));
	buf_put_hex(out, (struct bytes){ prev, AUDIT_HASH_LEN });
	buf_put_u8(out, '"');
	TRY(buf_check(out));
	TRY(digest_line(d, prev, bytes_slice(buf_bytes(out), start, out->len), ret_hash));
	buf_put(out, BYTES(",\"hash\":\""));
	buf_put_hex(out, (struct bytes){ ret_hash, AUDIT_HASH_LEN });
	buf_put(out, BYTES("\"}\n"));
	return buf_check(out);
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Lower case only: one spelling. */
static struct err
read_hash(struct reader *in, uint8_t ret[AUDIT_HASH_LEN])
{
	struct bytes hex;

	TRY(read_bytes(in, HEX_LEN, &hex));
	for (size_t i = 0; i < AUDIT_HASH_LEN; i++) {
		int high = hex_digit(hex.at[2 * i]), low = hex_digit(hex.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return fail(ERR_PEER, "a hash is not lower-case hex");
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return OK;
}

static struct err
read_literal(struct reader *in, struct bytes literal)
{
	struct bytes got;

	TRY(read_bytes(in, literal.len, &got));
	return bytes_equal(got, literal)
	               ? OK
	               : fail(ERR_PEER, "the line is not in the form of a record");
}

static struct err
read_sequence(struct reader *in, uint64_t *ret)
{
	struct bytes rest = { in->at, reader_left(in) }, digits;

	TRY(read_bytes(in, bytes_find(rest, ','), &digits));
	if (digits.len > 1 && digits.at[0] == '0')
		return fail(ERR_PEER, "a sequence number begins with a zero");
	return bytes_to_u64(digits, ret);
}

struct err
line_parse(struct bytes text, struct line *ret)
{
	struct bytes head = BYTES("{\"seq\":"), prev = BYTES(",\"prev\":\""),
		     hash = BYTES("\",\"hash\":\""), tail = BYTES("\"}"), body;
	size_t sealed = prev.len + HEX_LEN + hash.len + HEX_LEN + tail.len;
	struct reader in = reader_of(text);
	struct line l;

	if (text.len < head.len + sealed)
		return fail(ERR_PEER, "the line is too short for a record");
	TRY(read_literal(&in, head));
	TRY(read_sequence(&in, &l.sequence));
	if (reader_left(&in) < sealed)
		return fail(ERR_PEER, "the line is too short for a record");
	TRY(read_bytes(&in, reader_left(&in) - sealed, &body));
	TRY(read_literal(&in, prev));
	TRY(read_hash(&in, l.prev));
	/* The quote that ends `prev` is the last byte hashed. */
	l.body = bytes_slice(text, 0, text.len - reader_left(&in) + 1);
	TRY(read_literal(&in, hash));
	TRY(read_hash(&in, l.hash));
	TRY(read_literal(&in, tail));
	*ret = l;
	return OK;
}

bool
line_is_intact(const struct line *l, const struct digest *d)
{
	uint8_t hash[AUDIT_HASH_LEN];

	return !failed(digest_line(d, l->prev, l->body, hash)) &&
	       memcmp(hash, l->hash, sizeof hash) == 0;
}
