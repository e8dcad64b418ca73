/* cmd_audit.c - see cmd_audit.h. Reads an audit directory; changes nothing in it. */
#include "main/cmd_audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/verify.h"
#include "base/macros.h"
#include "config/config.h"
#include "format/moment.h"
#include "main/input.h"
#include "main/replay_run.h"
#include "main/review_run.h"

enum { EXIT_DONE = 0, EXIT_NO = 1, EXIT_USAGE = 2 };
enum verb { VERB_VERIFY = 1, VERB_QUERY = 2, VERB_EXPORT = 4, VERB_REVIEW = 8, VERB_REPLAY = 16 };

const char cmd_audit_usage[] =
	"       gatewarden audit verify [-c FILE | --dir DIR] [--anchor FILE]\n"
	"       gatewarden audit query  [-c FILE | --dir DIR] [--principal NAME] [--agent NAME]\n"
	"                               [--resource NAME] [--outcome allowed|denied|failed] "
	"[--from TIME] [--to "
	"TIME]\n"
	"                               [--decision ID] [--json]\n"
	"       gatewarden audit export [-c FILE | --dir DIR] [--from TIME] [--to TIME]\n"
	"       gatewarden audit review [-c FILE] [--days N] [--json]\n"
	"       gatewarden audit replay POLICY [-c FILE | --dir DIR] [--since TIME] [--to TIME] "
	"[--json]\n"
	"\n"
	"  -c FILE       configuration that names the audit directory (default gatewarden.yaml)\n"
	"  --dir DIR     the audit directory itself\n"
	"  --anchor FILE checkpoints that were kept on another machine: finds a log rolled back as "
	"a whole\n"
	"  NAME          of a principal: user name or subject, also as issuer:NAME\n"
	"  TIME          2026-11-22T13:04:05Z; --from and --since are inclusive, --to is not\n"
	"  --days N      what nobody used for so long is listed (1 to 3660, default 90)\n"
	"\n"
	"  review: who can reach what by which role, and roles, accounts and grants that nobody "
	"uses\n"
	"  replay: what the configuration POLICY would have refused or allowed of all that is "
	"recorded\n";

struct arguments {
	const char *config, *directory, *anchor, *principal, *agent, *resource, *outcome, *from,
		*to, *decision;
	const char *days;
	const char *policy;
	const char *json; /* not NULL: asked for */
};

struct option {
	const char *name;
	size_t offset;
	unsigned verbs;
	bool is_flag;
};

static const struct option options[] = {
	{ "-c", offsetof(struct arguments, config),
	  VERB_VERIFY | VERB_QUERY | VERB_EXPORT | VERB_REVIEW | VERB_REPLAY, false },
	{ "--dir", offsetof(struct arguments, directory),
	  VERB_VERIFY | VERB_QUERY | VERB_EXPORT | VERB_REPLAY, false },
	{ "--anchor", offsetof(struct arguments, anchor), VERB_VERIFY, false },
	{ "--principal", offsetof(struct arguments, principal), VERB_QUERY, false },
	{ "--agent", offsetof(struct arguments, agent), VERB_QUERY, false },
	{ "--resource", offsetof(struct arguments, resource), VERB_QUERY, false },
	{ "--outcome", offsetof(struct arguments, outcome), VERB_QUERY, false },
	{ "--from", offsetof(struct arguments, from), VERB_QUERY | VERB_EXPORT, false },
	{ "--since", offsetof(struct arguments, from), VERB_REPLAY, false },
	{ "--to", offsetof(struct arguments, to), VERB_QUERY | VERB_EXPORT | VERB_REPLAY, false },
	{ "--decision", offsetof(struct arguments, decision), VERB_QUERY, false },
	{ "--days", offsetof(struct arguments, days), VERB_REVIEW, false },
	{ "--json", offsetof(struct arguments, json), VERB_QUERY | VERB_REVIEW | VERB_REPLAY,
	  true },
};

static void
complain(const char *what, const char *which)
{
	(void)fprintf(stderr, "gatewarden audit: %s%s%s\n", what, which[0] != 0 ? ": " : "", which);
}

static void
complain_err(const char *which, struct err e)
{
	(void)fprintf(stderr, "gatewarden audit: %s: %s%s%s\n", which, e.why,
	              e.sys != 0 ? ": " : "", e.sys != 0 ? strerror(e.sys) : "");
}

/* Arguments. */

static const struct option *
find_option(const char *name, enum verb verb)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strcmp(options[i].name, name) == 0 && (options[i].verbs & verb) != 0)
			return &options[i];
	return NULL;
}

static bool
read_arguments(int argc, char **argv, enum verb verb, struct arguments *ret)
{
	for (int i = 2; i < argc; i++) {
		const struct option *o = find_option(argv[i], verb);
		const char *value = o != NULL && o->is_flag ? "" : argv[i + 1];

		if (o == NULL && verb == VERB_REPLAY && ret->policy == NULL && argv[i][0] != '-') {
			ret->policy = argv[i];
			continue;
		}
		if (o == NULL || value == NULL) {
			complain(o == NULL ? "unknown option" : "a value is missing behind",
			         argv[i]);
			return false;
		}
		memcpy((char *)ret + o->offset, &value, sizeof value);
		i += !o->is_flag;
	}
	if (verb == VERB_REPLAY && ret->policy == NULL) {
		complain("replay takes the configuration that is to decide", "");
		return false;
	}
	if (ret->config != NULL && ret->directory != NULL) {
		complain("-c and --dir exclude each other", "");
		return false;
	}
	return true;
}

static bool
read_time(const char *text, const char *option, int64_t *ret_us)
{
	if (text == NULL || moment_parse_timestamp(bytes_text(text), ret_us))
		return true;
	(void)fprintf(
		stderr,
		"gatewarden audit: %s %s is no time; expected one like 2026-11-22T13:04:05Z\n",
		option, text);
	return false;
}

static bool
read_filter(const struct arguments *a, struct query_filter *ret)
{
	struct query_filter f = { .principal = a->principal,
		                  .agent = a->agent,
		                  .resource = a->resource,
		                  .outcome = a->outcome,
		                  .decision = a->decision };

	if (a->outcome != NULL && strcmp(a->outcome, "allowed") != 0 &&
	    strcmp(a->outcome, "denied") != 0 && strcmp(a->outcome, "failed") != 0) {
		complain("no such outcome; expected allowed, denied or failed", a->outcome);
		return false;
	}
	if (!read_time(a->from, "--from", &f.from_us) || !read_time(a->to, "--to", &f.to_us))
		return false;
	*ret = f;
	return true;
}

/* The directory lives in `arena`, or is an argument. */
static const char *
audit_directory(const struct arguments *a, struct arena *arena)
{
	const struct settings *settings;
	struct config_errors errors = { 0 };

	if (a->directory != NULL)
		return a->directory;

	const char *file = a->config != NULL ? a->config : "gatewarden.yaml";
	struct err e = config_load(file, arena, &settings, &errors);
	if (failed(e)) {
		complain_err(file, e);
		(void)fwrite(errors.text.at, 1, errors.text.len, stderr);
	}
	config_errors_done(&errors);
	return failed(e) ? NULL : settings->audit.path;
}

/* Verify. */

static void
show_progress(void *of, uint64_t done, uint64_t total)
{
	(void)of;
	(void)fprintf(stderr, "\rverifying: %3d %%",
	              total == 0 ? 100 : (int)((double)done * 100 / (double)total));
}

static int
tell_verified(const char *directory, struct err e, const struct verify_result *r)
{
	struct buf head CLEANUP(buf_done) = { 0 };

	if (e.kind == ERR_DENIED) {
		(void)printf("bad: first at record %" PRIu64 ": %.*s\n", r->bad_sequence,
		             (int)r->message.len, (const char *)r->message.at);
		return EXIT_NO;
	}
	if (failed(e)) {
		complain_err(directory, e);
		return EXIT_USAGE;
	}
	buf_put_hex(&head, (struct bytes){ r->head, sizeof r->head });
	(void)printf("ok: %" PRIu64 " records, %" PRIu64 " checkpoints, head %.*s", r->records,
	             r->checkpoints, (int)head.len, (const char *)head.at);
	if (r->recovered > 0)
		(void)printf(", %" PRIu64 " unfinished lines cut off after a crash", r->recovered);
	(void)printf("\n");
	return EXIT_DONE;
}

static int
run_verify(const struct arguments *a, const char *directory)
{
	struct buf anchor CLEANUP(buf_done) = { 0 };
	bool terminal = isatty(STDERR_FILENO) == 1;
	struct verify_result r;

	struct err e = a->anchor == NULL ? OK : input_file(a->anchor, &anchor);

	if (!failed(e) && a->anchor != NULL && anchor.len == 0)
		e = fail(ERR_CONFIG, "there is no checkpoint in it");
	if (failed(e)) {
		complain_err(a->anchor, e);
		return EXIT_USAGE;
	}
	e = audit_verify_anchored(directory, buf_bytes(&anchor), &r,
	                          terminal ? show_progress : NULL, NULL);
	if (terminal)
		(void)fprintf(stderr, "\r\033[K");
	int code = tell_verified(directory, e, &r);
	verify_result_done(&r);
	return code;
}

/* Query and export. */

static void
put_line(void *of, struct bytes line, const struct json *record)
{
	(void)of, (void)record;
	(void)fwrite(line.at, 1, line.len, stdout); /* a failure is seen at the end */
	(void)putc('\n', stdout);
}

/* Names come from callers: a control character must not reach the terminal, also not as U+0080 to
 * U+009F. */
static void
put_cell(struct buf *row, struct bytes text, size_t width)
{
	size_t shown = 0;

	if (text.len == 0)
		text = BYTES("-");
	for (size_t i = 0; i < text.len; i++) {
		bool c1 = text.at[i] == 0xC2 && i + 1 < text.len && text.at[i + 1] < 0xA0;

		buf_put_u8(row, c1 || text.at[i] < 0x20 || text.at[i] == 0x7F ? '?' : text.at[i]);
		i += c1;
		shown += (text.at[i] & 0xC0) != 0x80 || c1;
	}
	for (; shown < width; shown++)
		buf_put_u8(row, ' ');
	buf_put_u8(row, ' ');
}

static void
put_time(struct buf *row, const struct json *record)
{
	struct buf text CLEANUP(buf_done) = { 0 };
	int64_t ms = 0;

	(void)json_int64(json_member(record, "time"), &ms); /* the query has read it */
	moment_put_timestamp(&text, ms * 1000);
	put_cell(row, buf_bytes(&text), 27);
}

static void
put_principal(struct buf *row, const struct json *record)
{
	struct buf text CLEANUP(buf_done) = { 0 };
	const struct json *actor = json_member(record, "actor");
	bool is_account = json_member(record, "user") != NULL;
	const struct json *of = is_account ? record : actor;
	struct bytes issuer = audit_field(actor, "idp", "name"),
		     name = audit_field(of, "user", "name"),
		     agent = audit_field(record, "unmapped", "agent");

	if (issuer.len > 0) {
		buf_put(&text, issuer);
		buf_put_u8(&text, ':');
	}
	buf_put(&text, name.len > 0 ? name : audit_field(of, "user", "uid"));
	if (agent.len > 0) {
		buf_put_text(&text, " by ");
		buf_put(&text, agent);
	}
	put_cell(row, buf_bytes(&text), 20);
}

/* What a route that only observes denied was let through. */
static struct bytes
outcome_of(const struct json *record)
{
	struct bytes outcome = audit_field(record, "unmapped", "outcome");
	bool observed = false;

	(void)json_bool(json_member(json_member(record, "unmapped"), "observed"), &observed);
	return observed && bytes_is(outcome, "denied") ? BYTES("observed") : outcome;
}

static void
put_row(void *of, struct bytes line, const struct json *record)
{
	struct buf row CLEANUP(buf_done) = { 0 }, number CLEANUP(buf_done) = { 0 };
	int64_t sequence = 0;

	(void)of, (void)line;
	(void)json_int64(json_member(record, "seq"), &sequence); /* left 0 */
	buf_put_decimal(&number, sequence);
	put_cell(&row, buf_bytes(&number), 8);
	put_time(&row, record);
	put_cell(&row, outcome_of(record), 8);
	put_cell(&row, audit_field(record, NULL, "status_code"), 6);
	put_principal(&row, record);
	put_cell(&row, audit_field(record, "unmapped", "action"), 8);
	put_cell(&row, audit_field(record, "unmapped", "resource"), 16);
	put_cell(&row, audit_field(record, "unmapped", "rule"), 36);
	put_cell(&row, audit_field(record, "metadata", "uid"), 0);
	buf_put_u8(&row, '\n');
	(void)fwrite(row.at, 1, row.len, stdout); /* a failure is seen at the end */
}

static int
run_query(const struct query_filter *filter, const char *directory, bool json)
{
	if (!json)
		(void)printf("%-8s %-27s %-8s %-6s %-20s %-8s %-16s %-36s %s\n", "SEQ", "TIME",
		             "OUTCOME", "STATUS", "PRINCIPAL", "ACTION", "RESOURCE", "RULE",
		             "DECISION");

	struct err e = audit_query(directory, filter, json ? put_line : put_row, NULL, NULL);
	if (failed(e))
		complain_err(directory, e);
	if (e.kind == ERR_DENIED)
		return EXIT_NO;
	return failed(e) ? EXIT_USAGE : EXIT_DONE;
}

static int
run_review(const struct arguments *a)
{
	enum { DAYS_DEFAULT = 90, DAYS_MAX = 3660 };
	uint64_t days = DAYS_DEFAULT;

	if (a->days != NULL &&
	    (failed(bytes_to_u64(bytes_text(a->days), &days)) || days == 0 || days > DAYS_MAX)) {
		complain("--days takes a number from 1 to 3660", a->days);
		return EXIT_USAGE;
	}
	return review_run(a->config, (unsigned)days, a->json != NULL);
}

static enum verb
find_verb(const char *name)
{
	static const struct {
		const char *name;
		enum verb verb;
	} verbs[] = { { "verify", VERB_VERIFY },
		      { "query", VERB_QUERY },
		      { "export", VERB_EXPORT },
		      { "review", VERB_REVIEW },
		      { "replay", VERB_REPLAY } };

	for (size_t i = 0; name != NULL && i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return verbs[i].verb;
	return 0;
}

int
cmd_audit(int argc, char **argv)
{
	struct arena arena CLEANUP(arena_done) = { 0 };
	struct arguments a = { 0 };
	struct query_filter filter;
	enum verb verb = argc > 1 ? find_verb(argv[1]) : 0;

	if (verb == 0 || !read_arguments(argc, argv, verb, &a) || !read_filter(&a, &filter)) {
		(void)fprintf(stderr, "usage:\n%s", cmd_audit_usage);
		return EXIT_USAGE;
	}

	if (verb == VERB_REVIEW)
		return run_review(&a);

	const char *directory = audit_directory(&a, &arena);
	if (directory == NULL)
		return EXIT_USAGE;
	if (verb == VERB_VERIFY)
		return run_verify(&a, directory);
	if (verb == VERB_REPLAY)
		return replay_run(a.policy, directory, &filter, a.json != NULL);
	return run_query(&filter, directory, verb == VERB_EXPORT || a.json != NULL);
}
