/* http2_origin.h - a service that speaks HTTP/2, in the test's own loop: the engine's other end.
 * What it does with a request stands in its path. */
#ifndef TEST_BACKEND_HTTP2_ORIGIN_H
#define TEST_BACKEND_HTTP2_ORIGIN_H

#include "http/http2.h"

#include "origin.h"

enum { ANSWERS_MAX = 256 };

struct answer {
	struct h2_peer *peer;
	int32_t id;
	char path[32];
	char head[1024]; /* of the request, its fields */
	struct buf body; /* what came */
	size_t left;     /* to be sent */
	bool is_used, is_closed;
	uint32_t code;
};

struct h2_peer {
	struct fake_peer *socket;
	struct h2 *of;
	struct http2 *http2;
	uv_tcp_t tcp;
	bool is_open;
};

/* A service that speaks HTTP/2; what it does is in the path. */
struct h2 {
	uv_tcp_t listener;
	uv_loop_t *loop;
	uint16_t port;
	struct h2_peer peers[16];
	unsigned connections, refusals;
	struct answer answers[ANSWERS_MAX];
	unsigned count;
	unsigned refuse; /* so many requests more */
	bool is_slow;    /* consumes nothing */
};

static inline void
h2_write(struct h2_peer *p)
{
	struct buf out = { 0 };

	if (!p->is_open)
		return;
	for (;;) {
		CHECK(!failed(http2_pull(p->http2, &out, 65536)));
		if (out.len == 0)
			break;
		while (out.len > 0 && p->is_open) {
			uv_buf_t b = uv_buf_init((char *)out.at, (unsigned)out.len);
			int sent = uv_try_write((uv_stream_t *)&p->tcp, &b, 1);

			if (sent == UV_EAGAIN) {
				/* The reader is in this very loop. */
				uv_run(p->of->loop, UV_RUN_NOWAIT);
				continue;
			}
			if (sent < 0)
				break;
			buf_consume(&out, (size_t)sent);
		}
		buf_clear(&out);
	}
	buf_done(&out);
}

static inline void
h2_drop(struct h2_peer *p)
{
	if (!p->is_open)
		return;
	p->is_open = false;
	uv_close((uv_handle_t *)&p->tcp, NULL);
}

static inline void
h2_answer(struct answer *a, unsigned status, const char *lines, bool is_last)
{
	CHECK(!failed(http2_respond(a->peer->http2, a->id, status, bytes_text(lines), is_last)));
}

static inline void
h2_act(struct answer *a)
{
	if (strcmp(a->path, "/hello") == 0) {
		a->left = 5;
		h2_answer(a, 200, "Content-Length: 5\r\n", false);
	} else if (strcmp(a->path, "/empty") == 0) {
		h2_answer(a, 204, "", true);
	} else if (strcmp(a->path, "/interim") == 0) {
		h2_answer(a, 103, "Link: </a>\r\n", false);
		h2_answer(a, 200, "", true);
	} else if (strcmp(a->path, "/endless") == 0) {
		for (int i = 0; i < 40; i++)
			h2_answer(a, 103, "Link: </a>\r\n", false);
	} else if (strcmp(a->path, "/trailers") == 0) {
		a->left = 3;
		h2_answer(a, 200, "", false);
		CHECK(!failed(http2_trailers(a->peer->http2, a->id, BYTES("X-Sum: 1\r\n"))));
	} else if (strcmp(a->path, "/big") == 0) {
		a->left = 4 << 20;
		h2_answer(a, 200, "", false);
	} else if (strcmp(a->path, "/reset") == 0) {
		http2_reset(a->peer->http2, a->id, 2);
	} else if (strcmp(a->path, "/cut") == 0) {
		a->left = SIZE_MAX;
		h2_answer(a, 200, "", false);
	} else if (strcmp(a->path, "/early") == 0) {
		h2_answer(a, 413, "", true);
	}
}

static inline void
h2_on_request(void *of, int32_t id, struct http_head *head, struct buf *text, bool is_last,
              void **ret_stream)
{
	struct h2_peer *p = of;
	struct h2 *h = p->of;
	struct answer *a = &h->answers[h->count++ % ANSWERS_MAX];
	struct buf fields = { .at = (uint8_t *)a->head, .room = sizeof a->head, .limit = 1000 };

	(void)text, (void)is_last;
	*a = (struct answer){ .peer = p, .id = id, .is_used = true };
	snprintf(a->path, sizeof a->path, "%.*s", (int)head->target.len,
	         (const char *)head->target.at);
	buf_printf(&fields, "%.*s ", (int)head->host.len, (const char *)head->host.at);
	for (size_t i = 0; i < head->field_count; i++)
		buf_printf(&fields, "[%.*s:%.*s]", (int)head->fields[i].name.len,
		           (const char *)head->fields[i].name.at, (int)head->fields[i].value.len,
		           (const char *)head->fields[i].value.at);
	a->head[fields.len] = '\0';
	if (h->refuse > 0) {
		h->refuse--;
		h->refusals++;
		*ret_stream = NULL;
		return;
	}
	*ret_stream = a;
	h2_act(a);
}

static inline void
h2_on_refused(void *of, int32_t id, struct err e)
{
	(void)of, (void)id;
	printf("# refused: %s\n", e.why);
	CHECK(false);
}

static inline void
h2_on_data(void *of, void *stream, struct bytes part)
{
	struct h2_peer *p = of;
	struct answer *a = stream;

	buf_put(&a->body, part);
	if (!p->of->is_slow)
		http2_consume(p->http2, a->id, part.len);
}

static inline void
h2_on_end(void *of, void *stream, struct bytes trailers)
{
	struct answer *a = stream;

	(void)of;
	buf_put(&a->body, trailers);
	if (strcmp(a->path, "/echo") == 0) {
		a->left = a->body.len;
		h2_answer(a, 200, "", false);
	}
}

static inline void
h2_on_pull(void *of, void *stream, uint8_t *at, size_t room, size_t *ret_len, bool *ret_end)
{
	struct answer *a = stream;
	size_t len = a->left < room ? a->left : room;

	(void)of;
	if (strcmp(a->path, "/cut") == 0) {
		/* A few bytes, then nothing. */
		len = a->left == SIZE_MAX ? 5 : 0;
		a->left = 1;
	} else {
		a->left -= len;
	}
	memset(at, 'x', len);
	*ret_len = len;
	*ret_end = a->left == 0;
}

static inline void
h2_on_closed(void *of, void *stream, uint32_t code)
{
	struct answer *a = stream;

	(void)of;
	a->is_closed = true;
	a->code = code;
}

static inline void
h2_on_read(uv_stream_t *s, ssize_t len, const uv_buf_t *b)
{
	struct h2_peer *p = s->data;

	if (len < 0) {
		h2_drop(p);
		return;
	}
	struct err e = http2_feed(p->http2, (struct bytes){ (const uint8_t *)b->base, (size_t)len },
	                          clock_monotonic_us());
	h2_write(p);
	if (failed(e) || http2_is_done(p->http2))
		h2_drop(p);
}

static inline void
h2_on_connection(uv_stream_t *listener, int status)
{
	static const struct http2_ops ops = {
		.request = h2_on_request,
		.refused = h2_on_refused,
		.data = h2_on_data,
		.end = h2_on_end,
		.pull = h2_on_pull,
		.closed = h2_on_closed,
	};
	struct h2 *h = listener->data;
	struct h2_peer *p = &h->peers[h->connections++ % 16];

	p->of = h;
	p->is_open = true;
	if (status != 0 || uv_tcp_init(h->loop, &p->tcp) != 0 ||
	    uv_accept(listener, (uv_stream_t *)&p->tcp) != 0 ||
	    failed(http2_new(false, &ops, p, &p->http2)))
		abort();
	p->tcp.data = p;
	uv_tcp_nodelay(&p->tcp, 1);
	uv_read_start((uv_stream_t *)&p->tcp, fake_alloc, h2_on_read);
	h2_write(p);
}

struct stage {
	struct scene scene;
	struct h2 h2;
};

static inline void
stage_start(struct stage *t)
{
	struct sockaddr_in at;
	int len = sizeof at;

	scene_init(&t->scene, 0, NULL, 0);
	t->h2 = (struct h2){ .loop = &t->scene.loop.uv };
	if (uv_ip4_addr("127.0.0.1", 0, &at) != 0 ||
	    uv_tcp_init(t->h2.loop, &t->h2.listener) != 0 ||
	    uv_tcp_bind(&t->h2.listener, (struct sockaddr *)&at, 0) != 0 ||
	    uv_listen((uv_stream_t *)&t->h2.listener, 16, h2_on_connection) != 0 ||
	    uv_tcp_getsockname(&t->h2.listener, (struct sockaddr *)&at, &len) != 0)
		abort();
	t->h2.listener.data = &t->h2;
	t->h2.port = ntohs(at.sin_port);
	t->scene.origins[0] = (struct origin_settings){ .host = "127.0.0.1", .port = t->h2.port };
	t->scene.backend.service.origin_count = 1;
	t->scene.backend.service.protocol = SERVICE_HTTP2;
	scene_open(&t->scene);
}

static inline void
stage_stop(struct stage *t)
{
	uv_close((uv_handle_t *)&t->h2.listener, NULL);
	for (size_t i = 0; i < ARRAY_LEN(t->h2.peers); i++)
		h2_drop(&t->h2.peers[i]);
	scene_stop(&t->scene);
	for (size_t i = 0; i < ARRAY_LEN(t->h2.peers); i++)
		http2_free(t->h2.peers[i].http2);
	for (size_t i = 0; i < ANSWERS_MAX; i++)
		buf_done(&t->h2.answers[i].body);
}

#endif
