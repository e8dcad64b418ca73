/* cmd_token.c - see cmd_token.h. */
#include "main/cmd_token.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/macros.h"
#include "identity/fetch.h"
#include "main/arguments.h"
#include "main/diagnosis.h"
#include "main/input.h"
#include "main/loaded.h"
#include "main/token_input.h"

struct request {
	const char *file, *token, *key_file;
	bool as_json;
	struct buf text; /* owned: the token */
	struct loaded loaded;
	struct issuers *issuers;
	struct identified found;
};

static void
request_done(struct request *r)
{
	buf_wipe(&r->text);
	principal_release(r->found.who);
	issuers_free(r->issuers);
	loaded_done(&r->loaded);
}

static int
take_option(struct arguments *a, struct request *r)
{
	const char **to = NULL;

	if (arguments_is(a, "-c") || arguments_is(a, "--config"))
		to = &r->file;
	else if (arguments_is(a, "--jwks"))
		to = &r->key_file;
	else if (!arguments_is(a, "--json"))
		return usage_error("token", "there is no such option", a->option);
	if (to == NULL)
		r->as_json = true;
	else if (!arguments_value(a, to))
		return usage_error("token", "the option needs a value", a->option);
	return 0;
}

static int
take_arguments(int argc, char **argv, struct request *r)
{
	struct arguments a;

	arguments_init(&a, argc, argv);
	while (arguments_next(&a)) {
		int status = a.option != NULL ? take_option(&a, r) : 0;

		if (status != 0)
			return status;
		if (a.option != NULL)
			continue;
		if (r->token != NULL)
			return usage_error("token", "one token at a time", NULL);
		r->token = a.plain;
	}
	return r->token != NULL
	               ? 0
	               : usage_error("token",
	                             "the token is missing (`-` reads it from standard input)",
	                             NULL);
}

/* Keys that were given: those of the issuer that the token says is its own, whose keys are fetched
 * by the running service. Nobody is asked from here. */

static const struct issuer_settings *
issuer_of(const struct request *r)
{
	return r->found.issuer < 0 ? NULL : &r->loaded.settings->issuers[r->found.issuer];
}

static bool
is_fetched(const struct request *r)
{
	const struct issuer_settings *issuer = issuer_of(r);

	return issuer != NULL && issuer_source(issuer).len > 0;
}

static struct err
use_key_file(struct request *r)
{
	CLEANUP(buf_done) struct buf text = { .limit = JWKS_BYTES_MAX + 1 };
	CLEANUP(buf_done) struct buf refused = { 0 };
	struct jwks *keys = NULL;

	TRY(input_file(r->key_file, &text));
	TRY(jwks_parse(buf_bytes(&text), &keys, &refused));
	(void)fwrite(refused.at, 1, refused.len, stderr); /* nowhere left to complain */
	issuers_set_source(r->issuers, issuer_source(issuer_of(r)), keys, INT64_MAX);
	return OK;
}

/* What was found */

static struct err
examine(struct request *r, struct bytes token, int64_t now_s)
{
	const struct presented shown = { .token = token };

	principal_release(r->found.who);
	r->found = (struct identified){ .issuer = -1 };
	return issuers_examine(r->issuers, &shown, now_s, true, &r->loaded.arena, &r->found);
}

/* What could not be looked at here, and what to do about it. False: nothing of that kind is why. */
static bool
put_left_open(const struct request *r, struct buf *out)
{
	const char *name = issuer_of(r) == NULL ? "" : issuer_of(r)->name;

	switch (r->found.missing) {
	case MISSING_INTROSPECTION:
		buf_printf(out,
		           "not looked at: only issuer %s knows whether the token is good; the "
		           "running service asks it",
		           name);
		return true;
	case MISSING_GROUPS:
		buf_printf(out,
		           "not looked at: the groups do not fit in the token; the running service "
		           "asks issuer %s",
		           name);
		return true;
	case MISSING_KEYS:
	case MISSING_NOTHING:
		break;
	}
	if (!is_fetched(r))
		return false;
	buf_printf(out,
	           "not looked at: the keys of issuer %s are fetched by the running service; give "
	           "them by --jwks FILE",
	           name);
	return true;
}

static int
tell(const struct request *r, const struct diagnosis *d)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	if (r->as_json)
		diagnosis_put_json(d, &out);
	else
		diagnosis_put_text(d, &out);

	struct err e = buf_check(&out);

	if (failed(e)) {
		complain("token", NULL, e);
		return 2;
	}
	if (fwrite(out.at, 1, out.len, stdout) != out.len)
		return 2;
	return d->verdict == VERDICT_ACCEPTED ? 0 : 1;
}

static int
diagnose(struct request *r, struct bytes token)
{
	CLEANUP(buf_done) struct buf left_open = { 0 };
	const int64_t now_s = clock_wall_us() / 1000000;
	struct jws parts = { 0 };
	struct err e = examine(r, token, now_s);

	if (r->key_file != NULL && is_fetched(r)) {
		struct err taken = use_key_file(r);

		if (failed(taken)) {
			complain("token", r->key_file, taken);
			return 2;
		}
		e = examine(r, token, now_s);
	} else if (r->key_file != NULL)
		fprintf(stderr,
		        "gatewarden token: --jwks is not used: the token is of no issuer whose "
		        "keys are fetched\n");
	(void)jws_parse(token, &r->loaded.arena, &parts); /* what can be read, for advice */

	struct diagnosis d = {
		.verdict = !failed(e) ? VERDICT_ACCEPTED : VERDICT_REFUSED,
		.about = { .settings = r->loaded.settings,
		           .issuer = issuer_of(r),
		           .token = token,
		           .header = parts.header,
		           .claims = parts.payload,
		           .now_s = now_s },
		.found = &r->found,
	};

	/* A check that failed stays the answer, whatever else could not be looked at. */
	if (failed(e) && r->found.report.failed == JWT_CHECK_COUNT) {
		if (e.kind != ERR_UPSTREAM || !put_left_open(r, &left_open)) {
			complain("token", NULL, e);
			return 2;
		}
		d.verdict = VERDICT_UNPROVEN;
		d.not_looked_at = buf_bytes(&left_open);
	}
	return tell(r, &d);
}

int
cmd_token(int argc, char **argv)
{
	CLEANUP(request_done) struct request r = { .found = { .issuer = -1 } };
	int status = take_arguments(argc, argv, &r);

	if (status != 0)
		return status;

	struct bytes token;
	struct err e = token_input(r.token, &r.text, &token);

	if (failed(e)) {
		complain("token", NULL, e);
		return 1;
	}
	if (!loaded_open(&r.loaded, "token", r.file) || !loaded_issuers(&r.loaded, &r.issuers))
		return 2;
	return diagnose(&r, token);
}
