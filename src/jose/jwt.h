/* jwt.h - claims of an access token checked against one issuer's rules (RFC 7519, 8725, 9068). */
#ifndef JOSE_JWT_H
#define JOSE_JWT_H

#include "jose/jws.h"

/* The checks in the order they are made. Names are fixed: they stand in the 401, in the audit
 * record and in `gatewarden token`. */
enum jwt_check {
	JWT_FORM,      /* three canonical base64url parts, at most JWS_BYTES_MAX */
	JWT_HEADER,    /* JSON, no duplicates, no crit */
	JWT_ALGORITHM, /* known, and allowed by the issuer */
	JWT_TYPE,   /* typ at+jwt, application/at+jwt, JWT or absent; not an ID or logout token, no
	             * DPoP proof
	             */
	JWT_ISSUER, /* a configured issuer, byte for byte */
	JWT_KEY,    /* kid in that issuer's set, fitting the algorithm */
	JWT_SIGNATURE,
	JWT_ACTIVE,     /* opaque tokens: the issuer, asked, says so (RFC 7662) */
	JWT_EXPIRES,    /* exp present and not passed */
	JWT_NOT_BEFORE, /* nbf and iat not in the future */
	JWT_AUDIENCE,   /* one configured value is a member */
	JWT_SUBJECT,    /* sub present, text */
	JWT_CLAIMS,     /* client, users or apps, guests, required claims */
	JWT_BINDING,    /* bound to a key or certificate (cnf), and that proven */
	JWT_REVOKED,    /* not revoked since */
	JWT_CHECK_COUNT,
};
const char *jwt_check_name(enum jwt_check c);

/* What one issuer's tokens must be. All borrowed; zeroed members ask for nothing. */
struct jwt_rules {
	const char *issuer; /* the one `iss`, where there are no `names` */
	const char *tenant; /* exact `tid`, or NULL: any */
	const struct issuer_name *names;
	size_t name_count;
	const char *const *audience; /* none: `aud` is not looked at */
	size_t audience_count;
	const char *const *clients; /* none: any client */
	size_t client_count;
	const char *client_claim; /* names of members, space separated: the first that is there */
	bool client_required;     /* every access token of this issuer names its client; what does
	                           * not is another kind of token */
	const struct required_claim *required;
	size_t required_count;
	enum callers callers;
	bool guests_refused;
	unsigned bindings; /* enum binding_bit */
	unsigned algorithms;
	unsigned leeway_s;
};

/* What was expected and got for one check; text is printable ASCII in the arena, cut at 120 bytes.
 * Filled only where a report is asked for, except for the failed check. */
struct jwt_finding {
	bool done, passed;
	struct bytes expected, got;
};
struct jwt_report {
	struct jwt_finding findings[JWT_CHECK_COUNT];
	enum jwt_check failed; /* the first; JWT_CHECK_COUNT when all passed */
	const char *why;       /* literal for the 401's error_description: "the token expired" */
	bool full;             /* asked for: fill all findings, go on after a failure */
	struct arena *arena;   /* borrowed: of the texts */
};

enum { JWT_TEXT_MAX = 160, JWT_SUBJECT_MAX = 1024 };

void jwt_report_init(struct jwt_report *r, bool full, struct arena *arena);
/* Records a check; the first that fails gives `failed` and `why`. */
void jwt_report_check(struct jwt_report *r, enum jwt_check check, bool passed, const char *why);
/* The texts of the finding just recorded, copied, cut and made printable, where they are wanted. */
void jwt_report_text(struct jwt_report *r, enum jwt_check check, struct bytes expected,
                     struct bytes got);
/* The same with a member of the token as JSON, so that the text "1" and the number 1 differ. */
void jwt_report_member(struct jwt_report *r, enum jwt_check check, struct bytes expected,
                       const struct json *got);
/* ERR_IDENTITY with .code = the failed check and its why, or OK. */
struct err jwt_report_result(const struct jwt_report *r);

/* JWT_ALGORITHM and JWT_TYPE, before any key is looked for. The result is that of the report so
 * far: ERR_IDENTITY with .code = enum jwt_check. */
struct err jwt_check_header(const struct jws *j, const struct jwt_rules *rules,
                            struct jwt_report *report);
/* JWT_ISSUER: `iss` byte for byte, and the `tid` that belongs to it. */
struct err jwt_check_issuer(const struct jws *j, const struct jwt_rules *rules,
                            struct jwt_report *report);
/* That question by itself. Where only the tenant is another, *ret_tenant is the one expected; else
 * it is left alone. */
bool jwt_is_issuer(const struct json *claims, const struct jwt_rules *rules,
                   const char **ret_tenant);
/* Is a key of a set that several issuers share (jwk_issuer()) for the tokens of these? To be asked
 * after jwt_check_issuer(). */
bool jwt_key_is_of(const struct jwk *key, const struct jws *j, const struct jwt_rules *rules);
/* JWT_EXPIRES to JWT_CLAIMS, after the signature. */
struct err jwt_check_claims(const struct jws *j, const struct jwt_rules *rules, int64_t now_s,
                            struct jwt_report *report);
/* Part of that: JWT_CLAIMS alone. An application and no user is calling when `idtyp` is "app";
 * without `idtyp`: when `sub` is the client itself (RFC 9068 section 2.2: Okta, Cognito, ours),
 * when `gty` is "client-credentials" (Auth0), or when `oid` equals `sub` and there is no scope
 * (Entra). A guest has `acct` other than 0, or an `idp` that is none of the tenant's own names
 * (Entra). */
void jwt_check_caller(const struct jws *j, const struct jwt_rules *rules,
                      struct jwt_report *report);

/* That question by itself. */
bool jwt_is_app(const struct json *claims, const struct jwt_rules *rules);

/* What the token is bound to (`cnf`, RFC 7800); empty: not to that. Borrowed from the claims. */
struct jwt_binding {
	struct bytes key;         /* jkt: thumbprint (RFC 9449 section 6.1) */
	struct bytes certificate; /* x5t#S256: base64url of SHA-256 (RFC 8705 section 3.1) */
	bool is_unknown;          /* to something that we cannot prove */
};
struct jwt_binding jwt_binding_of(const struct json *claims);
/* What the caller proved. */
struct jwt_proven {
	bool is_dpop;             /* the token came with the scheme DPoP */
	const char *refused;      /* why its proof is not accepted; NULL: accepted, or none */
	struct bytes key;         /* thumbprint of the proof's key; empty: no proof */
	struct bytes certificate; /* SHA-256, 32 bytes; empty: none */
	bool cannot_be_asked;     /* nobody calls: somebody looks at a token (`gatewarden token`) */
};
/* JWT_BINDING: all that the token is bound to is proven, and it is bound as the rules ask. */
void jwt_check_binding(const struct jwt_binding *b, const struct jwt_proven *proven,
                       unsigned bindings, struct jwt_report *report);

/* exp in whole seconds, rounded down (fractions allowed by RFC 7519). False when missing or no
 * number in range. */
bool jwt_date(const struct json *claims, const char *name, int64_t *ret_s);
/* Text of 1 to JWT_SUBJECT_MAX bytes without control characters: it goes into session variables,
 * upstream headers and logs. */
bool jwt_is_subject(struct bytes text);

#endif
