/* fuzz_scope.c - roles, a wish of scopes, and a wish of a resource: whatever the words, nothing is
 * granted that was not there. */
#include <stdlib.h>

#include "issuer/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_part(struct bytes part, struct bytes whole)
{
	struct bytes word;

	while (words_next(&part, &word))
		if (!words_have(whole, word))
			abort();
}

static void
check_target(struct bytes before, struct bytes asked)
{
	static const char *const audience[] = { "api://books" };
	static const struct resource_settings resources[] = { { .name = "books" },
		                                              { .name = "films" } };
	static const struct issuer_settings own = { .audience = audience, .audience_count = 1 };
	static const struct settings settings = { .public_url = "http://127.0.0.1:8080",
		                                  .resources = resources,
		                                  .resource_count = 2 };
	struct bytes got = { 0 };

	if (failed(target_narrow(&settings, &own, before, asked, &got)))
		return;
	if (before.len > 0 ? !bytes_equal(got, before)
	                   : got.len > 0 && !bytes_is(got, "books") && !bytes_is(got, "films"))
		abort();
}

/* Two lines: what there is, and what is asked for. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all = { data, size };
	size_t end = bytes_find(all, '\n');
	struct bytes have = bytes_slice(all, 0, end), asked = bytes_slice(all, end + 1, size);
	struct buf part = { 0 }, whole = { 0 };

	scope_put_narrowed(&part, have, asked);
	check_part(buf_bytes(&part), have);
	if (!failed(scope_grant(have, asked, SCOPE_ALL, &whole))) {
		check_part(buf_bytes(&whole), have);
		if (!bytes_equal(buf_bytes(&part), buf_bytes(&whole)))
			abort();
	}
	check_target(have, asked);
	buf_done(&part);
	buf_done(&whole);
	return 0;
}
