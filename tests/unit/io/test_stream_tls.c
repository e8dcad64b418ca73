/* What a stream with TLS takes from a peer, and what it does not. */
#include "io/stream.h"

#include "stream_pair.h"

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

int
main(void)
{
	static const struct test tests[] = {
		TEST(test_61_tls_begins_before_the_first_byte_or_not_at_all),
		TEST(test_61_clear_bytes_are_never_taken_for_protected_ones),
		TEST(test_another_name_breaks_it_on_both_sides),
		TEST(test_a_cut_is_no_end),
		TEST(test_a_peer_that_goes_during_the_handshake_breaks_it),
		TEST(test_who_asks_for_updates_and_reads_none_is_cut_off),
	};

	return test_with_streams(tests, ARRAY_LEN(tests));
}
