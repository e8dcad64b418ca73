/* Both ends of TLS over memory: no cut of the bytes matters, and nothing but TLS gets through. */
#include "io/tls.h"

#include "base/clock.h"
#include "base/macros.h"
#include "io/tls_names.h"
#include "tls_pair.h"

static void
test_the_two_ends_agree_however_the_bytes_are_cut(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1),
			   o = { .ca_file = authority.certificate, .alpn = http_alpn };

	for (size_t step = 1; step < 1400; step += step < 70 ? 1 : 101) {
		struct pair p;

		CHECK(pair_make(&p, &s, &o, "a.example"));
		shake(&p, step);
		CHECK(is_through(&p));
		CHECK(!failed(tls_write(p.client, BYTES("hello"), &p.to_server)));
		move(&p.to_server, p.server, &p.to_client, step, &p.server_error);
		CHECK(reads(p.server, "hello", &p.to_client));
		CHECK(!failed(tls_write(p.server, BYTES("good day"), &p.to_client)));
		move(&p.to_client, p.client, &p.to_server, step, &p.client_error);
		CHECK(reads(p.client, "good day", &p.to_server));
		pair_done(&p);
	}
}

static void
test_what_was_settled_is_told(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1),
			   o = { .ca_file = authority.certificate, .alpn = http_alpn };
	struct pair p;

	CHECK(pair_make(&p, &s, &o, "A.Example"));
	shake(&p, SIZE_MAX);
	CHECK(is_through(&p));
	const struct tls_peer *at = tls_peer(p.server);
	CHECK(at->version == 0x0304);
	CHECK(strcmp(at->alpn, "h2") == 0);
	CHECK(strcmp(at->name, "a.example") == 0);
	CHECK(tls_names_cover(at->own, BYTES("b.example")));
	CHECK(!tls_names_cover(at->own, BYTES("c.example")));
	CHECK(!at->has_certificate && !at->is_resumed && at->cipher != NULL);
	CHECK(tls_peer(p.client)->has_certificate);
	CHECK(tls_context_expires(p.server_context) > clock_wall_us() / 1000000 + 86400 * 300);
	pair_done(&p);
}

static void
test_what_is_written_before_the_handshake_waits_for_it(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1), o = { .ca_file = authority.certificate };
	struct pair p;

	CHECK(pair_make(&p, &s, &o, "a.example"));
	CHECK(!failed(tls_write(p.client, BYTES("early"), &p.to_server)));
	CHECK(p.to_server.len == 0);
	shake(&p, 100);
	CHECK(is_through(&p));
	CHECK(reads(p.server, "early", &p.to_client));
	pair_done(&p);
}

static void
test_the_end_is_told_and_a_cut_is_not_an_end(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1), o = { .ca_file = authority.certificate };
	struct pair p;
	uint8_t at[16];
	size_t len;

	CHECK(pair_make(&p, &s, &o, "a.example"));
	shake(&p, SIZE_MAX);
	CHECK(!tls_has_ended(p.server));
	CHECK(!failed(tls_write(p.client, BYTES("last"), &p.to_server)));
	tls_end(p.client, &p.to_server);
	move(&p.to_server, p.server, &p.to_client, 3, &p.server_error);
	CHECK(reads(p.server, "last", &p.to_client));
	CHECK(!failed(tls_read(p.server, at, sizeof at, &p.to_client, &len)) && len == 0);
	CHECK(tls_has_ended(p.server));
	/* The other half still goes on. */
	CHECK(!failed(tls_write(p.server, BYTES("answer"), &p.to_client)));
	move(&p.to_client, p.client, &p.to_server, 5, &p.client_error);
	CHECK(reads(p.client, "answer", &p.to_server));
	pair_done(&p);
}

/* Garbage */

static void
test_garbage_is_answered_with_an_alert(void)
{
	static const struct {
		struct bytes sent;
		bool has_alert;
		unsigned code;
	} rows[] = {
		{ { (const uint8_t *)"\x16\x03\x01\x00\x05hello", 10 }, true, 0 },
		{ { (const uint8_t *)"\x80\x09\x01\x00\x02\x00\x00\x00\x00\x00\x00", 11 },
		  false,
		  0 },
		{ { (const uint8_t *)"\x16\x03\x01\xff\xff\x01", 6 }, true, 0 },
		{ { (const uint8_t *)"\x17\x03\x03\x00\x05hello", 10 }, true, 0 },
		{ { (const uint8_t *)"\x14\x03\x03\x00\x01\x01", 6 }, true, 0 },
		{ { (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18 }, false, TLS_FAULT_PLAIN_HTTP },
		{ { (const uint8_t *)"POST / HTTP/1.1\r\n\r\n", 19 }, false, TLS_FAULT_PLAIN_HTTP },
		{ { (const uint8_t *)"SSH-2.0-x\r\n", 11 }, false, 0 },
	};
	struct tls_certificate c = files(&server);
	struct tls_options o = server_options(&c, 1);
	struct tls_context *context;

	CHECK(!failed(tls_server_context(&o, &context, NULL)));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_done) struct buf wire = { 0 };
		struct tls *t;
		size_t len;
		uint8_t at[16];

		CHECK(!failed(tls_new(context, NULL, &t)));
		struct err e = tls_feed(t, rows[i].sent, &wire);
		CHECK(e.kind == ERR_PEER && e.code == rows[i].code);
		CHECK(!rows[i].has_alert || (wire.len == 7 && wire.at[0] == 21));
		/* It stays so. */
		CHECK(failed(tls_feed(t, rows[i].sent, &wire)));
		CHECK(failed(tls_write(t, BYTES("x"), &wire)));
		CHECK(failed(tls_read(t, at, sizeof at, &wire, &len)) && len == 0);
		CHECK(tls_peer(t) == NULL);
		tls_free(t);
	}
	tls_context_free(context);
}

static void
test_a_forged_record_ends_the_connection(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1), o = { .ca_file = authority.certificate };
	struct pair p;
	uint8_t at[64];
	size_t len;

	CHECK(pair_make(&p, &s, &o, "a.example"));
	shake(&p, SIZE_MAX);
	CHECK(!failed(tls_write(p.client, BYTES("hello"), &p.to_server)));
	p.to_server.at[p.to_server.len - 1] ^= 1;
	CHECK(!failed(tls_feed(p.server, buf_bytes(&p.to_server), &p.to_client)));
	struct err e = tls_read(p.server, at, sizeof at, &p.to_client, &len);
	CHECK(e.kind == ERR_PEER && len == 0);
	CHECK(p.to_client.len > 0); /* the alert */
	CHECK(strcmp(e.why, "TLS: a record is forged") == 0);
	pair_done(&p);
}

/* Bytes in the clear behind a whole ClientHello are part of the handshake, and break it (case 61).
 */
static void
test_61_clear_bytes_in_the_handshake_break_it(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1), o = { .ca_file = authority.certificate };
	struct pair p;

	CHECK(pair_make(&p, &s, &o, "a.example"));
	p.client_error = tls_begin(p.client, &p.to_server);
	buf_put_text(&p.to_server, "GET /admin HTTP/1.1\r\n\r\n");
	for (int i = 0; i < 4; i++) {
		move(&p.to_server, p.server, &p.to_client, SIZE_MAX, &p.server_error);
		move(&p.to_client, p.client, &p.to_server, SIZE_MAX, &p.client_error);
	}
	CHECK(failed(p.server_error) && tls_peer(p.server) == NULL);
	pair_done(&p);
}

static void
test_no_protocol_in_common_is_no_connection(void)
{
	static const char *const other[] = { "imap", NULL };
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1),
			   o = { .ca_file = authority.certificate, .alpn = other };
	struct pair p;

	CHECK(pair_make(&p, &s, &o, "a.example"));
	shake(&p, SIZE_MAX);
	CHECK(failed(p.server_error) && !is_through(&p));
	CHECK(strcmp(p.server_error.why, "TLS: no protocol in common (ALPN)") == 0);
	pair_done(&p);
}

static void
test_what_is_kept_is_read_later(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1), o = { .ca_file = authority.certificate };
	static uint8_t large[100000];
	struct pair p;
	uint8_t at[777];
	size_t len = 1, total = 0;

	CHECK(pair_make(&p, &s, &o, "a.example"));
	shake(&p, SIZE_MAX);
	for (size_t i = 0; i < sizeof large; i++)
		large[i] = (uint8_t)(i * 7 % 251);
	CHECK(!failed(tls_write(p.client, (struct bytes){ large, sizeof large }, &p.to_server)));
	move(&p.to_server, p.server, &p.to_client, 4000, &p.server_error);
	CHECK(tls_has_more(p.server));
	while (len > 0) {
		CHECK(!failed(tls_read(p.server, at, sizeof at, &p.to_client, &len)));
		CHECK(memcmp(at, large + total, len) == 0);
		total += len;
	}
	CHECK(total == sizeof large && !tls_has_more(p.server));
	pair_done(&p);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(test_the_two_ends_agree_however_the_bytes_are_cut),
		TEST(test_what_was_settled_is_told),
		TEST(test_what_is_written_before_the_handshake_waits_for_it),
		TEST(test_the_end_is_told_and_a_cut_is_not_an_end),
		TEST(test_garbage_is_answered_with_an_alert),
		TEST(test_a_forged_record_ends_the_connection),
		TEST(test_61_clear_bytes_in_the_handshake_break_it),
		TEST(test_no_protocol_in_common_is_no_connection),
		TEST(test_what_is_kept_is_read_later),
	};

	return test_with_certificates(tests, ARRAY_LEN(tests));
}
