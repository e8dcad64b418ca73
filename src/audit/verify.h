/* verify.h - reads an audit directory back: is every byte, record and checkpoint as it was written?
 *
 * Seen: a record that was changed, removed, repeated, moved or brought from another log; a missing
 * segment; a tail cut off behind the last checkpoint; a checkpoint that was changed or signed by
 * another key. Not seen without help: log and checkpoints rolled back together to an earlier state,
 * and a log rewritten as a whole by somebody who has checkpoint.key. Both leave a log that is right
 * in itself; only a checkpoint that was kept on another machine (an anchor) tells. Copy the end of
 * <dir>/checkpoints elsewhere now and then. */
#ifndef AUDIT_VERIFY_H
#define AUDIT_VERIFY_H

#include "base/buf.h"
#include "format/json.h"

struct verify_result {
	uint64_t records, checkpoints;
	uint64_t recovered;    /* records that tell of an unfinished line cut off after a crash */
	uint64_t bad_sequence; /* the first record that is not as it was; 0: none */
	uint8_t head[32];      /* hash of the last record */
	struct buf message;    /* owned: file, line, what is wrong */
};
void verify_result_done(struct verify_result *r);

/* `progress` may be NULL; called now and then with bytes done and in all. ERR_CONFIG: there is no
 * log to read; ERR_DENIED: it does not verify (result says where). A ledger may be writing
 * meanwhile. */
typedef void verify_progress_fn(void *of, uint64_t done, uint64_t total);
struct err audit_verify(const char *directory, struct verify_result *ret,
                        verify_progress_fn *progress, void *of);
/* `anchor` is a copy of one or more entries of <dir>/checkpoints that was kept elsewhere; the log
 * must still contain what the last of them signed. */
struct err audit_verify_anchored(const char *directory, struct bytes anchor,
                                 struct verify_result *ret, verify_progress_fn *progress, void *of);

struct query_filter {
	/* Subject or name, or issuer:either; also of an account that was changed. NULL: any */
	const char *principal;
	const char *agent;              /* who acts for it, or changed an account; NULL: any */
	const char *resource, *outcome; /* NULL: any */
	int64_t from_us, to_us;         /* 0: open; from inclusive, to exclusive */
	const char *decision;
};
/* Calls `each` with every matching line (without its newline), in order. Verifies nothing.
 * ERR_CONFIG: there is no log; ERR_DENIED, after all lines: some could not be read as records.
 * `progress` may be NULL, and is given `of` too. */
typedef void query_line_fn(void *of, struct bytes line, const struct json *record);
struct err audit_query(const char *directory, const struct query_filter *filter,
                       query_line_fn *each, verify_progress_fn *progress, void *of);
/* Text of record[object][name] (`object` NULL: of record[name]), or nothing. */
struct bytes audit_field(const struct json *record, const char *object, const char *name);

#endif
