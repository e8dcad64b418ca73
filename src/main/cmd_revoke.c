/* cmd_revoke.c - see cmd_revoke.h. Writes to the state store; keeper sees it and tells all workers.
 */
#include "main/cmd_revoke.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/macros.h"
#include "identity/fetch.h"
#include "issuer/revocation.h"
#include "main/arguments.h"
#include "main/loaded.h"
#include "main/token_input.h"

struct request {
	const char *file, *token, *issuer, *subject;
	struct buf text; /* owned: the token */
	struct loaded loaded;
	struct issuers *issuers;
	struct issuer_store *store;
};

static void
request_done(struct request *r)
{
	buf_wipe(&r->text);
	issuer_store_close(r->store);
	issuers_free(r->issuers);
	loaded_done(&r->loaded);
}

static int
refuse(const char *about, struct err e)
{
	complain("revoke", about, e);
	return e.kind == ERR_NOT_FOUND || e.kind == ERR_INVALID || e.kind == ERR_IDENTITY ? 1 : 2;
}

static int
take_arguments(int argc, char **argv, struct request *r)
{
	const struct {
		const char *name;
		const char **to;
	} options[] = { { "-c", &r->file },
		        { "--config", &r->file },
		        { "--token", &r->token },
		        { "--issuer", &r->issuer },
		        { "--subject", &r->subject } };
	struct arguments a;

	arguments_init(&a, argc, argv);
	while (arguments_next(&a)) {
		const char **to = NULL;

		for (size_t i = 0; i < ARRAY_LEN(options); i++)
			to = arguments_is(&a, options[i].name) ? options[i].to : to;
		if (to == NULL)
			return usage_error("revoke", "there is no such option",
			                   a.option != NULL ? a.option : "one that is no option");
		if (!arguments_value(&a, to))
			return usage_error("revoke", "the option needs a value", a.option);
	}
	if ((r->issuer != NULL) != (r->subject != NULL) ||
	    (r->token != NULL) == (r->issuer != NULL))
		return usage_error(
			"revoke",
			"say what: either --token (`-` reads it from standard input) or --issuer "
			"NAME --subject S",
			NULL);
	return 0;
}

static const struct issuer_settings *
find_issuer(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->issuer_count; i++)
		if (strcmp(s->issuers[i].name, name) == 0)
			return &s->issuers[i];
	usage_error("revoke", "there is no such issuer in the configuration", name);
	for (size_t i = 0; i < s->issuer_count; i++)
		fprintf(stderr, "  --issuer %s\n", s->issuers[i].name);
	return NULL;
}

static int
revoke_by_subject(struct request *r)
{
	const struct issuer_settings *issuer = find_issuer(r->loaded.settings, r->issuer);
	struct err e;

	if (issuer == NULL)
		return 2;
	e = revoke_subject(r->store, issuer->name, issuer->type == ISSUER_LOCAL,
	                   bytes_text(r->subject), clock_wall_us() / 1000000);
	if (failed(e))
		return refuse(r->subject, e);
	loaded_note(&r->loaded, issuer->name, r->subject);
	printf("all that issuer %s has given to %s is revoked\n", issuer->name, r->subject);
	return 0;
}

/* A token that nobody signed could name any other by its `jti`. Where the keys are fetched they are
 * not here, and the operator's word has to do. */
static bool
is_signed(const struct issuer_settings *issuer, const struct jwt_finding *signature)
{
	return signature->done ? signature->passed : issuer_source(issuer).len > 0;
}

static struct err
check_token(struct request *r, struct bytes token, struct jws *ret,
            const struct issuer_settings **of)
{
	const struct presented shown = { .token = token };
	struct identified found = { .issuer = -1 };
	struct err e = issuers_examine(r->issuers, &shown, clock_wall_us() / 1000000, true,
	                               &r->loaded.arena, &found);

	principal_release(found.who);
	if (found.issuer < 0)
		return failed(e) && e.kind != ERR_IDENTITY
		               ? e
		               : fail(ERR_IDENTITY,
		                      "the token is of no issuer of the configuration");
	*of = &r->loaded.settings->issuers[found.issuer];
	if (!is_signed(*of, &found.report.findings[JWT_SIGNATURE]))
		return fail(ERR_IDENTITY,
		            "the token is not signed by its issuer: nothing to revoke");
	return jws_parse(token, &r->loaded.arena, ret);
}

static int
revoke_by_token(struct request *r)
{
	const struct issuer_settings *issuer = NULL;
	struct bytes token, jti;
	struct jws parts = { 0 };
	int64_t expires_s = 0;
	struct err e = token_input(r->token, &r->text, &token);

	if (failed(e))
		return refuse(NULL, e);
	if (!loaded_issuers(&r->loaded, &r->issuers))
		return 2;
	e = check_token(r, token, &parts, &issuer);
	if (failed(e))
		return refuse(NULL, e);
	jti = json_member_text(parts.payload, "jti");
	if (!jwt_date(parts.payload, "exp", &expires_s) || jti.len == 0)
		return refuse(NULL,
		              fail(ERR_INVALID, "the token has no `jti` and `exp` to be known by: "
		                                "revoke its subject"));
	e = revoke_token(r->store, issuer->name, jti, expires_s);
	if (failed(e))
		return refuse(NULL, e);
	loaded_note(&r->loaded, issuer->name, "a token");
	printf("the token of issuer %s is revoked\n", issuer->name);
	return 0;
}

int
cmd_revoke(int argc, char **argv)
{
	CLEANUP(request_done) struct request r = { 0 };
	int status = take_arguments(argc, argv, &r);

	if (status != 0)
		return status;
	if (!loaded_open(&r.loaded, "revoke", r.file))
		return 2;

	struct err e = issuer_store_open(r.loaded.settings->state_path, &r.store);

	if (failed(e))
		return refuse(r.loaded.settings->state_path, e);
	return r.token != NULL ? revoke_by_token(&r) : revoke_by_subject(&r);
}
