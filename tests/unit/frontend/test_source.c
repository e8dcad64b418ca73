/* What fetcher tells of a source is kept whole or not at all, and one question serves all who wait.
 */
#include "frontend/source.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "test.h"

static const char key_set[] =
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"1\",\"use\":\"sig\","
	"\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
	"\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}]}";
static const char url[] = "https://idp.example/keys", other[] = "https://other.example/keys";

static struct issuer_settings issuers[] = {
	{ .name = "corp", .type = ISSUER_OIDC, .issuer = "https://idp.example", .jwks_url = url },
	{ .name = "twin", .type = ISSUER_OIDC, .issuer = "https://idp2.example", .jwks_url = url },
	{ .name = "lab",
	  .type = ISSUER_OIDC,
	  .issuer = "https://lab.example",
	  .jwks_file = "/keys" },
};
static const struct settings settings = { .issuers = issuers,
	                                  .issuer_count = ARRAY_LEN(issuers),
	                                  .sessions = { .issuer = -1 } };
static struct metrics metrics;

static void
begin(struct gate *g, struct loop *loop)
{
	CHECK(!failed(loop_init(loop)));
	*g = (struct gate){ .loop = loop, .settings = &settings, .counters = metrics.workers };
	CHECK(!failed(gate_init(g)));
	CHECK(!failed(issuers_new(&settings, &g->issuers)));
}

static void
end(struct gate *g)
{
	gate_done(g);
	issuers_free(g->issuers);
	uv_run(&g->loop->uv, UV_RUN_NOWAIT);
}

static struct err
tell_keys(struct gate *g, const char *source, struct bytes part, bool is_last)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	fetched_keys_put(&body, &(struct fetched_keys){ .source = bytes_text(source),
	                                                .is_last = is_last,
	                                                .stale_until_s = 1000,
	                                                .part = part });
	return source_take_keys(g, buf_bytes(&body));
}

static void
test_a_set_is_used_when_its_last_part_is_here(void)
{
	struct bytes whole = bytes_text(key_set);
	static struct loop loop;
	struct gate g;

	begin(&g, &loop);
	const struct source *s = source_of(&g, 0);
	CHECK(g.source_count == 1 && s == source_of(&g, 1) && source_of(&g, 2) == NULL);
	CHECK(!source_has_keys(s, 1));
	CHECK(!failed(tell_keys(&g, url, bytes_slice(whole, 0, 50), false)));
	CHECK(!source_has_keys(s, 1));
	CHECK(!failed(tell_keys(&g, other, bytes_slice(whole, 0, 50), true)));
	CHECK(!failed(tell_keys(&g, url, bytes_slice(whole, 50, whole.len), true)));
	CHECK(source_has_keys(s, 999) && !source_has_keys(s, 1000));
	/* What is no key set leaves the old one; an empty one takes it away. */
	CHECK(failed(tell_keys(&g, url, BYTES("{}"), true)));
	CHECK(source_has_keys(s, 1));
	CHECK(!failed(tell_keys(&g, url, (struct bytes){ 0 }, true)));
	CHECK(!source_has_keys(s, 1));
	end(&g);
}

static void
test_a_set_that_is_too_long_is_dropped_whole(void)
{
	static uint8_t part[FETCH_PART_MAX];
	static struct loop loop;
	struct gate g;

	begin(&g, &loop);
	memset(part, ' ', sizeof part);
	for (size_t i = 0; i < 60; i++)
		CHECK(!failed(tell_keys(&g, url, (struct bytes){ part, sizeof part }, false)));
	CHECK(failed(tell_keys(&g, url, bytes_text(key_set), true)));
	CHECK(!source_has_keys(source_of(&g, 0), 1));
	CHECK(!failed(tell_keys(&g, url, bytes_text(key_set), true)));
	CHECK(source_has_keys(source_of(&g, 0), 1));
	end(&g);
}

static void
test_the_operator_is_told_which_issuer_is_away_and_why(void)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	static struct loop loop;
	struct bytes why;
	struct gate g;
	size_t i = 0;

	begin(&g, &loop);
	fetched_state_put(&body, &(struct fetched_state){ .source = bytes_text(url),
	                                                  .why = BYTES("no answer"),
	                                                  .retry_s = 5 });
	CHECK(!failed(source_take_state(&g, buf_bytes(&body))));
	buf_clear(&body); /* it is not borrowed */
	buf_put_text(&body, "something else that is long enough to stand where it was");
	CHECK(gate_issuer_missing(&g, &i, &why) && i == 0 && bytes_is(why, "no answer"));
	i++;
	CHECK(gate_issuer_missing(&g, &i, &why) && i == 1);
	i++;
	CHECK(!gate_issuer_missing(&g, &i, &why));
	CHECK(source_of(&g, 0)->state.retry_s == 5);
	end(&g);
}

/* Waiting */

struct someone {
	struct waiter waiter;
	unsigned answered, lost;
};

static void
on_woken(struct waiter *w, const struct message *answer, struct err e)
{
	struct someone *s = container_of(w, struct someone, waiter);

	s->answered += answer != NULL;
	s->lost += e.kind == ERR_UPSTREAM;
}

static void
test_one_question_serves_all_who_wait(void)
{
	struct someone one = { .waiter.wake = on_woken }, two = one, gone = one;
	CLEANUP(buf_done) struct buf answer = { 0 }, body = { 0 };
	uint8_t packet[4096];
	static struct loop loop;
	struct gate g;
	int pair[2];

	begin(&g, &loop);
	struct source *s = source_of(&g, 0);
	CHECK(source_refresh(s, &one.waiter).kind == ERR_UPSTREAM); /* there is no fetcher */
	CHECK(!failed(channel_pair(pair)) && !failed(gate_set_fetcher(&g, pair[0])));
	CHECK(!failed(source_refresh(s, &one.waiter)));
	CHECK(!failed(source_refresh(s, &gone.waiter)));
	CHECK(!failed(source_refresh(s, &two.waiter)));
	gate_forget(&gone.waiter);
	uv_run(&loop.uv, UV_RUN_NOWAIT);

	ssize_t len = recv(pair[1], packet, sizeof packet, MSG_DONTWAIT);
	CHECK(len == (ssize_t)(CHANNEL_HEADER + strlen(url)));
	CHECK(recv(pair[1], packet, sizeof packet, MSG_DONTWAIT) < 0);
	fetch_answer_put(&body, &(struct fetch_answer){ .result = FETCH_DONE });
	channel_put_frame(&answer, FETCH_ANSWER, 1, buf_bytes(&body));
	CHECK(send(pair[1], answer.at, answer.len, 0) == (ssize_t)answer.len);
	uv_run(&loop.uv, UV_RUN_NOWAIT);
	CHECK(one.answered == 1 && two.answered == 1 && gone.answered == 0);
	CHECK(g.fetcher_count == 0);

	CHECK(!failed(source_refresh(s, &one.waiter)));
	close(pair[1]);
	uv_run(&loop.uv, UV_RUN_NOWAIT);
	CHECK(one.answered == 1 && one.lost == 1 && two.lost == 0);
	CHECK(source_refresh(s, &one.waiter).kind == ERR_UPSTREAM);
	end(&g);
}

TESTS(TEST(test_a_set_is_used_when_its_last_part_is_here),
      TEST(test_a_set_that_is_too_long_is_dropped_whole),
      TEST(test_the_operator_is_told_which_issuer_is_away_and_why),
      TEST(test_one_question_serves_all_who_wait))
