/* What a login costs: a double stands in for argon2, records what was asked of it, and makes every
 * tag out of the password's first byte. So cost is compared by what is computed, not by a
 * stopwatch. */
#include <argon2.h>

#include "format/base64.h"
#include "issuer/issuer.h"
#include "test.h"

static argon2_context asked;
static argon2_type asked_type;
static unsigned computed;
static int answer;

int
argon2_ctx(argon2_context *context, argon2_type type)
{
	asked = *context;
	asked_type = type;
	computed++;
	if (answer == ARGON2_OK)
		memset(context->out, context->pwdlen > 0 ? context->pwd[0] : 0, context->outlen);
	return answer;
}

static char alice_hash[256];

static struct user
alice(void)
{
	uint8_t tag[32], salt[16] = { 1 };
	struct buf b = { 0 };

	memset(tag, 'r', sizeof tag); /* "right..." is the password */
	buf_put_text(&b, "$argon2id$v=19$m=65536,t=3,p=4$");
	base64_put(&b, (struct bytes){ salt, sizeof salt }, false);
	buf_put_u8(&b, '$');
	base64_put(&b, (struct bytes){ tag, sizeof tag }, false);
	snprintf(alice_hash, sizeof alice_hash, "%.*s", (int)b.len, (const char *)b.at);
	buf_done(&b);
	computed = 0;
	answer = ARGON2_OK;
	return (struct user){ .name = BYTES("alice"),
		              .hash = bytes_text(alice_hash),
		              .generation = 1 };
}

static bool
same_error(struct err a, struct err b)
{
	return a.kind == b.kind && a.code == b.code && a.sys == b.sys && a.why == b.why;
}

/* Memory, passes, lanes, threads, type, lengths: all that time depends on. */
static bool
same_cost(const argon2_context *a, const argon2_context *b)
{
	return a->m_cost == b->m_cost && a->t_cost == b->t_cost && a->lanes == b->lanes &&
	       a->threads == b->threads && a->outlen == b->outlen && a->saltlen == b->saltlen &&
	       a->pwdlen == b->pwdlen && a->version == b->version;
}

static void
test_case_28_unknown_user_costs_and_says_the_same_as_a_wrong_password(void)
{
	struct user u = alice();
	struct bytes wrong = BYTES("wrong password");
	bool rehash;
	struct err for_wrong = user_check_password(&u, wrong, &rehash);
	argon2_context cost_wrong = asked;
	struct err for_unknown = user_check_password(NULL, wrong, &rehash);

	CHECK(for_wrong.kind == ERR_IDENTITY);
	CHECK(same_error(for_wrong, for_unknown));
	CHECK(computed == 2);
	CHECK(same_cost(&cost_wrong, &asked) && asked_type == Argon2_id);
}

/* Case 31: whatever says yes to the password, the account's state has the last word. */
static void
test_case_31_disabled_user_with_the_right_password_is_refused_alike(void)
{
	struct user u = alice();
	bool rehash;
	struct err for_wrong = user_check_password(&u, BYTES("wrong password"), &rehash);
	argon2_context cost_wrong = asked;

	CHECK(!failed(user_check_password(&u, BYTES("right password"), &rehash)));
	u.is_disabled = true;
	CHECK(same_error(for_wrong, user_check_password(&u, BYTES("right password"), &rehash)));
	CHECK(computed == 3);
	CHECK(same_cost(&cost_wrong, &asked));
}

static void
test_unknown_user_never_gets_in_even_if_the_dummy_matches(void)
{
	bool rehash;

	(void)alice();
	/* The double makes an all-zero tag of the empty password, which is the dummy's. */
	CHECK(user_check_password(NULL, BYTES(""), &rehash).kind == ERR_IDENTITY);
	CHECK(computed == 1);
}

static void
test_one_thread_whatever_the_lanes(void)
{
	struct user u = alice();
	bool rehash;

	CHECK(!failed(user_check_password(&u, BYTES("right password"), &rehash)));
	CHECK(asked.lanes == 4 && asked.threads == 1 && asked.m_cost == 65536 && asked.t_cost == 3);
}

static void
test_case_27_and_29_nothing_is_computed_beyond_the_bounds(void)
{
	static char long_password[PASSWORD_MAX + 1];
	struct user u = alice();
	struct buf out = { 0 };
	struct bytes too_long = { (uint8_t *)long_password, sizeof long_password };
	bool rehash;

	CHECK(user_check_password(&u, too_long, &rehash).kind == ERR_IDENTITY);
	CHECK(user_check_password(NULL, too_long, &rehash).kind == ERR_IDENTITY);
	CHECK(password_hash(too_long, &out).kind == ERR_INVALID);
	CHECK(computed == 0);
	/* 4 GiB: as good as unknown, hence the cost of ours, and the right password does not help.
	 */
	u.hash = BYTES("$argon2id$v=19$m=4194304,t=3,p=4$wagCPXjifgvUFBzq4hqe3w$"
	               "cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI");
	CHECK(user_check_password(&u, BYTES("right password"), &rehash).kind == ERR_IDENTITY);
	CHECK(computed == 1 && asked.m_cost == 65536);
	buf_done(&out);
}

static void
test_no_memory_is_told_apart_from_a_wrong_password(void)
{
	struct user u = alice();
	bool rehash;

	answer = ARGON2_MEMORY_ALLOCATION_ERROR;
	CHECK(user_check_password(&u, BYTES("right password"), &rehash).kind == ERR_LIMIT);
	CHECK(user_check_password(NULL, BYTES("right password"), &rehash).kind == ERR_LIMIT);
}

TESTS(TEST(test_case_28_unknown_user_costs_and_says_the_same_as_a_wrong_password),
      TEST(test_case_31_disabled_user_with_the_right_password_is_refused_alike),
      TEST(test_unknown_user_never_gets_in_even_if_the_dummy_matches),
      TEST(test_one_thread_whatever_the_lanes),
      TEST(test_case_27_and_29_nothing_is_computed_beyond_the_bounds),
      TEST(test_no_memory_is_told_apart_from_a_wrong_password))
