/* stream_pair.h - two streams on one loop, and what each was told. */
#ifndef STREAM_PAIR_H
#define STREAM_PAIR_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "certificates.h"
#include "io/stream.h"
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

static inline void
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

static inline void
on_end(struct stream *s)
{
	struct peer *p = container_of(s, struct peer, stream);

	p->has_ended = true;
	if (p->closes_at_end)
		stream_close(s);
}

static inline void
on_broken(struct stream *s)
{
	container_of(s, struct peer, stream)->is_broken = true;
}

static inline void
on_drained(struct stream *s)
{
	container_of(s, struct peer, stream)->drained_calls++;
}

static inline void
on_closed(struct stream *s)
{
	container_of(s, struct peer, stream)->is_closed = true;
}

static inline void
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

static inline void
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

static inline void
turn(void)
{
	(void)uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static inline bool
turn_until(const bool *flag)
{
	for (int i = 0; i < TURNS_MAX && !*flag; i++) {
		turn();
		usleep(20);
	}
	return *flag;
}

static inline bool
turn_until_got(const struct peer *p, size_t len)
{
	for (int i = 0; i < TURNS_MAX && p->got.len < len && !p->is_broken; i++) {
		turn();
		if (i > 100)
			usleep(20);
	}
	return p->got.len == len;
}

static inline void
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

static inline void
peer_done(struct peer *p)
{
	if (p->stream.loop != NULL) {
		stream_close(&p->stream);
		CHECK(turn_until(&p->is_closed));
	}
	buf_done(&p->got);
}

static inline void
pair_close(struct pair *p)
{
	peer_done(&p->client);
	peer_done(&p->server);
	close(p->listener);
}

static inline void
send_text(struct peer *p, const char *text)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	buf_put_text(&out, text);
	CHECK(!failed(stream_send(&p->stream, &out)));
	CHECK(out.len == 0);
}

static inline bool
got(const struct peer *p, const char *text)
{
	return bytes_is(buf_bytes(&p->got), text);
}

/* A loop in which nothing is awaited does not turn. */
static inline void
on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static inline void
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

/* The main() of a test. */
static inline int
test_with_streams(const struct test *tests, size_t count)
{
	uv_timer_t tick;

	signal(SIGPIPE, SIG_IGN);
	made_open();
	authority = make((struct made_options){ .name = "authority", .is_authority = true });
	certificate = make((struct made_options){
		.name = "server", .alt = "DNS:a.example", .by = &authority });
	for (size_t i = 0; i < LARGE; i++)
		large[i] = (uint8_t)(i * 31 % 253);
	open_contexts();
	if (failed(loop_init(&loop)) || uv_timer_init(&loop.uv, &tick) != 0 ||
	    uv_timer_start(&tick, on_tick, 1, 1) != 0)
		return 1;
	int status = test_main(tests, count);
	tls_context_free(server_context);
	tls_context_free(client_context);
	buf_done(&loop.wire);
	made_done(&authority);
	made_done(&certificate);
	made_remove_all();
	return status;
}

#endif
