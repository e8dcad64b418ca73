/* gate.h - what the tests of issuers share: an issuer with keys of our own, and tokens signed with
 * any header and any claims, which no honest signer would make. */
#ifndef GATE_H
#define GATE_H

#include <openssl/ec.h>
#include <openssl/evp.h>

#include "../jose/vectors.h"
#include "identity/examine.h"
#include "jose/sign.h"

enum { NOW = 1760000000, LEEWAY = 30, ROLE_READER = 1, ROLE_ADMIN = 2 };

/* Two issuers: `idp` with our keys, and `other`, whose keys never come unless a test brings them.
 */
struct gate {
	struct issuer_settings issuers[2];
	struct grant_source sources[5];
	struct role_settings roles[2];
	struct settings settings;
	struct signing_key *es256, *rs256;
	EVP_PKEY *es256_raw;
	struct issuers *list;
	struct arena arena;
	struct jwt_report report;
	struct identified found; /* `who` is released already */
	struct err error;
	uint64_t got_roles;
};

static const char *const gate_audience[] = { "api://books" };

/* The private key again as OpenSSL has it, to sign what signing_key_sign() would not. */
static inline EVP_PKEY *
raw_key(const struct signing_key *k)
{
	struct secret der CLEANUP(secret_done) = { 0 };
	const unsigned char *at;

	CHECK(!failed(signing_key_der(k, &der)));
	at = der.at;
	return d2i_AutoPrivateKey(NULL, &at, (long)der.len);
}

static inline struct jwks *
gate_keys(const struct gate *g, bool both)
{
	struct buf text CLEANUP(buf_done) = { 0 };
	struct jwks *set = NULL;

	buf_put_text(&text, "{\"keys\":[");
	signing_key_put_jwk(g->es256, &text);
	if (both && g->rs256 != NULL) {
		buf_put_u8(&text, ',');
		signing_key_put_jwk(g->rs256, &text);
	}
	buf_put_text(&text, "]}");
	CHECK(!failed(jwks_parse(buf_bytes(&text), &set, NULL)));
	return set;
}

static inline void
gate_settings(struct gate *g)
{
	g->issuers[0] = (struct issuer_settings){ .name = "idp",
		                                  .type = ISSUER_OIDC,
		                                  .issuer = "https://idp.test/",
		                                  .audience = gate_audience,
		                                  .audience_count = 1,
		                                  .algorithms = ALG_RS256 | ALG_ES256,
		                                  .roles_claim = "roles",
		                                  .leeway_s = LEEWAY };
	g->issuers[1] = g->issuers[0];
	g->issuers[1].name = "other";
	g->issuers[1].issuer = "https://other.test/";
	g->issuers[1].roles_claim = "realm.groups";
	for (size_t i = 0; i < 2; i++) {
		g->issuers[i].roles_claims = &g->issuers[i].roles_claim;
		g->issuers[i].roles_claim_count = 1;
	}
	g->sources[0] = (struct grant_source){ 0, "reader" };
	g->sources[1] = (struct grant_source){ 1, "book-readers" };
	g->sources[2] = (struct grant_source){ 0, "read" };
	g->sources[3] = (struct grant_source){ 0, "admin" };
	g->sources[4] = (struct grant_source){ 1, "book-admins" };
	g->roles[0] = (struct role_settings){ .name = "reader",
		                              .granted_by = &g->sources[0],
		                              .granted_by_count = 3 };
	g->roles[1] = (struct role_settings){ .name = "admin",
		                              .granted_by = &g->sources[3],
		                              .granted_by_count = 2 };
	g->settings = (struct settings){
		.issuers = g->issuers, .issuer_count = 2, .roles = g->roles, .role_count = 2
	};
}

/* Settings may be changed between the two. */
static inline void
gate_start(struct gate *g)
{
	CHECK(!failed(signing_key_generate(ALG_ES256, &g->es256)));
	g->es256_raw = raw_key(g->es256);
	CHECK(!failed(issuers_new(&g->settings, &g->list)));
	issuers_set_keys(g->list, 0, gate_keys(g, true));
}

static inline void
gate_init(struct gate *g)
{
	*g = (struct gate){ 0 };
	gate_settings(g);
	gate_start(g);
}

static inline void
gate_done(struct gate *g)
{
	issuers_free(g->list);
	signing_key_free(g->es256);
	signing_key_free(g->rs256);
	EVP_PKEY_free(g->es256_raw);
	arena_done(&g->arena);
}

/* Of the issuer of this index. */
static inline bool
gate_has_keys(const struct gate *g, unsigned issuer)
{
	return g->list->issuers[issuer].source->keys != NULL;
}

/* Appends the ES256 signature of what is there, as DER or as JWS has it. */
static inline void
sign_es256(struct buf *token, EVP_PKEY *key, bool der)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[128], flat[64];
	size_t len = sizeof sig;
	const unsigned char *at = sig;

	CHECK(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
	CHECK(EVP_DigestSign(ctx, sig, &len, token->at, token->len) == 1);
	EVP_MD_CTX_free(ctx);

	ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &at, (long)len);
	CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(numbers), flat, 32) == 32);
	CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(numbers), flat + 32, 32) == 32);
	ECDSA_SIG_free(numbers);
	buf_put_u8(token, '.');
	base64url_put(token, der ? (struct bytes){ sig, len } : (struct bytes){ flat, 64 });
}

static inline void
put_unsigned_token(struct buf *token, const char *header, const char *claims)
{
	base64url_put(token, bytes_text(header));
	buf_put_u8(token, '.');
	base64url_put(token, bytes_text(claims));
}

/* Who is it? Leaves error, report, found and roles behind; true when somebody was proven. */
static inline bool
gate_examine(struct gate *g, const struct presented *shown, int64_t now_s, bool full)
{
	arena_reset(&g->arena);
	g->got_roles = 0;
	g->error = issuers_examine(g->list, shown, now_s, full, &g->arena, &g->found);
	g->report = g->found.report;
	if (failed(g->error)) {
		CHECK(g->found.who == NULL);
		return false;
	}
	CHECK(g->found.who != NULL && g->found.missing == MISSING_NOTHING);
	g->got_roles = principal_roles(g->found.who);
	principal_release(g->found.who);
	return true;
}

static inline bool
gate_identify(struct gate *g, struct bytes token, int64_t now_s, bool full)
{
	return gate_examine(g, &(struct presented){ .token = token }, now_s, full);
}

/* The principal of a good token, to be released by the caller. */
static inline const struct principal *
gate_who(struct gate *g, struct bytes token)
{
	const struct presented shown = { .token = token };

	CHECK(!failed(issuers_examine(g->list, &shown, NOW, false, &g->arena, &g->found)));
	return g->found.who;
}

/* A token signed with the issuer's key, whatever it says. */
static inline bool
gate_accepts(struct gate *g, const char *header, const char *claims)
{
	struct buf token CLEANUP(buf_done) = { 0 };

	put_unsigned_token(&token, header, claims);
	sign_es256(&token, g->es256_raw, false);
	return gate_identify(g, buf_bytes(&token), NOW, false);
}

#define HEADER "{\"alg\":\"ES256\"}"
#define CLAIMS(more)                                                                               \
	"{\"iss\":\"https://idp.test/\",\"aud\":\"api://"                                          \
	"books\",\"sub\":\"u\",\"exp\":1760000900" more "}"

#endif
