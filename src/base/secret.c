/* secret.c - see secret.h. */
#include "base/secret.h"

#include <openssl/crypto.h>

#include "base/random.h"

enum { SECRET_HEAP_SIZE = 1 << 18, SECRET_MIN = 32 };

void
secret_heap_init(void)
{
	if (!CRYPTO_secure_malloc_initialized())
		(void)CRYPTO_secure_malloc_init(SECRET_HEAP_SIZE,
		                                SECRET_MIN); /* ordinary memory otherwise */
}

static struct err
secret_alloc(size_t len, struct secret *ret)
{
	uint8_t *at = OPENSSL_secure_malloc(len == 0 ? 1 : len);

	if (at == NULL)
		return fail(ERR_SYSTEM, "out of memory for a secret");
	*ret = (struct secret){ at, len };
	return OK;
}

struct err
secret_from(struct bytes from, struct secret *ret)
{
	TRY(secret_alloc(from.len, ret));
	if (from.len != 0)
		memcpy(ret->at, from.at, from.len);
	return OK;
}

struct err
secret_random(size_t len, struct secret *ret)
{
	TRY(secret_alloc(len, ret));
	random_fill(ret->at, len);
	return OK;
}

void
secret_done(struct secret *s)
{
	OPENSSL_secure_clear_free(s->at, s->len);
	*s = (struct secret){ 0 };
}
