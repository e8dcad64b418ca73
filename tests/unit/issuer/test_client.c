/* Clients in the store: what may be registered, and what a change takes with it. */
#include <sqlite3.h>

#include "issuer/client.h"
#include "issuer/event.h"
#include "issuer/revocation.h"
#include "scene.h"

/* A service account with a secret, unless `c` says otherwise. */
static struct err
add(struct scene *s, struct client c)
{
	struct buf secret = { 0 };
	struct err e = client_add(s->store, &s->settings, &c, &secret);

	if (!failed(e))
		CHECK(secret.len ==
		      (size_t)(c.is_public || c.jwks.len > 0 || c.certificate.len > 0 ? 0 : 43));
	buf_wipe(&secret);
	return e;
}

static void
test_client_is_found_as_added(void)
{
	struct scene s;
	struct client c = { 0 };

	scene_store(&s);
	CHECK(!failed(add(&s, (struct client){ .id = BYTES("bot"),
	                                       .name = BYTES("The bot"),
	                                       .roles = BYTES("reader editor"),
	                                       .grants = CLIENT_CREDENTIALS | CLIENT_EXCHANGE,
	                                       .is_dpop_required = true })));
	CHECK(!failed(client_find(s.store, BYTES("bot"), &s.arena, &c)));
	CHECK(bytes_is(c.id, "bot") && bytes_is(c.name, "The bot") &&
	      bytes_is(c.roles, "reader editor"));
	CHECK(c.grants == (CLIENT_CREDENTIALS | CLIENT_EXCHANGE) && c.is_dpop_required);
	CHECK(c.has_secret && !c.is_public && !c.is_disabled);
	CHECK(c.subject.len == 36 && c.generation == 1 && c.created_s > 1600000000);
	CHECK(client_find(s.store, BYTES("Bot"), &s.arena, &c).kind == ERR_NOT_FOUND);
	CHECK(add(&s, (struct client){ .id = BYTES("bot") }).kind == ERR_CONFLICT);
	scene_done(&s);
}

static void
test_unfit_clients_are_refused(void)
{
	static const struct {
		const char *what;
		struct client c;
	} rows[] = {
		{ "no id", { .id = BYTES("") } },
		{ "space in the id", { .id = BYTES("a b") } },
		{ "not ASCII", { .id = BYTES("Zoë") } },
		{ "the audience", { .id = BYTES("api://books") } },
		{ "name with newline", { .id = BYTES("a"), .name = BYTES("a\nb") } },
		{ "code without redirect", { .id = BYTES("a"), .grants = CLIENT_CODE } },
		{ "http elsewhere",
		  { .id = BYTES("a"), .redirect_uris = BYTES("http://app.test.invalid/cb") } },
		{ "http to a name that begins like a loopback",
		  { .id = BYTES("a"), .redirect_uris = BYTES("http://localhost.evil.invalid/") } },
		{ "http to an address that begins like a loopback",
		  { .id = BYTES("a"), .redirect_uris = BYTES("http://127.0.0.10/") } },
		{ "http with user",
		  { .id = BYTES("a"), .redirect_uris = BYTES("http://127.0.0.1@evil.invalid/") } },
		{ "fragment",
		  { .id = BYTES("a"), .redirect_uris = BYTES("https://app.test.invalid/cb#x") } },
		{ "javascript",
		  { .id = BYTES("a"), .redirect_uris = BYTES("javascript:alert(1)") } },
		{ "data", { .id = BYTES("a"), .redirect_uris = BYTES("data:text/html,x") } },
		{ "any host",
		  { .id = BYTES("a"), .redirect_uris = BYTES("https://*.test.invalid/cb") } },
		{ "any port",
		  { .id = BYTES("a"), .redirect_uris = BYTES("http://127.0.0.1:*/cb") } },
		{ "policy",
		  { .id = BYTES("a"), .redirect_uris = BYTES("https://a;script-src/cb") } },
		{ "no host but a query",
		  { .id = BYTES("a"), .redirect_uris = BYTES("https://?x") } },
		{ "no host", { .id = BYTES("a"), .redirect_uris = BYTES("https:///cb") } },
		{ "relative", { .id = BYTES("a"), .redirect_uris = BYTES("/cb") } },
		{ "keys that are none", { .id = BYTES("a"), .jwks = BYTES("{\"keys\":[]}") } },
		{ "no key set", { .id = BYTES("a"), .jwks = BYTES("[]") } },
		{ "a symmetric key",
		  { .id = BYTES("a"),
		    .jwks = BYTES("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}") } },
		{ "public with credentials",
		  { .id = BYTES("a"), .is_public = true, .grants = CLIENT_CREDENTIALS } },
		{ "public with exchange",
		  { .id = BYTES("a"), .is_public = true, .grants = CLIENT_EXCHANGE } },
		{ "roles without a use", { .id = BYTES("a"), .roles = BYTES("reader") } },
		{ "a certificate that is no hash",
		  { .id = BYTES("a"), .certificate = BYTES("x") } },
	};
	struct scene s;

	scene_store(&s);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_ROW(add(&s, rows[i].c).kind == ERR_INVALID, rows[i].what);
	scene_done(&s);
}

static void
test_fit_redirect_uris_are_taken(void)
{
	struct scene s;

	scene_store(&s);
	CHECK(!failed(
		add(&s, (struct client){ .id = BYTES("spa"),
	                                 .grants = CLIENT_CODE,
	                                 .is_public = true,
	                                 .redirect_uris = BYTES("https://app.test.invalid/cb?x=1 "
	                                                        "http://127.0.0.1:3000/cb "
	                                                        "http://[::1]/cb http://localhost "
	                                                        "com.example.app:/cb") })));
	scene_done(&s);
}

static void
count_one(void *of, const struct client *c)
{
	CHECK(c->id.len > 0);
	++*(int *)of;
}

static void
test_list_and_remove(void)
{
	struct scene s;
	struct client c;
	int count = 0;

	scene_store(&s);
	CHECK(!failed(add(&s, (struct client){ .id = BYTES("b") })));
	CHECK(!failed(add(&s, (struct client){ .id = BYTES("a") })));
	CHECK(!failed(client_list(s.store, count_one, &count)) && count == 2);
	CHECK(!failed(client_remove(s.store, BYTES("a"))));
	CHECK(client_remove(s.store, BYTES("a")).kind == ERR_NOT_FOUND);
	CHECK(client_find(s.store, BYTES("a"), &s.arena, &c).kind == ERR_NOT_FOUND);
	CHECK(client_set_disabled(s.store, BYTES("a"), true).kind == ERR_NOT_FOUND);
	scene_done(&s);
}

struct seen {
	int count;
	struct revocation last;
	uint8_t value[64];
	char actions[512];
	int64_t last_id;
};

static struct err
see_revocation(void *of, const struct revocation *r)
{
	struct seen *seen = of;

	seen->count++;
	seen->last = *r;
	memcpy(seen->value, r->value.at, r->value.len);
	seen->last.value.at = seen->value;
	return OK;
}

static void
see_event(void *of, const struct event *e)
{
	struct seen *seen = of;
	size_t len = strlen(seen->actions);

	CHECK(e->decision.len == 26 && e->id > seen->last_id);
	seen->last_id = e->id;
	snprintf(seen->actions + len, sizeof seen->actions - len, "%.*s ", (int)e->action.len,
	         (const char *)e->action.at);
}

/* Each change: another generation, and a row that refuses what is below it. */
static void
test_changes_make_generations_and_revocations(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct seen seen = { 0 };
	struct buf secret = { 0 };
	struct client c = { 0 };
	int64_t cursor = 0;

	scene_store(&s);
	CHECK(!failed(issuer_open(&s.settings, 0, s.store, SCENE_NOW_S, &i)));
	CHECK(!failed(add(&s, (struct client){ .id = BYTES("bot") })));
	CHECK(!failed(client_set_secret(s.store, BYTES("bot"), &secret)) && secret.len == 43);
	CHECK(!failed(client_set_disabled(s.store, BYTES("bot"), true)));
	CHECK(!failed(client_find(s.store, BYTES("bot"), &s.arena, &c)));
	CHECK(c.is_disabled && c.generation == 3);
	CHECK(!failed(revocation_read_after(s.store, 0, &cursor, see_revocation, &seen)));
	CHECK(seen.count == 2 && seen.last.kind == REVOKED_SUBJECT && seen.last.before == 3);
	CHECK(bytes_equal(seen.last.value, c.subject));
	CHECK(!failed(revocation_read_after(s.store, 0, &cursor, see_revocation, &seen)));
	CHECK(seen.count == 2);
	CHECK(!failed(client_remove(s.store, BYTES("bot"))));
	CHECK(!failed(revocation_read_after(s.store, 0, &cursor, see_revocation, &seen)));
	CHECK(seen.count == 3 && seen.last.before == 4);

	CHECK(!failed(event_read_after(s.store, 0, 100, see_event, &seen)));
	CHECK(strstr(seen.actions, "client.add client.secret client.disable client.remove ") !=
	      NULL);
	CHECK(!failed(event_delete_to(s.store, seen.last_id)));
	seen.actions[0] = 0;
	CHECK(!failed(event_read_after(s.store, 0, 100, see_event, &seen)) && seen.actions[0] == 0);
	buf_wipe(&secret);
	issuer_close(i);
	scene_done(&s);
}

static void
test_public_client_has_no_secret_to_set(void)
{
	struct scene s;
	struct buf secret = { 0 };

	scene_store(&s);
	CHECK(!failed(add(&s, (struct client){ .id = BYTES("spa"), .is_public = true })));
	CHECK(client_set_secret(s.store, BYTES("spa"), &secret).kind == ERR_INVALID);
	CHECK(secret.len == 0);
	scene_done(&s);
}

/* The roles of a user: another generation, but the sessions go on (their refresh reads anew). */
static void
test_new_roles_revoke_what_was_given_before(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct seen seen = { 0 };
	int64_t cursor = 0;

	scene_store(&s);
	CHECK(!failed(issuer_open(&s.settings, 0, s.store, SCENE_NOW_S, &i)));
	(void)scene_user(&s, "alice");
	CHECK(!failed(user_set_roles(s.store, BYTES("alice"), BYTES("auditor"))));
	CHECK(user_set_roles(s.store, BYTES("bob"), BYTES("auditor")).kind == ERR_NOT_FOUND);
	CHECK(user_set_roles(s.store, BYTES("alice"), BYTES("a\nb")).kind == ERR_INVALID);

	struct user u = scene_user(&s, "alice");

	CHECK(bytes_is(u.roles, "auditor") && u.generation == 2);
	CHECK(!failed(revocation_read_after(s.store, 0, &cursor, see_revocation, &seen)));
	CHECK(seen.count == 1 && seen.last.before == 2 && bytes_equal(seen.last.value, u.subject));
	issuer_close(i);
	scene_done(&s);
}

static void
test_revoking_a_subject(void)
{
	struct scene s;
	struct issuer *i = NULL;
	struct seen seen = { 0 };
	int64_t cursor = 0;

	scene_store(&s);
	CHECK(!failed(issuer_open(&s.settings, 0, s.store, SCENE_NOW_S, &i)));

	struct user u = scene_user(&s, "alice");

	CHECK(!failed(revoke_subject(s.store, "local", true, u.subject, SCENE_NOW_S)));
	CHECK(!failed(revocation_read_after(s.store, 0, &cursor, see_revocation, &seen)));
	CHECK(seen.count == 1 && seen.last.before == 2);
	CHECK(revoke_subject(s.store, "local", true, BYTES("nobody"), SCENE_NOW_S).kind ==
	      ERR_NOT_FOUND);
	CHECK(!failed(revoke_subject(s.store, "corp", false, BYTES("zoe"), SCENE_NOW_S)));
	CHECK(!failed(revocation_read_after(s.store, 0, &cursor, see_revocation, &seen)));
	CHECK(seen.count == 2 && bytes_is(seen.last.value, "zoe") &&
	      seen.last.before == SCENE_NOW_S + 1);
	CHECK(!failed(revoke_token(s.store, "corp", BYTES("jti-1"), SCENE_NOW_S + 60)));
	CHECK(!failed(revocation_read_after(s.store, 0, &cursor, see_revocation, &seen)));
	CHECK(seen.count == 3 && seen.last.kind == REVOKED_TOKEN &&
	      bytes_is(seen.last.value, "jti-1"));
	CHECK(revoke_token(s.store, "corp", BYTES(""), SCENE_NOW_S).kind == ERR_INVALID);

	/* What no longer matters is not told, and goes. */
	cursor = 0, seen.count = 0;
	CHECK(!failed(revocation_read_after(s.store, SCENE_NOW_S + 3600, &cursor, see_revocation,
	                                    &seen)));
	CHECK(seen.count == 1);
	CHECK(!failed(issuer_store_purge(s.store, SCENE_NOW_S + 60 * 86400)));
	cursor = 0, seen.count = 0;
	CHECK(!failed(revocation_read_after(s.store, 0, &cursor, see_revocation, &seen)));
	CHECK(seen.count == 0);
	issuer_close(i);
	scene_done(&s);
}

static void
test_a_write_of_another_process_is_noticed(void)
{
	struct scene s;
	struct store_mark mark = { 0 };
	struct issuer_store *other = NULL;
	bool changed = false;

	scene_store(&s);
	CHECK(!failed(issuer_store_changed(s.store, &mark, &changed)));
	CHECK(!failed(issuer_store_changed(s.store, &mark, &changed)) && !changed);
	CHECK(!failed(issuer_store_open(s.state, &other)));
	CHECK(!failed(revoke_token(other, "corp", BYTES("x"), SCENE_NOW_S)));
	CHECK(!failed(issuer_store_changed(s.store, &mark, &changed)) && changed);
	CHECK(!failed(issuer_store_changed(s.store, &mark, &changed)) && !changed);
	CHECK(!failed(revoke_token(s.store, "corp", BYTES("y"), SCENE_NOW_S)));
	CHECK(!failed(issuer_store_changed(s.store, &mark, &changed)) && changed);
	issuer_store_close(other);
	scene_done(&s);
}

TESTS(TEST(test_client_is_found_as_added), TEST(test_unfit_clients_are_refused),
      TEST(test_fit_redirect_uris_are_taken), TEST(test_list_and_remove),
      TEST(test_changes_make_generations_and_revocations),
      TEST(test_public_client_has_no_secret_to_set),
      TEST(test_new_roles_revoke_what_was_given_before), TEST(test_revoking_a_subject),
      TEST(test_a_write_of_another_process_is_noticed))
