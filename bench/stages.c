/* stages.c - what each stage of a small proxied request costs, one thread and no network around it:
 * the worker's and the ledger's own functions, in a loop over one request, and what the kernel
 * takes for the two messages and their answers. One line a stage: nanoseconds of CPU, the least of
 * ROUNDS, and its name. Run in a folder of its own: the ledger writes there. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "audit/chain.h"
#include "base/clock.h"
#include "base/macros.h"
#include "frontend/proxy.h"
#include "http/http_reply.h"
#include "http/http_response.h"
#include "jose/sign.h"

enum { CALLS = 20000, ROUNDS = 7, GROUP = 16 };

static const char configuration[] =
	"{\"issuers\":{\"idp\":{\"type\":\"oidc\",\"issuer\":\"https://"
	"idp.test\",\"audience\":\"api://books\","
	"\"jwks\":{\"url\":\"https://idp.test/keys\"}}},"
	"\"roles\":{\"reader\":{\"granted_by\":[\"idp:reader\"]}},"
	"\"backends\":{\"app\":{\"type\":\"http\",\"url\":\"http://127.0.0.1:1\"}},"
	"\"routes\":[{\"path\":\"/app/*\",\"backend\":\"app\",\"allow\":{\"reader\":[\"GET\"]}}],"
	"\"audit\":{\"path\":\"audit/\"},\"state\":{\"path\":\"state/\"}}";

static const char answer[] = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 10:00:00 "
			     "GMT\r\nContent-Type: application/json\r\n"
			     "Content-Length: 92\r\nConnection: keep-alive\r\n\r\n";

/* One request, as far as it goes. */
struct world {
	const struct settings *settings;
	const struct policy *policy;
	struct issuers *issuers;
	struct chain *chain;
	struct arena arena; /* of the settings */
	struct buf token, text, lines, record;
	struct gate gate;
	struct carrier carrier;
	struct request request;
	struct http_response response;
	unsigned in_group;
	int near, far; /* a connection over the loopback */
};

static void
must(struct err e, const char *what)
{
	if (!failed(e))
		return;
	fprintf(stderr, "stages: %s: %s\n", what, e.why);
	exit(2);
}

/* The stages */

static void
parse_request(struct world *w)
{
	size_t scanned = 0, len;
	enum step step;

	must(http_head_parse(buf_bytes(&w->text), &scanned, &w->request.head, &len, &step),
	     "the request");
}

static void
find_route(struct world *w)
{
	struct request *r = &w->request;

	must(url_path_split(r->head.path, &r->arena, r->segments, &r->segment_count), "the path");
	r->route = policy_route(w->policy, BYTES("127.0.0.1"), r->segments, r->segment_count);
	arena_reset(&r->arena);
}

static void
find_token(struct world *w)
{
	struct request *r = &w->request;
	const struct presented shown = { .token = buf_bytes(&w->token) };

	if (r->who != NULL)
		principal_release(r->who);
	must(issuers_examine(w->issuers, &shown, clock_wall_us() / 1000000, false, &r->arena,
	                     &r->identified),
	     "the token");
	r->who = r->identified.who;
	r->identified.who = NULL;
	arena_reset(&r->arena);
}

static void
decide(struct world *w)
{
	struct request *r = &w->request;

	arena_reset(&r->arena);
	must(policy_decide_route(w->policy, r->who, r->route, r->head.method, &r->arena, &r->grant,
	                         &r->decision),
	     "the decision");
}

static void
write_fields(struct world *w)
{
	struct request *r = &w->request;

	buf_clear(&w->lines);
	proxy_put_fields(r, &w->settings->routes[0], &w->lines);
	trace_put(r, &w->lines);
}

static void
read_answer(struct world *w)
{
	size_t scanned = 0, len;
	enum step step;
	bool has_date;

	must(http_response_parse(bytes_text(answer), &scanned, HTTP_GET, &w->response, &len, &step),
	     "the answer");
	buf_clear(&w->lines);
	http_reply_begin(&w->lines, w->response.status, (struct bytes){ 0 });
	proxy_put_answer_fields(&w->request, &w->response, &w->lines, &has_date);
	http_reply_length(&w->lines, w->response.content_length);
	http_reply_end(&w->lines);
}

static void
hand_over_record(struct world *w)
{
	struct bytes roles[AUDIT_ROLES_MAX] __attribute__((uninitialized)); /* they are counted */
	struct audit_record record;

	request_audit(&w->request, &record, roles);
	buf_clear(&w->record);
	audit_record_put(&w->record, &record);
}

/* Every GROUP records are one write, as they are when that many come in a turn of the loop. */
static void
keep_record(struct world *w)
{
	struct bytes roles[AUDIT_ROLES_MAX] __attribute__((uninitialized));
	struct audit_record record;

	must(audit_record_read(buf_bytes(&w->record), &record, roles), "the record");
	must(chain_append(w->chain, &record, clock_wall_us(), 1), "the chain");
	if (++w->in_group % GROUP == 0)
		must(chain_commit(w->chain, clock_wall_us()), "the chain");
}

/* What a worker does on its two connections, and with it the arrival at the other end, which the
 * kernel does on the way out. */
static void
pass_messages(struct world *w)
{
	static uint8_t bytes[65536];
	const size_t lens[] = { w->text.len, sizeof answer + 92 };

	for (size_t i = 0; i < ARRAY_LEN(lens); i++)
		if (send(w->near, bytes, lens[i], MSG_NOSIGNAL) != (ssize_t)lens[i] ||
		    recv(w->far, bytes, sizeof bytes, 0) != (ssize_t)lens[i])
			exit(2);
}

static const struct row {
	const char *name;
	void (*run)(struct world *w);
} rows[] = {
	{ "parse the request's head", parse_request },
	{ "split the path, find the route", find_route },
	{ "find the token among the remembered", find_token },
	{ "decide", decide },
	{ "write the fields for the service", write_fields },
	{ "read the answer's head, write the caller's", read_answer },
	{ "make the audit record", hand_over_record },
	{ "ledger: read, chain and write the record", keep_record },
	{ "kernel: two messages sent and received", pass_messages },
};

/* The world */

static void
make_token(struct world *w)
{
	CLEANUP(buf_done) struct buf claims = { 0 }, text = { 0 };
	int64_t now_s = clock_wall_us() / 1000000;
	struct signing_key *key;
	struct jwks *keys;

	must(signing_key_generate(ALG_RS256, &key), "a key");
	buf_printf(&claims,
	           "{\"iss\":\"https://idp.test\",\"sub\":\"bench\",\"aud\":\"api://books\","
	           "\"exp\":%lld,\"iat\":%lld,\"client_id\":\"app\",\"roles\":[\"reader\"]}",
	           (long long)now_s + 3600, (long long)now_s);
	must(signing_key_sign(key, "at+jwt", buf_bytes(&claims), &w->token), "a token");
	buf_put_text(&text, "{\"keys\":[");
	signing_key_put_jwk(key, &text);
	buf_put_text(&text, "]}");
	must(jwks_parse(buf_bytes(&text), &keys, NULL), "the key set");
	issuers_set_source(w->issuers, BYTES("https://idp.test/keys"), keys, INT64_MAX);
	signing_key_free(key);
}

static void
connect_both(struct world *w)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	w->near = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &len) != 0 ||
	    connect(w->near, (struct sockaddr *)&at, sizeof at) != 0 ||
	    (w->far = accept(listener, NULL, NULL)) < 0) {
		perror("stages: loopback");
		exit(2);
	}
	close(listener);
}

static void
make(struct world *w)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	struct request *r = &w->request;

	struct err e =
		config_parse(bytes_text(configuration), "stages", &w->arena, &w->settings, &errors);
	if (failed(e))
		fprintf(stderr, "%.*s", (int)errors.text.len, (const char *)errors.text.at);
	must(e, "the configuration");
	must(policy_compile(w->settings, NULL, 1, &w->arena, &w->policy, &errors), "the policy");
	must(issuers_new(w->settings, &w->issuers), "the issuers");
	must(chain_open(&w->settings->audit, clock_wall_us(), &w->chain), "the log");
	make_token(w);
	buf_printf(&w->text,
	           "GET /app/hello HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAuthorization: Bearer "
	           "%.*s\r\n\r\n",
	           (int)w->token.len, (const char *)w->token.at);
	connect_both(w);
	w->gate.settings = w->settings;
	w->carrier.address = "127.0.0.1";
	*r = (struct request){ .gate = &w->gate,
		               .carrier = &w->carrier,
		               .client = BYTES("127.0.0.1"),
		               .rows = -1,
		               .class = AUDIT_API,
		               .action = BYTES("GET"),
		               .resource = BYTES("/app/*"),
		               .path = BYTES("/app/hello"),
		               .backend = BYTES("app"),
		               .reply.status = 200,
		               .started_us = clock_monotonic_us() };
	memset(r->decision_id, '0', sizeof r->decision_id);
	memset(r->trace.hex, 'a', sizeof r->trace.hex);
}

static uint64_t
cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static double
measure(const struct row *s, struct world *w)
{
	double least = 1e12;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begun = cpu_ns();

		for (int k = 0; k < CALLS; k++)
			s->run(w);
		double each = (double)(cpu_ns() - begun) / CALLS;
		least = each < least ? each : least;
	}
	return least;
}

int
main(void)
{
	static struct world w;

	make(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		printf("%.0f %s\n", measure(&rows[i], &w), rows[i].name);
	chain_close(w.chain);
	return 0;
}
