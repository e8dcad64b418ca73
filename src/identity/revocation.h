/* revocation.h - what is revoked although its signature is good and its time has not come. Used
 * inside src/identity only.
 *
 * A bounded set of keyed hashes, each until everything it names has expired. A hash of 64 bits that
 * met another by chance would refuse a good token, never accept a bad one. When the set is full,
 * what finds no place revokes all tokens of its issuer that were issued by then: callers must get
 * new ones, nobody keeps a withdrawn right. */
#ifndef IDENTITY_REVOCATION_H
#define IDENTITY_REVOCATION_H

#include "format/json.h"
#include "identity/ask.h"

enum { REVOCATIONS_MAX = 1 << 16 };

struct revocations; /* owned; free with revocations_free */

struct err revocations_new(struct revocations **ret);
void revocations_free(struct revocations *s);
/* A browser session's secret (REVOKED_COOKIE) is no token: not kept here. */
void revocations_add(struct revocations *s, const struct revocation *r, int64_t now_s);

/* By what names a token can be revoked, hashed once when it is verified. */
struct revocable {
	uint64_t token, session, subject, issuer;
	int64_t issued_s; /* `iat`; INT64_MIN where there is none */
	int64_t order;    /* what REVOKED_SUBJECT compares: `gen` of our own tokens, else `iat` */
};
struct revocable revocable_of(const struct revocations *s, const char *issuer, bool is_local,
                              const struct json *claims);
/* Costs one comparison while nothing is revoked. */
bool revocations_have(const struct revocations *s, const struct revocable *r, int64_t now_s);

#endif
