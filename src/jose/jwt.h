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

struct jwt_rules {
	const char *issuer;
	const char *tenant; /* exact `tid`, or NULL: any */
	const char *const *audience;
	size_t audience_count;
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

enum { JWT_TEXT_MAX = 120, JWT_SUBJECT_MAX = 1024 };

void jwt_report_init(struct jwt_report *r, bool full, struct arena *arena);
/* Records a check; the first that fails gives `failed` and `why`. */
void jwt_report_check(struct jwt_report *r, enum jwt_check check, bool passed, const char *why);
/* The texts of the finding just recorded, copied, cut and made printable, where they are wanted. */
void jwt_report_text(struct jwt_report *r, enum jwt_check check, struct bytes expected,
                     struct bytes got);
/* ERR_IDENTITY with .code = the failed check and its why, or OK. */
struct err jwt_report_result(const struct jwt_report *r);

/* JWT_ALGORITHM and JWT_TYPE, before any key is looked for. The result is that of the report so
 * far: ERR_IDENTITY with .code = enum jwt_check. */
struct err jwt_check_header(const struct jws *j, const struct jwt_rules *rules,
                            struct jwt_report *report);
/* JWT_ISSUER: `iss` byte for byte, and `tid` where the rules name a tenant. */
struct err jwt_check_issuer(const struct jws *j, const struct jwt_rules *rules,
                            struct jwt_report *report);
/* JWT_EXPIRES to JWT_SUBJECT, after the signature. */
struct err jwt_check_claims(const struct jws *j, const struct jwt_rules *rules, int64_t now_s,
                            struct jwt_report *report);
/* exp in whole seconds, rounded down (fractions allowed by RFC 7519). False when missing or no
 * number in range. */
bool jwt_date(const struct json *claims, const char *name, int64_t *ret_s);

#endif
