/* password.c - argon2 (RFC 9106) with our parameters or a stored hash's, and what makes a password
 * fit.
 *
 * Lanes are part of the result, threads are not: all lanes are computed by the calling thread, so
 * that keeper's hashing pool, and nothing else, decides how many processors logins may take.
 * libargon2 wipes its memory before it frees it. */
#include <argon2.h>
#include <openssl/crypto.h>

#include "base/macros.h"
#include "base/random.h"
#include "issuer/issuer.h"
#include "issuer/phc.h"

/* RFC 9106 section 4, second recommended option. */
static const struct phc ours = {
	.type = PHC_ARGON2ID,
	.version = 19,
	.memory_kib = 64 << 10,
	.passes = 3,
	.lanes = 4,
	.salt_len = 16,
	.tag_len = 32,
};

/* One text for every way to fail: who asks learns nothing of the user (case 28). */
static struct err
refused(void)
{
	return fail(ERR_IDENTITY, "the user name or the password is wrong");
}

static struct err
compute(const struct phc *p, struct bytes password, uint8_t tag[PHC_TAG_MAX])
{
	static const argon2_type types[] = {
		[PHC_ARGON2D] = Argon2_d, [PHC_ARGON2I] = Argon2_i, [PHC_ARGON2ID] = Argon2_id
	};
	/* The library takes mutable pointers, and writes through them only with flags that are not
	 * set. */
	argon2_context c = {
		.out = tag,
		.outlen = (uint32_t)p->tag_len,
		.pwd = (uint8_t *)(uintptr_t)password.at,
		.pwdlen = (uint32_t)password.len,
		.salt = (uint8_t *)(uintptr_t)p->salt,
		.saltlen = (uint32_t)p->salt_len,
		.t_cost = p->passes,
		.m_cost = p->memory_kib,
		.lanes = p->lanes,
		.threads = 1,
		.version = p->version,
		.flags = ARGON2_DEFAULT_FLAGS,
	};

	switch (argon2_ctx(&c, types[p->type])) {
	case ARGON2_OK:
		return OK;
	case ARGON2_MEMORY_ALLOCATION_ERROR:
		return fail(ERR_LIMIT, "out of memory for a password hash");
	default:
		return fail(ERR_SYSTEM, "argon2 does not work");
	}
}

struct err
password_hash(struct bytes password, struct buf *ret_phc)
{
	struct phc p = ours;

	if (password.len > PASSWORD_MAX)
		return fail(ERR_INVALID, "the password is longer than 1024 bytes");
	random_fill(p.salt, p.salt_len);
	TRY(compute(&p, password, p.tag));
	phc_put(&p, ret_phc);
	return buf_check(ret_phc);
}

static bool
is_ours(const struct phc *p)
{
	return p->type == ours.type && p->version == ours.version &&
	       p->memory_kib == ours.memory_kib && p->passes == ours.passes &&
	       p->lanes == ours.lanes && p->salt_len >= ours.salt_len && p->tag_len >= ours.tag_len;
}

static struct err
verify(const struct phc *p, struct bytes password, bool *ret_rehash)
{
	uint8_t tag[PHC_TAG_MAX];

	/* Before any memory is taken (case 27); it says nothing of the user. */
	if (password.len > PASSWORD_MAX)
		return refused();
	TRY(compute(p, password, tag));

	bool same = bytes_equal_secret((struct bytes){ tag, p->tag_len },
	                               (struct bytes){ p->tag, p->tag_len });

	OPENSSL_cleanse(tag, sizeof tag);
	if (!same)
		return refused();
	*ret_rehash = !is_ours(p);
	return OK;
}

struct err
user_check_password(const struct user *u, struct bytes password, bool *ret_rehash)
{
	bool is_usable = u != NULL && !u->is_disabled, rehash = false;
	struct phc p;

	/* A hash that cannot be read never gets into the store; should it, the user is as good as
	 * unknown. */
	if (u == NULL || failed(phc_parse(u->hash, &p)))
		p = ours,
		is_usable =
			false; /* salt and tag all zero: whatever comes out, nobody logs in by it */

	struct err e = verify(&p, password, &rehash);

	if (e.kind == ERR_LIMIT || e.kind == ERR_SYSTEM)
		return e;
	if (failed(e) || !is_usable)
		return refused();
	*ret_rehash = rehash;
	return OK;
}

/* Choosing one */

static size_t
character_count(struct bytes text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += (text.at[i] & 0xc0) != 0x80;
	return count;
}

/* "aaaaaaaaaaaa", "abcabcabcabc": the whole is a group of at most 4 bytes over and over. */
static bool
is_repetition(struct bytes text)
{
	for (size_t period = 1; period <= 4 && period < text.len; period++)
		if (memcmp(text.at, text.at + period, text.len - period) == 0)
			return true;
	return false;
}

/* "abcdefghijkl", "210987654321": each byte is the neighbour of the one before, round from 9 to 0.
 */
static bool
is_run(struct bytes text)
{
	int step = text.len > 1 && text.at[1] != text.at[0] + 1 &&
	                           !(text.at[0] == '9' && text.at[1] == '0')
	                   ? -1
	                   : 1;

	for (size_t i = 1; i < text.len; i++) {
		bool round = step > 0 ? text.at[i - 1] == '9' && text.at[i] == '0'
		                      : text.at[i - 1] == '0' && text.at[i] == '9';

		if (text.at[i] != text.at[i - 1] + step && !round)
			return false;
	}
	return true;
}

bool
password_acceptable(struct bytes password, const char **why)
{
	*why = NULL;
	if (password.len > PASSWORD_MAX)
		*why = "the password is longer than 1024 bytes";
	else if (!bytes_is_utf8(password))
		*why = "the password is not UTF-8";
	else if (character_count(password) < PASSWORD_MIN)
		*why = "the password has less than 12 characters";
	else if (is_repetition(password))
		*why = "the password is one character or a short group over and over";
	else if (is_run(password))
		*why = "the password is a plain run of letters or digits";
	for (size_t i = 0; *why == NULL && i < password.len; i++)
		if (password.at[i] < 0x20 || password.at[i] == 0x7f)
			*why = "the password has a control character";
	return *why == NULL;
}
