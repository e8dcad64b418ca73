/* Two streams on one loop, in the clear and with TLS: what is told, in which order, and what is
 * not.
 */
#include "io/stream.h"

#include "stream_pair.h"

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
	};

	return test_with_streams(tests, ARRAY_LEN(tests));
}
