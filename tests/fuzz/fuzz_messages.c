/* The bodies of the messages between processes: what is read and written again reads the same. */
#include <stdlib.h>

#include "audit/record.h"
#include "identity/ask.h"
#include "identity/fetch.h"

static void
expect_same(struct bytes a, struct buf *b)
{
	if (!bytes_equal(a, buf_bytes(b)))
		abort();
	buf_done(b);
}

/* One kind of message: read, and when that succeeds written again. */
#define CHECK_SAME(type, name)                                                                     \
	static void check_##name(struct bytes body)                                                \
	{                                                                                          \
		struct type message = { 0 };                                                       \
		struct buf again = { 0 };                                                          \
		if (failed(name##_read(body, &message)))                                           \
			return;                                                                    \
		name##_put(&again, &message);                                                      \
		expect_same(body, &again);                                                         \
	}
CHECK_SAME(ask, ask)
CHECK_SAME(answer, answer)
CHECK_SAME(revocation, revocation)
CHECK_SAME(fetched_keys, fetched_keys)
CHECK_SAME(fetched_state, fetched_state)
CHECK_SAME(fetch_ask, fetch_ask)
CHECK_SAME(fetch_answer, fetch_answer)

/* Several in one message. */
static void
check_spans(struct bytes body)
{
	struct reader r = reader_of(body);
	struct fetch_span span;

	while (reader_left(&r) > 0) {
		const uint8_t *from = r.at;
		struct buf again = { 0 };

		if (failed(fetch_span_read(&r, &span)))
			return;
		fetch_span_put(&again, &span);
		expect_same((struct bytes){ from, (size_t)(r.at - from) }, &again);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes body = { data, size };
	struct buf again = { 0 };
	struct shared_keys keys;
	struct audit_record record;
	struct bytes roles[AUDIT_ROLES_MAX];

	check_ask(body);
	check_answer(body);
	check_revocation(body);
	check_fetched_keys(body);
	check_fetched_state(body);
	check_fetch_ask(body);
	check_fetch_answer(body);
	check_spans(body);
	if (!failed(shared_keys_read(body, &keys))) {
		shared_keys_put(&again, &keys);
		expect_same(body, &again);
	}
	if (!failed(audit_record_read(body, &record, roles))) {
		audit_record_put(&again, &record);
		buf_done(&again);
	}
	return 0;
}
