/* cmd_token.c - see cmd_token.h. */
#include "main/cmd_token.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "format/moment.h"
#include "main/arguments.h"
#include "main/loaded.h"

enum { ROLE_VALUES_MAX = 1024 };

struct request {
	const char *file, *token;
	struct buf text; /* owned: the token */
	struct loaded loaded;
	struct issuers *issuers;
	const struct principal *who;
};

static void
request_done(struct request *r)
{
	buf_wipe(&r->text);
	principal_release(r->who);
	issuers_free(r->issuers);
	loaded_done(&r->loaded);
}

static int
take_arguments(int argc, char **argv, struct request *r)
{
	struct arguments a;

	arguments_init(&a, argc, argv);
	while (arguments_next(&a)) {
		if (arguments_is(&a, "-c") || arguments_is(&a, "--config")) {
			if (!arguments_value(&a, &r->file))
				return usage_error("token", "the option needs a value", a.option);
		} else if (a.option != NULL) {
			return usage_error("token", "there is no such option", a.option);
		} else if (r->token != NULL) {
			return usage_error("token", "one token at a time", NULL);
		} else {
			r->token = a.plain;
		}
	}
	return r->token != NULL
	               ? 0
	               : usage_error("token",
	                             "the token is missing (`-` reads it from standard input)",
	                             NULL);
}

/* From the argument or standard input; white space around it is not part of it. */
static struct err
read_token(struct request *r)
{
	/* One byte more than may be: a longer one is still told to be too long. */
	r->text.limit = JWS_BYTES_MAX + 4096;
	if (strcmp(r->token, "-") != 0)
		buf_put_text(&r->text, r->token);
	else
		for (;;) {
			uint8_t *room = buf_reserve(&r->text, 1024);
			ssize_t got = room == NULL ? 0 : read(STDIN_FILENO, room, 1024);

			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0)
				break;
			buf_commit(&r->text, (size_t)got);
		}
	return r->text.overflow ? fail(ERR_LIMIT, "the token is longer than any that is accepted")
	                        : OK;
}

static struct bytes
trimmed(struct bytes text)
{
	while (text.len > 0 && strchr(" \t\r\n", text.at[text.len - 1]) != NULL &&
	       text.at[text.len - 1] != 0)
		text.len--;
	while (text.len > 0 && strchr(" \t\r\n", text.at[0]) != NULL && text.at[0] != 0)
		text.at++, text.len--;
	return text;
}

/* What was found */

static void
print_finding(enum jwt_check check, const struct jwt_finding *f)
{
	const char *mark = !f->done ? "-" : f->passed ? "ok" : "FAIL";

	if (!f->done) {
		printf("%-4s  %s\n", mark, jwt_check_name(check));
		return;
	}
	printf("%-4s  %-10s", mark, jwt_check_name(check));
	if (f->expected.len > 0)
		printf("  expected %.*s", (int)f->expected.len, (const char *)f->expected.at);
	if (f->got.len > 0)
		printf("  got %.*s", (int)f->got.len, (const char *)f->got.at);
	putchar('\n');
}

static bool
is_word_of(struct bytes text, struct bytes word)
{
	while (text.len > 0) {
		size_t len = bytes_find(text, ' ');

		if (bytes_equal(bytes_slice(text, 0, len), word))
			return true;
		text = bytes_slice(text, len + 1, text.len);
	}
	return false;
}

/* Does the claim that gives roles hold this value? A text of words is a scope
 * (src/identity/role_map.h). */
static bool
has_value(const struct value *values, size_t count, struct bytes wanted)
{
	for (size_t i = 0; i < count; i++)
		if (values[i].type == VALUE_TEXT &&
		    (bytes_equal(values[i].bytes, wanted) ||
		     (count == 1 && is_word_of(values[i].bytes, wanted))))
			return true;
	return false;
}

static const struct issuer_settings *
issuer_of(const struct request *r, unsigned *ret_index)
{
	const struct settings *s = r->loaded.settings;

	for (unsigned i = 0; i < s->issuer_count; i++)
		if (strcmp(s->issuers[i].name, principal_issuer(r->who)) == 0) {
			*ret_index = i;
			return &s->issuers[i];
		}
	return NULL;
}

/* One role the token has, and each `granted_by` that gave it. */
static void
print_role(const struct role_settings *role, unsigned issuer, const char *issuer_name,
           const struct value *values, size_t count)
{
	printf("role  %s  by", role->name);
	for (size_t n = 0; n < role->granted_by_count; n++) {
		const struct grant_source *source = &role->granted_by[n];

		if (source->issuer == issuer && has_value(values, count, bytes_text(source->value)))
			printf(" %s:%s", issuer_name, source->value);
	}
	putchar('\n');
}

static int
print_roles(const struct request *r)
{
	unsigned index = 0;
	const struct issuer_settings *issuer = issuer_of(r, &index);
	struct value *values = calloc(ROLE_VALUES_MAX, sizeof *values);
	struct claim_source claims = principal_claims(r->who);
	uint64_t roles = principal_roles(r->who);

	if (issuer == NULL || values == NULL) {
		free(values);
		complain("token", NULL, fail(ERR_SYSTEM, "out of memory"));
		return 2;
	}

	size_t count =
		claims.values(claims.of, bytes_text(issuer->roles_claim), values, ROLE_VALUES_MAX);

	for (size_t i = 0; i < r->loaded.settings->role_count; i++)
		if (roles >> i & 1)
			print_role(&r->loaded.settings->roles[i], index, issuer->name, values,
			           count);
	if (roles == 0)
		printf("role  none: `%s` has no value that a `granted_by` of issuer `%s` names\n",
		       issuer->roles_claim, issuer->name);
	free(values);
	return 0;
}

static int
print_principal(const struct request *r)
{
	CLEANUP(buf_done) struct buf expires = { 0 };
	struct bytes subject = principal_subject(r->who);

	moment_put_timestamp(&expires, principal_expires(r->who) * 1000000);
	printf("accepted: issuer %s, ", principal_issuer(r->who));
	/* A subject is what its issuer chose: nothing of it may move the cursor. */
	printf("subject ");
	for (size_t i = 0; i < subject.len; i++)
		putchar(subject.at[i] >= 0x20 && subject.at[i] < 0x7f ? subject.at[i] : '?');
	printf(", until %.*s\n", (int)expires.len, (const char *)expires.at);
	return print_roles(r);
}

static int
examine(struct request *r)
{
	struct jwt_report report;
	struct err e = issuers_identify(r->issuers, trimmed(buf_bytes(&r->text)),
	                                clock_wall_us() / 1000000, true, &r->loaded.arena, &r->who,
	                                &report);

	for (unsigned check = 0; check < JWT_CHECK_COUNT; check++)
		print_finding((enum jwt_check)check, &report.findings[check]);
	if (!failed(e))
		return print_principal(r);
	if (e.kind == ERR_IDENTITY) {
		printf("refused: %s\n", report.why != NULL ? report.why : e.why);
		return 1;
	}
	complain("token", NULL, e);
	return 2;
}

int
cmd_token(int argc, char **argv)
{
	CLEANUP(request_done) struct request r = { 0 };
	int status = take_arguments(argc, argv, &r);

	if (status != 0)
		return status;

	struct err e = read_token(&r);

	if (failed(e)) {
		complain("token", NULL, e);
		return 1;
	}
	if (!loaded_open(&r.loaded, "token", r.file) || !loaded_issuers(&r.loaded, &r.issuers))
		return 2;
	return examine(&r);
}
