/* test_target.c - addresses in brackets, against the C library's reader; the engine itself may not
 * call it.
 */
#include "http/http_target.h"

#include <arpa/inet.h>

#include "base/buf.h"
#include "base/macros.h"
#include "test.h"

/* In brackets, an address is one when the C library says so. */
static void
check_address(const char *address)
{
	char authority[80];
	struct in6_addr parsed;

	snprintf(authority, sizeof authority, "[%s]", address);
	CHECK_ROW(http_authority_is(bytes_text(authority)) ==
	                  (inet_pton(AF_INET6, address, &parsed) == 1),
	          address);
}

static void
test_ipv6_addresses_are_those_of_the_c_library(void)
{
	static const char *const pieces[] = {
		"1",      ":",    "::", "ab:", "10.0.0.1", ":2",
		"1:2:3:", "ffff", ".",  "g",   "0:0:",     "256.1.1.1"
	};
	uint64_t seed = 88172645463325252u;

	for (unsigned i = 0; i < 12 * 12 * 12; i++) {
		char address[64];

		snprintf(address, sizeof address, "%s%s%s", pieces[i % 12], pieces[i / 12 % 12],
		         pieces[i / 144]);
		check_address(address);
	}
	for (unsigned i = 0; i < 200000; i++) {
		static const char alphabet[] = "01f::::.";
		char address[40] = { 0 };
		size_t len;

		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		len = 1 + seed % 21;
		for (size_t k = 0; k < len; k++)
			address[k] = alphabet[seed >> (3 * k) & 7];
		check_address(address);
	}
	for (unsigned groups = 1; groups < 10; groups++)
		for (unsigned gap = 0; gap < 11; gap++)
			for (unsigned tail = 0; tail < 2; tail++) {
				CLEANUP(buf_done) struct buf address = { 0 };

				for (unsigned k = 0; k < groups; k++)
					buf_printf(&address, "%s%x",
					           k == 0     ? (gap == 0 ? "::" : "")
					           : k == gap ? "::"
					                      : ":",
					           k * 0x111);
				buf_put_text(&address,
				             tail ? (gap == groups ? "::1.2.3.4" : ":1.2.3.4")
				             : gap == groups ? "::"
				                             : "");
				buf_put_u8(&address, 0);
				check_address((const char *)address.at);
			}
}

static void
test_long_names_are_refused(void)
{
	CLEANUP(buf_done) struct buf name = { 0 };

	for (size_t i = 0; i < 255; i++)
		buf_put_u8(&name, 'a');
	CHECK(http_authority_is(buf_bytes(&name)));
	buf_put_u8(&name, 'a');
	CHECK(!http_authority_is(buf_bytes(&name)) && !http_authority_is((struct bytes){ 0 }));
}

TESTS(TEST(test_ipv6_addresses_are_those_of_the_c_library), TEST(test_long_names_are_refused))
