/* Two streams on one loop, in the clear and with TLS: what is told, in which order, and what is
 * not.
 */
#include "io/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "certificates.h"
#include "test.h"

enum { LARGE = 12 << 20, TURNS_MAX = 200000 };

struct peer {
	struct stream stream;
	struct buf got;
	bool is_ready, has_ended, is_broken, is_closed;
	unsigned data_calls, drained_calls;
	bool holds;           /* reads one part, then nothing */
	bool closes_at_ready; /* and at the first data, at the end */
	bool closes_at_data, closes_at_end;
	bool had_peer; /* stream_peer() at `ready` */
};

static struct loop loop;
static struct made authority, certificate;
static struct tls_context *server_context, *client_context;
static uint8_t large[LARGE];

static void
on_data(struct stream *s, struct bytes data)
{
	struct peer *p = container_of(s, struct peer, stream);

	buf_put(&p->got, data);
	p->data_calls++;
	if (p->holds)
		stream_read(s, false);
	if (p->closes_at_data)
		stream_close(s);
}

static void
on_end(struct stream *s)
{
	struct peer *p = container_of(s, struct peer, stream);

	p->has_ended = true;
	if (p->closes_at_end)
		stream_close(s);
}

static void
on_broken(struct stream *s)
{
	container_of(s, struct peer, stream)->is_broken = true;
}

static void
on_drained(struct stream *s)
{
	container_of(s, struct peer, stream)->drained_calls++;
}

static void
on_closed(struct stream *s)
{
	container_of(s, struct peer, stream)->is_closed = true;
}

static void
on_ready(struct stream *s)
{
	struct peer *p = container_of(s, struct peer, stream);

	p->is_ready = true;
	p->had_peer = stream_peer(s) != NULL;
	if (p->closes_at_ready)
		stream_close(s);
}

static const struct stream_ops ops = {
	on_data, on_end, on_broken, on_drained, on_closed, on_ready
};

/* One pair */

struct pair {
	struct peer server, client;
	int listener;
	struct sockaddr_in address;
};

static void
listen_here(struct pair *p)
{
	socklen_t len = sizeof p->address;

	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	p->address = (struct sockaddr_in){ .sin_family = AF_INET,
		                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(p->listener, (struct sockaddr *)&p->address, sizeof p->address) != 0 ||
	    listen(p->listener, 8) != 0 ||
	    getsockname(p->listener, (struct sockaddr *)&p->address, &len) != 0)
		abort();
}

static void
turn(void)
{
	(void)uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static bool
turn_until(const bool *flag)
{
	for (int i = 0; i < TURNS_MAX && !*flag; i++) {
		turn();
		usleep(20);
	}
	return *flag;
}

static bool
turn_until_got(const struct peer *p, size_t len)
{
	for (int i = 0; i < TURNS_MAX && p->got.len < len && !p->is_broken; i++) {
		turn();
		if (i > 100)
			usleep(20);
	}
	return p->got.len == len;
}

static void
pair_open(struct pair *p, bool is_secure, const char *name)
{
	*p = (struct pair){ 0 };
	listen_here(p);
	CHECK(!failed(
		stream_connect(&p->client.stream, &loop, (struct sockaddr *)&p->address, &ops)));
	if (is_secure)
		CHECK(!failed(stream_secure(&p->client.stream, client_context, name)));
	int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(!failed(stream_open(&p->server.stream, &loop, fd, &ops)));
	if (is_secure)
		CHECK(!failed(stream_secure(&p->server.stream, server_context, NULL)));
}

static void
peer_done(struct peer *p)
{
	if (p->stream.loop != NULL) {
		stream_close(&p->stream);
		CHECK(turn_until(&p->is_closed));
	}
	buf_done(&p->got);
}

static void
pair_close(struct pair *p)
{
	peer_done(&p->client);
	peer_done(&p->server);
	close(p->listener);
}

static void
send_text(struct peer *p, const char *text)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	buf_put_text(&out, text);
	CHECK(!failed(stream_send(&p->stream, &out)));
	CHECK(out.len == 0);
}

static bool
got(const struct peer *p, const char *text)
{
	return bytes_is(buf_bytes(&p->got), text);
}

/* Both kinds */

static void
test_a_connection_is_made_and_bytes_go_both_ways(void)
{
	for (int is_secure = 0; is_secure < 2; is_secure++) {
		struct pair p;

		pair_open(&p, is_secure, "a.example");
		stream_read(&p.client.stream, true);
		stream_read(&p.server.stream, true);
		CHECK(turn_until(&p.client.is_ready));
		CHECK(p.client.had_peer == is_secure);
		if (is_secure)
			CHECK(turn_until(&p.server.is_ready) && p.server.had_peer);
		send_text(&p.client, "hello");
		CHECK(turn_until_got(&p.server, 5) && got(&p.server, "hello"));
		send_text(&p.server, "good day");
		CHECK(turn_until_got(&p.client, 8) && got(&p.client, "good day"));
		CHECK((stream_peer(&p.server.stream) != NULL) == is_secure);
		pair_close(&p);
	}
}

static void
test_what_is_sent_before_it_is_ready_waits(void)
{
	for (int is_secure = 0; is_secure < 2; is_secure++) {
		struct pair p;

		pair_open(&p, is_secure, "a.example");
		send_text(&p.client, "early");
		stream_read(&p.server.stream, true);
		CHECK(turn_until_got(&p.server, 5) && got(&p.server, "early"));
		pair_close(&p);
	}
}

static void
test_nobody_there_is_told_with_a_reason(void)
{
	for (int is_secure = 0; is_secure < 2; is_secure++) {
		struct pair p = { 0 };

		listen_here(&p);
		close(p.listener);
		p.listener = -1;
		CHECK(!failed(stream_connect(&p.client.stream, &loop, (struct sockaddr *)&p.address,
		                             &ops)));
		if (is_secure)
			CHECK(!failed(
				stream_secure(&p.client.stream, client_context, "a.example")));
		stream_read(&p.client.stream, true);
		CHECK(turn_until(&p.client.is_broken));
		CHECK(!p.client.is_ready);
		CHECK(stream_fault(&p.client.stream) != NULL &&
		      strcmp(stream_fault(&p.client.stream), "the connection was refused") == 0);
		peer_done(&p.client);
	}
}

static void
test_it_may_be_closed_before_it_is_connected(void)
{
	for (int is_secure = 0; is_secure < 2; is_secure++) {
		struct pair p;

		pair_open(&p, is_secure, "a.example");
		stream_close(&p.client.stream);
		CHECK(turn_until(&p.client.is_closed));
		CHECK(!p.client.is_ready);
		pair_close(&p);
	}
}

static void
test_much_goes_over_and_is_what_was_sent(void)
{
	for (int is_secure = 0; is_secure < 2; is_secure++) {
		CLEANUP(buf_done) struct buf out = { 0 };
		struct pair p;

		pair_open(&p, is_secure, "a.example");
		stream_read(&p.client.stream, true);
		stream_read(&p.server.stream, true);
		CHECK(turn_until(&p.client.is_ready));
		buf_put(&out, (struct bytes){ large, LARGE });
		CHECK(!failed(stream_send(&p.client.stream, &out)));
		CHECK(p.client.stream.unsent > 0);
		CHECK(turn_until_got(&p.server, LARGE));
		CHECK(p.server.got.len == LARGE && memcmp(p.server.got.at, large, LARGE) == 0);
		for (int i = 0; i < 100 && p.client.drained_calls == 0; i++)
			turn();
		CHECK(p.client.drained_calls == 1 && p.client.stream.unsent == 0);
		pair_close(&p);
	}
}

static void
test_nothing_is_given_while_reading_is_off(void)
{
	for (int is_secure = 0; is_secure < 2; is_secure++) {
		CLEANUP(buf_done) struct buf out = { 0 };
		struct pair p;

		pair_open(&p, is_secure, "a.example");
		p.server.holds = true;
		stream_read(&p.server.stream, true);
		CHECK(turn_until(&p.client.is_ready));
		buf_put(&out, (struct bytes){ large, LARGE });
		CHECK(!failed(stream_send(&p.client.stream, &out)));
		size_t before = 0;
		for (unsigned parts = 1; parts < 20; parts++) {
			for (int i = 0; i < 1000 && p.server.data_calls < parts; i++) {
				turn();
				usleep(20);
			}
			CHECK(p.server.data_calls == parts);
			CHECK(p.server.got.len > before);
			before = p.server.got.len;
			for (int i = 0; i < 20; i++)
				turn();
			CHECK(p.server.data_calls == parts);
			stream_read(&p.server.stream, true);
		}
		/* What it does not read waits at the sender, not here. */
		CHECK(p.client.stream.unsent > 0);
		p.server.holds = false;
		stream_read(&p.server.stream, true);
		CHECK(turn_until_got(&p.server, LARGE));
		CHECK(p.server.got.len == LARGE && memcmp(p.server.got.at, large, LARGE) == 0);
		pair_close(&p);
	}
}

static void
test_reading_may_go_on_from_outside_without_a_call_from_inside(void)
{
	struct pair p;

	pair_open(&p, true, "a.example");
	p.server.holds = true;
	stream_read(&p.server.stream, true);
	CHECK(turn_until(&p.client.is_ready));
	CLEANUP(buf_done) struct buf out = { 0 };
	buf_put(&out, (struct bytes){ large, 40000 });
	CHECK(!failed(stream_send(&p.client.stream, &out)));
	for (int i = 0; i < 1000 && p.server.data_calls == 0; i++)
		turn();
	unsigned calls = p.server.data_calls;
	CHECK(calls == 1);
	stream_read(&p.server.stream, true);
	CHECK(p.server.data_calls == calls); /* later, from the loop */
	stream_read(&p.server.stream, false);
	stream_read(&p.server.stream, true);
	p.server.holds = false;
	CHECK(turn_until_got(&p.server, 40000));
	pair_close(&p);
}

static void
test_an_end_leaves_the_other_half_open(void)
{
	for (int is_secure = 0; is_secure < 2; is_secure++) {
		struct pair p;

		pair_open(&p, is_secure, "a.example");
		stream_read(&p.client.stream, true);
		stream_read(&p.server.stream, true);
		CHECK(turn_until(&p.client.is_ready));
		send_text(&p.client, "last");
		stream_end(&p.client.stream);
		CHECK(turn_until(&p.server.has_ended));
		CHECK(got(&p.server, "last") && !p.server.is_broken);
		send_text(&p.server, "answer");
		CHECK(turn_until_got(&p.client, 6) && got(&p.client, "answer"));
		pair_close(&p);
	}
}

static void
test_an_end_waits_for_what_was_sent(void)
{
	for (int is_secure = 0; is_secure < 2; is_secure++) {
		CLEANUP(buf_done) struct buf out = { 0 };
		struct pair p;

		pair_open(&p, is_secure, "a.example");
		stream_read(&p.server.stream, true);
		CHECK(turn_until(&p.client.is_ready));
		buf_put(&out, (struct bytes){ large, LARGE });
		CHECK(!failed(stream_send(&p.client.stream, &out)));
		stream_end(&p.client.stream);
		CHECK(turn_until(&p.server.has_ended));
		CHECK(p.server.got.len == LARGE && !p.server.is_broken);
		pair_close(&p);
	}
}

static void
test_a_close_is_an_end_for_the_other_side(void)
{
	for (int is_secure = 0; is_secure < 2; is_secure++) {
		struct pair p;

		pair_open(&p, is_secure, "a.example");
		stream_read(&p.client.stream, true);
		stream_read(&p.server.stream, true);
		CHECK(turn_until(&p.client.is_ready));
		send_text(&p.client, "x");
		CHECK(turn_until_got(&p.server, 1));
		stream_close(&p.server.stream);
		CHECK(turn_until(&p.client.has_ended));
		CHECK(!p.client.is_broken);
		pair_close(&p);
	}
}

static void
test_it_may_be_closed_from_any_callback(void)
{
	for (int is_secure = 0; is_secure < 2; is_secure++) {
		for (int at = 0; at < 3; at++) {
			CLEANUP(buf_done) struct buf out = { 0 };
			struct pair p;

			pair_open(&p, is_secure, "a.example");
			p.server.closes_at_data = at == 0;
			p.server.closes_at_end = at == 1;
			p.client.closes_at_ready = at == 2;
			stream_read(&p.client.stream, true);
			stream_read(&p.server.stream, true);
			CHECK(turn_until(&p.client.is_ready));
			if (at < 2) {
				buf_put(&out, (struct bytes){ large, 100000 });
				CHECK(!failed(stream_send(&p.client.stream, &out)));
				stream_end(&p.client.stream);
				CHECK(turn_until(&p.server.is_closed));
				CHECK(at == 1 ? p.server.got.len == 100000
				              : p.server.data_calls == 1);
			} else {
				CHECK(turn_until(&p.client.is_closed));
			}
			pair_close(&p);
		}
	}
}

/* TLS only */

static void
test_61_tls_begins_before_the_first_byte_or_not_at_all(void)
{
	struct pair p;

	pair_open(&p, false, NULL);
	stream_read(&p.server.stream, true);
	CHECK(failed(stream_secure(&p.server.stream, server_context, NULL)));
	stream_read(&p.server.stream, false);
	CHECK(failed(stream_secure(&p.server.stream, server_context, NULL)));
	pair_close(&p);
	pair_open(&p, true, "a.example");
	CHECK(failed(stream_secure(&p.server.stream, server_context, NULL)));
	pair_close(&p);
}

/* Case 61: what came in the clear before the handshake is no part of what TLS protects. */
static void
test_61_clear_bytes_are_never_taken_for_protected_ones(void)
{
	static const struct bytes sent[] = {
		{ (const uint8_t *)"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n", 32 },
		{ (const uint8_t *)"\x16\x03\x01\x00\x02hi, and more", 17 },
		{ (const uint8_t *)"SSH-2.0-x\r\n", 11 },
	};

	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		CLEANUP(buf_done) struct buf out = { 0 };
		struct pair p = { 0 };

		listen_here(&p);
		CHECK(!failed(stream_connect(&p.client.stream, &loop, (struct sockaddr *)&p.address,
		                             &ops)));
		buf_put(&out, sent[i]);
		CHECK(!failed(stream_send(&p.client.stream, &out)));
		int fd = accept4(p.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		CHECK(!failed(stream_open(&p.server.stream, &loop, fd, &ops)));
		CHECK(!failed(stream_secure(&p.server.stream, server_context, NULL)));
		stream_read(&p.client.stream, true);
		stream_read(&p.server.stream, true);
		CHECK(turn_until(&p.server.is_broken));
		CHECK(p.server.data_calls == 0 && !p.server.is_ready);
		CHECK(stream_fault(&p.server.stream) != NULL);
		CHECK(stream_peer(&p.server.stream) == NULL);
		/* Only who asked in the clear can be told so in the clear. */
		CHECK(stream_unsecure(&p.server.stream) == (i == 0));
		if (i == 0) {
			send_text(&p.server, "use TLS");
			CHECK(turn_until_got(&p.client, 7) && got(&p.client, "use TLS"));
		}
		pair_close(&p);
	}
}

static void
test_another_name_breaks_it_on_both_sides(void)
{
	struct pair p;

	pair_open(&p, true, "b.example");
	CHECK(turn_until(&p.client.is_broken));
	CHECK(turn_until(&p.server.is_broken));
	CHECK(!p.client.is_ready && !p.server.is_ready);
	CHECK(strcmp(stream_fault(&p.client.stream),
	             "TLS: the peer's certificate is of another name") == 0);
	pair_close(&p);
}

static void
test_a_cut_is_no_end(void)
{
	struct pair p;
	uv_os_fd_t fd;

	pair_open(&p, true, "a.example");
	stream_read(&p.server.stream, true);
	CHECK(turn_until(&p.client.is_ready));
	send_text(&p.client, "half an ans");
	CHECK(turn_until_got(&p.server, 11));
	CHECK(uv_fileno((uv_handle_t *)&p.client.stream.tcp, &fd) == 0 &&
	      shutdown(fd, SHUT_WR) == 0);
	CHECK(turn_until(&p.server.is_broken));
	CHECK(!p.server.has_ended);
	CHECK(strstr(stream_fault(&p.server.stream), "close_notify") != NULL);
	pair_close(&p);
}

static void
test_a_peer_that_goes_during_the_handshake_breaks_it(void)
{
	struct pair p = { 0 };

	listen_here(&p);
	CHECK(!failed(
		stream_connect(&p.client.stream, &loop, (struct sockaddr *)&p.address, &ops)));
	int fd = accept4(p.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(!failed(stream_open(&p.server.stream, &loop, fd, &ops)));
	CHECK(!failed(stream_secure(&p.server.stream, server_context, NULL)));
	CHECK(turn_until(&p.client.is_ready));
	stream_close(&p.client.stream);
	CHECK(turn_until(&p.server.is_broken));
	CHECK(!p.server.has_ended && !p.server.is_ready);
	pair_close(&p);
}

/* Sockets that hold little, so that what is not read shows soon. */
static int
connect_small(const struct pair *p)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), size = 2048;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) != 0 ||
	    setsockopt(p->listener, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) != 0 ||
	    connect(fd, (const struct sockaddr *)&p->address, sizeof p->address) != 0)
		abort();
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* Each update of keys that is asked for is answered with one (RFC 8446 section 4.6.3). */
static void
test_who_asks_for_updates_and_reads_none_is_cut_off(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(context);
	struct pair p = { 0 };

	listen_here(&p);
	int raw = connect_small(&p);
	int fd = accept4(p.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(!failed(stream_open(&p.server.stream, &loop, fd, &ops)));
	CHECK(!failed(stream_secure(&p.server.stream, server_context, NULL)));
	stream_read(&p.server.stream, true);
	SSL_set_fd(ssl, raw);
	SSL_set_connect_state(ssl);
	for (int i = 0; i < 1000 && SSL_do_handshake(ssl) != 1; i++)
		turn();
	CHECK(turn_until(&p.server.is_ready));
	for (int i = 0; i < 200000 && !p.server.is_broken; i++) {
		if (SSL_get_key_update_type(ssl) == SSL_KEY_UPDATE_NONE)
			(void)SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
		if (SSL_do_handshake(ssl) != 1 || i % 64 == 0)
			turn();
	}
	CHECK(p.server.is_broken && p.server.stream.unsent < 2 << 20);
	CHECK(strstr(stream_fault(&p.server.stream), "asks more than it reads") != NULL);
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(raw);
	peer_done(&p.server);
	close(p.listener);
}

/* A loop in which nothing is awaited does not turn. */
static void
on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void
open_contexts(void)
{
	const struct tls_certificate c = { certificate.certificate, certificate.key };
	const struct tls_options s = { .certificates = &c, .certificate_count = 1 },
				 o = { .ca_file = authority.certificate };
	const uint8_t secret[TLS_TICKET_KEY_LEN] = { 3 };

	if (failed(tls_server_context(&s, &server_context, NULL)) ||
	    failed(tls_client_context(&o, &client_context, NULL)))
		abort();
	tls_context_set_ticket_secret(server_context, secret);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(test_a_connection_is_made_and_bytes_go_both_ways),
		TEST(test_what_is_sent_before_it_is_ready_waits),
		TEST(test_nobody_there_is_told_with_a_reason),
		TEST(test_it_may_be_closed_before_it_is_connected),
		TEST(test_much_goes_over_and_is_what_was_sent),
		TEST(test_nothing_is_given_while_reading_is_off),
		TEST(test_reading_may_go_on_from_outside_without_a_call_from_inside),
		TEST(test_an_end_leaves_the_other_half_open),
		TEST(test_an_end_waits_for_what_was_sent),
		TEST(test_a_close_is_an_end_for_the_other_side),
		TEST(test_it_may_be_closed_from_any_callback),
		TEST(test_61_tls_begins_before_the_first_byte_or_not_at_all),
		TEST(test_61_clear_bytes_are_never_taken_for_protected_ones),
		TEST(test_another_name_breaks_it_on_both_sides),
		TEST(test_a_cut_is_no_end),
		TEST(test_a_peer_that_goes_during_the_handshake_breaks_it),
		TEST(test_who_asks_for_updates_and_reads_none_is_cut_off),
	};

	signal(SIGPIPE, SIG_IGN);
	made_open();
	authority = make((struct made_options){ .name = "authority", .is_authority = true });
	certificate = make((struct made_options){
		.name = "server", .alt = "DNS:a.example", .by = &authority });
	for (size_t i = 0; i < LARGE; i++)
		large[i] = (uint8_t)(i * 31 % 253);
	open_contexts();
	uv_timer_t tick;
	if (failed(loop_init(&loop)) || uv_timer_init(&loop.uv, &tick) != 0 ||
	    uv_timer_start(&tick, on_tick, 1, 1) != 0)
		return 1;
	int status = test_main(tests, ARRAY_LEN(tests));
	tls_context_free(server_context);
	tls_context_free(client_context);
	buf_done(&loop.wire);
	made_done(&authority);
	made_done(&certificate);
	made_remove_all();
	return status;
}
