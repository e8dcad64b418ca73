/* review_run.c - see review_run.h. Changes nothing, and verifies nothing: that is `audit verify`.
 */
#include "main/review_run.h"

#include <stdio.h>
#include <unistd.h>

#include "audit/verify.h"
#include "base/clock.h"
#include "base/macros.h"
#include "issuer/client.h"
#include "main/loaded.h"
#include "main/review.h"

/* Users and clients */

static void
take_user(void *of, const struct user *u)
{
	review_add_account(of, &(struct account){ .kind = ACCOUNT_USER,
	                                          .name = u->name,
	                                          .subject = u->subject,
	                                          .roles = u->roles,
	                                          .is_disabled = u->is_disabled,
	                                          .created_s = u->created_s });
}

static void
take_client(void *of, const struct client *c)
{
	review_add_account(of, &(struct account){ .kind = ACCOUNT_CLIENT,
	                                          .name = c->id,
	                                          .subject = c->subject,
	                                          .roles = c->roles,
	                                          .is_disabled = c->is_disabled,
	                                          .created_s = c->created_s });
}

static void
store_cleanup(struct issuer_store **s)
{
	issuer_store_close(*s);
}

/* None where no issuer is of type local: there may be no store at all. */
static struct err
read_accounts(struct review *r)
{
	CLEANUP(store_cleanup) struct issuer_store *store = NULL;
	bool has_local = false;

	for (size_t i = 0; i < r->settings->issuer_count; i++)
		has_local |= r->settings->issuers[i].type == ISSUER_LOCAL;
	if (!has_local)
		return OK;
	TRY(issuer_store_open_readonly(r->settings->state_path, &store));
	TRY(user_list(store, take_user, r));
	return client_list(store, take_client, r);
}

/* Before the log, so that a flood of others cannot push them out. */
static void
expect_accounts(struct review *r)
{
	for (size_t i = 0; i < r->settings->issuer_count; i++) {
		const struct issuer_settings *issuer = &r->settings->issuers[i];

		for (size_t n = 0; issuer->type == ISSUER_LOCAL && n < r->account_count; n++)
			r->accounts_left_out += !usage_expect(r->usage, bytes_text(issuer->name),
			                                      r->accounts[n].subject);
	}
}

/* The log */

static void
take_record(void *of, struct bytes line, const struct json *record)
{
	struct review *r = of;

	(void)line;
	usage_take(r->usage, record);
}

static void
show_progress(void *of, uint64_t done, uint64_t total)
{
	(void)of;
	(void)fprintf(stderr, "\rreading the log: %3d %%",
	              total == 0 ? 100 : (int)((double)done * 100 / (double)total));
}

static struct err
read_log(struct review *r)
{
	const struct query_filter all = { 0 };
	bool terminal = isatty(STDERR_FILENO) == 1;
	struct err e = audit_query(r->settings->audit.path, &all, take_record,
	                           terminal ? show_progress : NULL, r);

	if (terminal)
		(void)fprintf(stderr, "\r\033[K");
	r->is_log_damaged = e.kind == ERR_DENIED;
	return r->is_log_damaged ? OK : e;
}

static bool
is_whole(const struct review *r)
{
	return !r->is_log_damaged && r->accounts_left_out == 0 &&
	       usage_totals(r->usage).left_out == 0;
}

static int
review(struct review *r, bool as_json)
{
	int64_t from_ms = (r->now_s - (int64_t)r->days * 86400) * 1000;
	struct err e = read_accounts(r);
	const char *about = r->settings->state_path;

	if (!failed(e))
		e = usage_new(r->settings, from_ms, &r->usage);
	if (!failed(e)) {
		expect_accounts(r);
		about = r->settings->audit.path;
		e = read_log(r);
	}
	if (failed(e)) {
		complain("audit", about, e);
		return 2;
	}
	if (as_json)
		review_print_json(r, stdout);
	else
		review_print_table(r, stdout);
	return is_whole(r) ? 0 : 1;
}

int
review_run(const char *file, unsigned days, bool as_json)
{
	CLEANUP(loaded_done) struct loaded loaded = { 0 };
	CLEANUP(review_done) struct review r = { 0 };

	if (!loaded_open(&loaded, "audit", file))
		return 2;
	review_init(&r, loaded.settings, days, clock_wall_us() / 1000000);
	return review(&r, as_json);
}
