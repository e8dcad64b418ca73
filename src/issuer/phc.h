/* phc.h - an argon2 hash as text: $argon2id$v=19$m=65536,t=3,p=4$salt$tag (PHC string format).
 *
 * Every bound is checked here, before anyone takes memory for the computation. */
#ifndef ISSUER_PHC_H
#define ISSUER_PHC_H

#include "base/buf.h"

enum {
	PHC_TEXT_MAX = 256,
	PHC_MEMORY_MAX_KIB = 256 << 10,
	PHC_PASSES_MAX = 10,
	PHC_LANES_MAX = 16,
	PHC_SALT_MIN = 8, /* RFC 9106 section 3.1 */
	PHC_SALT_MAX = 64,
	PHC_TAG_MIN = 16, /* argon2 allows 4, which can be guessed */
	PHC_TAG_MAX = 64,
};

enum phc_type { PHC_ARGON2D, PHC_ARGON2I, PHC_ARGON2ID };

struct phc {
	enum phc_type type;
	uint32_t version; /* 16 or 19; 16 where the text has none */
	uint32_t memory_kib, passes, lanes;
	uint8_t salt[PHC_SALT_MAX];
	size_t salt_len;
	uint8_t tag[PHC_TAG_MAX];
	size_t tag_len;
};

/* ERR_CONFIG: no such string, or out of bounds. */
struct err phc_parse(struct bytes text, struct phc *ret);
/* What phc_parse() reads; the version is always written. */
void phc_put(const struct phc *p, struct buf *out);

#endif
