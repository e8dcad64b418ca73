/* login_ticket.c - see login_ticket.h. */
#include "frontend/login_ticket.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/macros.h"
#include "base/random.h"
#include "format/base64.h"
#include "frontend/cookie.h"

enum { END_LEN = 8, MAC_LEN = 32, TICKET_MAX = 16384 };

static struct err
hmac(struct bytes key, struct bytes message, uint8_t ret[MAC_LEN])
{
	unsigned len = MAC_LEN;

	if (HMAC(EVP_sha256(), key.at, (int)key.len, message.at, message.len, ret, &len) == NULL)
		return fail(ERR_SYSTEM, "a login ticket could not be sealed");
	return OK;
}

/* The purpose makes the key, so that the key of cursors signs nothing by itself. */
static struct err
seal(const struct ticket_seal *s, int64_t end_s, struct bytes text, uint8_t ret[MAC_LEN])
{
	CLEANUP(buf_done) struct buf message = { .limit = TICKET_MAX };
	uint8_t key[MAC_LEN];

	buf_put_u64le(&message, (uint64_t)end_s);
	buf_put_counted(&message, s->browser);
	buf_put_counted(&message, text);
	TRY(buf_check(&message));
	TRY(hmac(s->key, bytes_text(s->purpose), key));
	struct err e = hmac((struct bytes){ key, sizeof key }, buf_bytes(&message), ret);
	OPENSSL_cleanse(key, sizeof key);
	return e;
}

struct err
ticket_put(const struct ticket_seal *s, struct bytes text, int64_t now_s, struct buf *out)
{
	CLEANUP(buf_done) struct buf ticket = { .limit = TICKET_MAX };
	int64_t end_s = now_s + TICKET_LIFE_S;
	uint8_t mac[MAC_LEN];

	TRY(seal(s, end_s, text, mac));
	buf_put_u64le(&ticket, (uint64_t)end_s);
	buf_put(&ticket, (struct bytes){ mac, sizeof mac });
	buf_put(&ticket, text);
	TRY(buf_check(&ticket));
	base64url_put(out, buf_bytes(&ticket));
	return buf_check(out);
}

struct err
ticket_read(const struct ticket_seal *s, struct bytes ticket, int64_t now_s, struct arena *arena,
            struct bytes *ret)
{
	static const struct err bad = { .kind = ERR_PEER,
		                        .why = "this page is not the one you were shown" };
	uint8_t *plain = ticket.len > 2 * TICKET_MAX ? NULL : arena_alloc(arena, ticket.len + 1);
	uint8_t expected[MAC_LEN];
	struct bytes mac, text;
	uint64_t end_s;
	size_t len;

	if (plain == NULL || failed(base64url_decode(ticket, plain, ticket.len, &len)))
		return bad;
	struct reader r = { plain, plain + len };
	if (failed(read_u64le(&r, &end_s)) || failed(read_bytes(&r, MAC_LEN, &mac)) ||
	    failed(read_bytes(&r, reader_left(&r), &text)) ||
	    failed(seal(s, (int64_t)end_s, text, expected)) ||
	    !bytes_equal_secret(mac, (struct bytes){ expected, MAC_LEN }))
		return bad;
	if ((int64_t)end_s < now_s)
		return fail(ERR_PEER, "this page was open for too long");
	*ret = text;
	return OK;
}

struct err
ticket_secret(const struct ticket_seal *s, struct bytes salt, struct buf *out)
{
	uint8_t mac[MAC_LEN];

	TRY(seal(s, 0, salt, mac));
	base64url_put(out, (struct bytes){ mac, sizeof mac });
	OPENSSL_cleanse(mac, sizeof mac);
	return buf_check(out);
}

static bool
is_browser(struct bytes value)
{
	uint8_t plain[BROWSER_LEN];
	size_t len;

	return value.len == BROWSER_LEN &&
	       !failed(base64url_decode(value, plain, sizeof plain, &len));
}

struct err
login_browser_known(const struct request *r, struct bytes *ret)
{
	struct bytes value = cookie_find(r, COOKIE_LOGIN);

	if (!is_browser(value))
		return fail(ERR_PEER, "your browser did not send the cookie of this page");
	*ret = value;
	return OK;
}

struct err
login_browser(struct request *r, struct bytes *ret)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	uint8_t value[32];

	if (failed(login_browser_known(r, ret))) {
		random_fill(value, sizeof value);
		base64url_put(&text, (struct bytes){ value, sizeof value });
		*ret = arena_copy(&r->arena, buf_bytes(&text));
		if (ret->len != BROWSER_LEN)
			return fail(ERR_LIMIT, "out of memory for a login page");
	}
	cookie_put(r, COOKIE_LOGIN, *ret, TICKET_LIFE_S);
	return OK;
}

struct err
login_check_site(const struct request *r)
{
	struct bytes site = { 0 };

	TRY(http_field_single(&r->head, "sec-fetch-site", &site));
	if (site.at == NULL || bytes_is(site, "same-origin") || bytes_is(site, "none"))
		return OK;
	return (struct err){ .kind = ERR_PEER,
		             .code = 403,
		             .why = "this form was sent by another site" };
}
