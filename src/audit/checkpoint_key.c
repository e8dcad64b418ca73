/* checkpoint_key.c - the key that signs checkpoints: <dir>/checkpoint.key (PKCS#8 PEM, 0600) and
 * <dir>/checkpoint.pub (SubjectPublicKeyInfo PEM). Made at the first start and never again: a key
 * that is missing later, or another one in its place, is for the operator to explain. */
#include "audit/checkpoint.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "audit/directory.h"
#include "base/macros.h"

enum { PEM_MAX = 4096, NOTE_ED25519 = 1 };

static const char private_name[] = "checkpoint.key", public_name[] = "checkpoint.pub";

void
checkpoint_key_done(struct checkpoint_key *k)
{
	EVP_PKEY_free(k->key);
	*k = (struct checkpoint_key){ 0 };
}

static void
bio_free(BIO **bio)
{
	BIO_free_all(*bio);
}

/* key id = SHA-256(name, newline, 0x01, public key)[:4] (C2SP signed-note, "Ed25519 signatures").
 */
static struct err
name_key(struct checkpoint_key *k)
{
	uint8_t public[CHECKPOINT_KEY_LEN], hash[SHA256_DIGEST_LENGTH],
		message[CHECKPOINT_ORIGIN_ROOM + 2 + CHECKPOINT_KEY_LEN];
	size_t len = sizeof public;

	if (!EVP_PKEY_is_a(k->key, "ED25519") ||
	    EVP_PKEY_get_raw_public_key(k->key, public, &len) != 1 || len != sizeof public)
		return fail(ERR_CONFIG, "the checkpoint key is no Ed25519 key");

	SHA256(public, sizeof public, hash);
	int name = snprintf(k->origin, sizeof k->origin,
	                    "gatewarden.audit/%02x%02x%02x%02x%02x%02x%02x%02x", hash[0], hash[1],
	                    hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]);
	int head = snprintf((char *)message, sizeof message, "%s\n%c", k->origin, NOTE_ED25519);
	if (name >= (int)sizeof k->origin || head < 0 ||
	    (size_t)head + sizeof public > sizeof message)
		return fail(ERR_SYSTEM, "cannot name the checkpoint key");
	memcpy(message + head, public, sizeof public);
	SHA256(message, (size_t)head + sizeof public, hash);
	memcpy(k->id, hash, sizeof k->id);
	return OK;
}

/* Takes `key`, which may be NULL. */
static struct err
key_from(EVP_PKEY *key, struct checkpoint_key *ret)
{
	struct checkpoint_key k = { .key = key };
	struct err e =
		key == NULL ? fail(ERR_CONFIG, "the checkpoint key cannot be read") : name_key(&k);

	if (failed(e)) {
		checkpoint_key_done(&k);
		return e;
	}
	*ret = k;
	return OK;
}

/* A PEM file is not to ask anybody for a passphrase. */
static int
no_passphrase(char *at, int size, int writing, void *of)
{
	(void)at, (void)size, (void)writing, (void)of;
	return -1;
}

static struct err
parse_pem(struct bytes pem, bool is_private, struct checkpoint_key *ret)
{
	BIO *bio CLEANUP(bio_free) = BIO_new_mem_buf(pem.at, (int)pem.len);

	if (bio == NULL)
		return fail(ERR_LIMIT, "out of memory");
	return key_from(is_private ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
	                           : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL),
	                ret);
}

static struct err
read_pem(int directory, const char *name, bool is_private, struct checkpoint_key *ret)
{
	struct buf pem CLEANUP(buf_wipe) = { .limit = 2 * PEM_MAX };

	TRY(directory_read(directory, name, PEM_MAX, &pem));
	return parse_pem(buf_bytes(&pem), is_private, ret);
}

struct err
checkpoint_key_read(int directory, struct checkpoint_key *ret)
{
	return read_pem(directory, public_name, false, ret);
}

static struct err
write_pem(int directory, const char *name, bool is_private, const struct checkpoint_key *k)
{
	BIO *bio CLEANUP(bio_free) = BIO_new(BIO_s_secmem());
	char *at = NULL;

	if (bio == NULL ||
	    (is_private ? PEM_write_bio_PKCS8PrivateKey(bio, k->key, NULL, NULL, 0, NULL, NULL)
	                : PEM_write_bio_PUBKEY(bio, k->key)) != 1)
		return fail(ERR_SYSTEM, "cannot write the checkpoint key");
	long len = BIO_get_mem_data(bio, &at);
	return directory_write(directory, name, (struct bytes){ (const uint8_t *)at, (size_t)len });
}

static struct err
make_key(int directory, struct checkpoint_key *ret)
{
	struct checkpoint_key k;

	TRY(key_from(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), &k));
	struct err e = write_pem(directory, private_name, true, &k);
	if (failed(e)) {
		checkpoint_key_done(&k);
		return e;
	}
	*ret = k;
	return OK;
}

static struct err
check_mode(int directory)
{
	struct stat st;

	if (fstatat(directory, private_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return fail_errno("cannot read checkpoint.key");
	if ((st.st_mode & 077) != 0)
		return fail(ERR_CONFIG,
		            "checkpoint.key can be read by others: its mode must be 0600");
	return OK;
}

/* The public half is written after the private one, so only it may be missing. */
static struct err
match_public(int directory, const struct checkpoint_key *k)
{
	struct checkpoint_key public;
	struct err e = checkpoint_key_read(directory, &public);

	if (e.kind == ERR_NOT_FOUND)
		return write_pem(directory, public_name, false, k);
	if (failed(e))
		return e;
	bool same = EVP_PKEY_eq(k->key, public.key) == 1;
	checkpoint_key_done(&public);
	return same ? OK
	            : fail(ERR_CONFIG, "checkpoint.pub is not the public half of checkpoint.key");
}

struct err
checkpoint_key_take(int directory, bool is_new, struct checkpoint_key *ret)
{
	struct checkpoint_key k;
	struct err e = read_pem(directory, private_name, true, &k);

	if (e.kind == ERR_NOT_FOUND) {
		if (!is_new)
			return fail(ERR_CONFIG,
			            "there is an audit log, but its checkpoint.key is missing");
		e = make_key(directory, &k);
	}
	TRY(e);
	e = check_mode(directory);
	if (!failed(e))
		e = match_public(directory, &k);
	if (failed(e)) {
		checkpoint_key_done(&k);
		return e;
	}
	*ret = k;
	return OK;
}
