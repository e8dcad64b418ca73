/* test_binding.c - tokens bound to a key (RFC 9449) or a certificate (RFC 8705) are worth nothing
 * without it, verified or remembered. */
#include "gate.h"

#define URL "https://books.test/api/books"
#define DIGEST "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU" /* SHA-256 of nothing */

struct bound {
	struct gate gate;
	struct signing_key *key, *other; /* of the caller */
	EVP_PKEY *raw, *other_raw;
	struct buf token, proof;
	struct presented shown;
};

static uint8_t certificate[32];

static void
bound_done(struct bound *b)
{
	gate_done(&b->gate);
	signing_key_free(b->key);
	signing_key_free(b->other);
	EVP_PKEY_free(b->raw);
	EVP_PKEY_free(b->other_raw);
	buf_done(&b->token);
	buf_done(&b->proof);
}

static void
make_proof(struct bound *b, const struct signing_key *key, EVP_PKEY *raw, struct bytes token,
           const char *jti)
{
	struct buf header CLEANUP(buf_done) = { 0 };
	struct buf claims CLEANUP(buf_done) = { 0 };
	uint8_t hash[32];

	buf_put_text(&header, "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":");
	signing_key_put_jwk(key, &header);
	buf_put_text(&header, "}");
	buf_put_u8(&header, 0);
	CHECK(EVP_Digest(token.at, token.len, hash, NULL, EVP_sha256(), NULL) == 1);
	buf_printf(&claims,
	           "{\"jti\":\"%s\",\"htm\":\"GET\",\"htu\":\"" URL "\",\"iat\":%d,\"ath\":\"", jti,
	           NOW);
	base64url_put(&claims, (struct bytes){ hash, sizeof hash });
	buf_put_text(&claims, "\"}");
	buf_put_u8(&claims, 0);
	buf_clear(&b->proof);
	put_unsigned_token(&b->proof, (const char *)header.at, (const char *)claims.at);
	sign_es256(&b->proof, raw, false);
	b->shown.proof = buf_bytes(&b->proof);
}

/* A token with this `cnf`, in which KEY stands for the caller's thumbprint; what is shown is right
 * for a token bound to that key. */
static void
bound_init(struct bound *b, const char *cnf, unsigned bindings)
{
	char claims[512], text[256] = "";
	const char *mark = cnf == NULL ? NULL : strstr(cnf, "KEY");

	*b = (struct bound){ 0 };
	gate_settings(&b->gate);
	b->gate.issuers[0].bindings = bindings;
	gate_start(&b->gate);
	CHECK(!failed(signing_key_generate(ALG_ES256, &b->key)));
	CHECK(!failed(signing_key_generate(ALG_ES256, &b->other)));
	b->raw = raw_key(b->key);
	b->other_raw = raw_key(b->other);
	if (mark != NULL)
		snprintf(text, sizeof text, ",\"cnf\":%.*s%.43s%s", (int)(mark - cnf), cnf,
		         (const char *)signing_key_id(b->key).at, mark + 3);
	else if (cnf != NULL)
		snprintf(text, sizeof text, ",\"cnf\":%s", cnf);
	snprintf(claims, sizeof claims, CLAIMS("%s"), text);
	put_unsigned_token(&b->token, HEADER, claims);
	sign_es256(&b->token, b->gate.es256_raw, false);
	b->shown = (struct presented){ .token = buf_bytes(&b->token),
		                       .is_dpop = true,
		                       .method = BYTES("GET"),
		                       .url = BYTES(URL) };
	make_proof(b, b->key, b->raw, b->shown.token, "j1");
}

static bool
accepts(struct bound *b)
{
	return gate_examine(&b->gate, &b->shown, NOW, false);
}

/* Refused for the binding, and nothing else; with this in the reason. */
static bool
refuses(struct bound *b, const char *why)
{
	return !accepts(b) && b->gate.error.kind == ERR_IDENTITY &&
	       b->gate.report.failed == JWT_BINDING && strstr(b->gate.report.why, why) != NULL &&
	       !b->gate.found.has_proof;
}

#define JKT "{\"jkt\":\"KEY\"}"
#define X5T "{\"x5t#S256\":\"" DIGEST "\"}"

static void
test_bound_token_needs_its_proof_each_time(void)
{
	struct bound b CLEANUP(bound_done);
	uint8_t first[32];

	memset(first, 0, sizeof first);
	bound_init(&b, JKT, 0);
	for (int again = 0; again < 2; again++) { /* verified, then remembered */
		make_proof(&b, b.key, b.raw, b.shown.token, again == 0 ? "j1" : "j2");
		CHECK(accepts(&b) && b.gate.found.has_proof);
		CHECK(memcmp(first, b.gate.found.proof_id, 32) != 0);
		memcpy(first, b.gate.found.proof_id, 32);

		struct presented good = b.shown;
		b.shown.proof = (struct bytes){ 0 };
		CHECK(refuses(&b, "proof is missing"));
		b.shown = good;
		b.shown.is_dpop = false;
		CHECK(refuses(&b, "must come as DPoP"));
		b.shown = good;
		b.shown.method = BYTES("POST");
		CHECK(refuses(&b, "another method"));
		b.shown = good;
		b.shown.url = BYTES("https://books.test/api/shops");
		CHECK(refuses(&b, "another URL"));
		b.shown = good;
		b.shown.proof = b.shown.token;
		CHECK(refuses(&b, "holds no proof"));
		b.shown = good;
		make_proof(&b, b.other, b.other_raw, b.shown.token, "j");
		CHECK(refuses(&b, "of another key"));
		make_proof(&b, b.key, b.raw, BYTES("another"), "j");
		CHECK(refuses(&b, "another token"));
	}
	CHECK(issuers_stats(b.gate.list).entries == 1);
}

/* RFC 9449 section 7.1. */
static void
test_token_that_is_bound_to_no_key_cannot_come_as_dpop(void)
{
	struct bound b CLEANUP(bound_done);

	bound_init(&b, NULL, 0);
	CHECK(refuses(&b, "bound to no key"));
	b.shown.is_dpop = false; /* a proof beside a plain token says nothing */
	CHECK(accepts(&b) && !b.gate.found.has_proof);
	b.shown.is_dpop = true;
	CHECK(refuses(&b, "bound to no key"));
}

static void
test_certificate_bound_token_needs_that_certificate(void)
{
	struct bound b CLEANUP(bound_done);

	CHECK(EVP_Digest("", 0, certificate, NULL, EVP_sha256(), NULL) == 1);
	bound_init(&b, X5T, 0);
	b.shown.is_dpop = false;
	for (int again = 0; again < 2; again++) {
		b.shown.certificate = (struct bytes){ certificate, 32 };
		CHECK(accepts(&b));
		b.shown.certificate = (struct bytes){ 0 };
		CHECK(refuses(&b, "none was shown"));
		certificate[31] ^= 1;
		b.shown.certificate = (struct bytes){ certificate, 32 };
		CHECK(refuses(&b, "another certificate"));
		certificate[31] ^= 1;
		b.shown.certificate = (struct bytes){ certificate, 31 };
		CHECK(refuses(&b, "another certificate"));
	}
	b.shown.certificate = (struct bytes){ certificate, 32 };
	b.shown.is_dpop = true;
	CHECK(refuses(&b, "bound to no key"));
}

static void
test_token_bound_twice_needs_both(void)
{
	struct bound b CLEANUP(bound_done);

	CHECK(EVP_Digest("", 0, certificate, NULL, EVP_sha256(), NULL) == 1);
	bound_init(&b, "{\"jkt\":\"KEY\",\"x5t#S256\":\"" DIGEST "\"}", 0);
	CHECK(refuses(&b, "none was shown"));
	b.shown.certificate = (struct bytes){ certificate, 32 };
	CHECK(accepts(&b));
	b.shown.proof = (struct bytes){ 0 };
	CHECK(refuses(&b, "proof is missing"));
}

static void
test_confirmation_that_is_not_understood_is_refused(void)
{
	static const char *const rows[] = {
		"{}",
		"[]",
		"null",
		"\"x\"",
		"{\"kid\":\"k\"}",
		"{\"jwk\":{\"kty\":\"EC\"}}",
		"{\"jkt\":7}",
		"{\"jkt\":\"\"}",
		"{\"jkt\":\"short\"}",
		"{\"JKT\":\"KEY\"}",
		"{\"jkt\":\"KEY\",\"x5t#S256\":[]}",
		"{\"x5t\":\"" DIGEST "\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bound b CLEANUP(bound_done);

		bound_init(&b, rows[i], 0);
		CHECK_ROW(refuses(&b, "way that is not known"), rows[i]);
		b.shown.is_dpop = false;
		CHECK_ROW(refuses(&b, "way that is not known"), rows[i]);
	}
}

/* A member we do not know beside one that we can prove takes nothing from it. */
static void
test_unknown_confirmation_beside_a_known_one_is_ignored(void)
{
	struct bound b CLEANUP(bound_done);

	bound_init(&b, "{\"kid\":\"x\",\"jkt\":\"KEY\"}", 0);
	CHECK(accepts(&b));
}

static void
test_issuer_may_ask_for_bound_tokens(void)
{
	static const struct {
		const char *cnf;
		unsigned bindings;
		const char *why;
	} rows[] = {
		{ NULL, BINDING_DPOP, "must be bound" },
		{ NULL, BINDING_MTLS, "must be bound" },
		{ NULL, BINDING_DPOP | BINDING_MTLS, "must be bound" },
		{ X5T, BINDING_DPOP, "must be bound" },
		{ JKT, BINDING_MTLS, "must be bound" },
		{ JKT, BINDING_DPOP, NULL },
		{ JKT, BINDING_DPOP | BINDING_MTLS, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bound b CLEANUP(bound_done);

		bound_init(&b, rows[i].cnf, rows[i].bindings);
		CHECK(rows[i].why == NULL ? accepts(&b) : refuses(&b, rows[i].why));
	}
}

TESTS(TEST(test_bound_token_needs_its_proof_each_time),
      TEST(test_token_that_is_bound_to_no_key_cannot_come_as_dpop),
      TEST(test_certificate_bound_token_needs_that_certificate),
      TEST(test_token_bound_twice_needs_both),
      TEST(test_confirmation_that_is_not_understood_is_refused),
      TEST(test_unknown_confirmation_beside_a_known_one_is_ignored),
      TEST(test_issuer_may_ask_for_bound_tokens))
