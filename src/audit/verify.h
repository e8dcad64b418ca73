/* verify.h - reads an audit directory back: is every byte, record and checkpoint as it was written? */
#ifndef AUDIT_VERIFY_H
#define AUDIT_VERIFY_H

#include "base/buf.h"
#include "format/json.h"

struct verify_result {
	uint64_t records, checkpoints;
	uint64_t bad_sequence;   /* the first record that is not as it was; 0: none */
	struct buf message;      /* owned: file, line, what is wrong */
};
/* `progress` may be NULL; called now and then with bytes done and in all. ERR_CONFIG: there is no log to
 * read; ERR_DENIED: it does not verify (result says where). */
typedef void verify_progress_fn(void *of, uint64_t done, uint64_t total);
struct err audit_verify(const char *directory, struct verify_result *ret, verify_progress_fn *progress, void *of);

struct query_filter {
	const char *principal, *resource, *outcome; /* NULL: any */
	int64_t from_us, to_us;                     /* 0: open */
	const char *decision;
};
/* Calls `each` with every matching line, in order. */
typedef void query_line_fn(void *of, struct bytes line, const struct json *record);
struct err audit_query(const char *directory, const struct query_filter *filter, query_line_fn *each, void *of);

#endif
