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

static void
test_the_trace_is_always_named(void)
{
	struct request r = { .gate = &gate };

	trace_begin(&r);
	CHECK(record_of(&r).trace.len == TRACE_HEX_LEN && record_of(&r).trace.at == r.trace.hex);
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

static void
test_what_was_only_observed_is_refused_also_where_the_service_fails(void)
{
	struct request r = { .gate = &gate, .is_observed = true };

	r.refusal = fail(ERR_DENIED, "not allowed");
	CHECK(record_of(&r).outcome == AUDIT_DENIED);
	r.outcome = fail(ERR_UPSTREAM, "the service is away");
	CHECK(record_of(&r).outcome == AUDIT_DENIED);
	CHECK(bytes_is(record_of(&r).reason, "not allowed"));
	r.is_completion = true; /* the decision stands in the first one */
	CHECK(record_of(&r).outcome == AUDIT_FAILED);
	CHECK(bytes_is(record_of(&r).reason, "the service is away"));
}

TESTS(TEST(test_what_was_only_observed_is_refused_also_where_the_service_fails),
      TEST(test_the_trace_is_always_named), TEST(test_each_failure_has_its_outcome),
      TEST(test_bytes_are_those_of_all_parts))
