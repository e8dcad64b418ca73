/* The fetcher process, sandboxed, against a provider of ours that can be told to misbehave. The
 * test is its supervisor and its workers. */
#include <sys/syscall.h>

#include "jose/jwk.h"
#include "provider.h"
#include "view.h"

static char source[100];

static bool
refresh(int fd, struct view *v, uint64_t id)
{
	send_frame(fd, frame(FETCH_REFRESH, id, bytes_text(source)));
	return hear(fd, v, id);
}

static bool
ask(int fd, struct view *v, enum fetch_message type, uint64_t id, const struct fetch_ask *a)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	fetch_ask_put(&body, a);
	send_frame(fd, frame((uint16_t)type, id, buf_bytes(&body)));
	return hear(fd, v, id);
}

static bool
has_kid(const struct view *v, const char *kid)
{
	struct jwks *keys;
	bool found;

	if (failed(jwks_parse(buf_bytes(&v->keys), &keys, NULL)))
		return false;
	found = jwks_find(keys, bytes_text(kid), ALG_EDDSA) != NULL;
	jwks_free(keys);
	return found;
}

/* Beginning */

static char config[4096], secret_file[] = "/tmp/fetcher-secret-XXXXXX";

static const char *
configuration(const char *cooldown)
{
	(void)snprintf(
		config, sizeof config,
		"{\"listen\":{\"http\":\"127.0.0.1:8080\"},\"outbound\":{\"timeout\":\"600ms\"},"
		"\"issuers\":{\"lab\":{\"type\":\"oidc\",\"issuer\":\"http://127.0.0.1:%u\","
		"\"audience\":\"a\",\"roles_claim\":\"roles\",\"algorithms\":[\"EdDSA\"],"
		"\"keys_cooldown\":\"%s\",\"login\":{\"client_id\":\"browser\"}},"
		"\"corp\":{\"type\":\"entra\",\"tenant\":\"11111111-1111-1111-1111-111111111111\","
		"\"audience\":\"a\",\"roles_claim\":\"groups\",\"jwks\":{\"url\":"
		"\"http://127.0.0.1:%u/keys\"},"
		"\"graph\":{\"client_id\":\"us\",\"client_secret\":{\"env\":\"FETCHER_TEST\"},"
		"\"endpoint\":\"http://127.0.0.1:%u/graph\","
		"\"token_endpoint\":\"http://127.0.0.1:%u/tenant/{tenantid}\"}},"
		"\"op\":{\"type\":\"introspection\",\"endpoint\":\"http://127.0.0.1:%u/"
		"introspect\","
		"\"client_id\":\"me:\",\"client_secret\":{\"file\":\"%s\"},\"audience\":\"a\","
		"\"roles_claim\":\"roles\"}},"
		"\"sessions\":{\"issuer\":\"lab\"},"
		"\"backends\":{\"b\":{\"type\":\"sqlite\",\"path\":\"b.db\"}},"
		"\"roles\":{\"r\":{\"granted_by\":[\"lab:r\",\"op:r\",\"corp:named-group\"]}},"
		"\"resources\":{\"t\":{\"backend\":\"b\",\"table\":\"t\",\"allow\":{\"r\":["
		"\"read\"]}}},"
		"\"audit\":{\"path\":\"audit/\"},\"state\":{\"path\":\"state/\"}}",
		port, cooldown, port, port, port, port, secret_file);
	(void)snprintf(source, sizeof source,
	               "http://127.0.0.1:%u/.well-known/openid-configuration", port);
	return config;
}

/* With the first keys there. */
static bool
begin(struct process *p, const char *cooldown, int mood)
{
	provider->mood = mood;
	provider->metadata = provider->keys = provider->introspect = provider->token = 0;
	provider->groups = provider->unexpected = 0;
	return start(p, ROLE_FETCHER, configuration(cooldown));
}

/* Of two sources: the one of `lab` is what is looked at, so the other is told apart by waiting for
 * an answer about the first. */
static int
join_and_learn(struct process *p, struct view *v)
{
	int fd = join(p);

	CHECK(refresh(fd, v, 1000));
	return fd;
}

/* Keys */

static void
test_a_worker_is_told_keys_written_anew(void)
{
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "30s", GOOD))
		return;
	int fd = join_and_learn(&p, &v);
	CHECK(v.last.result == FETCH_DONE);
	CHECK(has_kid(&v, "k1"));
	CHECK(memmem(v.keys.at, v.keys.len, "secret", 6) == NULL && v.keys.len > 0);
	CHECK(v.stale_until_s > time(NULL) + 86300 && v.stale_until_s <= time(NULL) + 86400);
	CHECK(provider->metadata >= 1 && provider->unexpected == 0);

	struct view CLEANUP(view_done) second = { 0 };
	int late = join(&p);
	CHECK(hear(late, &second, 0) && has_kid(&second, "k1"));
	CHECK(strstr(second.why, "a") == NULL);
	close(fd);
	close(late);
	stop(&p);
}

static void
test_many_questions_are_one_fetch_per_cool_down(void)
{
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "600s", GOOD))
		return;
	int fd = join_and_learn(&p, &v);
	CHECK(refresh(fd, &v, 1));
	unsigned metadata = provider->metadata;
	for (uint64_t id = 2; id < 200; id++)
		send_frame(fd, frame(FETCH_REFRESH, id, bytes_text(source)));
	CHECK(hear(fd, &v, 199));
	CHECK(v.last.result == FETCH_DONE && provider->metadata == metadata);
	close(fd);
	stop(&p);
}

static void
test_new_keys_come_before_the_answer(void)
{
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "1s", GOOD))
		return;
	int fd = join_and_learn(&p, &v);
	usleep(1100000);
	provider->mood = TWO_KEYS;
	CHECK(!has_kid(&v, "k2"));
	CHECK(refresh(fd, &v, 1) && v.last.result == FETCH_DONE);
	CHECK(has_kid(&v, "k1") && has_kid(&v, "k2"));
	usleep(1100000);
	provider->mood = BAD_KEYS;
	CHECK(refresh(fd, &v, 2) && v.last.result == FETCH_DONE);
	CHECK(!has_kid(&v, "k1") && has_kid(&v, "k2"));
	close(fd);
	stop(&p);
}

static void
test_bad_answers_keep_the_old_keys(void)
{
	static const int moods[] = { NO_KEYS, ONLY_BAD_KEYS, GARBAGE,  WRONG_TYPE,
		                     FAILING, HUGE,          DRIPPING, FOREIGN_METADATA };

	for (size_t i = 0; i < ARRAY_LEN(moods); i++) {
		struct view CLEANUP(view_done) v = { 0 };
		struct view CLEANUP(view_done) other = { 0 };
		struct process p;

		if (!begin(&p, "1s", GOOD))
			return;
		int fd = join_and_learn(&p, &v);
		usleep(1100000);
		provider->mood = moods[i];
		CHECK(refresh(fd, &v, 1));
		CHECK(v.last.result == FETCH_FAILED && v.last.retry_s >= 1 && v.last.why.len > 0);
		CHECK(v.why[0] != '\0' && has_kid(&v, "k1"));

		/* Also for one that comes now. */
		int late = join(&p);
		CHECK(hear(late, &other, 0) && other.key_messages > 0);

		/* It comes back by itself. */
		provider->mood = GOOD;
		while (v.why[0] != '\0' && hear(fd, &v, 0) && v.why[0] != '\0')
			v.key_messages = 0;
		CHECK(v.why[0] == '\0');
		close(fd);
		close(late);
		stop(&p);
	}
}

static void
test_without_keys_a_question_learns_why_and_when(void)
{
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "1s", FAILING))
		return;
	int fd = join(&p);
	CHECK(refresh(fd, &v, 1));
	CHECK(v.last.result == FETCH_FAILED && v.last.retry_s >= 1 && v.last.retry_s <= 3);
	CHECK(bytes_is(v.last.why, "the provider answers with an error (500)"));
	CHECK(v.key_messages == 0);
	close(fd);
	stop(&p);
}

/* Questions */

static void
test_introspection_is_handed_on_as_facts(void)
{
	const struct fetch_ask a = { .issuer = BYTES("op"), .token = BYTES("an opaque+token") };
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "30s", GOOD))
		return;
	int fd = join(&p);
	CHECK(ask(fd, &v, FETCH_INTROSPECT, 1, &a) && v.last.result == FETCH_DONE);
	CHECK(bytes_is(v.last.claims, "{\"active\":true,\"sub\":\"caf\xc3\xa9\",\"n\":1.10}"));
	provider->mood = INACTIVE;
	CHECK(ask(fd, &v, FETCH_INTROSPECT, 2, &a) && v.last.result == FETCH_REFUSED);
	CHECK(v.last.claims.len == 0);
	CHECK(provider->unexpected == 0 && provider->introspect == 2);

	static const int moods[] = { GARBAGE, WRONG_TYPE, FAILING, HUGE, DRIPPING, UNAUTHORIZED };
	for (size_t i = 0; i < ARRAY_LEN(moods); i++) {
		provider->mood = moods[i];
		CHECK(ask(fd, &v, FETCH_INTROSPECT, 3 + i, &a) && v.last.result == FETCH_FAILED);
		CHECK(v.last.retry_s >= 1 && v.last.why.len > 0);
	}
	CHECK(bytes_is(v.last.why, "the provider refuses our credentials"));
	close(fd);
	stop(&p);
}

static void
test_questions_of_no_issuer_are_failures(void)
{
	static const struct {
		enum fetch_message type;
		const char *issuer;
	} rows[] = { { FETCH_INTROSPECT, "nobody" },
		     { FETCH_INTROSPECT, "lab" },
		     { FETCH_GROUPS, "lab" },
		     { FETCH_CODE, "op" } };
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "30s", GOOD))
		return;
	int fd = join(&p);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct fetch_ask a = { .issuer = bytes_text(rows[i].issuer),
			                     .token = BYTES("x") };
		CHECK(ask(fd, &v, rows[i].type, 1 + i, &a) && v.last.result == FETCH_FAILED);
	}
	CHECK(provider->introspect == 0 && provider->token == 0 && provider->groups == 0);
	close(fd);
	stop(&p);
}

static void
test_codes_become_tokens(void)
{
	const struct fetch_ask a = { .issuer = BYTES("lab"),
		                     .code = BYTES("the-code"),
		                     .verifier = BYTES("the-verifier"),
		                     .redirect_uri = BYTES("http://us/callback") };
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "30s", GOOD))
		return;
	int fd = join_and_learn(&p, &v);
	CHECK(ask(fd, &v, FETCH_CODE, 1, &a) && v.last.result == FETCH_DONE);
	CHECK(bytes_is(v.last.id_token, JWS));
	CHECK(v.last.access_token.len == 0); /* not a JWS: nothing we could use */
	provider->mood = INVALID_GRANT;
	CHECK(ask(fd, &v, FETCH_CODE, 2, &a) && v.last.result == FETCH_REFUSED);
	provider->mood = FAILING;
	CHECK(ask(fd, &v, FETCH_CODE, 3, &a) && v.last.result == FETCH_FAILED);
	CHECK(provider->unexpected == 0);
	close(fd);
	stop(&p);
}

static void
test_groups_are_asked_for_with_one_token(void)
{
	struct fetch_ask a = { .issuer = BYTES("corp"),
		               .tenant = BYTES("11111111-1111-1111-1111-111111111111"),
		               .object = BYTES("22222222-2222-2222-2222-222222222222") };
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "30s", GOOD))
		return;
	int fd = join(&p);
	CHECK(ask(fd, &v, FETCH_GROUPS, 1, &a) && v.last.result == FETCH_DONE);
	CHECK(bytes_is(v.last.claims, "{\"groups\":[\"a-group\",\"named-group\"]}"));
	provider->mood = MANY_GROUPS;
	CHECK(ask(fd, &v, FETCH_GROUPS, 2, &a) && v.last.result == FETCH_DONE);
	CHECK(bytes_is(v.last.claims, "{\"groups\":[\"named-group\"]}"));
	provider->mood = UNKNOWN_OBJECT;
	CHECK(ask(fd, &v, FETCH_GROUPS, 3, &a) && v.last.result == FETCH_REFUSED);
	provider->mood = NO_GRAPH;
	CHECK(ask(fd, &v, FETCH_GROUPS, 4, &a) && v.last.result == FETCH_FAILED);
	CHECK(provider->token == 1 && provider->groups == 4 && provider->unexpected == 0);

	/* It would lead elsewhere. */
	a.object = BYTES("22222222-2222-2222-2222-22222222222/");
	CHECK(ask(fd, &v, FETCH_GROUPS, 5, &a) && v.last.result == FETCH_FAILED);
	a.object = BYTES("../../applications");
	CHECK(ask(fd, &v, FETCH_GROUPS, 6, &a) && v.last.result == FETCH_FAILED);
	CHECK(provider->groups == 4);
	close(fd);
	stop(&p);
}

static void
test_a_dead_provider_holds_nobody_for_long(void)
{
	enum { MANY = 400 };
	const struct fetch_ask a = { .issuer = BYTES("op"), .token = BYTES("an opaque+token") };
	CLEANUP(buf_done) struct buf body = { 0 };
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "30s", DRIPPING))
		return;
	int fd = join(&p);
	fetch_ask_put(&body, &a);
	time_t before = time(NULL);
	for (uint64_t id = 1; id <= MANY; id++)
		send_frame(fd, frame(FETCH_INTROSPECT, id, buf_bytes(&body)));
	CHECK(hear(fd, &v, MANY) && v.last.result == FETCH_FAILED);
	CHECK(time(NULL) - before <= 10);
	close(fd);
	stop(&p);
}

/* Whoever sends opaque tokens that nobody knows keeps one issuer busy, and no other. */
static void
test_a_dead_provider_holds_up_no_other(void)
{
	enum { MANY = 600 };
	const struct fetch_ask a = { .issuer = BYTES("op"), .token = BYTES("an opaque+token") },
			       groups = {
				       .issuer = BYTES("corp"),
				       .tenant = BYTES("11111111-1111-1111-1111-111111111111"),
				       .object = BYTES("22222222-2222-2222-2222-222222222222"),
			       };
	CLEANUP(buf_done) struct buf body = { 0 };
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "30s", SLOW_INTROSPECTION))
		return;
	int fd = join(&p);
	fetch_ask_put(&body, &a);
	for (uint64_t id = 1; id <= MANY; id++)
		send_frame(fd, frame(FETCH_INTROSPECT, id, buf_bytes(&body)));
	CHECK(ask(fd, &v, FETCH_GROUPS, MANY + 1, &groups) && v.last.result == FETCH_DONE);
	close(fd);
	stop(&p);
}

/* Workers that were taken over */

static void
test_garbage_closes_the_workers_channel_and_no_other(void)
{
	static const uint8_t too_long[FETCH_URL_MAX + 1] = { 0 };
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "30s", GOOD))
		return;
	int honest = join_and_learn(&p, &v);
	const struct {
		uint16_t type;
		struct bytes body;
	} rows[] = { { FETCH_KEYS, BYTES("") },
		     { FETCH_ANSWER, BYTES("") },
		     { 99, BYTES("") },
		     { FETCH_REFRESH, { too_long, sizeof too_long } },
		     { FETCH_INTROSPECT, BYTES("") },
		     { FETCH_CODE, BYTES("\2\0\0\0\0") } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = join(&p);
		send_frame(fd, frame(rows[i].type, 1, rows[i].body));
		CHECK(is_closed(fd));
		close(fd);
	}
	CHECK(refresh(honest, &v, 7));
	close(honest);
	stop(&p);
}

static void
test_descriptors_are_closed(void)
{
	const int gifts[GIFTS_MAX] = { 0, 1, 2, 0 };
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "600s", GOOD))
		return;
	int honest = join_and_learn(&p, &v);
	CHECK(refresh(honest, &v, 1));
	size_t before = count_fds(p.pid);
	if (before == 0)
		test_skipped = "descriptors of another process cannot be counted";
	for (size_t i = 0; i < 16; i++) {
		CLEANUP(buf_done)
		struct buf out = frame(FETCH_REFRESH, 2, bytes_text(source));
		int fd = join(&p);

		CHECK(send_fds(fd, buf_bytes(&out), gifts, i % GIFTS_MAX + 1));
		CHECK(is_closed(fd));
		close(fd);
	}
	CHECK(refresh(honest, &v, 3));
	CHECK(count_fds(p.pid) == before);
	close(honest);
	stop(&p);
}

/* One that asks and goes away leaves nothing behind that its answer could reach. */
static void
test_a_worker_that_goes_away_is_forgotten(void)
{
	const struct fetch_ask a = { .issuer = BYTES("op"), .token = BYTES("an opaque+token") };
	CLEANUP(buf_done) struct buf body = { 0 };
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (!begin(&p, "1s", DRIPPING))
		return;
	fetch_ask_put(&body, &a);
	for (int i = 0; i < 20; i++) {
		int fd = join(&p);
		send_frame(fd, frame(FETCH_REFRESH, 1, bytes_text(source)));
		send_frame(fd, frame(FETCH_INTROSPECT, 2, buf_bytes(&body)));
		close(fd);
	}
	usleep(1000000);
	int fd = join(&p);
	CHECK(refresh(fd, &v, 1));
	close(fd);
	stop(&p);
}

/* A reload */

static void
reconfigure(struct process *p, const char *text)
{
	CLEANUP(buf_done) struct buf packet = frame(CONTROL_CONFIG, 0, (struct bytes){ 0 });
	int fd = -1;

	CHECK(!failed(child_memfd("configuration", bytes_text(text), &fd)));
	CHECK(send_fds(p->control, buf_bytes(&packet), &fd, 1));
	close(fd);
}

static void
test_sources_that_stay_keep_their_keys(void)
{
	struct view CLEANUP(view_done) v = { 0 };
	struct view CLEANUP(view_done) late = { 0 };
	struct process p;

	if (!begin(&p, "600s", GOOD))
		return;
	int fd = join_and_learn(&p, &v);
	provider->mood = FAILING;
	reconfigure(&p, configuration("599s"));
	int other = join(&p);
	CHECK(hear(other, &late, 0) && has_kid(&late, "k1") && late.why[0] == '\0');
	close(fd);
	close(other);
	stop(&p);
}

/* The sandbox was closed around the file that was there. Its supervisor starts it again. */
static void
test_a_secret_put_in_the_place_of_another_ends_it(void)
{
	const struct fetch_ask a = { .issuer = BYTES("op"), .token = BYTES("an opaque+token") };
	char other[64];
	struct view CLEANUP(view_done) v = { 0 };
	struct process p;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1)
		SKIP("the kernel lacks Landlock");
	if (!begin(&p, "600s", GOOD))
		return;
	int fd = join_and_learn(&p, &v);
	(void)snprintf(other, sizeof other, "%s.new", secret_file);
	FILE *f = fopen(other, "w");
	CHECK(f != NULL && fputs("a secret\n", f) > 0 && fclose(f) == 0);
	CHECK(rename(other, secret_file) == 0);
	usleep(10500000); /* younger ones do not look, so that none goes round in circles */
	CHECK(!ask(fd, &v, FETCH_INTROSPECT, 1, &a) || v.last.result == FETCH_FAILED);
	CHECK(is_closed(fd) && provider->introspect == 0);
	close(fd);
	stop(&p);

	if (!begin(&p, "600s", GOOD))
		return;
	fd = join(&p);
	CHECK(ask(fd, &v, FETCH_INTROSPECT, 1, &a) && v.last.result == FETCH_DONE);
	close(fd);
	stop(&p);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(test_a_worker_is_told_keys_written_anew),
		TEST(test_many_questions_are_one_fetch_per_cool_down),
		TEST(test_new_keys_come_before_the_answer),
		TEST(test_bad_answers_keep_the_old_keys),
		TEST(test_without_keys_a_question_learns_why_and_when),
		TEST(test_introspection_is_handed_on_as_facts),
		TEST(test_questions_of_no_issuer_are_failures),
		TEST(test_codes_become_tokens),
		TEST(test_groups_are_asked_for_with_one_token),
		TEST(test_a_dead_provider_holds_nobody_for_long),
		TEST(test_a_dead_provider_holds_up_no_other),
		TEST(test_garbage_closes_the_workers_channel_and_no_other),
		TEST(test_descriptors_are_closed),
		TEST(test_a_worker_that_goes_away_is_forgotten),
		TEST(test_sources_that_stay_keep_their_keys),
		TEST(test_a_secret_put_in_the_place_of_another_ends_it),
	};
	int fd = mkstemp(secret_file);

	provider = mmap(NULL, sizeof *provider, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                -1, 0);
	if (fd < 0 || provider == MAP_FAILED || write(fd, "a secret\n", 9) != 9)
		return 1;
	setenv("FETCHER_TEST", "from the environment", 1);
	pid_t pid = start_provider();
	int status = test_main(tests, ARRAY_LEN(tests));
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	unlink(secret_file);
	return status;
}
