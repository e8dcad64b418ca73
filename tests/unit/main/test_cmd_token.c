/* `gatewarden token`: every check with what was expected and got, and never the token itself. */
#include "main/cmd_token.h"

#include "main/cmd_user.h"
#include "stage.h"

static void
open_with_alice(struct stage *s)
{
	stage_open(s);
	RUN(s, cmd_user, "correct horse battery\n", "user", "add", "alice", "--role", "guest");
	CHECK(s->status == 0);
}

static void
test_good_token_is_accepted_and_its_roles_explained(void)
{
	struct stage s;

	open_with_alice(&s);

	char *token = stage_token(&s, "alice");

	RUN(&s, cmd_token, "", "token", token);
	CHECK(s.status == 0 && said(&s, "ok    signature") && said(&s, "accepted: issuer local"));
	CHECK(said(&s, "role  reader  by local:guest\n"));
	CHECK(strstr(s.out, "FAIL") == NULL && strstr(s.out, token) == NULL);
	free(token);
	stage_done(&s);
}

static void
test_token_from_standard_input_with_white_space_around(void)
{
	struct stage s;
	char input[4096];

	open_with_alice(&s);

	char *token = stage_token(&s, "alice");

	snprintf(input, sizeof input, "\n  %s \r\n", token);
	RUN(&s, cmd_token, input, "token", "-c", "gatewarden.yaml", "-");
	CHECK(s.status == 0 && said(&s, "accepted"));
	CHECK(strstr(s.out, strrchr(token, '.')) == NULL);
	free(token);
	stage_done(&s);
}

static void
test_changed_token_fails_its_signature_and_only_that(void)
{
	struct stage s;

	open_with_alice(&s);

	char *token = stage_token(&s, "alice"), *signature = strrchr(token, '.') + 1;

	signature[10] = signature[10] == 'A' ? 'B' : 'A';
	RUN(&s, cmd_token, "", "token", token);
	CHECK(s.status == 1 && said(&s, "FAIL  signature") && said(&s, "ok    expires") &&
	      said(&s, "refused: "));
	CHECK(strstr(s.out, "accepted") == NULL && strstr(s.out, "role  ") == NULL);
	free(token);
	stage_done(&s);
}

static void
test_what_is_no_token_is_refused(void)
{
	struct stage s;
	static char huge[40000];

	open_with_alice(&s);
	free(stage_token(&s, "alice")); /* the keys are there */
	RUN(&s, cmd_token, "", "token", "nonsense");
	CHECK(s.status == 1 && said(&s, "FAIL  form") && said(&s, "-     signature"));
	RUN(&s, cmd_token, "", "token", "");
	CHECK(s.status == 1);
	memset(huge, 'a', sizeof huge - 1);
	RUN(&s, cmd_token, "", "token", huge);
	CHECK(s.status == 1 && said(&s, "longer"));
	stage_done(&s);
}

/* {"alg":"ES256"}.{"iss":"https://evil.test/"}: nobody's keys are asked for. */
static void
test_unknown_issuer_is_named(void)
{
	struct stage s;

	open_with_alice(&s);
	RUN(&s, cmd_token, "", "token",
	    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2V2aWwudGVzdC8ifQ.AAAA");
	CHECK(s.status == 1 && said(&s, "FAIL  issuer") && said(&s, "https://evil.test/"));
	stage_done(&s);
}

static void
test_state_that_cannot_be_read_is_said(void)
{
	struct stage s;

	open_with_alice(&s);

	char *token = stage_token(&s, "alice");
	char path[256];

	snprintf(path, sizeof path, "%s/state/state.db", s.directory);
	CHECK(unlink(path) == 0);
	RUN(&s, cmd_token, "", "token", token);
	CHECK(s.status == 2 && said(&s, "local: ") && said(&s, "state store") &&
	      said(&s, "not here"));
	free(token);
	stage_done(&s);
}

static void
test_wrong_usage_is_status_2(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_token, "", "token");
	CHECK(s.status == 2 && said(&s, "token is missing"));
	RUN(&s, cmd_token, "", "token", "a", "b");
	CHECK(s.status == 2 && said(&s, "one token"));
	RUN(&s, cmd_token, "", "token", "--verbose", "a");
	CHECK(s.status == 2 && said(&s, "no such option"));
	RUN(&s, cmd_token, "", "token", "a", "-c");
	CHECK(s.status == 2 && said(&s, "needs a value"));
	stage_write(&s, "jwks.json", "nonsense");
	RUN(&s, cmd_token, "", "token", "a");
	CHECK(s.status == 2 && said(&s, "jwks.json"));
	stage_done(&s);
}

TESTS(TEST(test_good_token_is_accepted_and_its_roles_explained),
      TEST(test_token_from_standard_input_with_white_space_around),
      TEST(test_changed_token_fails_its_signature_and_only_that),
      TEST(test_what_is_no_token_is_refused), TEST(test_unknown_issuer_is_named),
      TEST(test_state_that_cannot_be_read_is_said), TEST(test_wrong_usage_is_status_2))
