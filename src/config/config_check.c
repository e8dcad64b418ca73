/* config_check.c - what no single row can say: settings that must differ or fit together, and those
 * that follow from others. */
#include "config/config_reader.h"

#include <unistd.h>

enum { WORKERS_MAX = 256 };

static bool
is_wildcard(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static void
check_listeners(struct config_reader *r)
{
	const struct address *http = &r->settings->listen.http, *admin = &r->settings->listen.admin;

	if (http->port == 0 || admin->port != http->port)
		return;
	if (strcmp(http->host, admin->host) == 0 || is_wildcard(http->host) ||
	    is_wildcard(admin->host))
		problem_add(&r->problems, admin->place,
		            "admin is the same address as http; expected another port");
}

static void
derive_public_url(struct config_reader *r)
{
	const struct address *http = &r->settings->listen.http;
	struct buf url = { 0 };

	if (r->settings->public_url != NULL || http->host == NULL)
		return;
	bool six = strchr(http->host, ':') != NULL;
	buf_printf(&url, "http://%s%s%s:%u", six ? "[" : "", http->host, six ? "]" : "",
	           http->port);
	r->settings->public_url = reader_text(r, buf_bytes(&url));
	buf_done(&url);
}

static void
derive_workers(struct settings *s)
{
	long online = s->workers == 0 ? sysconf(_SC_NPROCESSORS_ONLN) : s->workers;

	s->workers = online < 1 ? 1 : online > WORKERS_MAX ? WORKERS_MAX : (unsigned)online;
}

/* Our own tokens name our own address, and are signed with one algorithm. */
static void
derive_local(struct config_reader *r, struct issuer_settings *issuer)
{
	issuer->issuer = r->settings->public_url;
	issuer->algorithms = issuer->signing_algorithm;
	if (issuer->refresh_idle_ttl_s > issuer->refresh_token_ttl_s)
		issuer->refresh_idle_ttl_s = issuer->refresh_token_ttl_s;
}

/* Two issuers with one `iss`: a token could be judged by the rules of either. */
static void
check_issuers(struct config_reader *r, struct issuer_settings *issuers, size_t count)
{
	const struct issuer_settings *local = NULL;

	for (size_t i = 0; i < count; i++) {
		if (issuers[i].audience == NULL)
			continue; /* broken, and said so */
		if (issuers[i].type == ISSUER_LOCAL && local != NULL)
			problem_add(&r->problems, issuers[i].place,
			            "a second issuer of type local; expected at most one (the "
			            "first is on "
			            "line %u)",
			            local->place.line);
		if (issuers[i].type == ISSUER_LOCAL) {
			local = local == NULL ? &issuers[i] : local;
			derive_local(r, &issuers[i]);
		}
		for (size_t j = 0; j < i && issuers[i].issuer != NULL; j++)
			if (issuers[j].issuer != NULL &&
			    strcmp(issuers[i].issuer, issuers[j].issuer) == 0 &&
			    (issuers[i].type != ISSUER_LOCAL || issuers[j].type != ISSUER_LOCAL))
				problem_add(&r->problems, issuers[i].place,
				            "the issuer of \"%s\" again; expected each once",
				            issuers[j].name);
	}
}

static void
check_pages(struct config_reader *r)
{
	for (size_t i = 0; i < r->settings->resource_count; i++) {
		const struct resource_settings *s = &r->settings->resources[i];
		if (s->page_size > s->page_max)
			problem_add(&r->problems, s->place,
			            "page_size %u is above page_max %u; expected it at most equal",
			            s->page_size, s->page_max);
	}
}

/* The sandbox gives the log's folder to the ledger alone and the state's to the keeper alone. */
static void
check_folders(struct config_reader *r, const struct node *root)
{
	const char *audit = r->settings->audit.path, *state = r->settings->state_path;
	const struct node *section = node_member(root, "audit");
	struct place at = section != NULL ? section->key_place : (struct place){ 1, 1 };

	if (audit != NULL && state != NULL && strcmp(audit, state) == 0)
		problem_add(&r->problems, at,
		            "audit and state have the same path; expected two folders");
}

void
settings_check(struct config_reader *r, const struct node *root)
{
	struct settings *s = r->settings;

	check_listeners(r);
	derive_public_url(r);
	derive_workers(s);
	/* The table made these entries; nothing else can change them. */
	check_issuers(r, (struct issuer_settings *)(uintptr_t)s->issuers, s->issuer_count);
	check_pages(r);
	check_folders(r, root);
}
