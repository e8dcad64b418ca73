/* What a request became, as its audit record says it. */
#include "frontend/request.h"

#include "base/macros.h"
#include "test.h"

static struct settings settings;
static struct gate gate = { .settings = &settings };

static struct audit_record
record_of(const struct request *r)
{
	static struct bytes roles[AUDIT_ROLES_MAX];
	struct audit_record record;

	request_audit(r, &record, roles);
	return record;
}

static struct bytes
trace_of(const char *value)
{
	struct request r = { .gate = &gate };

	r.head.fields[0] = (struct http_field){ BYTES("TraceParent"), bytes_text(value) };
	r.head.field_count = 1;
	return record_of(&r).trace;
}

static void
test_a_well_formed_trace_is_kept(void)
{
	CHECK(bytes_is(trace_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
	               "4bf92f3577b34da6a3ce929d0e0e4736"));
}

/* W3C Trace Context section 3.2.2: what is malformed is as if it had not been sent. */
static void
test_a_malformed_trace_is_not_kept(void)
{
	static const char *const bad[] = {
		"",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473\"-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bz-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
		"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(trace_of(bad[i]).len == 0, bad[i]);
}

static void
test_each_failure_has_its_outcome(void)
{
	static const struct {
		enum err_kind kind;
		enum audit_outcome outcome;
	} rows[] = {
		{ ERR_OK, AUDIT_ALLOWED },      { ERR_IDENTITY, AUDIT_DENIED },
		{ ERR_DENIED, AUDIT_DENIED },   { ERR_NOT_FOUND, AUDIT_ALLOWED },
		{ ERR_PEER, AUDIT_FAILED },     { ERR_CONFLICT, AUDIT_FAILED },
		{ ERR_INVALID, AUDIT_FAILED },  { ERR_LIMIT, AUDIT_FAILED },
		{ ERR_UPSTREAM, AUDIT_FAILED }, { ERR_CONFIG, AUDIT_FAILED },
		{ ERR_SYSTEM, AUDIT_FAILED },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request r = { .gate = &gate,
			             .rows = 3,
			             .outcome = { .kind = rows[i].kind, .why = "why" } };
		struct audit_record record = record_of(&r);

		CHECK(record.outcome == rows[i].outcome);
		CHECK(record.rows == (rows[i].kind == ERR_OK ? 3 : -1));
		CHECK(bytes_is(record.reason, rows[i].kind == ERR_OK ? "" : "why"));
		CHECK(record.class == AUDIT_API);
	}
}

static void
test_bytes_are_those_of_all_parts(void)
{
	struct request r = { .gate = &gate };

	r.reply.gone = UINT64_C(5000000000);
	r.reply.body.len = 7;
	CHECK(record_of(&r).bytes == UINT64_C(5000000007));
}

TESTS(TEST(test_a_well_formed_trace_is_kept), TEST(test_a_malformed_trace_is_not_kept),
      TEST(test_each_failure_has_its_outcome), TEST(test_bytes_are_those_of_all_parts))
