/* chain.h - the tamper-evident log: segments of lines, a SHA-256 chain over the exact bytes, signed
 * checkpoints, group commit. Used by the ledger process; src/audit/verify.h reads it back.
 *
 * Line:   {...,"prev":"<hex of the hash before>","hash":"<hex>"}\n where hash = SHA-256 over the raw
 *         previous hash and all bytes of the line before `,"hash"`.
 * Files:  <dir>/<first sequence, 20 digits>.jsonl, <dir>/checkpoints (C2SP signed notes: origin,
 *         sequence, base64 of the chain head; Ed25519), <dir>/checkpoint.key (0600), checkpoint.pub. */
#ifndef AUDIT_CHAIN_H
#define AUDIT_CHAIN_H

#include "audit/record.h"

struct chain;

/* Opens or creates the log, takes an exclusive lock, finds the end. A torn last line (kill -9, power) is
 * cut off into <dir>/torn and a "recovered" record is written; anything else that does not verify in the
 * last segment is ERR_CONFIG and nothing is changed. */
struct err chain_open(const struct audit_settings *settings, int64_t wall_us, struct chain **ret);
void chain_close(struct chain *c);
/* Adds a record to the pending group. Nothing is written yet. */
struct err chain_append(struct chain *c, const struct audit_record *r, int64_t wall_us, unsigned worker);
/* Writes the group (and syncs it where the settings say so). On failure every record of the group is to be
 * refused; the file is cut back to the last good byte or, where that fails too, a new segment is begun.
 * ERR_SYSTEM with errno. */
struct err chain_commit(struct chain *c, int64_t wall_us);
/* Periodic work: fdatasync, checkpoint when due. */
struct err chain_tick(struct chain *c, int64_t wall_us);
uint64_t chain_sequence(const struct chain *c);

#endif
