/* dpop.c - see dpop.h. The numbers in comments are those of the checks in RFC 9449 section 4.3. */
#include "jose/dpop.h"

#include <openssl/evp.h>

#include "base/macros.h"
#include "format/base64.h"
#include "jose/jwt.h"

enum { SHA256_LEN = 32, HASH_TEXT_LEN = 43 };

static struct err
refuse(const char *why)
{
	return fail(ERR_IDENTITY, why);
}

/* URLs */

struct url {
	struct bytes scheme, authority, path;
};

/* RFC 3986 section 6.2.3: a port that is the scheme's own says nothing. */
static struct bytes
without_default_port(struct bytes scheme, struct bytes authority)
{
	struct bytes port = bytes_equal_nocase(scheme, BYTES("https"))  ? BYTES(":443")
	                    : bytes_equal_nocase(scheme, BYTES("http")) ? BYTES(":80")
	                                                                : BYTES(":");

	if (authority.len > port.len &&
	    bytes_equal(bytes_slice(authority, authority.len - port.len, authority.len), port))
		authority.len -= port.len;
	return authority;
}

static bool
url_split(struct bytes text, struct url *ret)
{
	size_t scheme = bytes_find(text, ':');
	struct bytes rest = bytes_slice(text, scheme, text.len);

	if (!bytes_starts(rest, BYTES("://")))
		return false;
	rest = bytes_slice(rest, 3, rest.len);
	rest = bytes_slice(rest, 0, bytes_find(rest, '#'));
	rest = bytes_slice(rest, 0, bytes_find(rest, '?'));
	ret->scheme = bytes_slice(text, 0, scheme);
	ret->authority =
		without_default_port(ret->scheme, bytes_slice(rest, 0, bytes_find(rest, '/')));
	ret->path = bytes_slice(rest, bytes_find(rest, '/'), rest.len);
	if (ret->path.len == 0)
		ret->path = BYTES("/");
	return ret->authority.len != 0;
}

static bool
is_same_url(struct bytes a, struct bytes b)
{
	struct url left, right;

	return url_split(a, &left) && url_split(b, &right) &&
	       bytes_equal_nocase(left.scheme, right.scheme) &&
	       bytes_equal_nocase(left.authority, right.authority) &&
	       bytes_equal(left.path, right.path);
}

/* The checks */

static bool
is_hash_of(struct bytes text, struct bytes of)
{
	uint8_t hash[SHA256_LEN];
	struct buf encoded CLEANUP(buf_done) = { .limit = HASH_TEXT_LEN };

	if (EVP_Digest(of.at, of.len, hash, NULL, EVP_sha256(), NULL) != 1)
		return false;
	base64url_put(&encoded, (struct bytes){ hash, sizeof hash });
	return bytes_equal(text, buf_bytes(&encoded));
}

/* 8 to 12: which request, when, with which token. */
static struct err
check_claims(const struct json *claims, const struct dpop_request *r)
{
	struct bytes text;
	int64_t made_s;

	if (!json_string(json_member(claims, "htm"), &text) || !bytes_equal(text, r->method))
		return refuse("the DPoP proof is for another method");
	if (!json_string(json_member(claims, "htu"), &text) || !is_same_url(text, r->url))
		return refuse("the DPoP proof is for another URL");
	if (!jwt_date(claims, "iat", &made_s) || made_s < r->now_s - DPOP_AGE_MAX_S ||
	    made_s > r->now_s + DPOP_AGE_MAX_S)
		return refuse("the DPoP proof was not made just now");
	if (r->token.len != 0 &&
	    (!json_string(json_member(claims, "ath"), &text) || !is_hash_of(text, r->token)))
		return refuse("the DPoP proof is for another token");
	return OK;
}

/* 4 to 7: of its own type, signed with the key it shows, which must be a public one. The key says
 * who made the proof, and nothing else: the token says whose proof it wants. */
static struct err
check_signature(const struct jws *j, char thumbprint[JWK_THUMBPRINT_LEN + 1])
{
	struct jwk *key = NULL;
	struct err e;

	if (!bytes_equal_nocase(j->typ, BYTES("dpop+jwt")) || j->payload == NULL)
		return refuse("the DPoP field holds no proof");
	e = jwk_new(json_member(j->header, "jwk"), j->alg, &key);
	if (failed(e))
		return e.kind == ERR_PEER ? refuse("the key in the DPoP proof cannot be used") : e;
	e = jws_verify(j, key);
	if (failed(e))
		e = refuse("the signature of the DPoP proof is wrong");
	else
		e = jwk_thumbprint(key, thumbprint);
	jwk_free(key);
	return e;
}

/* The same jti from two keys is two proofs. */
static struct err
name_proof(const struct json *claims, struct dpop_proof *proof)
{
	struct buf text CLEANUP(buf_done) = { .limit = JWK_THUMBPRINT_LEN + 1 + DPOP_JTI_MAX };
	struct bytes jti;

	if (!json_string(json_member(claims, "jti"), &jti) || jti.len == 0 ||
	    jti.len > DPOP_JTI_MAX)
		return refuse("the DPoP proof has no jti of 1 to 256 bytes");
	buf_put_text(&text, proof->thumbprint);
	buf_put_u8(&text, '.');
	buf_put(&text, jti);
	TRY(buf_check(&text));
	if (EVP_Digest(text.at, text.len, proof->id, NULL, EVP_sha256(), NULL) != 1)
		return fail(ERR_SYSTEM, "a hash could not be computed");
	return OK;
}

struct err
dpop_check(const struct dpop_request *r, struct arena *arena, struct dpop_proof *ret)
{
	struct dpop_proof proof;
	struct jws j;

	if (failed(jws_parse(r->proof, arena, &j)))
		return refuse("the DPoP field holds no proof");
	TRY(check_signature(&j, proof.thumbprint));
	TRY(check_claims(j.payload, r));
	TRY(name_proof(j.payload, &proof));
	*ret = proof;
	return OK;
}
