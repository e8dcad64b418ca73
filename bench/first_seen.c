/* first_seen.c - tokens never seen before, examined as a worker does, without a network around it;
 * and OpenSSL's bare verification of the same signatures by the same key in the same run. One line
 * an algorithm: name, tokens a second, verifications a second. */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "identity/issuers.h"
#include "jose/sign.h"

enum { TOKENS = 20000, ROUNDS = 5 };

static const char configuration[] =
	"{\"issuers\":{\"idp\":{\"type\":\"oidc\",\"issuer\":\"https://"
	"idp.test\",\"audience\":\"api://books\","
	"\"jwks\":{\"url\":\"https://idp.test/"
	"keys\"}}},\"roles\":{\"reader\":{\"granted_by\":[\"idp:reader\"]}},"
	"\"audit\":{\"path\":\"audit/\"},\"state\":{\"path\":\"state/\"}}";

struct set {
	struct buf text; /* owned: all tokens */
	size_t ends[TOKENS];
};

static void
must(struct err e, const char *what)
{
	if (!failed(e))
		return;
	fprintf(stderr, "first_seen: %s: %s\n", what, e.why);
	exit(2);
}

static struct bytes
token_at(const struct set *s, size_t i)
{
	size_t from = i == 0 ? 0 : s->ends[i - 1];

	return (struct bytes){ s->text.at + from, s->ends[i] - from };
}

static void
sign_all(struct set *s, const struct signing_key *key, int64_t now_s)
{
	buf_clear(&s->text);
	for (size_t i = 0; i < TOKENS; i++) {
		CLEANUP(buf_done) struct buf claims = { 0 };

		buf_printf(&claims,
		           "{\"iss\":\"https://idp.test\",\"sub\":\"user-%zu\",\"aud\":\"api://"
		           "books\",\"exp\":"
		           "%lld,\"iat\":%lld,\"jti\":\"%zu-%p\",\"client_id\":\"app\",\"roles\":["
		           "\"reader\"]}",
		           i, (long long)now_s + 900, (long long)now_s, i, (const void *)key);
		must(signing_key_sign(key, "at+jwt", buf_bytes(&claims), &s->text), "a token");
		s->ends[i] = s->text.len;
	}
	must(buf_check(&s->text), "the tokens");
}

static struct jwks *
public_set(const struct signing_key *key)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct jwks *keys;

	buf_put_text(&text, "{\"keys\":[");
	signing_key_put_jwk(key, &text);
	buf_put_text(&text, "]}");
	must(jwks_parse(buf_bytes(&text), &keys, NULL), "the key set");
	return keys;
}

/* Tokens a second: each is new to this list of issuers. */
static double
examine_all(const struct settings *settings, const struct set *s, struct jwks *keys, int64_t now_s)
{
	struct issuers *issuers;
	struct arena arena = { 0 };

	must(issuers_new(settings, &issuers), "the issuers");
	issuers_set_source(issuers, BYTES("https://idp.test/keys"), keys, INT64_MAX);
	uint64_t begun = clock_monotonic_us();
	for (size_t i = 0; i < TOKENS; i++) {
		const struct presented p = { .token = token_at(s, i) };
		struct identified found;

		must(issuers_examine(issuers, &p, now_s, false, &arena, &found), "a token");
		principal_release(found.who);
		arena_reset(&arena);
	}
	double seconds = (double)(clock_monotonic_us() - begun) / 1e6;
	arena_done(&arena);
	issuers_free(issuers);
	return TOKENS / seconds;
}

/* The signature checks alone, everything else done before: parts split, key and contexts ready. */
static double
verify_all(const struct set *s, struct jwks *keys)
{
	const struct jwk *key = jwks_at(keys, 0);
	struct arena arena = { .limit = (size_t)1 << 30 };
	struct jws *parts = arena_array(&arena, TOKENS, sizeof *parts);

	if (parts == NULL)
		exit(2);
	for (size_t i = 0; i < TOKENS; i++)
		must(jws_parse(token_at(s, i), &arena, &parts[i]), "a token");
	uint64_t begun = clock_monotonic_us();
	for (size_t i = 0; i < TOKENS; i++)
		must(jws_verify(&parts[i], key), "a signature");
	double seconds = (double)(clock_monotonic_us() - begun) / 1e6;
	arena_done(&arena);
	return TOKENS / seconds;
}

static int
compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void
measure(const struct settings *settings, enum jws_alg_bit alg, struct set *s, int64_t now_s)
{
	struct signing_key *key;
	double seen[ROUNDS], bare[ROUNDS];

	must(signing_key_generate(alg, &key), "a key");
	sign_all(s, key, now_s);
	struct jwks *keys = public_set(key);
	for (size_t i = 0; i < ROUNDS; i++) {
		seen[i] = examine_all(settings, s, public_set(key), now_s);
		bare[i] = verify_all(s, keys);
	}
	qsort(seen, ROUNDS, sizeof seen[0], compare);
	qsort(bare, ROUNDS, sizeof bare[0], compare);
	printf("%s %.0f %.0f\n", jws_alg_name(alg), seen[ROUNDS / 2], bare[ROUNDS / 2]);
	fflush(stdout);
	jwks_free(keys);
	signing_key_free(key);
}

int
main(void)
{
	static const enum jws_alg_bit algs[] = { ALG_RS256, ALG_PS256, ALG_ES256, ALG_EDDSA };
	static struct set set;
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	struct arena arena = { 0 };
	const struct settings *settings;

	set.text.limit = (size_t)256 << 20;
	struct err e =
		config_parse(bytes_text(configuration), "first_seen", &arena, &settings, &errors);
	if (failed(e))
		fprintf(stderr, "%.*s", (int)errors.text.len, (const char *)errors.text.at);
	must(e, "the configuration");
	for (size_t i = 0; i < ARRAY_LEN(algs); i++)
		measure(settings, algs[i], &set, clock_wall_us() / 1000000);
	buf_done(&set.text);
	arena_done(&arena);
	return 0;
}
