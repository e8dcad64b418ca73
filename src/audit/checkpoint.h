/* checkpoint.h - "at this sequence the head of the chain was that", signed: a C2SP signed note in
 * the form of a tlog-checkpoint, one after another in <dir>/checkpoints.
 *
 *   gatewarden.audit/<16 hex of the key>      origin, and name of the key
 *   1042                                      records in the log
 *   <base64 of the 32 bytes of the head>      the chain's hash stands where a Merkle root would
 *   time 2026-11-22T13:04:05.123456Z          extension line
 *                                             blank
 *   — gatewarden.audit/<...> <base64 of key id and Ed25519 signature>
 *                                             blank: ends the entry
 */
#ifndef AUDIT_CHECKPOINT_H
#define AUDIT_CHECKPOINT_H

#include "audit/line.h"
#include "audit/lines.h"

enum {
	CHECKPOINT_MAX = 1024,
	CHECKPOINT_LINES = 7,
	CHECKPOINT_ORIGIN_ROOM = 34,
	CHECKPOINT_KEY_LEN = 32
};

struct checkpoint {
	uint64_t sequence;
	uint8_t head[AUDIT_HASH_LEN];
	int64_t time_us;
};

struct checkpoint_key {
	struct evp_pkey_st *key;             /* owned */
	uint8_t id[4];                       /* C2SP key id */
	char origin[CHECKPOINT_ORIGIN_ROOM]; /* differs for each key, hence for each log */
};
void checkpoint_key_done(struct checkpoint_key *k);
/* The signing key. `is_new` log: made where there is none; otherwise a missing key is ERR_CONFIG.
 */
struct err checkpoint_key_take(int directory, bool is_new, struct checkpoint_key *ret);
/* The public half, to verify with. */
struct err checkpoint_key_read(int directory, struct checkpoint_key *ret);

struct err checkpoint_put(struct buf *out, const struct checkpoint_key *k,
                          const struct checkpoint *c);
/* One whole entry. ERR_PEER: not in the form above; ERR_DENIED: not signed by this key. */
struct err checkpoint_read(struct bytes entry, const struct checkpoint_key *k,
                           struct checkpoint *ret);

/* The entries of a file, one by one. */
struct checkpoint_stream {
	struct lines lines;
	struct buf entry;    /* owned */
	uint64_t line, good; /* line of the last entry; bytes up to its end */
};
struct err checkpoint_stream_init(int fd, struct checkpoint_stream *ret);
/* The last few entries only, so that a start takes no longer the older the log is. `line` then
 * counts from there. ERR_PEER: no entry begins there. */
struct err checkpoint_stream_init_tail(int fd, const struct checkpoint_key *k,
                                       struct checkpoint_stream *ret);
void checkpoint_stream_done(struct checkpoint_stream *s);
/* LINES_LINE: an entry; its signature may still fail, then the error says so. LINES_UNFINISHED: the
 * file ends inside an entry. */
struct err checkpoint_stream_next(struct checkpoint_stream *s, const struct checkpoint_key *k,
                                  enum lines_kind *ret_kind, struct checkpoint *ret);

#endif
