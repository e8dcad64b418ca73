/* line.h - one line of the log: a record's JSON, sealed by the hash of the line before it.
 *
 *   {"seq":<n>,...,"prev":"<64 hex>","hash":"<64 hex>"}
 *
 * hash = SHA-256 over the 32 bytes of `prev` and all bytes of the line before `,"hash"`. */
#ifndef AUDIT_LINE_H
#define AUDIT_LINE_H

#include "base/buf.h"

/* The largest record, with every byte of text escaped to six, stays well below AUDIT_LINE_MAX. */
enum { AUDIT_HASH_LEN = 32, AUDIT_LINE_MAX = 128 << 10 };

/* SHA-256 with its context kept between lines. */
struct digest {
	struct evp_md_st *method;      /* owned */
	struct evp_md_ctx_st *context; /* owned */
};
struct err digest_init(struct digest *ret);
void digest_done(struct digest *d);
struct err digest_line(const struct digest *d, const uint8_t prev[AUDIT_HASH_LEN],
                       struct bytes body, uint8_t ret[AUDIT_HASH_LEN]);

/* `out` holds, from `start`, a record without its closing `}`. Adds `prev`, `hash` and the newline.
 */
struct err line_seal(struct buf *out, size_t start, const struct digest *d,
                     const uint8_t prev[AUDIT_HASH_LEN], uint8_t ret_hash[AUDIT_HASH_LEN]);

struct line {
	uint64_t sequence;
	uint8_t prev[AUDIT_HASH_LEN], hash[AUDIT_HASH_LEN];
	struct bytes body; /* what the hash covers; borrowed */
};
/* Reads the parts of a line (without its newline). ERR_PEER: not the shape above. */
struct err line_parse(struct bytes text, struct line *ret);
/* Is the hash that of these bytes? */
bool line_is_intact(const struct line *l, const struct digest *d);

#endif
