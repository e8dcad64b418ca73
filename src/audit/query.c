/* query.c - see verify.h. A scan of all lines: the log is read far less often than written, and
 * keeps no index that could be wrong. */
#include "audit/verify.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "audit/directory.h"
#include "audit/line.h"
#include "audit/lines.h"
#include "base/macros.h"

struct scan {
	const struct query_filter *filter;
	query_line_fn *each;
	verify_progress_fn *progress; /* or NULL */
	void *of;
	uint64_t done, told, total; /* bytes: read, when progress was told, in all */
	struct arena arena;         /* owned; one line's JSON */
	bool is_broken;             /* a line could not be read */
};

struct bytes
audit_field(const struct json *record, const char *object, const char *name)
{
	return json_member_text(object == NULL ? record : json_member(record, object), name);
}

static bool
is_text(struct bytes got, const char *wanted)
{
	return wanted == NULL || bytes_is(got, wanted);
}

/* Is `wanted` this, or `issuer:this`? What is empty is nobody. */
static bool
is_caller(struct bytes issuer, struct bytes caller, const char *wanted)
{
	struct bytes text = bytes_text(wanted);

	if (caller.len == 0)
		return false;
	return bytes_equal(text, caller) ||
	       (bytes_starts(text, issuer) && text.len > issuer.len && text.at[issuer.len] == ':' &&
	        bytes_equal(bytes_slice(text, issuer.len + 1, text.len), caller));
}

/* Subject or name, each also behind the issuer where two issuers know the same. Beside `actor`
 * there is `user` where the record is about an account. */
static bool
is_principal(const struct json *record, const char *wanted)
{
	const struct json *actor = json_member(record, "actor");
	struct bytes issuer = audit_field(actor, "idp", "name");

	return is_caller(issuer, audit_field(actor, "user", "uid"), wanted) ||
	       is_caller(issuer, audit_field(actor, "user", "name"), wanted) ||
	       is_caller(issuer, audit_field(record, "user", "uid"), wanted) ||
	       is_caller(issuer, audit_field(record, "user", "name"), wanted);
}

/* Times are kept in milliseconds (OCSF), so the limits are brought to that. */
static bool
is_within(const struct json *record, const struct query_filter *f)
{
	int64_t ms;

	if (!json_int64(json_member(record, "time"), &ms))
		return false;
	return (f->from_us == 0 || ms >= f->from_us / 1000) &&
	       (f->to_us == 0 || ms < f->to_us / 1000);
}

static bool
is_match(const struct json *record, const struct query_filter *f)
{
	return is_within(record, f) &&
	       (f->principal == NULL || is_principal(record, f->principal)) &&
	       is_text(audit_field(record, "unmapped", "agent"), f->agent) &&
	       is_text(audit_field(record, "unmapped", "resource"), f->resource) &&
	       is_text(audit_field(record, "unmapped", "outcome"), f->outcome) &&
	       is_text(audit_field(record, "metadata", "uid"), f->decision);
}

static void
scan_line(struct scan *s, struct bytes text)
{
	const struct json *record;

	arena_reset(&s->arena);
	if (failed(json_parse(text, &s->arena, &record, NULL)) || record->type != JSON_OBJECT) {
		s->is_broken = true;
		return;
	}
	if (is_match(record, s->filter))
		s->each(s->of, text, record);
}

static void
count_bytes(struct scan *s, size_t len)
{
	enum { STEP = 4 << 20 };

	s->done += len;
	if (s->progress == NULL || s->done < s->told + STEP)
		return;
	s->told = s->done;
	s->progress(s->of, s->done, s->total);
}

static struct err
scan_segment(struct scan *s, int file)
{
	struct lines lines CLEANUP(lines_done) = { 0 };
	enum lines_kind kind;
	struct bytes text;

	TRY(lines_init(file, AUDIT_LINE_MAX, &lines));
	for (;;) {
		TRY(lines_next(&lines, &kind, &text));
		if (kind == LINES_LINE) {
			scan_line(s, text);
			count_bytes(s, text.len + 1);
		}
		s->is_broken = s->is_broken || kind == LINES_TOO_LONG;
		if (kind == LINES_END || kind == LINES_TOO_LONG)
			return OK;
	}
}

/* Only for progress: what cannot be asked counts as nothing. */
static uint64_t
count_all(int directory, const struct segment_list *segments)
{
	char name[SEGMENT_NAME_ROOM];
	uint64_t total = 0;
	struct stat st;

	for (size_t i = 0; i < segments->count; i++) {
		segment_name(segments->first[i], name);
		if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			total += (uint64_t)st.st_size;
	}
	return total;
}

static struct err
scan_segments(struct scan *s, int directory, const struct segment_list *segments)
{
	char name[SEGMENT_NAME_ROOM];

	s->total = s->progress == NULL ? 0 : count_all(directory, segments);
	for (size_t i = 0; i < segments->count; i++) {
		segment_name(segments->first[i], name);
		int file CLEANUP(fd_close) = directory_open_file(directory, name, O_RDONLY);
		if (file < 0)
			return fail_errno("cannot open a segment of the audit log");
		TRY(scan_segment(s, file));
	}
	return OK;
}

struct err
audit_query(const char *directory, const struct query_filter *filter, query_line_fn *each,
            verify_progress_fn *progress, void *of)
{
	struct scan s = { .filter = filter, .each = each, .progress = progress, .of = of };
	struct segment_list segments = { 0 };
	int opened CLEANUP(fd_close) = -1;

	TRY(directory_open(directory, &opened));
	TRY(segment_list_read(opened, &segments));
	struct err e = segments.count == 0
	                       ? fail(ERR_CONFIG, "there is no audit log in this directory")
	                       : scan_segments(&s, opened, &segments);
	segment_list_done(&segments);
	arena_done(&s.arena);
	TRY(e);
	return s.is_broken ? fail(ERR_DENIED,
	                          "some lines are no records: run `gatewarden audit verify`")
	                   : OK;
}
