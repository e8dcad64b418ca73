/* replay_run.c - see replay_run.h. Changes nothing, and verifies nothing: that is `audit verify`.
 */
#include "main/replay_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/macros.h"
#include "format/moment.h"
#include "main/loaded.h"
#include "main/replay.h"
#include "main/table.h"

/* What a new policy may change besides, and no log can say. */
static const char roles_are_old[] =
	"roles are those that callers held then: a change of granted_by is not seen";
static const char rows_are_open[] =
	"columns, row conditions and claims are not in the log: a request that is allowed may get "
	"other rows or columns";
static const char hosts_are_open[] =
	"the host is not in the log: that of the route counts where the policy still has it";
static const char *const limits_told[] = { roles_are_old, rows_are_open, hosts_are_open };

/* Times are kept to the millisecond; seconds are enough to find a record. */
static void
put_time(struct buf *out, int64_t ms)
{
	enum { WHOLE_SECONDS = 19 };
	CLEANUP(buf_done) struct buf text = { 0 };

	moment_put_timestamp(&text, ms * 1000);
	buf_put(out, bytes_slice(buf_bytes(&text), 0, WHOLE_SECONDS));
}

static void
write_out(struct buf *out)
{
	(void)fwrite(out->at, 1, out->len, stdout); /* a failure is seen at the end */
	buf_clear(out);
}

/* For people */

static const struct table_column columns[] = {
	{ "NOW", 11 },   { "THEN", 8 },      { "COUNT", 7 },     { "ROLES", 20 },
	{ "ACTION", 8 }, { "RESOURCE", 24 }, { "RULE NOW", 44 }, { "FIRST AND LAST", 20 },
};

static void
print_group(struct buf *out, const struct replay_group *g)
{
	struct buf count CLEANUP(buf_done) = { 0 }, rule CLEANUP(buf_done) = { 0 },
			 times CLEANUP(buf_done) = { 0 };

	buf_put_unsigned(&count, g->count);
	if (g->change == REPLAY_UNSURE)
		buf_printf(&rule, "hangs on %s", g->why);
	else
		buf_put(&rule, g->rule_now);
	put_time(&times, g->first_ms);
	buf_put_u8(&times, ' ');
	put_time(&times, g->last_ms);
	const struct bytes cells[] = {
		bytes_text(replay_change_name(g->change)),
		bytes_text(g->then),
		buf_bytes(&count),
		g->roles,
		g->action,
		g->resource,
		buf_bytes(&rule),
		buf_bytes(&times),
	};
	table_put_row(out, columns, ARRAY_LEN(columns), cells);
}

static void
print_counts(struct buf *out, const struct replay *r)
{
	static const struct {
		enum replay_change change;
		const char *text;
	} rows[] = {
		{ REPLAY_SAME, "as before" },
		{ REPLAY_REFUSED, "would be refused, and went through" },
		{ REPLAY_ALLOWED, "would go through, and were refused" },
		{ REPLAY_OBSERVED, "would be denied, but their route only observes" },
		{ REPLAY_UNSURE, "cannot be told" },
	};
	uint64_t all = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		all += r->counts[rows[i].change];
	buf_printf(out, "%" PRIu64 " decisions", all);
	if (all > 0) {
		buf_put_text(out, " from ");
		put_time(out, r->first_ms);
		buf_put_text(out, " to ");
		put_time(out, r->last_ms);
	}
	buf_put_u8(out, '\n');
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		buf_printf(out, "%10" PRIu64 " %s\n", r->counts[rows[i].change], rows[i].text);
	buf_printf(out, "%10" PRIu64 " further records that no rule decided\n", r->undecided);
}

static void
print_people(const struct replay *r)
{
	struct buf out CLEANUP(buf_done) = { 0 };

	print_counts(&out, r);
	if (r->group_count > 0) {
		buf_put_u8(&out, '\n');
		table_put_head(&out, columns, ARRAY_LEN(columns));
	}
	for (enum replay_change c = 0; c < REPLAY_SAME; c++)
		for (size_t i = 0; i < r->group_count; i++) {
			if (r->groups[i].change == c)
				print_group(&out, &r->groups[i]);
			write_out(&out);
		}
	if (r->left_out > 0)
		buf_printf(&out, "%" PRIu64 " more, of kinds too many to list\n", r->left_out);
	if (r->conditional > 0)
		buf_printf(&out,
		           "\n%" PRIu64
		           " of those that are allowed are so for some rows or columns "
		           "only\n",
		           r->conditional);
	buf_put_text(&out, "\nWhat the log cannot tell:\n");
	for (size_t i = 0; i < ARRAY_LEN(limits_told); i++)
		buf_printf(&out, "- %s\n", limits_told[i]);
	write_out(&out);
}

/* For programs */

static void
put_member_time(struct buf *out, const char *name, int64_t ms)
{
	struct buf text CLEANUP(buf_done) = { 0 };

	moment_put_timestamp(&text, ms * 1000);
	json_put_text(out, name, buf_bytes(&text));
}

static void
put_group(struct buf *out, const struct replay_group *g)
{
	json_put_name(out, "now");
	json_put_string(out, bytes_text(replay_change_name(g->change)));
	json_put_text(out, "then", bytes_text(g->then));
	json_put_text(out, "roles", g->roles);
	json_put_text(out, "action", g->action);
	json_put_text(out, "resource", g->resource);
	json_put_text(out, "rule_then", g->rule_then);
	json_put_text(out, "rule_now", g->rule_now);
	json_put_text(out, "hangs_on", bytes_text(g->why));
	buf_printf(out, ",\"count\":%" PRIu64, g->count);
	put_member_time(out, "first", g->first_ms);
	put_member_time(out, "last", g->last_ms);
}

static void
print_json(const struct replay *r, const char *policy)
{
	struct buf out CLEANUP(buf_done) = { 0 };

	buf_put_text(&out, "{\"policy\":");
	json_put_string(&out, bytes_text(policy));
	buf_printf(&out,
	           ",\"same\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"allowed\":%" PRIu64
	           ",\"observed\":%" PRIu64 ",\"unsure\":%" PRIu64,
	           r->counts[REPLAY_SAME], r->counts[REPLAY_REFUSED], r->counts[REPLAY_ALLOWED],
	           r->counts[REPLAY_OBSERVED], r->counts[REPLAY_UNSURE]);
	buf_printf(&out,
	           ",\"undecided\":%" PRIu64 ",\"conditional\":%" PRIu64 ",\"left_out\":%" PRIu64,
	           r->undecided, r->conditional, r->left_out);
	buf_put_text(&out, ",\"cannot_tell\":[");
	for (size_t i = 0; i < ARRAY_LEN(limits_told); i++) {
		buf_put_text(&out, i == 0 ? "" : ",");
		json_put_string(&out, bytes_text(limits_told[i]));
	}
	buf_put_text(&out, "],\"groups\":[");
	for (size_t i = 0; i < r->group_count; i++) {
		buf_put_text(&out, i == 0 ? "{" : ",{");
		put_group(&out, &r->groups[i]);
		buf_put_u8(&out, '}');
		write_out(&out);
	}
	buf_put_text(&out, "]}\n");
	write_out(&out);
}

/* Reading the log */

static void
take_record(void *of, struct bytes line, const struct json *record)
{
	(void)line;
	replay_take(of, record);
}

static void
show_progress(void *of, uint64_t done, uint64_t total)
{
	(void)of;
	(void)fprintf(stderr, "\rreading the log: %3d %%",
	              total == 0 ? 100 : (int)((double)done * 100 / (double)total));
}

int
replay_run(const char *policy, const char *directory, const struct query_filter *filter,
           bool as_json)
{
	CLEANUP(loaded_done) struct loaded loaded = { 0 };
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	CLEANUP(replay_done) struct replay r = { 0 };
	bool terminal = isatty(STDERR_FILENO) == 1;

	if (!loaded_open(&loaded, "audit", policy))
		return 2;
	struct err e = replay_new(loaded.settings, &r, &errors);
	complain_config(&errors);
	if (failed(e)) {
		complain("audit", policy, e);
		return 2;
	}
	e = audit_query(directory, filter, take_record, terminal ? show_progress : NULL, &r);
	if (terminal)
		(void)fprintf(stderr, "\r\033[K");
	if (failed(e))
		complain("audit", directory, e);
	if (failed(e) && e.kind != ERR_DENIED)
		return 2;
	if (as_json)
		print_json(&r, policy);
	else
		print_people(&r);
	return failed(e) || r.counts[REPLAY_REFUSED] + r.counts[REPLAY_ALLOWED] > 0;
}
