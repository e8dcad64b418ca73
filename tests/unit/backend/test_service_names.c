/* test_service_names.c - a service whose URL has a name: all its addresses are asked, and when they
 * change, the new ones. What a name means is decided here, in place of the C library. */
#include <netdb.h>

#include "origin.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static const struct act hello[] = { { .say = HELLO } };

/* What "several.test" means; read by libuv's threads too. */
static _Atomic unsigned meant[3];
static _Atomic unsigned meant_count, asked;

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
	struct addrinfo *first = NULL;

	(void)port, (void)hints;
	asked++;
	if (strcmp(host, "several.test") != 0 || meant_count == 0)
		return EAI_NONAME;
	for (unsigned i = meant_count; i-- > 0;) {
		struct addrinfo *one = calloc(1, sizeof *one + sizeof(struct sockaddr_in));
		struct sockaddr_in *at = (struct sockaddr_in *)(void *)(one + 1);

		if (one == NULL)
			abort();
		*at = (struct sockaddr_in){ .sin_family = AF_INET,
			                    .sin_addr.s_addr = htonl(0x7f000000 | meant[i]) };
		*one = (struct addrinfo){ .ai_family = AF_INET,
			                  .ai_socktype = SOCK_STREAM,
			                  .ai_addr = (struct sockaddr *)at,
			                  .ai_addrlen = sizeof *at,
			                  .ai_next = first };
		first = one;
	}
	*ret = first;
	return 0;
}

void
freeaddrinfo(struct addrinfo *a)
{
	while (a != NULL) {
		struct addrinfo *next = a->ai_next;

		free(a);
		a = next;
	}
}

static void
mean(unsigned count, unsigned a, unsigned b)
{
	meant[0] = a;
	meant[1] = b;
	meant_count = count;
}

/* Fakes on 127.0.0.1, 127.0.0.2 of one port; one URL with the name. */
static void
start(struct scene *s)
{
	struct sockaddr_in at;

	scene_init(s, 1, hello, 1);
	s->fakes[1] = (struct fake){ .acts = hello, .act_count = 1, .loop = &s->loop.uv };
	s->fake_count = 2;
	if (uv_ip4_addr("127.0.0.2", s->fakes[0].port, &at) != 0 ||
	    uv_tcp_init(&s->loop.uv, &s->fakes[1].listener) != 0 ||
	    uv_tcp_bind(&s->fakes[1].listener, (struct sockaddr *)&at, 0) != 0 ||
	    uv_listen((uv_stream_t *)&s->fakes[1].listener, 16, fake_on_connection) != 0)
		abort();
	s->fakes[1].listener.data = &s->fakes[1];
	s->fakes[1].port = s->fakes[0].port;
	s->origins[0].host = "several.test";
	s->backend.service.origin_count = 1;
}

static void
test_all_addresses_of_a_name_are_asked(void)
{
	struct scene s;

	mean(2, 1, 2);
	start(&s);
	s.backend.service.host = SERVICE_HOST_OWN;
	scene_open(&s);
	for (int i = 0; i < 8; i++)
		TOLD(&s, request_get("/"), "head 200; data; end");
	CHECK(s.fakes[0].requests == 4 && s.fakes[1].requests == 4);
	CHECK(service_stats(s.service).origins == 2);
	buf_put_u8(&s.fakes[1].got, 0);
	CHECK(strstr((const char *)s.fakes[1].got.at, "\r\nHost: several.test:") != NULL);
	scene_stop(&s);
}

static void
test_an_address_that_failed_is_looked_up_again(void)
{
	struct scene s;
	struct told t;
	struct exchange_request r = request_get("/");

	mean(1, 1, 0);
	start(&s);
	s.fakes[1].acts = hello;
	scene_open(&s);
	TOLD(&s, r, "head 200; data; end");
	/* It moves. */
	fake_stop(&s.fakes[0]);
	mean(1, 2, 0);
	uint64_t begin = clock_monotonic_us();
	do {
		tell(&s, &t, &r);
		WAIT(&s, t.is_over);
		tell_done(&t);
	} while (failed(t.e) && clock_monotonic_us() - begin < 8000000);
	CHECK(!failed(t.e) && s.fakes[1].requests == 1);
	/* The old address is forgotten. */
	WAIT(&s, service_stats(s.service).origins == 1);
	scene_stop(&s);
}

/* The last good addresses stay while nobody answers for the name. */
static void
test_addresses_stay_while_the_name_cannot_be_looked_up(void)
{
	struct scene s;

	mean(1, 1, 0);
	start(&s);
	scene_open(&s);
	TOLD(&s, request_get("/"), "head 200; data; end");
	uint16_t port = s.fakes[0].port;
	fake_stop(&s.fakes[0]);
	mean(0, 0, 0);
	unsigned before = asked;
	TOLD(&s, request_get("/"), "failed 503");
	WAIT(&s, asked > before);
	fake_listen(&s.fakes[0], &s.loop.uv, port);
	TOLD(&s, request_get("/"), "head 200; data; end");
	scene_stop(&s);
}

static void
test_a_name_that_is_known_later_is_asked_then(void)
{
	struct scene s;
	const char *why = NULL;

	mean(0, 0, 0);
	start(&s);
	scene_open(&s);
	CHECK(!service_is_up(s.service, &why) && why != NULL);
	TOLD(&s, request_get("/"), "failed 503");
	mean(1, 2, 0);
	WAIT(&s, service_is_up(s.service, &why));
	TOLD(&s, request_get("/"), "head 200; data; end");
	CHECK(s.fakes[1].requests == 1);
	scene_stop(&s);
}

/* One that is at work when its address goes finishes. */
static void
test_an_exchange_outlives_its_address(void)
{
	static const struct act silent[] = { { .say = NULL } };
	struct scene s;
	struct told t;
	struct exchange_request r = request_get("/");

	mean(2, 1, 2);
	start(&s);
	s.fakes[0].acts = s.fakes[1].acts = silent;
	scene_open(&s);
	tell(&s, &t, &r);
	WAIT(&s, s.fakes[0].requests + s.fakes[1].requests == 1);
	struct fake *asked_one = s.fakes[0].requests > 0 ? &s.fakes[0] : &s.fakes[1];
	struct fake *other = asked_one == &s.fakes[0] ? &s.fakes[1] : &s.fakes[0];
	mean(1, other == &s.fakes[0] ? 1 : 2, 0);
	/* The other cannot be reached for a moment: the name is looked up. */
	fake_stop(other);
	r.method = HTTP_HEAD; /* told apart from the first */
	struct told u;
	tell(&s, &u, &r);
	WAIT(&s, service_stats(s.service).origins == 1);
	CHECK(!t.is_over);
	tell_done(&u);
	fake_put(asked_one->peers[0], HELLO, strlen(HELLO));
	WAIT(&s, t.is_over);
	CHECK(told_is(&t, "head 200; data; end"));
	tell_done(&t);
	scene_stop(&s);
}

TESTS(TEST(test_all_addresses_of_a_name_are_asked),
      TEST(test_an_address_that_failed_is_looked_up_again),
      TEST(test_addresses_stay_while_the_name_cannot_be_looked_up),
      TEST(test_a_name_that_is_known_later_is_asked_then),
      TEST(test_an_exchange_outlives_its_address))
