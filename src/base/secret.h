/* secret.h - owned bytes that are wiped when freed, kept out of core dumps and swap where
 * the system allows, and cannot be printed: there is no format for this type. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/bytes.h"

struct secret {
	uint8_t *at; /* owned; OpenSSL's secure heap where it is set up */
	size_t len;
};

/* Once per process that holds secrets, before the first. Failure leaves ordinary memory in use. */
void secret_heap_init(void);
struct err secret_from(struct bytes from, struct secret *ret);
/* Fresh random bytes. */
struct err secret_random(size_t len, struct secret *ret);
void secret_done(struct secret *s);

static inline struct bytes
secret_bytes(const struct secret *s)
{
	return (struct bytes){ s->at, s->len };
}

#endif
