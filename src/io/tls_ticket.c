/* tls_ticket.c - see tls_ticket.h. */
#include "io/tls_ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

/* HKDF (RFC 5869) with SHA-256; the hour is the context. */
static bool
expand(const uint8_t secret[32], int64_t hour, uint8_t *ret, size_t len)
{
	struct {
		char label[24];
		int64_t hour;
	} info = { "gatewarden tls ticket 1", hour };
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret,
		                                  32),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, &info, sizeof info),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	bool is_good = context != NULL && EVP_KDF_derive(context, ret, len, params) == 1;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return is_good;
}

static bool
derive(struct ticket_key *k, const uint8_t secret[32], int64_t hour)
{
	uint8_t bytes[TICKET_NAME_LEN + TICKET_CIPHER_LEN + TICKET_MAC_LEN];
	bool is_good = expand(secret, hour, bytes, sizeof bytes);

	if (is_good) {
		memcpy(k->name, bytes, TICKET_NAME_LEN);
		memcpy(k->cipher, bytes + TICKET_NAME_LEN, TICKET_CIPHER_LEN);
		memcpy(k->mac, bytes + TICKET_NAME_LEN + TICKET_CIPHER_LEN, TICKET_MAC_LEN);
		k->hour = hour;
	}
	OPENSSL_cleanse(bytes, sizeof bytes);
	return is_good;
}

/* The keys are those of `hour` and the one before. */
static bool
turn(struct tickets *t, int64_t hour)
{
	if (!t->has_secret)
		return false;
	if (t->keys[0].hour == hour)
		return true;
	t->keys[0].hour = 0; /* also when the second fails, both are made again */
	return derive(&t->keys[1], t->secret, hour - 1) && derive(&t->keys[0], t->secret, hour);
}

void
tickets_set_secret(struct tickets *t, const uint8_t secret[32])
{
	*t = (struct tickets){ .has_secret = true };
	memcpy(t->secret, secret, sizeof t->secret);
}

const struct ticket_key *
tickets_now(struct tickets *t, int64_t now_s)
{
	return turn(t, now_s / TICKET_HOUR_S) ? &t->keys[0] : NULL;
}

const struct ticket_key *
tickets_find(struct tickets *t, int64_t now_s, const uint8_t name[TICKET_NAME_LEN])
{
	if (!turn(t, now_s / TICKET_HOUR_S))
		return NULL;
	for (size_t i = 0; i < 2; i++)
		if (memcmp(t->keys[i].name, name, TICKET_NAME_LEN) == 0)
			return &t->keys[i];
	return NULL;
}

void
tickets_wipe(struct tickets *t)
{
	OPENSSL_cleanse(t, sizeof *t);
}

void
ticket_birth_put(uint8_t ret[TICKET_BIRTH_LEN], int64_t now_s)
{
	for (int i = 0; i < TICKET_BIRTH_LEN; i++)
		ret[i] = (uint8_t)((uint64_t)now_s >> i * 8);
}

bool
ticket_birth_is_recent(struct bytes birth, int64_t now_s)
{
	struct reader in = reader_of(birth);
	uint64_t at;

	if (birth.len != TICKET_BIRTH_LEN || failed(read_u64le(&in, &at)))
		return false;
	return (uint64_t)now_s >= at && (uint64_t)now_s - at < TICKET_LIFE_S;
}
