/* test_record.c - the message and the JSON form of a record. */
#include "log.h"

static bool
same(const struct audit_record *a, const struct audit_record *b)
{
	if (a->role_count != b->role_count || a->class != b->class || a->outcome != b->outcome)
		return false;
	for (size_t i = 0; i < a->role_count; i++)
		if (!bytes_equal(a->roles[i], b->roles[i]))
			return false;
	return bytes_equal(a->decision, b->decision) && bytes_equal(a->trace, b->trace) &&
	       bytes_equal(a->issuer, b->issuer) && bytes_equal(a->subject, b->subject) &&
	       bytes_equal(a->name, b->name) && bytes_equal(a->agent, b->agent) &&
	       bytes_equal(a->client, b->client) && bytes_equal(a->resource, b->resource) &&
	       bytes_equal(a->action, b->action) && bytes_equal(a->rule, b->rule) &&
	       bytes_equal(a->reason, b->reason) && bytes_equal(a->backend, b->backend) &&
	       bytes_equal(a->credential, b->credential) && a->status == b->status &&
	       a->rows == b->rows && a->bytes == b->bytes && a->duration_us == b->duration_us &&
	       a->has_fingerprint == b->has_fingerprint &&
	       memcmp(a->fingerprint, b->fingerprint, FINGERPRINT_LEN) == 0 &&
	       bytes_equal(a->path, b->path) && a->is_observed == b->is_observed &&
	       a->is_completion == b->is_completion;
}

static void
test_every_field_survives_the_message(void)
{
	struct audit_record r = log_record(), got;
	struct bytes roles[AUDIT_ROLES_MAX];
	struct buf b = { 0 };

	audit_record_put(&b, &r);
	CHECK(!failed(audit_record_read(buf_bytes(&b), &got, roles)) && same(&r, &got));

	r = (struct audit_record){ .class = AUDIT_AUTHENTICATION,
		                   .outcome = AUDIT_FAILED,
		                   .rows = -1,
		                   .status = UINT16_MAX,
		                   .bytes = UINT64_MAX,
		                   .path = BYTES("/app/items/7"),
		                   .is_observed = true,
		                   .is_completion = true };
	buf_clear(&b);
	audit_record_put(&b, &r);
	CHECK(!failed(audit_record_read(buf_bytes(&b), &got, roles)) && same(&r, &got));
	buf_done(&b);
}

static void
test_the_largest_record_fits_and_survives(void)
{
	static uint8_t long_text[5000];
	struct bytes text = { long_text, sizeof long_text }, roles[AUDIT_ROLES_MAX + 1],
		     got_roles[AUDIT_ROLES_MAX];
	struct audit_record r = log_record(), got;
	struct buf b = { 0 };

	memset(long_text, 1, sizeof long_text);
	for (size_t i = 0; i <= AUDIT_ROLES_MAX; i++)
		roles[i] = text;
	r.decision = r.trace = r.issuer = r.subject = r.client = r.resource = r.action = r.rule =
		r.reason = text;
	r.name = r.agent = r.backend = r.credential = text;
	r.roles = roles;
	r.role_count = AUDIT_ROLES_MAX + 1;
	audit_record_put(&b, &r);
	CHECK(b.len <= AUDIT_MESSAGE_MAX);
	CHECK(!failed(audit_record_read(buf_bytes(&b), &got, got_roles)));
	CHECK(got.subject.len == AUDIT_TEXT_MAX && got.role_count == AUDIT_ROLES_MAX);
	CHECK(got.roles[63].len == AUDIT_ROLE_MAX);

	/* Every byte escaped to six, the line still has room. */
	static const enum audit_class classes[] = { AUDIT_DATASTORE, AUDIT_API,
		                                    AUDIT_AUTHENTICATION, AUDIT_ACCOUNT };
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		struct buf line = { .limit = 128 << 10 };

		got.class = classes[i];
		audit_record_put_json(&line, &got, UINT64_MAX, INT64_MAX, UINT32_MAX);
		CHECK(!failed(buf_check(&line)) &&
		      line.len > 6 * (13 * AUDIT_TEXT_MAX + 64 * AUDIT_ROLE_MAX) &&
		      line.len < (128 << 10) - 1024);
		buf_done(&line);
	}
	buf_done(&b);
}

static void
test_text_is_cut_between_characters(void)
{
	static const struct {
		const char *text;
		size_t max, len;
	} rows[] = {
		{ "abc", 3, 3 },
		{ "abcd", 3, 3 },
		{ "ab\xC3\xA9", 3, 2 },
		{ "a\xE2\x82\xAC", 3, 1 },
		{ "a\xE2\x82\xAC", 4, 4 },
		{ "\xF0\x9F\x98\x80x", 3, 0 },
		{ "\x80\x80\x80\x80\x80\x80", 5, 5 },
		{ "", 3, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_ROW(audit_text_cut(bytes_text(rows[i].text), rows[i].max).len == rows[i].len,
		          rows[i].text);
}

static void
test_a_message_cut_anywhere_is_refused(void)
{
	struct audit_record r = log_record(), got;
	struct bytes roles[AUDIT_ROLES_MAX];
	struct buf b = { 0 };

	audit_record_put(&b, &r);
	for (size_t len = 0; len < b.len; len++) {
		uint8_t *exact = malloc(len + 1);
		if (exact == NULL)
			abort();
		memcpy(exact, b.at, len);
		CHECK(audit_record_read((struct bytes){ exact, len }, &got, roles).kind ==
		      ERR_PEER);
		free(exact);
	}
	buf_put_u8(&b, 0);
	CHECK(audit_record_read(buf_bytes(&b), &got, roles).kind == ERR_PEER);
	buf_done(&b);
}

static void
test_a_message_no_worker_writes_is_refused(void)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
	} rows[] = {
		{ "version", 0, 1 },      { "version", 0, 3 },  { "flag", 1, 8 },
		{ "class", 2, 0 },        { "class", 3, 0 },    { "outcome", 4, 3 },
		{ "text length", 48, 3 }, { "rows", 14, 0x80 },
	};
	struct audit_record r = log_record(), got;
	struct bytes roles[AUDIT_ROLES_MAX];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = { 0 };
		audit_record_put(&b, &r);
		b.at[rows[i].at] = rows[i].value;
		CHECK_ROW(audit_record_read(buf_bytes(&b), &got, roles).kind == ERR_PEER,
		          rows[i].name);
		buf_done(&b);
	}
}

/* JSON. */

static const struct json *
to_json(const struct audit_record *r, struct buf *text, struct arena *arena)
{
	const struct json *record = NULL;

	buf_clear(text);
	audit_record_put_json(text, r, 42, start_us, 3);
	buf_put_u8(text, '}');
	if (failed(json_parse(buf_bytes(text), arena, &record, NULL)))
		return NULL;
	return record;
}

static int64_t
integer(const struct json *record, const char *object, const char *name)
{
	int64_t value = -999;

	(void)json_int64(json_member(object == NULL ? record : json_member(record, object), name),
	                 &value);
	return value;
}

static void
test_json_has_the_shape_of_ocsf(void)
{
	struct audit_record r = log_record();
	struct arena arena = { 0 };
	struct buf text = { 0 };
	const struct json *j = to_json(&r, &text, &arena), *actor = json_member(j, "actor");
	const struct json *groups = json_member(json_member(actor, "user"), "groups");

	CHECK(j != NULL && integer(j, NULL, "seq") == 42);
	CHECK(integer(j, NULL, "class_uid") == 6005 && integer(j, NULL, "category_uid") == 6);
	CHECK(integer(j, NULL, "activity_id") == 1 && integer(j, NULL, "type_uid") == 600501);
	CHECK(bytes_is(audit_field(j, NULL, "activity_name"), "Read"));
	CHECK(integer(j, NULL, "severity_id") == 1 && integer(j, NULL, "status_id") == 1);
	CHECK(bytes_is(audit_field(j, NULL, "status"), "Success"));
	CHECK(bytes_is(audit_field(j, NULL, "status_code"), "200"));
	CHECK(bytes_is(audit_field(j, NULL, "status_detail"), "granted"));
	CHECK(integer(j, NULL, "time") == start_us / 1000);
	CHECK(bytes_is(audit_field(j, "metadata", "version"), "1.3.0") &&
	      integer(j, "metadata", "sequence") == 42);
	CHECK(bytes_is(audit_field(j, "metadata", "uid"), "01JD8Y3Q5R6S7T8V9W0X1Y2Z3A"));
	CHECK(bytes_is(audit_field(j, "metadata", "correlation_uid"),
	               "4bf92f3577b34da6a3ce929d0e0e4736"));
	CHECK(bytes_is(audit_field(json_member(j, "metadata"), "product", "name"), "Gatewarden"));
	CHECK(bytes_is(audit_field(json_member(j, "metadata"), "product", "vendor_name"),
	               "Gatewarden"));
	CHECK(bytes_is(audit_field(actor, "user", "uid"), "ada") &&
	      bytes_is(audit_field(actor, "idp", "name"), "corp"));
	CHECK(bytes_is(audit_field(actor, "user", "name"), "Ada Lovelace"));
	CHECK(groups != NULL && groups->count == 2);
	CHECK(bytes_is(audit_field(json_first(groups), NULL, "name"), "reader"));
	CHECK(bytes_is(audit_field(j, "src_endpoint", "ip"), "192.0.2.7"));
	CHECK(bytes_is(audit_field(j, "table", "name"), "books"));
	buf_done(&text);
	arena_done(&arena);
}

static void
test_json_has_every_field_of_the_contract_under_unmapped(void)
{
	struct audit_record r = log_record();
	struct arena arena = { 0 };
	struct buf text = { 0 };
	const struct json *j = to_json(&r, &text, &arena);
	bool completion = true, observed = true;

	CHECK(bytes_is(audit_field(j, "unmapped", "resource"), "books"));
	CHECK(bytes_is(audit_field(j, "unmapped", "action"), "read"));
	CHECK(bytes_is(audit_field(j, "unmapped", "outcome"), "allowed"));
	CHECK(bytes_is(audit_field(j, "unmapped", "rule"), "resources.books.allow.reader.read"));
	CHECK(bytes_is(audit_field(j, "unmapped", "fingerprint"),
	               "abcd0102030000000000000000000000"));
	CHECK(bytes_is(audit_field(j, "unmapped", "backend"), "main"));
	CHECK(bytes_is(audit_field(j, "unmapped", "credential"), "app"));
	CHECK(integer(j, "unmapped", "rows") == 12 && integer(j, "unmapped", "bytes") == 3456);
	CHECK(integer(j, "unmapped", "duration_us") == 789 &&
	      integer(j, "unmapped", "worker") == 3);
	CHECK(json_bool(json_member(json_member(j, "unmapped"), "completion"), &completion) &&
	      !completion);
	CHECK(json_bool(json_member(json_member(j, "unmapped"), "observed"), &observed) &&
	      !observed);
	CHECK(json_member(j, "http_request") == NULL);

	r.rows = -1;
	r.has_fingerprint = false;
	j = to_json(&r, &text, &arena);
	const struct json *rows = json_member(json_member(j, "unmapped"), "rows");
	const struct json *fingerprint = json_member(json_member(j, "unmapped"), "fingerprint");
	CHECK(rows != NULL && rows->type == JSON_NULL && fingerprint != NULL &&
	      fingerprint->type == JSON_NULL);
	buf_done(&text);
	arena_done(&arena);
}

static void
test_a_route_is_told_as_an_api_with_its_path(void)
{
	struct audit_record r = log_record();
	struct arena arena = { 0 };
	struct buf text = { 0 };
	bool observed = false;

	r.class = AUDIT_API;
	r.outcome = AUDIT_DENIED;
	r.resource = BYTES("/app/"
	                   "*");
	r.action = BYTES("DELETE");
	r.path = BYTES("/app/items/7");
	r.is_observed = true;
	const struct json *j = to_json(&r, &text, &arena),
			  *request = json_member(j, "http_request");
	CHECK(bytes_is(audit_field(request, "url", "path"), "/app/items/7"));
	CHECK(bytes_is(audit_field(j, "api", "operation"), "DELETE"));
	CHECK(bytes_is(audit_field(json_first(json_member(j, "resources")), NULL, "name"), "/app/"
	                                                                                   "*"));
	CHECK(bytes_is(audit_field(j, "unmapped", "outcome"), "denied"));
	CHECK(json_bool(json_member(json_member(j, "unmapped"), "observed"), &observed) &&
	      observed);
	buf_done(&text);
	arena_done(&arena);
}

static void
test_class_action_and_outcome_choose_the_ocsf_numbers(void)
{
	static const struct {
		enum audit_class class;
		const char *action;
		enum audit_outcome outcome;
		int64_t category, type, severity, status;
	} rows[] = {
		{ AUDIT_DATASTORE, "create", AUDIT_ALLOWED, 6, 600506, 1, 1 },
		{ AUDIT_API, "GET", AUDIT_ALLOWED, 6, 600302, 1, 1 },
		{ AUDIT_API, "PATCH", AUDIT_DENIED, 6, 600303, 2, 2 },
		{ AUDIT_API, "OPTIONS", AUDIT_ALLOWED, 6, 600399, 1, 1 },
		{ AUDIT_DATASTORE, "update", AUDIT_DENIED, 6, 600502, 2, 2 },
		{ AUDIT_DATASTORE, "delete", AUDIT_FAILED, 6, 600507, 3, 2 },
		{ AUDIT_DATASTORE, "execute", AUDIT_ALLOWED, 6, 600504, 1, 1 },
		{ AUDIT_DATASTORE, "dance", AUDIT_ALLOWED, 6, 600599, 1, 1 },
		{ AUDIT_API, "read", AUDIT_ALLOWED, 6, 600302, 1, 1 },
		{ AUDIT_API, "recover", AUDIT_ALLOWED, 6, 600399, 1, 1 },
		{ AUDIT_AUTHENTICATION, "login", AUDIT_DENIED, 3, 300201, 2, 2 },
		{ AUDIT_AUTHENTICATION, "logout", AUDIT_ALLOWED, 3, 300202, 1, 1 },
		{ AUDIT_ACCOUNT, "user.add", AUDIT_ALLOWED, 3, 300101, 1, 1 },
		{ AUDIT_ACCOUNT, "user.enable", AUDIT_ALLOWED, 3, 300102, 1, 1 },
		{ AUDIT_ACCOUNT, "user.password", AUDIT_ALLOWED, 3, 300103, 1, 1 },
		{ AUDIT_ACCOUNT, "client.secret", AUDIT_ALLOWED, 3, 300104, 1, 1 },
		{ AUDIT_ACCOUNT, "client.disable", AUDIT_ALLOWED, 3, 300105, 1, 1 },
		{ AUDIT_ACCOUNT, "client.remove", AUDIT_FAILED, 3, 300106, 3, 2 },
		{ AUDIT_ACCOUNT, "user.roles", AUDIT_ALLOWED, 3, 300199, 1, 1 },
		{ AUDIT_ACCOUNT, "add", AUDIT_ALLOWED, 3, 300199, 1, 1 },
		{ AUDIT_API, "key.rotate", AUDIT_ALLOWED, 6, 600399, 1, 1 },
	};
	struct arena arena = { 0 };
	struct buf text = { 0 };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct audit_record r = log_record();
		r.class = rows[i].class;
		r.action = bytes_text(rows[i].action);
		r.outcome = rows[i].outcome;
		const struct json *j = to_json(&r, &text, &arena);
		CHECK_ROW(integer(j, NULL, "category_uid") == rows[i].category, rows[i].action);
		CHECK_ROW(integer(j, NULL, "type_uid") == rows[i].type, rows[i].action);
		CHECK_ROW(integer(j, NULL, "severity_id") == rows[i].severity, rows[i].action);
		CHECK_ROW(integer(j, NULL, "status_id") == rows[i].status, rows[i].action);
	}
	struct audit_record api = log_record();
	api.class = AUDIT_API;
	const struct json *j = to_json(&api, &text, &arena);
	CHECK(bytes_is(audit_field(j, "api", "operation"), "read"));
	CHECK(bytes_is(audit_field(json_first(json_member(j, "resources")), NULL, "name"),
	               "books"));
	api.class = AUDIT_AUTHENTICATION;
	j = to_json(&api, &text, &arena);
	CHECK(bytes_is(audit_field(j, "user", "uid"), "ada") &&
	      bytes_is(audit_field(j, "user", "name"), "Ada Lovelace"));
	CHECK(bytes_is(audit_field(j, "service", "name"), "Gatewarden"));
	buf_done(&text);
	arena_done(&arena);
}

/* An agent acts for somebody: the subject stays the actor's user, and the agent is beside it. */
static void
test_an_agent_stands_beside_the_subject(void)
{
	struct audit_record r = log_record();
	struct arena arena = { 0 };
	struct buf text = { 0 };
	const struct json *j = to_json(&r, &text, &arena);

	CHECK(json_member(json_member(j, "unmapped"), "agent") != NULL &&
	      audit_field(j, "unmapped", "agent").len == 0);
	r.agent = BYTES("report-bot");
	j = to_json(&r, &text, &arena);
	CHECK(bytes_is(audit_field(j, "unmapped", "agent"), "report-bot"));
	CHECK(bytes_is(audit_field(j, "actor", "app_uid"), "report-bot"));
	CHECK(bytes_is(audit_field(json_member(j, "actor"), "user", "uid"), "ada"));
	buf_done(&text);
	arena_done(&arena);
}

static void
test_an_account_change_has_who_did_it_as_actor_and_the_account_as_user(void)
{
	struct audit_record r = log_record();
	struct arena arena = { 0 };
	struct buf text = { 0 };
	const struct json *j, *actor, *groups;

	r.class = AUDIT_ACCOUNT;
	r.action = BYTES("user.roles");
	r.resource = (struct bytes){ 0 };
	r.agent = BYTES("uid 1000");
	j = to_json(&r, &text, &arena);
	actor = json_member(j, "actor");
	CHECK(bytes_is(audit_field(actor, "user", "uid"), "uid 1000") &&
	      audit_field(actor, "user", "name").len == 0);
	CHECK(bytes_is(audit_field(j, "user", "uid"), "ada") &&
	      bytes_is(audit_field(j, "user", "name"), "Ada Lovelace"));
	groups = json_member(json_member(j, "user"), "groups");
	CHECK(groups != NULL && groups->count == 2);
	CHECK(bytes_is(audit_field(j, NULL, "class_name"), "Account Change") &&
	      bytes_is(audit_field(j, NULL, "activity_name"), "user.roles"));
	CHECK(bytes_is(audit_field(j, "unmapped", "action"), "user.roles"));
	buf_done(&text);
	arena_done(&arena);
}

/* security.md 49. */
static void
test_case_49_log_injection_stays_inside_its_string(void)
{
	static const uint8_t evil[] =
		"x\"}\n{\"seq\":99,\"prev\":\"\r\\\x1b[2J\0\xff\xfe\xe2\x80\xa8</script>";
	struct bytes text = { evil, sizeof evil - 1 };
	struct audit_record r = log_record();
	struct arena arena = { 0 };
	struct buf out = { 0 };
	struct bytes roles[] = { text };

	r.decision = r.trace = r.issuer = r.subject = r.client = r.resource = r.action = r.rule =
		r.reason = text;
	r.name = r.agent = r.backend = r.credential = text;
	r.roles = roles;
	r.role_count = 1;
	const struct json *j = to_json(&r, &out, &arena);
	/* The reader refuses \u0000, so the writer must not let one through as it came. */
	for (size_t i = 0; i < out.len; i++)
		CHECK(out.at[i] >= 0x20 && out.at[i] != 0x7f);
	CHECK(bytes_is_utf8(buf_bytes(&out)));
	CHECK(j != NULL && integer(j, NULL, "seq") == 42);
	CHECK(audit_field(json_member(j, "actor"), "user", "uid").len > 20);
	buf_done(&out);
	arena_done(&arena);
}

/* security.md 92: nothing gets in but the fields that were given. */
static void
test_case_92_a_record_holds_nothing_but_the_fields_given(void)
{
	static const char canary[] = "CANARY-secret-after-the-text";
	struct audit_record r = log_record();
	struct buf out = { 0 };

	/* Borrowed text stands in the middle of a request: what follows it must stay out. */
	r.subject = (struct bytes){ (const uint8_t *)canary, 6 };
	r.reason = (struct bytes){ (const uint8_t *)canary, 0 };
	r.has_fingerprint = false;
	memset(r.fingerprint, 0xEE, sizeof r.fingerprint);
	audit_record_put(&out, &r);
	CHECK(memmem(out.at, out.len, "-secret", 7) == NULL &&
	      memmem(out.at, out.len, "\xEE\xEE", 2) == NULL);
	audit_record_put_json(&out, &r, 1, start_us, 0);
	CHECK(memmem(out.at, out.len, "-secret", 7) == NULL &&
	      memmem(out.at, out.len, "eeee", 4) == NULL);
	CHECK(memmem(out.at, out.len, "\"uid\":\"CANARY\"", 14) != NULL);
	buf_done(&out);
}

TESTS(TEST(test_every_field_survives_the_message), TEST(test_the_largest_record_fits_and_survives),
      TEST(test_text_is_cut_between_characters), TEST(test_a_message_cut_anywhere_is_refused),
      TEST(test_a_message_no_worker_writes_is_refused), TEST(test_json_has_the_shape_of_ocsf),
      TEST(test_json_has_every_field_of_the_contract_under_unmapped),
      TEST(test_a_route_is_told_as_an_api_with_its_path),
      TEST(test_class_action_and_outcome_choose_the_ocsf_numbers),
      TEST(test_an_agent_stands_beside_the_subject),
      TEST(test_an_account_change_has_who_did_it_as_actor_and_the_account_as_user),
      TEST(test_case_49_log_injection_stays_inside_its_string),
      TEST(test_case_92_a_record_holds_nothing_but_the_fields_given))
