/* review.c - see review.h. One function for each part. */
#include "main/review.h"

#include <stdlib.h>

#include "base/macros.h"
#include "issuer/words.h"
#include "main/local_roles.h"
#include "policy/policy.h"

static const int64_t DAY_MS = INT64_C(86400000);

/* Whom rows are given to. */
struct rows {
	const struct review *review;
	review_row_fn *each;
	void *of;
	const struct review_cell *principal; /* of access: the cells before the reach */
};

static const struct review_layout layouts[REVIEW_PART_COUNT] = {
	[REVIEW_ABOUT] = { "about",
	                   "What was looked at",
	                   { { "days", "DAYS", CELL_NUMBER, 6 },
	                     { "log_from", "LOG FROM", CELL_TIME, 20 },
	                     { "log_to", "LOG TO", CELL_TIME, 20 },
	                     { "records", "RECORDS", CELL_NUMBER, 12 },
	                     { "left_out", "LEFT OUT", CELL_NUMBER, 12 },
	                     { "damage", "DAMAGE", CELL_TEXT, 14 } },
	                   6 },
	[REVIEW_ACCESS] = { "access",
	                    "Who can reach what, by which role",
	                    { { "principal", "PRINCIPAL", CELL_TEXT, 24 },
	                      { "kind", "KIND", CELL_TEXT, 6 },
	                      { "name", "NAME", CELL_TEXT, 10 },
	                      { "last_seen", "LAST SEEN", CELL_TIME, 10 },
	                      { "role", "ROLE", CELL_TEXT, 11 },
	                      { "resource", "RESOURCE", CELL_TEXT, 11 },
	                      { "actions", "ACTIONS", CELL_ACTIONS, 16 } },
	                    7 },
	[REVIEW_UNUSED_ROLES] = { "unused_roles",
	                          "Roles nobody used for %u days",
	                          { { "role", "ROLE", CELL_TEXT, 32 },
	                            { "last_used", "LAST USED", CELL_TIME, 20 } },
	                          2 },
	[REVIEW_UNUSED_ACCOUNTS] = { "unused_accounts",
	                             "Users and clients not seen for %u days",
	                             { { "principal", "PRINCIPAL", CELL_TEXT, 32 },
	                               { "kind", "KIND", CELL_TEXT, 6 },
	                               { "roles", "HOLDS", CELL_WORDS, 26 },
	                               { "last_seen", "LAST SEEN", CELL_TIME, 10 } },
	                             4 },
	[REVIEW_UNUSED_GRANTS] = { "unused_grants",
	                           "Grants nobody used for %u days",
	                           { { "role", "ROLE", CELL_TEXT, 24 },
	                             { "resource", "RESOURCE", CELL_TEXT, 24 },
	                             { "action", "ACTION", CELL_TEXT, 8 },
	                             { "last_used", "LAST USED", CELL_TIME, 20 } },
	                           4 },
	[REVIEW_DISABLED_WITH_ROLES] = { "disabled_with_roles",
	                                 "Disabled, and still holding roles",
	                                 { { "principal", "PRINCIPAL", CELL_TEXT, 32 },
	                                   { "kind", "KIND", CELL_TEXT, 6 },
	                                   { "roles", "HOLDS", CELL_WORDS, 40 } },
	                                 3 },
	[REVIEW_UNKNOWN_ROLES] = { "unknown_roles",
	                           "Held, but granted by nothing in the configuration",
	                           { { "principal", "PRINCIPAL", CELL_TEXT, 32 },
	                             { "kind", "KIND", CELL_TEXT, 6 },
	                             { "value", "HOLDS", CELL_TEXT, 40 } },
	                           3 },
	[REVIEW_UNPRESENTED] = { "unpresented",
	                         "Values of granted_by that nobody brought for %u days",
	                         { { "role", "ROLE", CELL_TEXT, 24 },
	                           { "issuer", "ISSUER", CELL_TEXT, 16 },
	                           { "value", "VALUE", CELL_TEXT, 40 } },
	                         3 },
};

const struct review_layout *
review_layout(enum review_part part)
{
	return &layouts[part];
}

/* Life */

void
review_init(struct review *r, const struct settings *settings, unsigned days, int64_t now_s)
{
	*r = (struct review){ .settings = settings,
		              .days = days,
		              .now_s = now_s,
		              .arena = { .limit = REVIEW_BYTES_MAX } };
}

void
review_done(struct review *r)
{
	usage_free(r->usage);
	free(r->accounts);
	arena_done(&r->arena);
	*r = (struct review){ 0 };
}

static bool
grow_accounts(struct review *r)
{
	size_t count = r->account_count;
	struct account *grown;

	if (count == REVIEW_ACCOUNTS_MAX)
		return false;
	if (count != 0 && (count & (count - 1)) != 0)
		return true; /* doubled at each power of two */
	grown = reallocarray(r->accounts, count == 0 ? 1 : 2 * count, sizeof *grown);
	r->accounts = grown == NULL ? r->accounts : grown;
	return grown != NULL;
}

void
review_add_account(struct review *r, const struct account *a)
{
	struct account copy = *a;

	copy.name = arena_copy(&r->arena, a->name);
	copy.subject = arena_copy(&r->arena, a->subject);
	copy.roles = arena_copy(&r->arena, a->roles);
	if (copy.name.len != a->name.len || copy.subject.len != a->subject.len ||
	    copy.roles.len != a->roles.len || !grow_accounts(r)) {
		r->accounts_left_out++;
		return;
	}
	r->accounts[r->account_count++] = copy;
}

/* Questions */

static int64_t
window_ms(const struct review *r)
{
	return r->now_s * 1000 - (int64_t)r->days * DAY_MS;
}

static const char *
kind_name(enum account_kind kind)
{
	return kind == ACCOUNT_USER ? "user" : "client";
}

/* When an account was last seen, at any issuer of type local: they share their users. */
static int64_t
account_seen_ms(const struct review *r, const struct account *a)
{
	int64_t latest = 0;

	for (size_t i = 0; i < r->settings->issuer_count; i++) {
		const struct issuer_settings *issuer = &r->settings->issuers[i];
		const struct usage_principal *p =
			issuer->type == ISSUER_LOCAL
				? usage_find(r->usage, bytes_text(issuer->name), a->subject)
				: NULL;

		latest = p != NULL && p->last_ms > latest ? p->last_ms : latest;
	}
	return latest;
}

/* Of an issuer that is configured, and not our own. */
static bool
is_foreign(const struct review *r, struct bytes issuer)
{
	for (size_t i = 0; i < r->settings->issuer_count; i++)
		if (bytes_is(issuer, r->settings->issuers[i].name))
			return r->settings->issuers[i].type != ISSUER_LOCAL;
	return false;
}

static void
put_qualified(struct buf *out, struct bytes issuer, struct bytes name)
{
	buf_put(out, issuer);
	buf_put_u8(out, ':');
	buf_put(out, name);
}

/* As people name it: by the first issuer of type local. */
static void
put_account(const struct review *r, const struct account *a, struct buf *out)
{
	const char *issuer = "local";

	for (size_t i = r->settings->issuer_count; i-- > 0;)
		if (r->settings->issuers[i].type == ISSUER_LOCAL)
			issuer = r->settings->issuers[i].name;
	put_qualified(out, bytes_text(issuer), a->name);
}

static struct review_cell
text_cell(const char *text)
{
	return (struct review_cell){ .text = bytes_text(text) };
}

/* Parts */

static void
give_about(const struct rows *to)
{
	const struct review *r = to->review;
	struct usage_totals t = usage_totals(r->usage);
	uint64_t left_out = t.left_out + r->accounts_left_out;
	const struct review_cell cells[] = {
		{ .number = r->days },
		{ .number = t.first_ms },
		{ .number = t.last_ms },
		{ .number = (int64_t)t.records },
		{ .number = (int64_t)left_out },
		text_cell(r->is_log_damaged ? "some lines are no records" : "none seen"),
	};

	to->each(to->of, cells);
}

static void
give_reach(void *of, const struct reach *reach)
{
	const struct rows *to = of;
	const struct settings *s = to->review->settings;
	const struct review_cell cells[] = {
		to->principal[0],
		to->principal[1],
		to->principal[2],
		to->principal[3],
		text_cell(s->roles[reach->role].name),
		text_cell(reach->is_route ? s->routes[reach->resource].path
		                          : s->resources[reach->resource].name),
		{ .reach = reach },
	};

	to->each(to->of, cells);
}

static void
give_access(struct rows *to)
{
	const struct review *r = to->review;

	for (size_t i = 0; i < r->account_count; i++) {
		CLEANUP(buf_done) struct buf name = { 0 };
		const struct account *a = &r->accounts[i];

		if (a->is_disabled)
			continue;
		put_account(r, a, &name);
		to->principal = (struct review_cell[]){ { .text = buf_bytes(&name) },
			                                text_cell(kind_name(a->kind)),
			                                { .text = a->name },
			                                { .number = account_seen_ms(r, a) } };
		policy_review(r->settings, local_roles_of_all(r->settings, a->roles), give_reach,
		              to);
	}
	/* Those of our own whose account is gone reach nothing any more, nor do those of an issuer
	 * that is gone. */
	for (size_t i = 0; i < usage_count(r->usage); i++) {
		CLEANUP(buf_done) struct buf name = { 0 };
		const struct usage_principal *p = usage_at(r->usage, i);

		if (!is_foreign(r, p->issuer))
			continue;
		put_qualified(&name, p->issuer, p->subject);
		to->principal = (struct review_cell[]){ { .text = buf_bytes(&name) },
			                                text_cell("seen"),
			                                { .text = p->name },
			                                { .number = p->last_ms } };
		policy_review(r->settings, p->roles, give_reach, to);
	}
}

/* When a rule of this role last let somebody through. */
static int64_t
role_used_ms(const struct review *r, unsigned role)
{
	int64_t latest = 0;

	for (size_t i = 0; i < r->settings->resource_count; i++)
		for (size_t n = 0; n < r->settings->resources[i].allow_count; n++) {
			int64_t ms = usage_rule_ms(r->usage, i, n);

			if (r->settings->resources[i].allow[n].role == role && ms > latest)
				latest = ms;
		}
	for (size_t i = 0; i < r->settings->route_count; i++)
		for (size_t n = 0; n < r->settings->routes[i].allow_count; n++) {
			if (r->settings->routes[i].allow[n].role != role)
				continue;
			for (unsigned m = 0; m < ROUTE_METHOD_COUNT; m++) {
				int64_t ms = usage_route_rule_ms(r->usage, i, n, m);
				latest = ms > latest ? ms : latest;
			}
		}
	return latest;
}

static void
give_unused_roles(const struct rows *to)
{
	const struct review *r = to->review;

	for (unsigned i = 0; i < r->settings->role_count; i++) {
		const struct review_cell cells[] = { text_cell(r->settings->roles[i].name),
			                             { .number = role_used_ms(r, i) } };

		if (cells[1].number < window_ms(r))
			to->each(to->of, cells);
	}
}

/* Who was made inside the window has not been away for all of it. */
static void
give_unused_accounts(const struct rows *to)
{
	const struct review *r = to->review;

	for (size_t i = 0; i < r->account_count; i++) {
		CLEANUP(buf_done) struct buf name = { 0 };
		const struct account *a = &r->accounts[i];
		int64_t seen_ms = account_seen_ms(r, a);

		if (seen_ms >= window_ms(r) || a->created_s * 1000 >= window_ms(r))
			continue;
		put_account(r, a, &name);
		to->each(to->of, (struct review_cell[]){ { .text = buf_bytes(&name) },
		                                         text_cell(kind_name(a->kind)),
		                                         { .text = a->roles },
		                                         { .number = seen_ms } });
	}
}

/* GET brought HEAD, which few use. */
static void
give_unused_methods(const struct rows *to, size_t route, size_t rule)
{
	enum { GET = 0, HEAD = 1 };
	const struct review *r = to->review;
	const struct route_settings *settings = &r->settings->routes[route];
	const struct route_rule *allow = &settings->allow[rule];

	for (unsigned m = 0; m < ROUTE_METHOD_COUNT; m++) {
		int64_t ms = usage_route_rule_ms(r->usage, route, rule, m);
		bool is_brought = m == HEAD && (allow->methods >> GET & 1) != 0;

		if ((allow->methods >> m & 1) == 0 || is_brought || ms >= window_ms(r))
			continue;
		to->each(to->of,
		         (struct review_cell[]){ text_cell(r->settings->roles[allow->role].name),
		                                 text_cell(settings->path),
		                                 text_cell(route_methods[m]),
		                                 { .number = ms } });
	}
}

static void
give_unused_grants(const struct rows *to)
{
	const struct review *r = to->review;

	for (size_t i = 0; i < r->settings->resource_count; i++)
		for (size_t n = 0; n < r->settings->resources[i].allow_count; n++) {
			const struct resource_settings *resource = &r->settings->resources[i];
			const struct rule_settings *rule = &resource->allow[n];
			int64_t ms = usage_rule_ms(r->usage, i, n);

			if (ms >= window_ms(r))
				continue;
			to->each(to->of, (struct review_cell[]){
						 text_cell(r->settings->roles[rule->role].name),
						 text_cell(resource->name),
						 text_cell(action_name(rule->action)),
						 { .number = ms } });
		}
	for (size_t i = 0; i < r->settings->route_count; i++)
		for (size_t n = 0; n < r->settings->routes[i].allow_count; n++)
			give_unused_methods(to, i, n);
}

static void
give_disabled(const struct rows *to)
{
	const struct review *r = to->review;

	for (size_t i = 0; i < r->account_count; i++) {
		CLEANUP(buf_done) struct buf name = { 0 };
		const struct account *a = &r->accounts[i];

		if (!a->is_disabled || a->roles.len == 0)
			continue;
		put_account(r, a, &name);
		to->each(to->of, (struct review_cell[]){ { .text = buf_bytes(&name) },
		                                         text_cell(kind_name(a->kind)),
		                                         { .text = a->roles } });
	}
}

static void
give_unknown(const struct rows *to)
{
	const struct review *r = to->review;

	for (size_t i = 0; i < r->account_count; i++) {
		CLEANUP(buf_done) struct buf name = { 0 };
		const struct account *a = &r->accounts[i];
		struct bytes left = a->roles, value;

		put_account(r, a, &name);
		while (words_next(&left, &value))
			if (local_roles_of(r->settings, value) == 0)
				to->each(to->of,
				         (struct review_cell[]){ { .text = buf_bytes(&name) },
				                                 text_cell(kind_name(a->kind)),
				                                 { .text = value } });
	}
}

/* Does an account that was seen in the window hold this value? */
static bool
is_brought(const struct review *r, struct bytes value)
{
	for (size_t i = 0; i < r->account_count; i++)
		if (words_have(r->accounts[i].roles, value) &&
		    account_seen_ms(r, &r->accounts[i]) >= window_ms(r))
			return true;
	return false;
}

/* The log has roles, not the values they came from. Of our own accounts the values are known; of
 * another issuer a value is listed when nobody of that issuer came with the role at all. */
static void
give_unpresented(const struct rows *to)
{
	const struct review *r = to->review;
	const struct settings *s = r->settings;

	for (size_t i = 0; i < s->role_count; i++)
		for (size_t n = 0; n < s->roles[i].granted_by_count; n++) {
			const struct grant_source *source = &s->roles[i].granted_by[n];
			const struct issuer_settings *issuer = &s->issuers[source->issuer];
			bool is_seen = issuer->type == ISSUER_LOCAL
			                       ? is_brought(r, bytes_text(source->value))
			                       : usage_role_ms(r->usage, source->issuer, i) >=
			                                 window_ms(r);

			if (is_seen)
				continue;
			to->each(to->of, (struct review_cell[]){ text_cell(s->roles[i].name),
			                                         text_cell(issuer->name),
			                                         text_cell(source->value) });
		}
}

void
review_each(const struct review *r, enum review_part part, review_row_fn *each, void *of)
{
	struct rows to = { .review = r, .each = each, .of = of };

	switch (part) {
	case REVIEW_ABOUT:
		give_about(&to);
		return;
	case REVIEW_ACCESS:
		give_access(&to);
		return;
	case REVIEW_UNUSED_ROLES:
		give_unused_roles(&to);
		return;
	case REVIEW_UNUSED_ACCOUNTS:
		give_unused_accounts(&to);
		return;
	case REVIEW_UNUSED_GRANTS:
		give_unused_grants(&to);
		return;
	case REVIEW_DISABLED_WITH_ROLES:
		give_disabled(&to);
		return;
	case REVIEW_UNKNOWN_ROLES:
		give_unknown(&to);
		return;
	case REVIEW_UNPRESENTED:
		give_unpresented(&to);
		return;
	case REVIEW_PART_COUNT:
		return;
	}
}
