/* `gatewarden revoke`: rows in the state store, which the running service would hand to its
 * workers.
 */
#include "main/cmd_revoke.h"

#include "issuer/revocation.h"
#include "main/cmd_token.h"
#include "main/cmd_user.h"
#include "stage.h"

struct rows {
	unsigned tokens, subjects;
	char issuer[64], value[64]; /* of the last */
};

static struct err
count(void *of, const struct revocation *r)
{
	struct rows *to = of;

	to->tokens += r->kind == REVOKED_TOKEN;
	to->subjects += r->kind == REVOKED_SUBJECT;
	snprintf(to->issuer, sizeof to->issuer, "%.*s", (int)r->issuer.len,
	         (const char *)r->issuer.at);
	snprintf(to->value, sizeof to->value, "%.*s", (int)r->value.len, (const char *)r->value.at);
	return OK;
}

static struct rows
rows_of(const struct stage *s)
{
	struct rows rows = { 0 };
	struct issuer_store *store = NULL;
	int64_t cursor = 0;
	char path[256];

	snprintf(path, sizeof path, "%s/state", s->directory);
	CHECK(!failed(issuer_store_open(path, &store)));
	CHECK(!failed(
		revocation_read_after(store, clock_wall_us() / 1000000, &cursor, count, &rows)));
	issuer_store_close(store);
	return rows;
}

static void
test_a_revoked_token_is_refused_and_its_sister_is_not(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_user, "correct horse battery\n", "user", "add", "alice", "--role", "guest");

	char *one = stage_token(&s, "alice"), *other = stage_token(&s, "alice");

	RUN(&s, cmd_revoke, one, "revoke", "--token", "-");
	CHECK(s.status == 0 && said(&s, "the token of issuer local is revoked\n") &&
	      strstr(s.out, one) == NULL);
	CHECK(rows_of(&s).tokens == 1);
	RUN(&s, cmd_token, "", "token", one);
	CHECK(s.status == 1 && said(&s, "FAIL  revoked"));
	RUN(&s, cmd_token, "", "token", other);
	CHECK(s.status == 0);
	free(one);
	free(other);
	stage_done(&s);
}

/* Else anybody could have any token of an issuer revoked through an operator who was sent one. */
static void
test_a_token_that_its_issuer_did_not_sign_revokes_nothing(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_user, "correct horse battery\n", "user", "add", "alice", "--role", "guest");

	char *token = stage_token(&s, "alice"), *signature = strrchr(token, '.') + 1;

	signature[10] = signature[10] == 'A' ? 'B' : 'A';
	RUN(&s, cmd_revoke, "", "revoke", "--token", token);
	CHECK(s.status == 1 && said(&s, "not signed by its issuer"));
	RUN(&s, cmd_revoke, "", "revoke", "--token",
	    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2V2aWwudGVzdC8ifQ.AAAA");
	CHECK(s.status == 1 && said(&s, "no issuer"));
	RUN(&s, cmd_revoke, "", "revoke", "--token", "nonsense");
	CHECK(s.status == 1);
	/* {"alg":"HS256"}, {"alg":"none"}: no signature was even looked at. */
	for (size_t i = 0; i < 2; i++) {
		static const char *const headers[] = { "eyJhbGciOiJIUzI1NiJ9",
			                               "eyJhbGciOiJub25lIn0" };
		char forged[4096];

		snprintf(forged, sizeof forged, "%s%s", headers[i], strchr(token, '.'));
		RUN(&s, cmd_revoke, "", "revoke", "--token", forged);
		CHECK(s.status == 1 && said(&s, "not signed by its issuer"));
	}
	CHECK(rows_of(&s).tokens == 0);
	free(token);
	stage_done(&s);
}

static void
test_all_that_a_subject_was_given_is_refused(void)
{
	struct stage s;
	struct rows rows;

	stage_open(&s);
	RUN(&s, cmd_user, "correct horse battery\n", "user", "add", "alice", "--role", "guest");

	char *token = stage_token(&s, "alice"), *subject;

	RUN(&s, cmd_user, "", "user", "list", "--json");
	subject = strstr(s.out, "\"subject\":\"");
	CHECK(subject != NULL);
	subject = subject == NULL ? strdup("") : strndup(subject + 11, 36);
	RUN(&s, cmd_revoke, "", "revoke", "--issuer", "local", "--subject", subject);
	CHECK(s.status == 0 && said(&s, "is revoked"));
	RUN(&s, cmd_token, "", "token", token);
	CHECK(s.status == 1 && said(&s, "FAIL  revoked"));
	RUN(&s, cmd_revoke, "", "revoke", "--issuer", "local", "--subject", "nobody");
	CHECK(s.status == 1);
	/* Of another issuer nobody here can say who there is. */
	RUN(&s, cmd_revoke, "", "revoke", "--issuer=lab", "--subject=u-1");
	rows = rows_of(&s);
	CHECK(s.status == 0 && strcmp(rows.issuer, "lab") == 0 && strcmp(rows.value, "u-1") == 0);
	free(subject);
	free(token);
	stage_done(&s);
}

static void
test_wrong_usage_is_status_2(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_revoke, "", "revoke");
	CHECK(s.status == 2 && said(&s, "say what"));
	RUN(&s, cmd_revoke, "", "revoke", "--issuer", "local");
	CHECK(s.status == 2 && said(&s, "say what"));
	RUN(&s, cmd_revoke, "", "revoke", "--token", "t", "--issuer", "local", "--subject", "x");
	CHECK(s.status == 2);
	RUN(&s, cmd_revoke, "", "revoke", "--issuer", "nope", "--subject", "x");
	CHECK(s.status == 2 && said(&s, "no such issuer in the configuration: nope\n") &&
	      said(&s, "  --issuer lab\n"));
	RUN(&s, cmd_revoke, "", "revoke", "--all");
	CHECK(s.status == 2 && said(&s, "no such option"));
	RUN(&s, cmd_revoke, "", "revoke", "alice");
	CHECK(s.status == 2);
	RUN(&s, cmd_revoke, "", "revoke", "--token");
	CHECK(s.status == 2 && said(&s, "needs a value"));
	stage_done(&s);
}

TESTS(TEST(test_a_revoked_token_is_refused_and_its_sister_is_not),
      TEST(test_a_token_that_its_issuer_did_not_sign_revokes_nothing),
      TEST(test_all_that_a_subject_was_given_is_refused), TEST(test_wrong_usage_is_status_2))
