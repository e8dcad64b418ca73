/* loaded.c - see loaded.h. */
#include "main/loaded.h"

#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "issuer/revocation.h"

void
complain(const char *command, const char *about, struct err e)
{
	fprintf(stderr, "gatewarden %s: %s%s%s%s%s\n", command, about == NULL ? "" : about,
	        about == NULL ? "" : ": ", e.why, e.sys == 0 ? "" : ": ",
	        e.sys == 0 ? "" : strerror(e.sys));
}

void
complain_config(const struct config_errors *errors)
{
	if (errors->text.len > 0)
		(void)fwrite(errors->text.at, 1, errors->text.len,
		             stderr); /* nowhere left to complain */
}

bool
loaded_open(struct loaded *l, const char *command, const char *file)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };

	*l = (struct loaded){ .command = command };

	struct err e = config_load(file == NULL ? "gatewarden.yaml" : file, &l->arena, &l->settings,
	                           &errors);

	if (!failed(e))
		return true;
	complain_config(&errors);
	if (errors.count == 0)
		complain(command, file == NULL ? "gatewarden.yaml" : file, e);
	loaded_done(l);
	l->error = e;
	return false;
}

void
loaded_done(struct loaded *l)
{
	arena_done(&l->arena);
	l->settings = NULL;
}

void
loaded_note(const struct loaded *l, const char *verb, const char *name)
{
	openlog("gatewarden", LOG_PID, LOG_AUTHPRIV);
	syslog(LOG_NOTICE, "%s %s %s, by uid %u, in %s", l->command, verb, name, (unsigned)getuid(),
	       l->settings->state_path);
	closelog();
}

static void
store_cleanup(struct issuer_store **s)
{
	issuer_store_close(*s);
}

static struct err
local_keys(struct issuer_store *store, const struct settings *settings, unsigned index,
           struct issuers *issuers)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct jwks *keys = NULL;

	TRY(issuer_store_put_jwks(store, settings->issuers[index].name, &text));
	TRY(jwks_parse(buf_bytes(&text), &keys, NULL));
	if (jwks_count(keys) == 0) {
		jwks_free(keys);
		return fail(
			ERR_CONFIG,
			"the state store has no key of this issuer: was gatewarden ever started?");
	}
	issuers_set_keys(issuers, index, keys);
	return OK;
}

struct revoking {
	struct issuers *issuers;
	int64_t now_s;
};

static struct err
revoke_one(void *of, const struct revocation *r)
{
	const struct revoking *to = of;

	issuers_revoke(to->issuers, r, to->now_s);
	return OK;
}

static struct err
revoke_all(struct issuer_store *store, struct issuers *issuers)
{
	struct revoking to = { .issuers = issuers, .now_s = clock_wall_us() / 1000000 };
	int64_t cursor = 0;

	return revocation_read_after(store, to.now_s, &cursor, revoke_one, &to);
}

/* What the state store knows of issuers: our own keys, and what was revoked. */
static void
take_state(const struct loaded *l, struct issuers *issuers)
{
	CLEANUP(store_cleanup) struct issuer_store *store = NULL;
	struct err opened = issuer_store_open_readonly(l->settings->state_path, &store), e;

	for (unsigned i = 0; i < l->settings->issuer_count; i++) {
		if (l->settings->issuers[i].type != ISSUER_LOCAL)
			continue;
		e = failed(opened) ? opened : local_keys(store, l->settings, i, issuers);
		if (failed(e))
			complain(l->command, l->settings->issuers[i].name, e);
	}
	e = failed(opened) ? OK : revoke_all(store, issuers);
	if (failed(e))
		complain(l->command, "what was revoked is not known", e);
}

bool
loaded_issuers(const struct loaded *l, struct issuers **ret)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	struct issuers *issuers = NULL;
	struct err e = issuers_new(l->settings, &issuers);

	if (!failed(e))
		e = issuers_load_files(issuers, &errors);
	if (failed(e)) {
		complain_config(&errors);
		if (errors.count == 0)
			complain(l->command, NULL, e);
		issuers_free(issuers);
		return false;
	}
	take_state(l, issuers);
	*ret = issuers;
	return true;
}
