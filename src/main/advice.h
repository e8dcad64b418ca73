/* advice.h - what to change when a check of a token fails, in one plain sentence. Pure: decides
 * nothing, looks only at what the checks already looked at. */
#ifndef MAIN_ADVICE_H
#define MAIN_ADVICE_H

#include "config/config.h"
#include "jose/jwt.h"

struct advice {
	const struct settings *settings;
	const struct issuer_settings *issuer; /* whose the token says it is; NULL: nobody's */
	struct bytes token;                   /* its shape is looked at; never shown */
	const struct json *header, *claims;   /* objects; NULL where they cannot be read */
	int64_t now_s;
};

/* For a check that failed. Claims are shown as printable ASCII, cut at JWT_TEXT_MAX. */
void advice_put(const struct advice *a, enum jwt_check check, struct buf *out);

/* advice_text.c - one sentence with its words put in: `{aud}` is the claim, `{@alg}` a member of
 * the header, `{$issuer}` one of the words named there. */
void advice_put_sentence(const struct advice *a, const char *sentence, struct buf *out);
/* Printable ASCII, cut at JWT_TEXT_MAX: whoever wrote the token wrote this text, and nothing of it
 * may steer a terminal. */
void advice_put_text(struct bytes text, struct buf *out);
/* As text: itself where it is one, else JSON. "nothing" for NULL. */
void advice_put_claim(const struct json *claim, struct buf *out);

/* The configured `iss` that was meant, or NULL: the same but for a slash at its end, the same
 * tenant in the other version of Entra's tokens, or one that is spelled nearly so. *ret gets whose
 * it is. */
const char *advice_same_but_slash(const struct advice *a, const struct issuer_settings **ret);
const char *advice_other_version(const struct advice *a, const struct issuer_settings **ret);
const char *advice_nearest(const struct advice *a, const struct issuer_settings **ret);
/* Which client the token was given to, as its issuer says it; NULL: it does not. */
const struct json *advice_client(const struct advice *a);
/* The first claim that the issuer requires and the token has not, or not so; NULL: none. */
const struct required_claim *advice_lacking(const struct advice *a);
/* The tenant in an `iss` of Entra; empty: not Entra's. */
struct bytes advice_entra_tenant(struct bytes iss);

#endif
