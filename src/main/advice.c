/* advice.c - see advice.h. One table: for a check, in which situation, what to do. The first row
 * that applies speaks; the last row of each check always does. */
#include "main/advice.h"

#include "base/macros.h"
#include "jose/claim.h"

/* What Microsoft Graph is called in `aud`. */
static const char *const graph_names[] = { "00000003-0000-0000-c000-000000000000",
	                                   "https://graph.microsoft.com",
	                                   "https://graph.microsoft.com/" };

/* Questions about the token */

static bool
has(const struct advice *a, const char *claim)
{
	return json_member(a->claims, claim) != NULL;
}

static size_t
count_dots(struct bytes token)
{
	size_t count = 0;

	for (size_t i = 0; i < token.len; i++)
		count += token.at[i] == '.';
	return count;
}

static bool
is_empty(const struct advice *a)
{
	return a->token.len == 0;
}

static bool
is_too_long(const struct advice *a)
{
	return a->token.len > JWS_BYTES_MAX;
}

static bool
has_scheme(const struct advice *a)
{
	return bytes_equal_nocase(bytes_slice(a->token, 0, 7), BYTES("bearer ")) ||
	       bytes_equal_nocase(bytes_slice(a->token, 0, 5), BYTES("dpop "));
}

static bool
is_encrypted(const struct advice *a)
{
	return count_dots(a->token) == 4; /* RFC 7516 section 3.1 */
}

static bool
is_opaque(const struct advice *a)
{
	return count_dots(a->token) == 0;
}

static bool
is_unsigned(const struct advice *a)
{
	return bytes_equal_nocase(json_member_text(a->header, "alg"), BYTES("none"));
}

static bool
is_symmetric(const struct advice *a)
{
	return bytes_starts(json_member_text(a->header, "alg"), BYTES("HS"));
}

static bool
is_known_algorithm(const struct advice *a)
{
	return jws_alg_from(json_member_text(a->header, "alg")) != 0 && a->issuer != NULL;
}

static bool
is_id_token(const struct advice *a)
{
	return has(a, "nonce") || has(a, "at_hash") || has(a, "c_hash") ||
	       bytes_is(json_member_text(a->claims, "token_use"), "id");
}

static bool
is_proof(const struct advice *a)
{
	return bytes_is(json_member_text(a->header, "typ"), "dpop+jwt") || has(a, "htm") ||
	       has(a, "htu");
}

static bool
is_logout_token(const struct advice *a)
{
	return has(a, "events");
}

static bool
has_type(const struct advice *a)
{
	return json_member_text(a->header, "typ").len != 0;
}

/* Microsoft Graph's tokens have a nonce in their header, and only Graph can check those. */
static bool
is_for_graph(const struct advice *a)
{
	struct bytes aud = json_member_text(a->claims, "aud");

	for (size_t i = 0; i < ARRAY_LEN(graph_names); i++)
		if (bytes_is(aud, graph_names[i]))
			return true;
	return false;
}

/* Questions about the issuer */

static bool
has_no_claims(const struct advice *a)
{
	return a->claims == NULL;
}

static bool
has_no_iss(const struct advice *a)
{
	return json_member_text(a->claims, "iss").len == 0;
}

static bool
is_of_other_tenant(const struct advice *a)
{
	return a->issuer != NULL;
}

static bool
is_slash_apart(const struct advice *a)
{
	const struct issuer_settings *of;

	return advice_same_but_slash(a, &of) != NULL;
}

static bool
is_other_version(const struct advice *a)
{
	const struct issuer_settings *of;

	return advice_other_version(a, &of) != NULL;
}

static bool
is_other_tenant(const struct advice *a)
{
	if (advice_entra_tenant(json_member_text(a->claims, "iss")).len == 0)
		return false;
	for (size_t i = 0; i < a->settings->issuer_count; i++)
		if (a->settings->issuers[i].type == ISSUER_ENTRA)
			return true;
	return false;
}

static bool
is_okta_org(const struct advice *a)
{
	struct bytes iss = json_member_text(a->claims, "iss");
	size_t len = 0;

	/* https://DOMAIN and no path: the org server, whose tokens only Okta itself can check. */
	for (size_t i = 0; i < a->settings->issuer_count; i++) {
		const struct issuer_settings *s = &a->settings->issuers[i];

		len = iss.len;
		if (s->type == ISSUER_OKTA && s->issuer != NULL &&
		    bytes_starts(bytes_text(s->issuer), iss) && s->issuer[len] == '/')
			return true;
	}
	return false;
}

static bool
is_near(const struct advice *a)
{
	const struct issuer_settings *of;

	return advice_nearest(a, &of) != NULL;
}

/* Questions about keys */

static bool
has_no_kid(const struct advice *a)
{
	return json_member_text(a->header, "kid").len == 0;
}

static bool
is_local(const struct advice *a)
{
	return a->issuer != NULL && a->issuer->type == ISSUER_LOCAL;
}

static bool
has_key_file(const struct advice *a)
{
	return a->issuer != NULL && a->issuer->jwks_file != NULL;
}

/* Questions about dates */

enum { CLOCKS_APART_S = 600, MILLISECONDS_FROM = 100000000 };

static bool
is_without_exp(const struct advice *a)
{
	int64_t date;

	return !jwt_date(a->claims, "exp", &date);
}

static bool
is_just_expired(const struct advice *a)
{
	int64_t date;

	return jwt_date(a->claims, "exp", &date) && a->now_s - date < CLOCKS_APART_S;
}

/* A date in milliseconds is some fifty thousand years away. */
static bool
is_in_milliseconds(const struct advice *a)
{
	int64_t date;

	return (jwt_date(a->claims, "nbf", &date) || jwt_date(a->claims, "iat", &date)) &&
	       date / 1000 > MILLISECONDS_FROM;
}

/* Questions about the audience */

static bool
has_no_audience(const struct advice *a)
{
	return !has(a, "aud");
}

static bool
is_audience_like(const struct advice *a, bool (*is_like)(struct bytes got, struct bytes wanted))
{
	struct bytes aud;

	if (a->issuer == NULL || !json_string(json_member(a->claims, "aud"), &aud))
		return false;
	for (size_t i = 0; i < a->issuer->audience_count; i++)
		if (is_like(aud, bytes_text(a->issuer->audience[i])))
			return true;
	return false;
}

/* api://ID and ID: Entra's v2 tokens name the application by its id alone. */
static bool
is_bare_id(struct bytes got, struct bytes wanted)
{
	return bytes_starts(wanted, BYTES("api://")) &&
	       bytes_equal(got, bytes_slice(wanted, 6, wanted.len));
}

static bool
is_slash_away(struct bytes got, struct bytes wanted)
{
	struct bytes longer = got.len > wanted.len ? got : wanted,
		     shorter = got.len > wanted.len ? wanted : got;

	return longer.len == shorter.len + 1 && bytes_starts(longer, shorter) &&
	       longer.at[shorter.len] == '/';
}

static bool
is_audience_bare(const struct advice *a)
{
	return is_audience_like(a, is_bare_id);
}

static bool
is_audience_slash_away(const struct advice *a)
{
	return is_audience_like(a, is_slash_away);
}

static bool
is_client_the_audience(const struct advice *a)
{
	struct bytes aud = json_member_text(a->claims, "aud");

	return aud.len != 0 && (bytes_equal(aud, json_member_text(a->claims, "azp")) ||
	                        bytes_equal(aud, json_member_text(a->claims, "client_id")));
}

/* Questions about who may call */

/* Cognito's access and ID tokens differ in this alone; what is wanted is no setting. */
static bool
is_of_other_use(const struct advice *a)
{
	return a->issuer != NULL && a->issuer->type == ISSUER_COGNITO &&
	       bytes_is(json_member_text(a->claims, "token_use"), "id");
}

static bool
has_overage(const struct advice *a)
{
	bool has_groups = false;

	return json_member(json_member(a->claims, "_claim_names"), "groups") != NULL ||
	       (json_bool(json_member(a->claims, "hasgroups"), &has_groups) && has_groups);
}

static bool
is_other_client(const struct advice *a)
{
	struct bytes client = { 0 };

	if (a->issuer == NULL || a->issuer->client_count == 0)
		return false;
	(void)json_string(advice_client(a), &client); /* left empty: of nobody */
	for (size_t i = 0; i < a->issuer->client_count; i++)
		if (bytes_is(client, a->issuer->clients[i]))
			return false;
	return true;
}

static bool
is_clientless(const struct advice *a)
{
	return a->issuer != NULL && a->issuer->client_count > 0 && advice_client(a) == NULL;
}

static bool
is_app(const struct advice *a)
{
	return jwt_is_app(a->claims,
	                  &(struct jwt_rules){ .client_claim = a->issuer->client_claim });
}

static bool
wants_users(const struct advice *a)
{
	return a->issuer != NULL && a->issuer->callers == CALLERS_USERS && is_app(a);
}

static bool
wants_apps(const struct advice *a)
{
	return a->issuer != NULL && a->issuer->callers == CALLERS_APPS && !is_app(a);
}

static bool
is_guest(const struct advice *a)
{
	struct bytes idp = json_member_text(a->claims, "idp"), account = { 0 };

	if (a->issuer == NULL || !a->issuer->guests_refused)
		return false;
	if (claim_text(json_member(a->claims, "acct"), &account) && !bytes_is(account, "0"))
		return true;
	return has(a, "idp") && !bytes_equal(idp, json_member_text(a->claims, "iss"));
}

static bool
lacks_required(const struct advice *a)
{
	return advice_lacking(a) != NULL;
}

/* Questions about the binding */

static bool
is_bound_otherwise(const struct advice *a)
{
	const struct json *cnf = json_member(a->claims, "cnf");

	return cnf != NULL && json_member(cnf, "jkt") == NULL &&
	       json_member(cnf, "x5t#S256") == NULL;
}

/* Said of more than one check. */
static const char for_graph[] =
	"a token for Microsoft Graph can be checked by Graph alone: ask for one for {$audiences} "
	"(scope {$audience}/.default)";
static const char id_token[] =
	"this is an ID token, meant for the application that logged the user in: send the access "
	"token that came with it";

static const struct row {
	enum jwt_check check;
	bool (*applies)(const struct advice *a); /* NULL: always */
	const char *sentence;
} rows[] = {
	{ JWT_FORM, is_empty,
	  "there is nothing here: give the token, or `-` and the token on standard input" },
	{ JWT_FORM, has_scheme, "leave out the first word: the token is what stands behind it" },
	{ JWT_FORM, is_too_long,
	  "no token of more than 16384 bytes is taken: let the issuer put fewer groups or roles "
	  "into it" },
	{ JWT_FORM, is_encrypted,
	  "this token is encrypted (five parts) and only its audience can read it: let the "
	  "issuer sign tokens for this API and not encrypt them" },
	{ JWT_FORM, is_opaque,
	  "this token is opaque, not a JWT: ask for one for {$audiences} (with Auth0, "
	  "`audience=` makes a JWT of it), or configure an issuer of type introspection" },
	{ JWT_FORM, NULL,
	  "it was cut or changed: copy the whole token again, three parts with two dots" },

	{ JWT_HEADER, NULL,
	  "the header is not one that is understood here: ask the issuer for a plain signed "
	  "JWT, without crit" },

	{ JWT_ALGORITHM, is_unsigned,
	  "the token is not signed, so anybody could have written it: ask the issuer for a "
	  "signed one" },
	{ JWT_ALGORITHM, is_symmetric,
	  "{@alg} signs with a secret that whoever checks tokens would hold and could sign "
	  "with: let the issuer sign with a key pair, such as RS256 or ES256" },
	{ JWT_ALGORITHM, is_known_algorithm,
	  "issuer {$issuer} accepts {$algorithms}: let it sign with that, or add {@alg} to "
	  "issuers.{$issuer}.algorithms" },
	{ JWT_ALGORITHM, NULL,
	  "{@alg} is not known here: let the issuer sign with RS256 or ES256" },

	{ JWT_TYPE, is_proof,
	  "this is a DPoP proof: it belongs in the DPoP field, and the access token in "
	  "Authorization" },
	{ JWT_TYPE, is_logout_token,
	  "this is a logout token, a message between servers: send the access token" },
	{ JWT_TYPE, is_for_graph, for_graph },
	{ JWT_TYPE, is_id_token, id_token },
	{ JWT_TYPE, has_type, "a token of type {@typ} is no access token: send the access token" },
	{ JWT_TYPE, NULL,
	  "only other kinds of token have the member that it got: send the access token" },

	{ JWT_ISSUER, has_no_claims,
	  "the payload is no JSON object: this is no access token; copy the token again" },
	{ JWT_ISSUER, has_no_iss,
	  "the token does not say who made it (`iss`): ask an issuer that says so" },
	{ JWT_ISSUER, is_of_other_tenant,
	  "the token is of tenant {tid}; issuer {$issuer} accepts {$tenants}: log in there, or "
	  "add {tid} to issuers.{$issuer}.tenant" },
	{ JWT_ISSUER, is_slash_apart,
	  "the token says {iss}, the configuration {$slash}: they must be the same to the byte, "
	  "so write issuers.{$slash_of}.issuer as the token has it" },
	{ JWT_ISSUER, is_other_version,
	  "this is the other version of Entra's tokens: {iss}, where issuer {$version_of} has "
	  "{$version}. Set requestedAccessTokenVersion in the API's manifest, or use `type: "
	  "entra`, which accepts both" },
	{ JWT_ISSUER, is_other_tenant,
	  "the token is of another tenant, {$tenant}: log in to one that is configured, or add "
	  "it to `tenant`" },
	{ JWT_ISSUER, is_okta_org,
	  "tokens of Okta's org server {iss} are for Okta alone: ask the authorization server "
	  "{$okta}" },
	{ JWT_ISSUER, is_near,
	  "the token says {iss}; did you mean {$near}, of issuer {$near_of}? They must be the "
	  "same to the byte" },
	{ JWT_ISSUER, NULL,
	  "no issuer of the configuration is {iss} (there are {$issuers}): use a token of one "
	  "of them, or configure this one" },

	{ JWT_KEY, has_no_kid,
	  "the token names no key (`kid`) and more or fewer than one fit: let the issuer write "
	  "`kid`" },
	{ JWT_KEY, is_local,
	  "no key {@kid} is in the state store: the token is of another gateway, or its key was "
	  "retired; log in again" },
	{ JWT_KEY, has_key_file,
	  "{$key_file} has no key {@kid}: fetch the issuer's key set again, or this is a token "
	  "of another environment (staging?)" },
	{ JWT_KEY, NULL,
	  "issuer {$issuer} has no key {@kid}: its key set is older than the token, or this is "
	  "a token of another environment (staging?)" },

	{ JWT_SIGNATURE, is_for_graph, for_graph },
	{ JWT_SIGNATURE, NULL,
	  "it was changed or cut after it was signed, or another environment has a key of the "
	  "same name: get a new token" },

	{ JWT_ACTIVE, NULL,
	  "issuer {$issuer} says that it is none of its tokens, or ended, or taken back: get a "
	  "new one" },

	{ JWT_EXPIRES, is_without_exp, "the issuer must write `exp`, in seconds since 1970" },
	{ JWT_EXPIRES, is_just_expired,
	  "it expired {$expired} ago: get a new one; if it is new, the clocks of this machine "
	  "({$now}) and of the issuer differ" },
	{ JWT_EXPIRES, NULL, "it expired {$expired} ago: log in again, or refresh it" },

	{ JWT_NOT_BEFORE, is_in_milliseconds,
	  "its dates seem to be in milliseconds: the issuer must write seconds since 1970" },
	{ JWT_NOT_BEFORE, NULL,
	  "it is from the future by {$ahead}: set the clocks right, here it is {$now} "
	  "(issuers.{$issuer}.leeway forgives 60 s at most)" },

	{ JWT_AUDIENCE, has_no_audience,
	  "the token is for nobody (`aud` is missing); issuer {$issuer} accepts {$audiences}: "
	  "ask for a token for {$audience}" },
	{ JWT_AUDIENCE, is_for_graph,
	  "this token is for Microsoft Graph; issuer {$issuer} accepts {$audiences}: ask for "
	  "scope {$audience}/.default instead" },
	{ JWT_AUDIENCE, is_audience_bare,
	  "Entra's v2 tokens name the API by its bare id: add {aud} to "
	  "issuers.{$issuer}.audience" },
	{ JWT_AUDIENCE, is_audience_slash_away,
	  "this token is for {aud}; issuer {$issuer} accepts {$audiences}: the slash at the end "
	  "counts, write it as the token has it" },
	{ JWT_AUDIENCE, is_client_the_audience,
	  "this token is for the application {aud} itself, as an ID token is; issuer {$issuer} "
	  "accepts {$audiences}: ask for a token for {$audience}" },
	{ JWT_AUDIENCE, NULL,
	  "this token is for {aud}; issuer {$issuer} accepts {$audiences}: ask for a token for "
	  "{$audience}, or add {aud} to issuers.{$issuer}.audience" },

	{ JWT_SUBJECT, NULL, "the token does not say whose it is: let the issuer write `sub`" },

	{ JWT_CLAIMS, is_of_other_use, id_token },
	{ JWT_CLAIMS, is_clientless,
	  "the token does not say which client it was given to, as an access token of issuer "
	  "{$issuer} does: is it an ID token?" },
	{ JWT_CLAIMS, is_other_client,
	  "the token was given to client {$client}; issuer {$issuer} accepts {$clients}: use "
	  "one of these, or add it to issuers.{$issuer}.{$clients_key}" },
	{ JWT_CLAIMS, wants_users,
	  "an application calls without a user; issuer {$issuer} accepts users: log a user in "
	  "(delegated, `scp`), or set issuers.{$issuer}.callers to any" },
	{ JWT_CLAIMS, wants_apps,
	  "a user calls through an application; issuer {$issuer} accepts applications: use "
	  "client credentials, or set issuers.{$issuer}.callers to any" },
	{ JWT_CLAIMS, is_guest,
	  "a guest (of {idp}) calls; issuer {$issuer} refuses guests: use an account of the "
	  "tenant, or set issuers.{$issuer}.guests to allow" },
	{ JWT_CLAIMS, has_overage,
	  "the user is in too many groups for a token to hold: assign app roles instead, or "
	  "configure issuers.{$issuer}.graph so that they are asked for" },
	{ JWT_CLAIMS, lacks_required,
	  "issuer {$issuer} requires {$required}: the token must have it (with `amr`, log in "
	  "that way), or change issuers.{$issuer}.required_claims" },
	{ JWT_CLAIMS, NULL, "a claim is not as issuer {$issuer} demands: see expected and got" },

	{ JWT_BINDING, is_bound_otherwise,
	  "the token is bound in a way that is not known here: ask for one bound to a DPoP key, "
	  "or to a client certificate" },
	{ JWT_BINDING, NULL,
	  "issuer {$issuer} takes bound tokens only: ask for one with a DPoP proof (or a client "
	  "certificate), or change issuers.{$issuer}.bindings" },

	{ JWT_REVOKED, NULL,
	  "it was revoked, or its user or client was disabled or changed since: log in again" },
};

void
advice_put(const struct advice *a, enum jwt_check check, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].check != check || (rows[i].applies != NULL && !rows[i].applies(a)))
			continue;
		advice_put_sentence(a, rows[i].sentence, out);
		return;
	}
}
