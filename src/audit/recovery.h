/* recovery.h - where does the log end, and does its last segment hold? Read at start, before
 * anything is written. */
#ifndef AUDIT_RECOVERY_H
#define AUDIT_RECOVERY_H

#include "audit/checkpoint.h"

struct log_end {
	uint64_t sequence;            /* of the last whole record; 0: none */
	uint8_t head[AUDIT_HASH_LEN]; /* its hash; zeros: none */
	bool has_segment;
	uint64_t segment;      /* first sequence of the last segment */
	uint64_t length, torn; /* good bytes of it; bytes of an unfinished line behind them */
	bool is_untold; /* a line was cut off, but the record that tells was not written any more */
	uint64_t checkpoint; /* sequence of the last checkpoint; 0: none */
	uint64_t checkpoints_length, checkpoints_torn;
};

/* Changes nothing. ERR_CONFIG: something does not verify; the operator is to run `audit verify`. */
struct err recovery_find_end(int directory, const struct digest *d, const struct checkpoint_key *k,
                             struct log_end *ret);
/* Copies what is torn to <dir>/torn/<sequence>-<time>.new and cuts it off. */
struct err recovery_cut(int directory, const struct log_end *end, int64_t wall_us);
/* The record that tells is written: `.new` goes. Until then every start finds the line untold, so
 * that no crash during the recovery hides it. */
struct err recovery_told(int directory);

#endif
