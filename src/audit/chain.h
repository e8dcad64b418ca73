/* chain.h - the tamper-evident log: segments of lines, a SHA-256 chain over the exact bytes, signed
 * checkpoints, group commit. Used by the ledger process; src/audit/verify.h reads it back.
 *
 * Line:   {...,"prev":"<hex of the hash before>","hash":"<hex>"}\n where hash = SHA-256 over the
 * raw previous hash and all bytes of the line before `,"hash"`. Files:  <dir>/<first sequence, 20
 * digits>.jsonl, <dir>/checkpoints (C2SP signed notes: origin, sequence, base64 of the chain head;
 * Ed25519), <dir>/checkpoint.key (0600), checkpoint.pub. */
#ifndef AUDIT_CHAIN_H
#define AUDIT_CHAIN_H

#include "audit/record.h"

struct chain;

/* Opens or begins the log in a folder that must be there (one that went away while the service ran
 * is a log that went away, not the place for a new one), takes an exclusive lock, finds the end. A
 * torn last line (kill -9, power) is cut off into <dir>/torn and a "recovered" record is written.
 * Anything else in the last segment that does not verify, a log shorter than its last checkpoint,
 * and a second ledger on the directory are ERR_CONFIG, and nothing is changed. ERR_SYSTEM may be
 * tried again. */
struct err chain_open(const struct audit_settings *settings, int64_t wall_us, struct chain **ret);
/* Drops what was not committed; syncs, and signs a last checkpoint. Takes NULL. */
void chain_close(struct chain *c);
/* Adds a record to the pending group. Nothing is written yet. ERR_LIMIT: the group has no more
 * room; the records before this one can still be committed. */
struct err chain_append(struct chain *c, const struct audit_record *r, int64_t wall_us,
                        unsigned worker);
/* Writes the group (and syncs it where the settings say so). On failure every record of the group
 * is to be refused and its numbers are given again; the file is cut back to the last good byte, and
 * where that fails too every later commit is refused until it succeeds. After a failed sync the
 * next group begins a new segment. ERR_SYSTEM with errno. */
struct err chain_commit(struct chain *c, int64_t wall_us);
/* Periodic work, to be called at least every 500 ms: fdatasync, checkpoints when due. An error
 * refuses no record; it is told once, also when it came up in a commit. */
struct err chain_tick(struct chain *c, int64_t wall_us);
/* Of the last record written. */
uint64_t chain_sequence(const struct chain *c);

#endif
