/* session.c - see session.h: the cookie of a request becomes a principal. */
#include "frontend/session.h"

#include <openssl/sha.h>

#include "base/clock.h"
#include "base/macros.h"
#include "format/json.h"
#include "frontend/cookie.h"
#include "frontend/session_cache.h"

enum { RETURN_MAX = 2048 };

bool
session_is_return_path(struct bytes path)
{
	if (path.len == 0 || path.len > RETURN_MAX || path.at[0] != '/')
		return false;
	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] <= 0x20 || path.at[i] >= 0x7f || path.at[i] == '\\')
			return false;
	return path.len < 2 || path.at[1] != '/';
}

bool
session_is_same_origin(const struct request *r)
{
	struct bytes site = { 0 }, origin = { 0 };

	if (failed(http_field_single(&r->head, "sec-fetch-site", &site)) ||
	    failed(http_field_single(&r->head, "origin", &origin)))
		return false;
	if (site.at != NULL)
		return bytes_is(site, "same-origin");
	return bytes_is(origin, r->gate->settings->public_url);
}

static bool
is_safe(enum http_method m)
{
	return m == HTTP_GET || m == HTTP_HEAD || m == HTTP_OPTIONS;
}

/* A browser sends the cookie with whatever a page of our site, but of another origin, makes it ask.
 * A WebSocket is a GET that no rule of browsers keeps from being read and written there: what names
 * an origin, as each WebSocket of a browser does (RFC 6455 section 10.2), names ours. */
static bool
is_of_our_pages(const struct request *r)
{
	struct bytes origin = { 0 };

	if (!is_safe(r->head.method))
		return session_is_same_origin(r);
	return !failed(http_field_single(&r->head, "origin", &origin)) &&
	       (origin.at == NULL || bytes_is(origin, r->gate->settings->public_url));
}

/* Finding */

static struct err
set_hash(struct request *r, struct bytes secret)
{
	uint8_t *hash = arena_alloc(&r->arena, SESSION_HASH_LEN);

	if (hash == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	SHA256(secret.at, secret.len, hash);
	r->session = (struct bytes){ hash, SESSION_HASH_LEN };
	return OK;
}

/* A session lives no longer than the login that made it is configured. */
static bool
has_login(const struct settings *settings, struct bytes issuer)
{
	for (size_t i = 0; i < settings->issuer_count; i++)
		if (settings->issuers[i].login_client_id != NULL &&
		    bytes_is(issuer, settings->issuers[i].name))
			return true;
	return false;
}

/* DATA is what session_begin() wrote. */
static struct err
adopt(struct request *r, const struct answer *a)
{
	CLEANUP(buf_wipe) struct buf claims = { .limit = ASK_TEXT_MAX * 2 };
	int64_t now_s = clock_wall_us() / 1000000;
	const struct json *data;
	struct bytes issuer;

	TRY(json_parse(a->fields[ANSWER_DATA], &r->arena, &data, NULL));
	const struct json *member = json_member(data, "claims");
	if (!json_string(json_member(data, "issuer"), &issuer) || member == NULL)
		return fail(ERR_UPSTREAM, "the session cannot be read");
	if (!has_login(r->gate->settings, issuer))
		return fail(ERR_IDENTITY, "there is no login at the session's issuer any more");
	json_put_value(&claims, member);
	TRY(buf_check(&claims));
	return issuers_adopt(r->gate->issuers, issuer, buf_bytes(&claims), now_s + a->expires_in_s,
	                     now_s, &r->arena, &r->who);
}

static struct err
take_answer(struct request *r, struct bytes message)
{
	struct answer a;

	TRY(answer_read(message, &a));
	if (a.result == ANSWER_REFUSED)
		return OK; /* there is no such session: as without a cookie */
	if (a.result != ANSWER_GRANTED)
		return fail(ERR_UPSTREAM, "sessions cannot be looked up right now");
	struct err e = adopt(r, &a);
	if (e.kind == ERR_IDENTITY)
		return OK; /* its issuer or login is gone, or its user is */
	TRY(e);
	r->is_session = true;
	session_cache_add(r->gate->sessions, r->session.at, r->who);
	return OK;
}

static void
on_found(struct waiter *w, const struct message *answer, struct err e)
{
	struct request *r = container_of(w, struct request, waiter);

	r->is_woken = true;
	r->wake_error = failed(e) ? e : take_answer(r, answer->body);
	request_resume(r);
}

struct err
session_find(struct request *r, enum step *step)
{
	struct bytes secret =
		r->gate->sessions == NULL ? (struct bytes){ 0 } : cookie_find(r, COOKIE_SESSION);
	struct ask ask = { .kind = ASK_SESSION_FIND };

	if (secret.len == 0 || secret.len > SESSION_SECRET_MAX)
		return OK;
	if (!is_of_our_pages(r))
		return OK;
	TRY(set_hash(r, secret));
	const struct principal *who =
		session_cache_find(r->gate->sessions, r->session.at, clock_wall_us() / 1000000);
	r->is_session = who != NULL;
	if (who != NULL) {
		r->who = principal_hold(who);
		counter_add(&r->gate->counters->session_hits, 1);
		return OK;
	}
	counter_add(&r->gate->counters->session_asks, 1);
	ask.fields[ASK_SECRET] = secret;
	r->waiter.wake = on_found;
	*step = STEP_MORE;
	return gate_ask_keeper(r->gate, &ask, &r->waiter);
}

const char *
session_absence(const struct request *r)
{
	if (r->gate->sessions == NULL || cookie_find(r, COOKIE_SESSION).len == 0)
		return "no bearer token was sent";
	return is_of_our_pages(r) ? "the session has ended"
	                          : "the session counts for what our own pages send only";
}

/* Redirecting */

/* A browser that opens a page says so; one that is too old to say takes HTML at least. */
bool
session_may_redirect(const struct request *r)
{
	struct bytes accept = { 0 }, mode = { 0 };

	if (!r->is_page || r->gate->sessions == NULL || !is_safe(r->head.method) ||
	    failed(http_field_single(&r->head, "accept", &accept)) ||
	    failed(http_field_single(&r->head, "sec-fetch-mode", &mode)))
		return false;
	if (mode.at != NULL && !bytes_is(mode, "navigate"))
		return false;
	for (size_t i = 0; i < accept.len; i++)
		if (bytes_starts(bytes_slice(accept, i, accept.len), BYTES("text/html")))
			return true;
	return false;
}

void
session_put_login(struct request *r, const char *origin)
{
	struct buf *out = &r->reply.fields;

	buf_printf(out, "Location: %s/login?return_to=", origin);
	url_put_encoded(out, r->head.path);
	if (r->head.has_query) {
		buf_put_text(out, "%3F");
		url_put_encoded(out, r->head.query);
	}
	buf_put_text(out, "\r\n");
}

static struct err
to_login(struct request *r, enum step *step)
{
	(void)step;
	r->reply.status = 303;
	session_put_login(r, "");
	return OK;
}

const struct endpoint session_to_login = { .path = "/login", .execute = to_login };
const struct endpoint session_route_to_login = { .path = "/login",
	                                         .is_recorded = true,
	                                         .execute = to_login };
