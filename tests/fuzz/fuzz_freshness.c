/* fuzz_freshness.c - whatever the head of an answer says, we neither ask too often nor believe for
 * too long. */
#include <stdlib.h>

#include "base/macros.h"
#include "fetch/http_reply_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(bool truth)
{
	if (!truth)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t clocks_s[] = { 0, 1795327200, INT32_MAX, 253402300799 };
	struct bytes text = { data, size };
	struct reply_head head = { 0 };

	while (text.len > 0) {
		size_t end = bytes_find(text, '\n');

		if (!reply_head_line(&head, bytes_slice(text, 0, end + 1)))
			break;
		text = bytes_slice(text, end + 1, text.len);
	}
	for (size_t i = 0; i < ARRAY_LEN(clocks_s); i++) {
		struct freshness f = reply_head_freshness(&head);
		unsigned fresh_s = freshness_seconds(&f, clocks_s[i]);

		demand(fresh_s >= FRESH_MIN_S && fresh_s <= FRESH_MAX_S);
		demand(retry_after_seconds(buf_bytes(&head.fields[REPLY_RETRY_AFTER]),
		                           clocks_s[i]) <= RETRY_AFTER_MAX_S);
	}
	(void)reply_head_is_json(&head);
	for (size_t i = 0; i < REPLY_FIELD_COUNT; i++)
		demand(head.fields[i].len <= REPLY_FIELD_MAX);
	reply_head_done(&head);
	return 0;
}
