/* Recorded decisions, decided again: what changes, what does not, and what cannot be told. */
#include "main/replay.h"

#include "audit/record.h"
#include "base/macros.h"
#include "http/http_head.h"
#include "test.h"

#define STAR "*"

static const char policy_text[] =
	"issuers: {local: {type: local, audience: a}}\n"
	"backends: {db: {type: sqlite, path: d}, app: {type: http, url: http://127.0.0.1:1}}\n"
	"roles: {reader: {granted_by: ['local:r']}, writer: {granted_by: ['local:w']}}\n"
	"resources:\n"
	"  books: {backend: db, table: t, allow: {reader: [read], writer: all}, deny: {writer: "
	"[delete]}}\n"
	"  partly: {backend: db, table: t, allow: {reader: {read: {where: \"x eq 1\"}}}}\n"
	"routes:\n"
	"  - {path: /app/open, backend: app, public: [GET]}\n"
	"  - {path: /app/" STAR ", backend: app, allow: {reader: [GET], writer: all}}\n"
	"  - {path: /new/" STAR ", backend: app, observe: true, allow: {writer: all}}\n"
	"  - {path: /h/" STAR
	", hosts: [one.example, more.example], backend: app, allow: {reader: all}}\n"
	"  - {path: /two, hosts: one.example, backend: app, allow: {reader: all}}\n"
	"  - {path: /two, hosts: two.example, backend: app, allow: {writer: all}}\n";

struct stage {
	struct arena arena;
	struct config_errors errors;
	const struct settings *settings;
	struct replay replay;
};

static void
stage_open(struct stage *s)
{
	*s = (struct stage){ 0 };
	if (failed(config_parse(bytes_text(policy_text), "new.yaml", &s->arena, &s->settings,
	                        &s->errors)) ||
	    failed(replay_new(s->settings, &s->replay, &s->errors))) {
		printf("# %.*s\n", (int)s->errors.text.len, (const char *)s->errors.text.at);
		abort();
	}
}

static void
stage_close(struct stage *s)
{
	replay_done(&s->replay);
	config_errors_done(&s->errors);
	arena_done(&s->arena);
}

/* As the ledger writes it. */
static void
take(struct stage *s, const struct audit_record *r, int64_t at_us)
{
	struct arena arena = { 0 };
	struct buf line = { 0 };
	const struct json *json = NULL;

	audit_record_put_json(&line, r, 1, at_us, 0);
	buf_put_u8(&line, '}');
	if (failed(json_parse(buf_bytes(&line), &arena, &json, NULL)))
		abort();
	replay_take(&s->replay, json);
	buf_done(&line);
	arena_done(&arena);
}

struct row {
	const char *role, *resource, *action, *path; /* path: of a route */
	enum audit_outcome outcome;
	const char *rule;
	bool is_observed;
	enum replay_change change;
	const char *rule_now;
};

static struct audit_record
record_of(const struct row *row, struct bytes *role)
{
	*role = bytes_text(row->role == NULL ? "" : row->role);
	return (struct audit_record){ .class = row->path != NULL ? AUDIT_API : AUDIT_DATASTORE,
		                      .outcome = row->outcome,
		                      .subject = bytes_text(row->role == NULL ? "" : "u-1"),
		                      .roles = role,
		                      .role_count = row->role != NULL,
		                      .resource = bytes_text(row->resource),
		                      .action = bytes_text(row->action),
		                      .rule = bytes_text(row->rule),
		                      .path = bytes_text(row->path == NULL ? "" : row->path),
		                      .is_observed = row->is_observed,
		                      .rows = -1 };
}

#define APP "/app/" STAR
#define ALLOWED AUDIT_ALLOWED
#define DENIED AUDIT_DENIED

static const struct row rows[] = {
	{ "reader", "books", "read", NULL, ALLOWED, "resources.books.allow.reader.read", false,
	  REPLAY_SAME, NULL },
	{ "reader", "books", "create", NULL, ALLOWED, "resources.books.allow.reader.create", false,
	  REPLAY_REFUSED, "default deny" },
	{ "writer", "books", "create", NULL, DENIED, "default deny", false, REPLAY_ALLOWED,
	  "resources.books.allow.writer.create" },
	{ "writer", "books", "delete", NULL, ALLOWED, "resources.books.allow.writer.delete", false,
	  REPLAY_REFUSED, "resources.books.deny.writer.delete" },
	{ "boss", "books", "read", NULL, ALLOWED, "resources.books.allow.boss.read", false,
	  REPLAY_REFUSED, "default deny" },
	{ "reader", "gone", "read", NULL, ALLOWED, "resources.gone.allow.reader.read", false,
	  REPLAY_REFUSED, "default deny" },
	{ "reader", "books", "read", NULL, AUDIT_FAILED, "resources.books.allow.reader.read", false,
	  REPLAY_SAME, NULL },
	{ "reader", "partly", "read", NULL, DENIED, "resources.partly.allow.reader.read", false,
	  REPLAY_UNSURE, "resources.partly.allow.reader.read" },
	{ "reader", "partly", "read", NULL, DENIED, "default deny", false, REPLAY_ALLOWED,
	  "resources.partly.allow.reader.read" },
	{ "reader", "books", "read", NULL, DENIED, "token.resource", false, REPLAY_UNSURE, "" },
	{ "reader", APP, "GET", "/app/items/7", ALLOWED, "routes." APP ".allow.reader.GET", false,
	  REPLAY_SAME, NULL },
	{ "reader", APP, "POST", "/app/items", ALLOWED, "routes." APP ".allow.reader.POST", false,
	  REPLAY_REFUSED, "default deny" },
	{ "writer", APP, "POST", "/app/items", DENIED, "default deny", false, REPLAY_ALLOWED,
	  "routes." APP ".allow.writer.POST" },
	{ "reader", "", "GET", "/nowhere", DENIED, "default deny", false, REPLAY_SAME, NULL },
	{ NULL, APP, "GET", "/app/open", DENIED, "default deny", false, REPLAY_UNSURE,
	  "routes./app/open.public" },
	{ "reader", APP, "DELETE", "/app/x", DENIED, "default deny", true, REPLAY_REFUSED,
	  "default deny" },
	{ "writer", APP, "DELETE", "/app/x", DENIED, "default deny", true, REPLAY_SAME, NULL },
	{ "reader", "/new/" STAR, "GET", "/new/x", DENIED, "default deny", true, REPLAY_OBSERVED,
	  "default deny" },
	{ "reader", "/old", "GET", "/new/x", ALLOWED, "routes./old.allow.reader.GET", false,
	  REPLAY_OBSERVED, "default deny" },
	{ "reader", "/h/" STAR, "GET", "/h/x", ALLOWED, "routes./h/" STAR ".allow.reader.GET",
	  false, REPLAY_SAME, NULL },
	{ "reader", "/two", "GET", "/two", ALLOWED, "routes./two.allow.reader.GET", false,
	  REPLAY_UNSURE, "default deny" },
	{ "reader", "/old", "GET", "/h/x", ALLOWED, "routes./old.allow.reader.GET", false,
	  REPLAY_UNSURE, "default deny" },
};

static void
test_each_decision_is_made_again(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stage s;
		struct bytes role;
		const struct audit_record r = record_of(&rows[i], &role);

		stage_open(&s);
		take(&s, &r, 1000000);
		bool grouped = rows[i].change != REPLAY_SAME;
		CHECK_ROW(s.replay.counts[rows[i].change] == 1, rows[i].rule);
		CHECK_ROW(s.replay.group_count == grouped, rows[i].rule);
		if (s.replay.group_count == 1) {
			const struct replay_group *g = &s.replay.groups[0];
			CHECK_ROW(bytes_is(g->rule_now, rows[i].rule_now), rows[i].rule_now);
			CHECK_ROW(bytes_is(g->rule_then, rows[i].rule), rows[i].rule);
			CHECK_ROW((g->why[0] != 0) == (rows[i].change == REPLAY_UNSURE), g->why);
			CHECK_ROW(strcmp(g->then, rows[i].is_observed         ? "observed"
			                          : rows[i].outcome == DENIED ? "denied"
			                                                      : "allowed") == 0,
			          g->then);
		}
		stage_close(&s);
	}
}

static void
test_what_no_rule_decided_is_counted_apart(void)
{
	static const struct audit_record others[] = {
		{ .class = AUDIT_AUTHENTICATION, .action = BYTES("login") },
		{ .class = AUDIT_ACCOUNT, .action = BYTES("user.add") },
		{ .class = AUDIT_API, .action = BYTES("key.rotate") },
		{ .class = AUDIT_DATASTORE, .action = BYTES("read"), .outcome = AUDIT_FAILED },
		{ .class = AUDIT_DATASTORE, .action = BYTES("dance"), .outcome = AUDIT_DENIED },
	};
	struct stage s;
	struct bytes role;
	struct audit_record completion = record_of(&rows[1], &role);

	stage_open(&s);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		take(&s, &others[i], 1000000);
	CHECK(s.replay.undecided == ARRAY_LEN(others) && s.replay.group_count == 0);
	completion.is_completion = true; /* of a decision that stands above it */
	take(&s, &completion, 1000000);
	CHECK(s.replay.undecided == ARRAY_LEN(others) && s.replay.group_count == 0);
	stage_close(&s);
}

static void
test_the_same_change_is_one_group_with_its_times(void)
{
	struct stage s;
	struct bytes role;
	struct audit_record r = record_of(&rows[1], &role);

	stage_open(&s);
	for (int64_t i = 1; i <= 5; i++)
		take(&s, &r, i * 1000000);
	r.resource = BYTES("gone");
	take(&s, &r, 9000000);
	CHECK(s.replay.counts[REPLAY_REFUSED] == 6 && s.replay.group_count == 2);
	CHECK(s.replay.groups[0].count == 5 && s.replay.groups[0].first_ms == 1000 &&
	      s.replay.groups[0].last_ms == 5000);
	CHECK(s.replay.first_ms == 1000 && s.replay.last_ms == 9000);
	CHECK(bytes_is(s.replay.groups[0].roles, "reader"));
	stage_close(&s);
}

static void
test_memory_is_bounded_by_kinds_of_change(void)
{
	struct stage s;
	struct bytes role;
	struct audit_record r = record_of(&rows[5], &role);
	char name[32];

	stage_open(&s);
	for (unsigned i = 0; i < REPLAY_GROUPS_MAX + 10; i++) {
		int len = snprintf(name, sizeof name, "gone%u", i);
		r.resource = (struct bytes){ (uint8_t *)name, (size_t)len };
		take(&s, &r, 1000000);
	}
	CHECK(s.replay.group_count == REPLAY_GROUPS_MAX && s.replay.left_out == 10);
	CHECK(s.replay.counts[REPLAY_REFUSED] == REPLAY_GROUPS_MAX + 10);
	stage_close(&s);
}

static void
test_what_is_allowed_for_some_rows_is_told(void)
{
	static const struct row row = { "reader", "partly", "read",      NULL, ALLOWED,
		                        "",       false,    REPLAY_SAME, NULL };
	struct stage s;
	struct bytes role;
	const struct audit_record r = record_of(&row, &role);

	stage_open(&s);
	take(&s, &r, 1000000);
	CHECK(s.replay.counts[REPLAY_SAME] == 1 && s.replay.conditional == 1);
	stage_close(&s);
}

/* The configuration and the policy know methods by number. */
static void
test_methods_stand_in_the_order_of_http(void)
{
	CHECK((unsigned)ROUTE_METHOD_COUNT == (unsigned)HTTP_METHOD_COUNT);
	for (unsigned m = 0; m < ROUTE_METHOD_COUNT; m++)
		CHECK_ROW(bytes_is(http_method_name((enum http_method)m), route_methods[m]),
		          route_methods[m]);
}

TESTS(TEST(test_each_decision_is_made_again), TEST(test_what_no_rule_decided_is_counted_apart),
      TEST(test_the_same_change_is_one_group_with_its_times),
      TEST(test_memory_is_bounded_by_kinds_of_change),
      TEST(test_what_is_allowed_for_some_rows_is_told),
      TEST(test_methods_stand_in_the_order_of_http))
