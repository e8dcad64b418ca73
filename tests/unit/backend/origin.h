/* origin.h - a service that does what its script says, in the test's own loop; and exchanges that
 * write down what they are told. */
#ifndef TEST_BACKEND_ORIGIN_H
#define TEST_BACKEND_ORIGIN_H

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/service.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "test.h"

/* What a request is answered with. */
struct act {
	const char *say; /* NULL: nothing */
	size_t len;      /* 0: strlen(say) */
	bool close;      /* FIN behind it */
	bool reset;      /* RST instead of anything more */
	bool at_once;    /* when the connection is made, not when a request came */
	bool drip;       /* byte by byte */
};

enum { PEERS_MAX = 1024 };

struct fake_peer {
	uv_tcp_t tcp;
	struct fake *fake;
	uv_timer_t timer;
	const char *drip;
	size_t drip_left, line_end; /* bytes of CR LF CR LF seen */
	bool drip_close, is_open;
	unsigned handles;
};

struct fake {
	uv_tcp_t listener;
	uv_loop_t *loop;
	uint16_t port;
	const struct act *acts; /* one a request, in their order; the last one goes on */
	size_t act_count;
	unsigned connections, requests, open;
	bool is_deaf; /* reads nothing */
	struct buf got;
	struct fake_peer *peers[PEERS_MAX];
};

static inline void
fake_on_closed(uv_handle_t *h)
{
	struct fake_peer *p = h->data;

	if (--p->handles == 0)
		free(p);
}

static inline void
fake_drop(struct fake_peer *p, bool reset)
{
	if (!p->is_open)
		return;
	p->is_open = false;
	p->fake->open--;
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (p->fake->peers[i] == p)
			p->fake->peers[i] = NULL;
	uv_close((uv_handle_t *)&p->timer, fake_on_closed);
	if (!reset || uv_tcp_close_reset(&p->tcp, fake_on_closed) != 0)
		uv_close((uv_handle_t *)&p->tcp, fake_on_closed);
}

static inline void
fake_put(struct fake_peer *p, const char *text, size_t len)
{
	while (len > 0) {
		uv_buf_t b = uv_buf_init((char *)(uintptr_t)text, (unsigned)len);
		int sent = uv_try_write((uv_stream_t *)&p->tcp, &b, 1);

		if (sent == UV_EAGAIN)
			continue; /* the other side is in this very loop: a test must not fill it */
		if (sent < 0)
			return;
		text += sent;
		len -= (size_t)sent;
	}
}

static inline void
fake_on_drip(uv_timer_t *t)
{
	struct fake_peer *p = t->data;

	if (p->drip_left > 0) {
		fake_put(p, p->drip++, 1);
		p->drip_left--;
	} else if (p->drip_close) {
		fake_drop(p, false);
	} else {
		uv_timer_stop(t);
	}
}

static inline void
fake_act(struct fake_peer *p, const struct act *a)
{
	size_t len = a->len > 0 ? a->len : a->say == NULL ? 0 : strlen(a->say);

	if (a->drip) {
		p->drip = a->say, p->drip_left = len, p->drip_close = a->close;
		uv_timer_start(&p->timer, fake_on_drip, 1, 1);
		return;
	}
	fake_put(p, a->say, len);
	if (a->close || a->reset)
		fake_drop(p, a->reset);
}

static inline const struct act *
fake_next(struct fake *f)
{
	size_t i = f->requests < f->act_count ? f->requests : f->act_count - 1;

	return &f->acts[i];
}

static inline void
fake_alloc(uv_handle_t *h, size_t size, uv_buf_t *ret)
{
	static char room[65536];

	(void)h, (void)size;
	*ret = uv_buf_init(room, sizeof room);
}

/* A request ends with an empty line: tests send no body that holds one. */
static inline void
fake_on_read(uv_stream_t *s, ssize_t len, const uv_buf_t *b)
{
	struct fake_peer *p = s->data;
	struct fake *f = p->fake;

	if (len < 0) {
		fake_drop(p, false);
		return;
	}
	buf_put(&f->got, (struct bytes){ (const uint8_t *)b->base, (size_t)len });
	for (ssize_t i = 0; i < len && p->is_open; i++) {
		bool fits = b->base[i] == "\r\n\r\n"[p->line_end];

		p->line_end = fits ? p->line_end + 1 : b->base[i] == '\r';
		if (p->line_end < 4)
			continue;
		p->line_end = 0;
		const struct act *a = fake_next(f);
		f->requests++;
		if (!a->at_once)
			fake_act(p, a);
	}
}

static inline void
fake_on_connection(uv_stream_t *listener, int status)
{
	struct fake *f = listener->data;
	struct fake_peer *p = calloc(1, sizeof *p);

	if (p == NULL || status != 0 || uv_tcp_init(f->loop, &p->tcp) != 0 ||
	    uv_timer_init(f->loop, &p->timer) != 0 ||
	    uv_accept(listener, (uv_stream_t *)&p->tcp) != 0)
		abort();
	p->fake = f;
	p->tcp.data = p->timer.data = p;
	p->handles = 2;
	p->is_open = true;
	f->peers[f->connections++ % PEERS_MAX] = p;
	f->open++;
	uv_tcp_nodelay(&p->tcp, 1);
	if (fake_next(f)->at_once)
		fake_act(p, fake_next(f));
	if (p->is_open && !f->is_deaf)
		uv_read_start((uv_stream_t *)&p->tcp, fake_alloc, fake_on_read);
}

static inline void
fake_listen(struct fake *f, uv_loop_t *loop, uint16_t port)
{
	struct sockaddr_in at;
	int len = sizeof at;

	f->loop = loop;
	if (uv_ip4_addr("127.0.0.1", port, &at) != 0 || uv_tcp_init(loop, &f->listener) != 0 ||
	    uv_tcp_bind(&f->listener, (struct sockaddr *)&at, 0) != 0 ||
	    uv_listen((uv_stream_t *)&f->listener, 128, fake_on_connection) != 0 ||
	    uv_tcp_getsockname(&f->listener, (struct sockaddr *)&at, &len) != 0)
		abort();
	f->listener.data = f;
	f->port = ntohs(at.sin_port);
}

/* As a process that dies: nothing listens, all connections are gone. */
static inline void
fake_stop(struct fake *f)
{
	if (f->port != 0 && !uv_is_closing((uv_handle_t *)&f->listener))
		uv_close((uv_handle_t *)&f->listener, NULL);
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (f->peers[i] != NULL)
			fake_drop(f->peers[i], true);
}

/* ---- a service over fakes ---- */

enum { FAKES_MAX = 4 };

struct scene {
	struct loop loop;
	struct fake fakes[FAKES_MAX];
	size_t fake_count;
	struct origin_settings origins[FAKES_MAX];
	struct backend_settings backend;
	struct settings settings;
	struct service *service;
	struct arena arena;
};

static inline void
scene_init(struct scene *t, size_t fakes, const struct act *acts, size_t act_count)
{
	*t = (struct scene){ .fake_count = fakes };
	signal(SIGPIPE, SIG_IGN);
	if (failed(loop_init(&t->loop)))
		abort();
	for (size_t i = 0; i < fakes; i++) {
		t->fakes[i].acts = acts;
		t->fakes[i].act_count = act_count;
		fake_listen(&t->fakes[i], &t->loop.uv, 0);
		t->origins[i] =
			(struct origin_settings){ .host = "127.0.0.1", .port = t->fakes[i].port };
	}
	t->backend = (struct backend_settings){
		.name = "app",
		.type = BACKEND_HTTP,
		.service = { .origins = t->origins,
		             .origin_count = fakes,
		             .connections = 8,
		             .queue = 16,
		             .connect_timeout_ms = 2000,
		             .response_timeout_ms = 5000,
		             .idle_timeout_ms = 30000,
		             .retries = 1,
		             .breaker = { .failures = 5, .open_ms = 10000 } },
	};
	t->settings = (struct settings){ .backends = &t->backend, .backend_count = 1 };
}

static inline void
scene_open(struct scene *t)
{
	struct err e = service_open(&t->settings, 0, &t->loop, &t->arena, &t->service);

	CHECK(!failed(e));
	if (failed(e))
		abort();
}

static inline void
scene_start(struct scene *t, const struct act *acts, size_t act_count)
{
	scene_init(t, 1, acts, act_count);
	scene_open(t);
}
#define SCENE(name, ...)                                                                           \
	const struct act name##_acts[] = { __VA_ARGS__ };                                          \
	struct scene name;                                                                         \
	scene_start(&name, name##_acts, ARRAY_LEN(name##_acts))

static inline void
scene_stop(struct scene *t)
{
	service_close(t->service);
	for (size_t i = 0; i < t->fake_count; i++)
		fake_stop(&t->fakes[i]);
	uv_run(&t->loop.uv, UV_RUN_DEFAULT);
	/* Nothing is left that the loop knows, so nothing that was not freed. */
	uv_close((uv_handle_t *)&t->loop.prepare, NULL);
	uv_close((uv_handle_t *)&t->loop.first_stream, NULL);
	uv_run(&t->loop.uv, UV_RUN_DEFAULT);
	CHECK(uv_loop_close(&t->loop.uv) == 0);
	for (size_t i = 0; i < t->fake_count; i++)
		buf_done(&t->fakes[i].got);
	arena_done(&t->arena);
	buf_done(&t->loop.wire);
}

/* ---- an exchange that writes down what it is told ---- */

struct told {
	struct buf text; /* "head 200; data hello; end" */
	struct buf body;
	bool is_over, has_head, ends_itself, pauses;
	unsigned drained;
	struct err e;
	struct exchange *x;
};

static inline void
told_item(struct told *t)
{
	if (t->text.len > 0)
		buf_put_text(&t->text, "; ");
}

static inline void
told_interim(struct exchange *x, const struct http_response *head)
{
	struct told *t = exchange_of(x);

	told_item(t);
	buf_printf(&t->text, "interim %u", head->status);
}

static inline void
told_head(struct exchange *x, const struct http_response *head)
{
	struct told *t = exchange_of(x);

	t->has_head = true;
	told_item(t);
	buf_printf(&t->text, "head %u", head->status);
	if (t->pauses)
		exchange_read(x, false);
}

static inline void
told_data(struct exchange *x, struct bytes part)
{
	struct told *t = exchange_of(x);

	if (t->body.len == 0) {
		told_item(t);
		buf_put_text(&t->text, "data");
	}
	buf_put(&t->body, part);
}

static inline void
told_close(struct told *t)
{
	t->is_over = true;
	if (t->ends_itself) {
		exchange_end(t->x);
		t->x = NULL;
	}
}

static inline void
told_end(struct exchange *x, struct bytes trailers)
{
	struct told *t = exchange_of(x);

	told_item(t);
	buf_put_text(&t->text, "end");
	if (trailers.len > 0) {
		buf_put_u8(&t->text, ' ');
		buf_put(&t->text, trailers);
	}
	told_close(t);
}

static inline void
told_drained(struct exchange *x)
{
	struct told *t = exchange_of(x);

	t->drained++;
}

static inline void
told_failed(struct exchange *x, struct err e)
{
	struct told *t = exchange_of(x);

	t->e = e;
	told_item(t);
	buf_printf(&t->text, "failed %u", (unsigned)e.code);
	told_close(t);
}

static const struct exchange_ops told_ops = {
	.interim = told_interim,
	.head = told_head,
	.data = told_data,
	.end = told_end,
	.drained = told_drained,
	.failed = told_failed,
};

static inline struct exchange_request
request_get(const char *target)
{
	return (struct exchange_request){ .method = HTTP_GET,
		                          .target = bytes_text(target),
		                          .authority = BYTES("gate.example"),
		                          .lines = BYTES("X-Mine: 1\r\n") };
}

static inline void
tell(struct scene *s, struct told *t, const struct exchange_request *r)
{
	*t = (struct told){ .ends_itself = true };
	struct err e = exchange_start(s->service, r, &told_ops, t, &t->x);

	CHECK(!failed(e));
	if (failed(e)) {
		t->is_over = true;
		t->e = e;
	}
}

static inline void
tell_done(struct told *t)
{
	if (t->x != NULL)
		exchange_end(t->x);
	t->x = NULL;
	buf_done(&t->text);
	buf_done(&t->body);
}

/* Until it is true, at most ten seconds. */
#define WAIT(scene, condition)                                                                     \
	do {                                                                                       \
		uint64_t wait_until_ = clock_monotonic_us() + 10000000;                            \
		while (!(condition) && clock_monotonic_us() < wait_until_)                         \
			uv_run(&(scene)->loop.uv, UV_RUN_ONCE);                                    \
		CHECK(condition);                                                                  \
	} while (0)

static inline bool
told_is(const struct told *t, const char *wanted)
{
	bool same = bytes_is(buf_bytes(&t->text), wanted);

	if (!same)
		printf("# told: %.*s (%s), not: %s\n", (int)t->text.len, (const char *)t->text.at,
		       t->e.why == NULL ? "" : t->e.why, wanted);
	return same;
}

/* A request from start to end. */
#define TOLD(scene, request, wanted)                                                               \
	do {                                                                                       \
		struct told told_;                                                                 \
		struct exchange_request request_ = (request);                                      \
		tell((scene), &told_, &request_);                                                  \
		WAIT((scene), told_.is_over);                                                      \
		CHECK(told_is(&told_, (wanted)));                                                  \
		tell_done(&told_);                                                                 \
	} while (0)

#endif
