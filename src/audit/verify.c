/* verify.c - see verify.h. One pass over the segments in constant memory; the checkpoints are read
 * alongside, each compared when the log reaches its sequence. */
#include "audit/verify.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "audit/checkpoint.h"
#include "audit/directory.h"
#include "base/macros.h"

typedef unsigned long long number; /* for %llu */

struct verifier {
	int directory, checkpoints_file; /* owned */
	struct digest digest;            /* owned */
	struct checkpoint_key key;       /* owned */
	struct checkpoint_stream stream; /* owned */
	struct segment_list segments;    /* owned */
	struct arena arena;              /* owned; one line's JSON */
	bool has_next, has_anchor;
	struct checkpoint next, anchor; /* the next one to be reached; see verify.h */
	uint64_t sequence;              /* reached; its hash is result->head */
	char file[SEGMENT_NAME_ROOM];   /* being read */
	uint64_t line, done, total;
	struct verify_result *result;
	verify_progress_fn *progress;
	void *of;
};

/* Findings. */

__attribute__((format(printf, 3, 4))) static struct err
found(struct verifier *v, uint64_t sequence, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args); /* longer than any finding */
	va_end(args);
	buf_put_text(&v->result->message, text);
	v->result->bad_sequence = sequence;
	return fail(ERR_DENIED, "the audit log does not verify");
}

static struct err
found_here(struct verifier *v, const char *what)
{
	number expected = v->sequence + 1;

	return found(v, expected, "%s:%llu: record %llu: %s", v->file, (number)v->line, expected,
	             what);
}

static struct err
found_hash(struct verifier *v, const char *what, const uint8_t *expected, const uint8_t *got)
{
	struct err e = found_here(v, what);

	buf_put(&v->result->message, BYTES("; expected "));
	buf_put_hex(&v->result->message, (struct bytes){ expected, AUDIT_HASH_LEN });
	buf_put(&v->result->message, BYTES(", got "));
	buf_put_hex(&v->result->message, (struct bytes){ got, AUDIT_HASH_LEN });
	return e;
}

/* Checkpoints. */

/* Takes up the next checkpoint. What a ledger that is at work has half written is no finding. */
static struct err
next_checkpoint(struct verifier *v)
{
	struct checkpoint c;
	enum lines_kind kind;
	struct err e = checkpoint_stream_next(&v->stream, &v->key, &kind, &c);
	number line = v->stream.line + 1;

	v->has_next = false;
	if (e.kind == ERR_PEER || e.kind == ERR_DENIED)
		return found(v, v->sequence + 1, "checkpoints:%llu: %s", line - CHECKPOINT_LINES,
		             e.why);
	TRY(e);
	if (kind == LINES_TOO_LONG ||
	    (kind == LINES_UNFINISHED && !directory_is_taken(v->directory)))
		return found(v, v->sequence + 1, "checkpoints:%llu: an unfinished checkpoint",
		             line);
	if (kind != LINES_LINE)
		return OK;
	if (c.sequence < v->sequence)
		return found(
			v, c.sequence,
			"checkpoints:%llu: checkpoint of record %llu stands behind that of %llu",
			line - CHECKPOINT_LINES, (number)c.sequence, (number)v->sequence);
	v->next = c;
	v->has_next = true;
	return OK;
}

static struct err
compare_checkpoint(struct verifier *v, const struct checkpoint *c, const char *which)
{
	char what[128];

	if (memcmp(c->head, v->result->head, sizeof c->head) == 0)
		return OK;
	(void)snprintf(what, sizeof what, "record %llu, or one before it, is not what %s signed",
	               (number)c->sequence, which);
	return found(v, c->sequence, "%s:%llu: %s", v->file, (number)v->line, what);
}

static struct err
reach_checkpoints(struct verifier *v)
{
	while (v->has_next && v->next.sequence == v->sequence) {
		TRY(compare_checkpoint(v, &v->next, "its checkpoint"));
		v->result->checkpoints++;
		TRY(next_checkpoint(v));
	}
	if (v->has_anchor && v->anchor.sequence == v->sequence)
		TRY(compare_checkpoint(v, &v->anchor, "the anchor"));
	return OK;
}

static struct err
read_anchor(struct verifier *v, struct bytes anchor)
{
	size_t start = 0;

	/* The last entry counts: entries are separated as in the file itself. */
	for (size_t at = 0, line = 0; at < anchor.len; line++) {
		if (line % CHECKPOINT_LINES == 0)
			start = at;
		at += bytes_find(bytes_slice(anchor, at, anchor.len), '\n') + 1;
	}
	struct err e = checkpoint_read(bytes_slice(anchor, start, anchor.len), &v->key, &v->anchor);
	if (e.kind == ERR_PEER || e.kind == ERR_DENIED)
		return found(v, 1, "anchor: %s", e.why);
	v->has_anchor = true;
	return e;
}

/* Records. */

/* Is the record that should stand here further down in this file? Its line, or 0. Reads the file to
 * its end: there is nothing left to verify in it. */
static uint64_t
find_later(struct verifier *v, struct lines *lines, uint64_t sequence)
{
	enum lines_kind kind;
	struct bytes text;
	struct line l;

	for (uint64_t line = v->line + 1;
	     !failed(lines_next(lines, &kind, &text)) && kind == LINES_LINE; line++)
		if (!failed(line_parse(text, &l)) && l.sequence == sequence &&
		    line_is_intact(&l, &v->digest))
			return line;
	return 0;
}

/* `lines` are those behind this one. */
static struct err
check_order(struct verifier *v, uint64_t sequence, struct lines *lines)
{
	number expected = v->sequence + 1, got = sequence, line = v->line;

	if (got == expected)
		return OK;
	number later = got > expected ? find_later(v, lines, expected) : 0;
	if (later != 0 && later - line == got - expected)
		return found(v, expected,
		             "%s:%llu: records %llu and %llu are swapped: each is whole, and "
		             "stands at the "
		             "place of the other (line %llu)",
		             v->file, line, expected, got, later);
	if (later != 0)
		return found(
			v, expected,
			"%s:%llu: the records are out of order: record %llu stands at the place of "
			"record %llu, which is whole, but in line %llu",
			v->file, line, got, expected, later);
	if (got > expected)
		return found(v, expected,
		             "%s:%llu: record %llu is missing: record %llu stands in its place",
		             v->file, (number)v->line, expected, got);
	return found(v, expected,
	             "%s:%llu: expected record %llu, but record %llu stands here again", v->file,
	             (number)v->line, expected, got);
}

/* The hash covers all bytes, so a line that is intact and no JSON was never written by a ledger. */
static struct err
check_json(struct verifier *v, struct bytes text)
{
	const struct json *record;
	struct json_error where = { 0 };
	char what[160];

	arena_reset(&v->arena);
	if (failed(json_parse(text, &v->arena, &record, &where))) {
		(void)snprintf(what, sizeof what, "no JSON at byte %zu: %s", where.offset + 1,
		               where.why != NULL ? where.why : "too large");
		return found_here(v, what);
	}
	v->result->recovered += bytes_is(audit_field(record, "unmapped", "action"), "recover");
	return OK;
}

static struct err
check_line(struct verifier *v, struct bytes text, struct lines *lines)
{
	uint8_t hash[AUDIT_HASH_LEN];
	struct line l;
	struct err e = line_parse(text, &l);

	if (failed(e))
		return found_here(v, e.why);
	TRY(digest_line(&v->digest, l.prev, l.body, hash));
	if (memcmp(hash, l.hash, sizeof hash) != 0)
		return found_hash(v, "its bytes were changed: they do not give its hash", l.hash,
		                  hash);
	TRY(check_order(v, l.sequence, lines));
	if (memcmp(l.prev, v->result->head, sizeof l.prev) != 0)
		return found_hash(v, "it does not continue the record before it", v->result->head,
		                  l.prev);
	TRY(check_json(v, text));

	v->sequence = l.sequence;
	v->result->records++;
	memcpy(v->result->head, l.hash, sizeof l.hash);
	return reach_checkpoints(v);
}

static void
report(struct verifier *v, size_t len)
{
	enum { EVERY = 1 << 20 };
	uint64_t before = v->done;

	v->done += len;
	if (v->progress != NULL && before / EVERY != v->done / EVERY)
		v->progress(v->of, v->done, v->total > v->done ? v->total : v->done);
}

static struct err
check_segment(struct verifier *v, int file, bool is_last)
{
	struct lines lines CLEANUP(lines_done) = { 0 };
	enum lines_kind kind;
	struct bytes text;

	TRY(lines_init(file, AUDIT_LINE_MAX, &lines));
	for (;;) {
		v->line++;
		TRY(lines_next(&lines, &kind, &text));
		switch (kind) {
		case LINES_LINE:
			TRY(check_line(v, text, &lines));
			report(v, text.len + 1);
			continue;
		case LINES_TOO_LONG:
			return found_here(v, "the line is too long for a record");
		case LINES_UNFINISHED:
			if (is_last && directory_is_taken(v->directory))
				return OK;
			return found_here(v, "the line is unfinished: a crash cut it off (the next "
			                     "start moves it to "
			                     "torn/), or somebody did");
		case LINES_END:
			return OK;
		}
	}
}

static struct err
check_segments(struct verifier *v)
{
	for (size_t i = 0; i < v->segments.count; i++) {
		uint64_t first = v->segments.first[i], expected = v->sequence + 1;

		segment_name(first, v->file);
		v->line = 0;
		if (first > expected)
			return found(v, expected,
			             "%s: records %llu to %llu are missing: no segment holds them",
			             v->file, (number)expected, (number)first - 1);
		if (first < expected)
			return found(v, expected,
			             "%s: expected a segment that begins with record %llu", v->file,
			             (number)expected);

		int file CLEANUP(fd_close) = directory_open_file(v->directory, v->file, O_RDONLY);
		if (file < 0)
			return fail_errno("cannot open a segment of the audit log");
		TRY(check_segment(v, file, i + 1 == v->segments.count));
	}
	return OK;
}

/* The last record that a checkpoint proves to have been there. One that cannot be read proves
 * nothing. */
static uint64_t
last_signed(struct verifier *v)
{
	uint64_t last = v->has_next ? v->next.sequence : 0;
	enum lines_kind kind = LINES_LINE;
	struct checkpoint c;

	while (v->has_next && !failed(checkpoint_stream_next(&v->stream, &v->key, &kind, &c)) &&
	       kind == LINES_LINE)
		last = c.sequence > last ? c.sequence : last;
	return last;
}

static struct err
check_end(struct verifier *v)
{
	number end = v->sequence, last = last_signed(v),
	       anchored = v->has_anchor ? v->anchor.sequence : 0;
	bool is_anchor = anchored > last;

	if (is_anchor)
		last = anchored;
	if (last <= end)
		return OK;
	return found(v, end + 1,
	             "the log ends with record %llu, but %s signed record %llu: %llu %s cut off up "
	             "to there "
	             "(%llu to %llu); whether there were later ones cannot be told",
	             end, is_anchor ? "the anchor" : "the last checkpoint", last, last - end,
	             last - end == 1 ? "record was" : "records were", end + 1, last);
}

/* The whole. */

static uint64_t
total_bytes(const struct verifier *v)
{
	uint64_t total = 0;
	char name[SEGMENT_NAME_ROOM];
	struct stat st;

	for (size_t i = 0; i < v->segments.count; i++) {
		segment_name(v->segments.first[i], name);
		if (fstatat(v->directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			total += (uint64_t)st.st_size;
	}
	return total;
}

/* The end of the checkpoints is fixed before the segments are listed: of a log that is being
 * written, all that the checkpoints sign is then in the list. */
static struct err
open_log(struct verifier *v, const char *path)
{
	TRY(directory_open(path, &v->directory));
	TRY(digest_init(&v->digest));
	v->checkpoints_file = directory_open_file(v->directory, "checkpoints", O_RDONLY);
	if (v->checkpoints_file >= 0)
		TRY(checkpoint_stream_init(v->checkpoints_file, &v->stream));
	TRY(segment_list_read(v->directory, &v->segments));
	if (v->checkpoints_file < 0) {
		if (v->segments.count == 0)
			return fail(ERR_CONFIG, "there is no audit log in this directory");
		return found(v, 1,
		             "checkpoints: the file is missing: a cut tail could not be seen");
	}

	struct err e = checkpoint_key_read(v->directory, &v->key);
	if (e.kind == ERR_NOT_FOUND || e.kind == ERR_CONFIG)
		return found(v, 1,
		             "checkpoint.pub: missing or no key: no checkpoint can be checked");
	return e;
}

static struct err
verify_all(struct verifier *v, const char *path, struct bytes anchor)
{
	TRY(open_log(v, path));
	v->total = total_bytes(v);
	segment_name(1, v->file);
	if (anchor.len > 0)
		TRY(read_anchor(v, anchor));
	TRY(next_checkpoint(v));
	TRY(reach_checkpoints(v));
	TRY(check_segments(v));
	return check_end(v);
}

void
verify_result_done(struct verify_result *r)
{
	buf_done(&r->message);
}

struct err
audit_verify_anchored(const char *directory, struct bytes anchor, struct verify_result *ret,
                      verify_progress_fn *progress, void *of)
{
	struct verifier v = { .directory = -1,
		              .checkpoints_file = -1,
		              .result = ret,
		              .progress = progress,
		              .of = of };

	*ret = (struct verify_result){ 0 };
	struct err e = verify_all(&v, directory, anchor);
	arena_done(&v.arena);
	segment_list_done(&v.segments);
	checkpoint_stream_done(&v.stream);
	checkpoint_key_done(&v.key);
	digest_done(&v.digest);
	fd_close(&v.checkpoints_file);
	fd_close(&v.directory);
	return e;
}

struct err
audit_verify(const char *directory, struct verify_result *ret, verify_progress_fn *progress,
             void *of)
{
	return audit_verify_anchored(directory, (struct bytes){ 0 }, ret, progress, of);
}
