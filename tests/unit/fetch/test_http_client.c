/* Requests against a provider that misbehaves: a small server of ours in a process of its own.
 * Names are resolved by the double below, so that one can lead anywhere. */
#include "fetch/http_client.h"

#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/macros.h"
#include "io/resolve.h"
#include "provider.h"

enum { TIMEOUT_MS = 700 };

/* The double of resolve.c: what each name leads to. */

struct resolving {
	uv_timer_t timer;
	resolved_fn *resolved;
	void *of;
	const char *address;
};
static unsigned resolved_count;

void
resolve_init(void)
{
}

static void
on_gone(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct resolving, timer));
}

static void
on_turn(uv_timer_t *timer)
{
	struct resolving *r = container_of(timer, struct resolving, timer);
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	if (r->address != NULL && getaddrinfo(r->address, NULL, &hints, &list) == 0)
		r->resolved(r->of, OK, list);
	else
		r->resolved(r->of, fail(ERR_UPSTREAM, "the host's name cannot be resolved"), NULL);
	if (list != NULL)
		freeaddrinfo(list);
	uv_close((uv_handle_t *)timer, on_gone);
}

struct err
resolve_start(struct loop *l, const char *host, resolved_fn *resolved, void *of,
              struct resolving **ret)
{
	static const struct {
		const char *host, *address;
	} names[] = { { "loop.example", "127.0.0.1" },
		      { "six.example", "::1" },
		      { "mapped.example", "::ffff:127.0.0.1" },
		      { "cloud.example", "169.254.169.254" },
		      { "corp.example", "127.0.0.1" } };
	struct resolving *r = calloc(1, sizeof *r);

	r->resolved = resolved;
	r->of = of;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(host, names[i].host) == 0)
			r->address = names[i].address;
	resolved_count++;
	(void)uv_timer_init(&l->uv, &r->timer);
	(void)uv_timer_start(&r->timer, on_turn, 0, 0);
	*ret = r;
	return OK;
}

void
resolve_cancel(struct resolving *r)
{
	if (r != NULL)
		uv_close((uv_handle_t *)&r->timer, on_gone);
}

/* The client */

static const char *const listed[] = { "corp.example" };
static const struct outbound_settings outbound = { .private_hosts = listed,
	                                           .private_host_count = 1,
	                                           .timeout_ms = TIMEOUT_MS };
static struct loop loop;
static struct http_client *client;

struct outcome {
	unsigned calls, status, max_age_s;
	bool is_json;
	struct err e;
	struct buf body;
	struct buf retry_after;
};

static void
on_done(void *of, struct err e, const struct http_response *r)
{
	struct outcome *o = of;

	o->calls++;
	o->e = e;
	if (r != NULL) {
		o->status = r->status;
		o->is_json = r->is_json;
		o->max_age_s = freshness_seconds(&r->freshness, 0);
		buf_put(&o->body, r->body);
		buf_put(&o->retry_after, r->retry_after);
	}
	loop_stop(&loop);
}

static void
outcome_done(struct outcome *o)
{
	buf_done(&o->body);
	buf_done(&o->retry_after);
}

static struct outcome
fetch(const struct http_request *r)
{
	struct outcome o = { 0 };
	struct http_exchange *x;

	o.e = http_start(client, r, on_done, &o, &x);
	while (!failed(o.e) && o.calls == 0)
		loop_run(&loop);
	return o;
}

static struct outcome
get(const char *path)
{
	char url[512];

	snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
	return fetch(&(struct http_request){ .url = bytes_text(url) });
}

static void
test_an_answer_comes_with_its_facts(void)
{
	struct outcome CLEANUP(outcome_done) o = get("/json");

	CHECK(!failed(o.e) && o.calls == 1 && o.status == 200 && o.is_json);
	CHECK(bytes_is(buf_bytes(&o.body), "{\"keys\":[]}"));
	CHECK(o.max_age_s == 7197);
}

static void
test_localhost_is_asked_without_a_resolver(void)
{
	char url[64];
	unsigned before = resolved_count;

	snprintf(url, sizeof url, "http://localhost:%u/json", port);
	struct outcome CLEANUP(outcome_done) o =
		fetch(&(struct http_request){ .url = bytes_text(url) });
	CHECK(!failed(o.e) && o.status == 200 && resolved_count == before);
}

static bool
has(const struct outcome *o, const char *text)
{
	return memmem(o->body.at, o->body.len, text, strlen(text)) != NULL;
}

static void
test_only_what_is_needed_is_sent(void)
{
	struct outcome CLEANUP(outcome_done) o = get("/echo?x=1");

	CHECK(has(&o, "GET /echo?x=1 HTTP/1.1|"));
	CHECK(has(&o, "|Accept: application/json|"));
	CHECK(!has(&o, "Cookie") && !has(&o, "Accept-Encoding") && !has(&o, "Authorization") &&
	      !has(&o, "Expect") && !has(&o, "Proxy") && !has(&o, "Upgrade"));
}

static void
test_a_form_is_posted_with_its_credential(void)
{
	char url[64];

	snprintf(url, sizeof url, "http://127.0.0.1:%u/echo", port);
	struct outcome CLEANUP(outcome_done) o = fetch(&(struct http_request){
		.url = bytes_text(url),
		.body = BYTES("a=b&c=d"),
		.content_type = "application/x-www-form-urlencoded",
		.authorization = BYTES("Basic eDp5"),
	});
	CHECK(!failed(o.e) && has(&o, "POST /echo") && has(&o, "||a=b&c=d"));
	CHECK(has(&o, "|Content-Type: application/x-www-form-urlencoded|"));
	CHECK(has(&o, "|Authorization: Basic eDp5|") && has(&o, "|Content-Length: 7|"));
}

static struct outcome
fetch_with(struct bytes fields)
{
	char url[64];

	snprintf(url, sizeof url, "http://127.0.0.1:%u/echo", port);
	return fetch(&(struct http_request){ .url = bytes_text(url),
	                                     .body = BYTES("{}"),
	                                     .content_type = "application/json",
	                                     .fields = fields });
}

static void
test_further_fields_go_along(void)
{
	struct outcome CLEANUP(outcome_done) o =
		fetch_with(BYTES("X-Key: a b\r\n\nX-Tenant: shop\n"));
	CHECK(!failed(o.e) && has(&o, "|X-Key: a b|") && has(&o, "|X-Tenant: shop|"));
	CHECK(has(&o, "|Content-Type: application/json|"));
}

/* libcurl reads "Name:" as "without it", and "@file" as a file to read. */
static void
test_what_is_no_field_line_is_not_sent(void)
{
	static const char *const bad[] = { "X-Key",       "X-Key:",      "X-Key: ", ": a",
		                           "X Key: a",    "@/etc/hosts", "X-Key:a", "X-Key: \x80",
		                           "X-Key: a\rb", "Good: a\nbad" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct http_exchange *x = NULL;
		const struct http_request r = { .url = BYTES("http://127.0.0.1:1/"),
			                        .body = BYTES("{}"),
			                        .content_type = "application/json",
			                        .fields = bytes_text(bad[i]) };
		CHECK_ROW(http_start(client, &r, NULL, NULL, &x).kind == ERR_CONFIG, bad[i]);
	}
}

/* A proxy of the environment would see every request, and .netrc would add a credential. */
#define KEY_LOG "fetch-keys.log"

static void
test_the_environment_changes_nothing(void)
{
	char home[] = "/tmp/fetch-XXXXXX", file[64];

	CHECK(mkdtemp(home) != NULL);
	snprintf(file, sizeof file, "%s/.netrc", home);
	FILE *f = fopen(file, "w");
	fprintf(f, "machine 127.0.0.1 login me password secret\n");
	fclose(f);
	setenv("HOME", home, 1);
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "socks5://127.0.0.1:1", 1);
	struct outcome CLEANUP(outcome_done) o = get("/echo");
	CHECK(!failed(o.e) && o.status == 200 && !has(&o, "Authorization"));
	CHECK(access(KEY_LOG, F_OK) != 0); /* it was named before the client began */
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	unlink(file);
	rmdir(home);
}

static void
test_statuses_are_handed_on(void)
{
	static const struct {
		const char *path;
		unsigned status;
	} rows[] = { { "/status/404", 404 },
		     { "/status/429", 429 },
		     { "/status/500", 500 },
		     { "/status/503", 503 },
		     { "/status/304", 304 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct outcome CLEANUP(outcome_done) o = get(rows[i].path);

		CHECK_ROW(!failed(o.e) && o.status == rows[i].status, rows[i].path);
		CHECK_ROW(bytes_is(buf_bytes(&o.retry_after), "77"), rows[i].path);
	}
}

static void
test_another_type_is_not_json(void)
{
	struct outcome CLEANUP(outcome_done) o = get("/type");

	CHECK(!failed(o.e) && !o.is_json);
}

static void
expect_failure(const char *path, const char *why)
{
	uint64_t before_us = clock_monotonic_us();
	struct outcome CLEANUP(outcome_done) o = get(path);
	uint64_t took_ms = (clock_monotonic_us() - before_us) / 1000;

	if (o.e.why == NULL || strcmp(o.e.why, why) != 0)
		printf("# %s: %s\n", path, o.e.why != NULL ? o.e.why : "no error");
	CHECK_ROW(failed(o.e) && strcmp(o.e.why, why) == 0, path);
	CHECK_ROW(o.calls == 1 && took_ms < 10 * TIMEOUT_MS, path);
}

static void
test_too_much_is_cut_off(void)
{
	expect_failure("/huge", "the answer is larger than 1 MiB");
	expect_failure("/declared", "the answer is larger than 1 MiB");
	expect_failure("/huge-head", "the head of the answer is too long");
}

static void
test_slow_answers_end_at_the_deadline(void)
{
	expect_failure("/drip", "the answer did not come in time");
	expect_failure("/drip-head", "the answer did not come in time");
	expect_failure("/silence", "the answer did not come in time");
}

static void
test_broken_answers_are_failures(void)
{
	expect_failure("/cut", "the answer breaks off");
	expect_failure("/garbage", "the host does not answer as HTTP has it");
	expect_failure("/nothing", "the host closes without an answer");
}

static void
test_packed_answers_are_not_unpacked(void)
{
	struct outcome CLEANUP(outcome_done) o = get("/packed");

	CHECK(!failed(o.e) && o.body.len == 4 && o.body.at[0] == 0x1f);
}

static void
test_cookies_are_not_kept(void)
{
	struct outcome CLEANUP(outcome_done) o = get("/cookie");

	CHECK(!failed(o.e) && o.status == 200 && !has(&o, "Cookie"));
}

static void
test_three_redirects_are_followed(void)
{
	struct outcome CLEANUP(outcome_done) o = get("/hop/3");

	CHECK(!failed(o.e) && o.status == 200);
	expect_failure("/hop/4", "too many redirects");
}

static void
test_redirects_elsewhere_are_refused(void)
{
	char path[128];

	expect_failure("/redirect?to=https://evil.example/", "the answer leads to another host");
	expect_failure("/redirect?to=http://localhost/json", "the answer leads to another host");
	expect_failure("/redirect?to=http://127.0.0.1:1/", "the answer leads to another host");
	expect_failure("/redirect?to=http://169.254.169.254/", "a URL is not https");
	expect_failure("/redirect?to=file:///etc/passwd", "a URL is neither https nor http");
	expect_failure("/user", "a URL holds what it must not, or is too long");
	snprintf(path, sizeof path, "/redirect?to=http://127.0.0.1:%u/json", port);
	struct outcome CLEANUP(outcome_done) o = get(path);
	CHECK(!failed(o.e) && o.status == 200);
}

/* What was posted, and with which credential, is for nobody else. */
static void
test_a_post_is_not_redirected(void)
{
	char url[64];

	snprintf(url, sizeof url, "http://127.0.0.1:%u/hop/1", port);
	struct outcome CLEANUP(outcome_done) o = fetch(&(struct http_request){
		.url = bytes_text(url), .body = BYTES("a=b"), .content_type = "text/plain" });
	CHECK(o.e.kind == ERR_PEER && o.calls == 1);
}

static void
test_nobody_there_is_a_failure(void)
{
	struct outcome CLEANUP(outcome_done) o =
		fetch(&(struct http_request){ .url = BYTES("http://127.0.0.1:1/") });

	CHECK(o.e.kind == ERR_UPSTREAM && strcmp(o.e.why, "the host cannot be connected to") == 0);
}

static void
test_private_addresses_are_refused_however_they_are_named(void)
{
	static const char *const urls[] = {
		"https://10.0.0.1/",         "https://169.254.169.254/latest/meta-data/",
		"https://[fd00::1]/",        "https://[::ffff:10.0.0.1]/",
		"https://loop.example/",     "https://six.example/",
		"https://mapped.example/",   "https://cloud.example/",
		"https://192.168.1.1:8443/", "https://0.0.0.0/",
	};

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct outcome CLEANUP(outcome_done) o =
			fetch(&(struct http_request){ .url = bytes_text(urls[i]) });

		CHECK_ROW(o.calls == 1 && failed(o.e), urls[i]);
		CHECK_ROW(strcmp(o.e.why, "the host's address is not a public one") == 0, urls[i]);
	}
}

/* It is connected to; the server of this test has no TLS. */
static void
test_a_listed_host_may_be_private(void)
{
	char url[64];

	snprintf(url, sizeof url, "https://corp.example:%u/json", port);
	for (int i = 0; i < 2; i++) {
		struct outcome CLEANUP(outcome_done) o =
			fetch(&(struct http_request){ .url = bytes_text(url) });
		CHECK(failed(o.e) &&
		      strcmp(o.e.why, "the host's address is not a public one") != 0);
		CHECK(strcmp(o.e.why, "the host's name cannot be resolved") != 0);
	}
}

static void
test_an_unknown_name_is_a_failure(void)
{
	struct outcome CLEANUP(outcome_done) o =
		fetch(&(struct http_request){ .url = BYTES("https://nowhere.example/") });

	CHECK(o.e.kind == ERR_UPSTREAM);
	CHECK(strcmp(o.e.why, "the host's name cannot be resolved") == 0);
}

static void
test_urls_that_may_not_be_asked_are_refused_at_once(void)
{
	struct outcome CLEANUP(outcome_done) o =
		fetch(&(struct http_request){ .url = BYTES("http://example.com/") });

	CHECK(o.e.kind == ERR_PEER && o.calls == 0);
}

static void
on_never(void *of, struct err e, const struct http_response *r)
{
	(void)e, (void)r;
	++*(unsigned *)of;
}

static void
test_a_cancelled_request_calls_nobody(void)
{
	struct http_exchange *x;
	unsigned calls = 0;
	char url[64];

	snprintf(url, sizeof url, "http://127.0.0.1:%u/silence", port);
	CHECK(!failed(http_start(client, &(struct http_request){ .url = bytes_text(url) }, on_never,
	                         &calls, &x)));
	http_cancel(x);
	CHECK(!failed(http_start(client,
	                         &(struct http_request){ .url = BYTES("https://corp.example/") },
	                         on_never, &calls, &x)));
	http_cancel(x);
	struct outcome CLEANUP(outcome_done) o = get("/json");
	CHECK(!failed(o.e) && calls == 0);
}

static void
test_many_at_once_are_all_answered(void)
{
	enum { MANY = 100 };
	struct outcome all[MANY] = { 0 };
	struct http_exchange *x;
	unsigned answered = 0;
	char url[64];

	snprintf(url, sizeof url, "http://127.0.0.1:%u/json", port);
	for (size_t i = 0; i < MANY; i++)
		CHECK(!failed(http_start(client, &(struct http_request){ .url = bytes_text(url) },
		                         on_done, &all[i], &x)));
	while (answered < MANY) {
		loop_run(&loop);
		answered = 0;
		for (size_t i = 0; i < MANY; i++)
			answered += all[i].calls;
	}
	for (size_t i = 0; i < MANY; i++) {
		CHECK(all[i].calls == 1 && !failed(all[i].e) && all[i].status == 200);
		outcome_done(&all[i]);
	}
}

/* Its last test: what is under way goes with the client, and no memory stays (LeakSanitizer). */
static void
test_a_client_ends_with_its_requests(void)
{
	struct http_exchange *x;
	unsigned calls = 0;
	char url[64];

	snprintf(url, sizeof url, "http://127.0.0.1:%u/silence", port);
	CHECK(!failed(http_start(client, &(struct http_request){ .url = bytes_text(url) }, on_never,
	                         &calls, &x)));
	(void)uv_run(&loop.uv, UV_RUN_NOWAIT);
	http_client_free(client);
	loop_run(&loop);
	CHECK(calls == 0);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(test_an_answer_comes_with_its_facts),
		TEST(test_localhost_is_asked_without_a_resolver),
		TEST(test_only_what_is_needed_is_sent),
		TEST(test_a_form_is_posted_with_its_credential),
		TEST(test_further_fields_go_along),
		TEST(test_what_is_no_field_line_is_not_sent),
		TEST(test_the_environment_changes_nothing),
		TEST(test_statuses_are_handed_on),
		TEST(test_another_type_is_not_json),
		TEST(test_too_much_is_cut_off),
		TEST(test_slow_answers_end_at_the_deadline),
		TEST(test_broken_answers_are_failures),
		TEST(test_packed_answers_are_not_unpacked),
		TEST(test_cookies_are_not_kept),
		TEST(test_three_redirects_are_followed),
		TEST(test_redirects_elsewhere_are_refused),
		TEST(test_a_post_is_not_redirected),
		TEST(test_nobody_there_is_a_failure),
		TEST(test_private_addresses_are_refused_however_they_are_named),
		TEST(test_a_listed_host_may_be_private),
		TEST(test_an_unknown_name_is_a_failure),
		TEST(test_urls_that_may_not_be_asked_are_refused_at_once),
		TEST(test_a_cancelled_request_calls_nobody),
		TEST(test_many_at_once_are_all_answered),
		TEST(test_a_client_ends_with_its_requests),
	};

	start_server();
	(void)unlink(KEY_LOG);
	setenv("SSLKEYLOGFILE", KEY_LOG, 1);
	if (failed(loop_init(&loop)) || failed(http_client_new(&loop, &outbound, &client)))
		return 1;
	int status = test_main(tests, ARRAY_LEN(tests));
	(void)kill(server, SIGKILL);
	(void)waitpid(server, NULL, 0);
	return status;
}
