/* fetcher_groups.c - the groups of someone whose token has no room for them: asked of Microsoft
 * Graph by our own credential, never at the address that the token names. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "process/fetcher_question.h"

enum {
	GRAPH_TOKEN_MAX = 16384,
	TOKEN_MARGIN_S = 60,
	TOKEN_LIFE_MAX_S = 86400,
	TOKENS_KEPT = 64, /* tenants, at most */
};

/* Our own access to Graph of one tenant, until shortly before it ends. */
struct graph_token {
	struct list node;
	struct buf endpoint, client; /* owned: whose it is */
	struct secret token;
	uint64_t until_us;
};

static struct err ask_groups(struct question *q, const struct issuer_settings *s,
                             const struct graph_token *t);

/* Tokens */

static void
token_free(struct graph_token *t)
{
	list_remove(&t->node);
	buf_done(&t->endpoint);
	buf_done(&t->client);
	secret_done(&t->token);
	free(t);
}

void
graph_tokens_drop(struct fetcher *f)
{
	while (!list_is_empty(&f->graph_tokens))
		token_free(container_of(f->graph_tokens.next, struct graph_token, node));
}

/* A tenant or an object: it goes into a URL. */
static bool
is_guid(struct bytes text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (text.len != sizeof form - 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i] | 0x20;
		bool is_hex = (text.at[i] >= '0' && text.at[i] <= '9') || (c >= 'a' && c <= 'f');

		if (form[i] == '-' ? text.at[i] != '-' : !is_hex)
			return false;
	}
	return true;
}

/* The text with `{tenantid}` replaced. */
static void
put_endpoint(struct buf *out, struct bytes text, struct bytes tenant)
{
	const struct bytes hole = BYTES("{tenantid}");

	while (text.len > 0) {
		bool is_hole = bytes_starts(text, hole);

		if (is_hole)
			buf_put(out, tenant);
		else
			buf_put_u8(out, text.at[0]);
		text = bytes_slice(text, is_hole ? hole.len : 1, text.len);
	}
}

/* One that has ended is dropped on the way. */
static struct graph_token *
find_token(struct fetcher *f, struct bytes endpoint, const char *client)
{
	struct list *next;

	for (struct list *node = f->graph_tokens.next; node != &f->graph_tokens; node = next) {
		struct graph_token *t = container_of(node, struct graph_token, node);

		next = node->next;
		if (clock_monotonic_us() >= t->until_us)
			token_free(t);
		else if (bytes_equal(buf_bytes(&t->endpoint), endpoint) &&
		         bytes_is(buf_bytes(&t->client), client))
			return t;
	}
	return NULL;
}

static void
make_room(struct fetcher *f)
{
	unsigned count = 0;

	for (struct list *node = f->graph_tokens.next; node != &f->graph_tokens; node = node->next)
		count++;
	if (count >= TOKENS_KEPT)
		token_free(container_of(f->graph_tokens.next, struct graph_token, node));
}

/* RFC 6750 section 2.1; it goes into a field. */
static bool
is_bearer(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= 0x20 || text.at[i] >= 0x7f)
			return false;
	return text.len > 0 && text.len <= GRAPH_TOKEN_MAX;
}

static struct err
keep_token(struct question *q, const struct issuer_settings *s, const struct json *object,
           struct graph_token **ret)
{
	struct bytes text;
	int64_t life_s = 0;

	if (!json_string(json_member(object, "access_token"), &text) || !is_bearer(text))
		return fail(ERR_PEER, "the provider gives us no token for Graph");
	if (!json_int64(json_member(object, "expires_in"), &life_s) || life_s < 0)
		life_s = 0; /* for this once */
	if (life_s > TOKEN_LIFE_MAX_S)
		life_s = TOKEN_LIFE_MAX_S;
	struct graph_token *t = calloc(1, sizeof *t);
	if (t == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	make_room(q->fetcher);
	put_endpoint(&t->endpoint, bytes_text(s->graph_token_url), q->ask.tenant);
	buf_put_text(&t->client, s->graph_client_id);
	list_append(&q->fetcher->graph_tokens, &t->node);
	struct err e = secret_from(text, &t->token);
	if (failed(e)) {
		token_free(t);
		return e;
	}
	t->until_us = clock_monotonic_us() +
	              (life_s > TOKEN_MARGIN_S ? (uint64_t)(life_s - TOKEN_MARGIN_S) * 1000000 : 0);
	*ret = t;
	return OK;
}

static void
on_token(void *of, struct err e, const struct http_response *r)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	struct question *q = of;
	const struct issuer_settings *s = question_issuer(q);
	const struct json *object;
	struct graph_token *token;

	q->exchange = NULL;
	if (s == NULL || s->graph_url == NULL)
		e = fail(ERR_UPSTREAM, "no such issuer");
	if (!failed(e))
		e = question_read(e, r, &arena, &object);
	if (!failed(e))
		e = keep_token(q, s, object, &token);
	if (!failed(e))
		e = ask_groups(q, s, token);
	if (failed(e))
		question_fail(q, e, r);
}

/* Microsoft identity platform: client credentials with a secret; the scope is all that was granted
 * at the resource, which is where Graph is. */
static struct err
ask_token(struct question *q, const struct issuer_settings *s, struct bytes endpoint)
{
	CLEANUP(secret_done) struct secret secret = { 0 };
	CLEANUP(buf_done) struct buf scope = { 0 };
	CLEANUP(buf_wipe) struct buf form = { 0 };

	TRY(files_secret(&s->graph_secret, &secret));
	buf_printf(&scope, "%s/.default", s->graph_url);
	form_put(&form, "grant_type", BYTES("client_credentials"));
	form_put(&form, "client_id", bytes_text(s->graph_client_id));
	form_put(&form, "client_secret", secret_bytes(&secret));
	form_put(&form, "scope", buf_bytes(&scope));
	TRY(buf_check(&form));
	const struct http_request request = { .url = endpoint, .body = buf_bytes(&form) };
	return question_post(q, request, on_token);
}

/* Groups */

/* Does a role of the configuration name this value of this issuer? */
static bool
is_named(const struct settings *settings, const struct issuer_settings *s, struct bytes value)
{
	for (size_t i = 0; i < settings->role_count; i++) {
		const struct role_settings *role = &settings->roles[i];

		for (size_t k = 0; k < role->granted_by_count; k++)
			if (&settings->issuers[role->granted_by[k].issuer] == s &&
			    bytes_is(value, role->granted_by[k].value))
				return true;
	}
	return false;
}

/* All of them, or, where there are too many for a message, those that mean something here. */
static struct err
put_groups(struct buf *out, const struct question *q, const struct json *list, bool only_named)
{
	const struct issuer_settings *s = question_issuer(q);
	struct bytes value;
	bool is_first = true;

	buf_clear(out);
	out->overflow = false;
	buf_put_text(out, "{\"groups\":[");
	for (const struct json *i = json_first(list); i != NULL; i = json_next(list, i)) {
		if (!json_string(i, &value))
			return fail(ERR_PEER, "the answer holds what is no group");
		if (only_named && (s == NULL || !is_named(q->fetcher->start->settings, s, value)))
			continue;
		if (!is_first)
			buf_put_u8(out, ',');
		json_put_string(out, value);
		is_first = false;
	}
	buf_put_text(out, "]}");
	return buf_check(out);
}

/* Graph says so itself: any other 404 is of an address where there is no Graph. */
static bool
is_object_unknown(const struct http_response *r)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	const struct json *object;
	struct bytes code;

	return r != NULL && r->status == 404 && r->is_json &&
	       !failed(json_parse(r->body, &arena, &object, NULL)) &&
	       json_string(json_member(json_member(object, "error"), "code"), &code) &&
	       bytes_is(code, "Request_ResourceNotFound");
}

static void
on_groups(void *of, struct err e, const struct http_response *r)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf claims = { .limit = FETCH_TEXT_MAX };
	struct question *q = of;
	const struct json *object, *list = NULL;

	q->exchange = NULL;
	if (is_object_unknown(r)) {
		question_refuse(q, "the directory does not know who the token is of");
		return;
	}
	if (r != NULL && r->status == 401)
		graph_tokens_drop(q->fetcher); /* withdrawn before its time */
	e = question_read(e, r, &arena, &object);
	if (!failed(e)) {
		list = json_member(object, "value");
		if (list == NULL || list->type != JSON_ARRAY)
			e = fail(ERR_PEER, "the answer holds no list of groups");
	}
	if (!failed(e))
		e = put_groups(&claims, q, list, false);
	if (e.kind == ERR_LIMIT)
		e = put_groups(&claims, q, list, true);
	if (failed(e))
		question_fail(q, e.kind == ERR_LIMIT ? fail(ERR_LIMIT, "too many groups") : e, r);
	else
		question_answer(q, &(struct fetch_answer){ .result = FETCH_DONE,
		                                           .claims = buf_bytes(&claims) });
}

static struct err
ask_groups(struct question *q, const struct issuer_settings *s, const struct graph_token *t)
{
	CLEANUP(buf_done) struct buf url = { 0 };
	CLEANUP(buf_wipe) struct buf authorization = { 0 };

	put_endpoint(&url, bytes_text(s->graph_url), q->ask.tenant);
	buf_printf(&url, "/v1.0/%s/", q->ask.is_app ? "servicePrincipals" : "users");
	buf_put(&url, q->ask.object);
	buf_put_text(&url, "/getMemberObjects");
	buf_put_text(&authorization, "Bearer ");
	buf_put(&authorization, secret_bytes(&t->token));
	TRY(buf_check(&url));
	TRY(buf_check(&authorization));
	const struct http_request request = { .url = buf_bytes(&url),
		                              .body = BYTES("{\"securityEnabledOnly\":false}"),
		                              .content_type = "application/json",
		                              .authorization = buf_bytes(&authorization) };
	return question_post(q, request, on_groups);
}

struct err
groups_begin(struct question *q, const struct issuer_settings *s)
{
	CLEANUP(buf_done) struct buf endpoint = { 0 };

	if (s->graph_url == NULL || s->graph_token_url == NULL)
		return fail(ERR_UPSTREAM, "the issuer has no access to its directory");
	if (!is_guid(q->ask.tenant) || !is_guid(q->ask.object))
		return fail(ERR_PEER, "the token names no tenant and object");
	put_endpoint(&endpoint, bytes_text(s->graph_token_url), q->ask.tenant);
	TRY(buf_check(&endpoint));
	const struct graph_token *t =
		find_token(q->fetcher, buf_bytes(&endpoint), s->graph_client_id);
	return t != NULL ? ask_groups(q, s, t) : ask_token(q, s, buf_bytes(&endpoint));
}
