/* test_query.c - finding records by principal, resource, outcome, time and decision. */
#include "log.h"

struct found {
	struct buf sequences; /* "1,4,", in order */
};

static void
take(void *of, struct bytes line, const struct json *record)
{
	struct found *f = of;
	int64_t sequence = -1;

	CHECK(line.len > 0 && line.at[0] == '{' && line.at[line.len - 1] == '}');
	CHECK(json_int64(json_member(record, "seq"), &sequence));
	buf_put_decimal(&f->sequences, sequence);
	buf_put_u8(&f->sequences, ',');
}

static void
put(struct chain *c, const char *subject, const char *resource, enum audit_outcome outcome,
    int64_t second)
{
	struct audit_record r = log_record();
	char decision[32];

	snprintf(decision, sizeof decision, "D%lld", (long long)second);
	r.subject = bytes_text(subject);
	r.name = strcmp(subject, "ada") == 0 ? BYTES("Ada L.") : (struct bytes){ 0 };
	r.resource = bytes_text(resource);
	r.outcome = outcome;
	r.agent = bytes_text(outcome == AUDIT_FAILED ? "bot" : "");
	r.class = strcmp(resource, "user") == 0 ? AUDIT_ACCOUNT : AUDIT_DATASTORE;
	r.decision = bytes_text(decision);
	CHECK(!failed(chain_append(c, &r, start_us + second * 1000000, 1)) &&
	      !failed(chain_commit(c, start_us)));
}

static char *
sample(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c;

	s.segment_bytes = 2500;
	CHECK(!failed(chain_open(&s, start_us, &c)));
	put(c, "ada", "books", AUDIT_ALLOWED, 0);
	put(c, "bob", "books", AUDIT_DENIED, 10);
	put(c, "ada", "authors", AUDIT_DENIED, 20);
	put(c, "corp", "books", AUDIT_FAILED, 30);
	put(c, "ada", "books", AUDIT_ALLOWED, 40);
	chain_close(c);
	return path;
}

static void
test_a_query_gives_the_records_that_match_all_conditions_in_order(void)
{
	static const struct {
		const char *name;
		struct query_filter filter;
		const char *found;
	} rows[] = {
		{ "all", { 0 }, "1,2,3,4,5," },
		{ "principal", { .principal = "ada" }, "1,3,5," },
		{ "issuer and principal", { .principal = "corp:ada" }, "1,3,5," },
		{ "name", { .principal = "Ada L." }, "1,3,5," },
		{ "issuer and name", { .principal = "corp:Ada L." }, "1,3,5," },
		{ "part of the other name", { .principal = "Ada" }, "" },
		{ "no name", { .principal = "" }, "" },
		{ "another issuer", { .principal = "local:ada" }, "" },
		{ "issuer only", { .principal = "corp:" }, "" },
		{ "part of a name", { .principal = "ad" }, "" },
		{ "resource", { .resource = "authors" }, "3," },
		{ "outcome", { .outcome = "denied" }, "2,3," },
		{ "failed", { .outcome = "failed" }, "4," },
		{ "two", { .principal = "ada", .outcome = "allowed" }, "1,5," },
		{ "decision", { .decision = "D30" }, "4," },
		{ "from is inclusive", { .from_us = start_us + 20000000 }, "3,4,5," },
		{ "to is exclusive", { .to_us = start_us + 20000000 }, "1,2," },
		{ "between",
		  { .from_us = start_us + 1, .to_us = start_us + 40000000 },
		  "1,2,3,4," },
		{ "agent", { .agent = "bot" }, "4," },
		{ "agent and another principal", { .agent = "bot", .principal = "ada" }, "" },
		{ "no such agent", { .agent = "ada" }, "" },
		{ "nothing", { .principal = "x" }, "" },
	};
	char *path = sample();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct found f = { 0 };
		CHECK_ROW(!failed(audit_query(path, &rows[i].filter, take, NULL, &f)),
		          rows[i].name);
		CHECK_ROW(bytes_is(buf_bytes(&f.sequences), rows[i].found), rows[i].name);
		buf_done(&f.sequences);
	}
	log_remove(path);
}

/* Of an account change both who did it and whose account it was can be asked for. */
static void
test_an_account_change_is_found_by_its_account_and_its_agent(void)
{
	static const struct query_filter filters[] = { { .principal = "ada" },
		                                       { .principal = "corp:ada" },
		                                       { .principal = "bot" },
		                                       { .agent = "bot" } };
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c;

	CHECK(!failed(chain_open(&s, start_us, &c)));
	put(c, "ada", "user", AUDIT_FAILED, 0);
	put(c, "bob", "user", AUDIT_ALLOWED, 1);
	chain_close(c);
	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
		struct found f = { 0 };

		CHECK(!failed(audit_query(path, &filters[i], take, NULL, &f)));
		CHECK(bytes_is(buf_bytes(&f.sequences), "1,"));
		buf_done(&f.sequences);
	}
	log_remove(path);
}

static void
test_a_line_that_is_no_record_is_passed_over_and_told(void)
{
	char *path = sample();
	struct query_filter all = { 0 };
	struct found f = { 0 };
	struct buf b = file_read(path, first_segment);

	b.at[1] = '!';
	file_write(path, first_segment, buf_bytes(&b));
	CHECK(audit_query(path, &all, take, NULL, &f).kind == ERR_DENIED);
	CHECK(bytes_is(buf_bytes(&f.sequences), "2,3,4,5,"));
	buf_done(&f.sequences);
	buf_done(&b);
	log_remove(path);
}

static void
test_where_there_is_no_log_is_said(void)
{
	char *path = log_new();
	struct query_filter all = { 0 };
	struct found f = { 0 };

	CHECK(audit_query(path, &all, take, NULL, &f).kind == ERR_CONFIG);
	CHECK(audit_query("/nonexistent/audit", &all, take, NULL, &f).kind == ERR_CONFIG);
	log_remove(path);
}

TESTS(TEST(test_a_query_gives_the_records_that_match_all_conditions_in_order),
      TEST(test_an_account_change_is_found_by_its_account_and_its_agent),
      TEST(test_a_line_that_is_no_record_is_passed_over_and_told),
      TEST(test_where_there_is_no_log_is_said))
