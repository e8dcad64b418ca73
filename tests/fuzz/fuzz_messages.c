/* The bodies of the messages between processes: what is read and written again reads the same. */
#include <stdlib.h>

#include "audit/record.h"
#include "identity/login.h"

static void
expect_same(struct bytes a, struct buf *b)
{
	if (!bytes_equal(a, buf_bytes(b)))
		abort();
	buf_done(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes body = { data, size };
	struct buf again = { 0 };
	struct login login;
	struct login_answer answer;
	struct shared_keys keys;
	struct audit_record record;
	struct bytes roles[AUDIT_ROLES_MAX];

	if (!failed(login_read(body, &login))) {
		login_put(&again, &login);
		expect_same(body, &again);
	}
	if (!failed(login_answer_read(body, &answer))) {
		login_answer_put(&again, &answer);
		expect_same(body, &again);
	}
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
