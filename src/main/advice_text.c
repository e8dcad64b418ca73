/* advice_text.c - the words of advice.c's sentences, and which configured issuer was meant. */
#include "base/macros.h"
#include "config/nearest.h"
#include "format/moment.h"
#include "jose/claim.h"
#include "main/advice.h"

enum { SHOWN_MAX = 8, KEY_ROOM = 64 };

void
advice_put_text(struct bytes text, struct buf *out)
{
	for (size_t i = 0; i < text.len && i < JWT_TEXT_MAX; i++)
		buf_put_u8(out, text.at[i] >= 0x20 && text.at[i] < 0x7f ? text.at[i] : '?');
	if (text.len > JWT_TEXT_MAX)
		buf_put_text(out, "...");
}

void
advice_put_claim(const struct json *claim, struct buf *out)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct bytes string;

	if (claim == NULL) {
		buf_put_text(out, "nothing");
		return;
	}
	if (json_string(claim, &string)) {
		advice_put_text(string, out);
		return;
	}
	json_put_value(&text, claim);
	advice_put_text(buf_bytes(&text), out);
}

/* Which issuer was meant */

static bool
is_slash_apart(struct bytes iss, struct bytes name)
{
	struct bytes longer = iss.len > name.len ? iss : name,
		     shorter = iss.len > name.len ? name : iss;

	return shorter.len > 0 && longer.len == shorter.len + 1 && bytes_starts(longer, shorter) &&
	       longer.at[shorter.len] == '/';
}

struct bytes
advice_entra_tenant(struct bytes iss)
{
	static const char *const hosts[] = {
		"https://sts.windows.net/",
		"https://sts.chinacloudapi.cn/",
		"https://login.microsoftonline.com/",
		"https://login.microsoftonline.us/",
		"https://login.partner.microsoftonline.cn/",
	};

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct bytes rest = bytes_slice(iss, strlen(hosts[i]), iss.len);

		if (bytes_starts(iss, bytes_text(hosts[i])))
			return bytes_slice(rest, 0, bytes_find(rest, '/'));
	}
	return (struct bytes){ 0 };
}

static bool
is_same_tenant(struct bytes iss, struct bytes name)
{
	struct bytes tenant = advice_entra_tenant(iss);

	return tenant.len > 0 && bytes_equal(tenant, advice_entra_tenant(name));
}

/* The first configured `iss` that stands so to the token's. */
static const char *
find_name(const struct advice *a, bool (*is_meant)(struct bytes iss, struct bytes name),
          const struct issuer_settings **ret)
{
	struct bytes iss = json_member_text(a->claims, "iss");

	for (size_t i = 0; i < a->settings->issuer_count; i++)
		for (size_t n = 0; n < a->settings->issuers[i].name_count; n++) {
			const char *name = a->settings->issuers[i].names[n].iss;

			if (!is_meant(iss, bytes_text(name)))
				continue;
			*ret = &a->settings->issuers[i];
			return name;
		}
	return NULL;
}

const char *
advice_same_but_slash(const struct advice *a, const struct issuer_settings **ret)
{
	return find_name(a, is_slash_apart, ret);
}

const char *
advice_other_version(const struct advice *a, const struct issuer_settings **ret)
{
	return find_name(a, is_same_tenant, ret);
}

const char *
advice_nearest(const struct advice *a, const struct issuer_settings **ret)
{
	struct nearest nearest = nearest_to(json_member_text(a->claims, "iss"));
	const char *found = NULL;

	for (size_t i = 0; i < a->settings->issuer_count; i++)
		for (size_t n = 0; n < a->settings->issuers[i].name_count; n++) {
			const char *name = a->settings->issuers[i].names[n].iss;
			struct bytes before = nearest.name;

			nearest_try(&nearest, bytes_text(name));
			if (nearest.name.at == before.at)
				continue;
			found = name;
			*ret = &a->settings->issuers[i];
		}
	return found;
}

/* Words */

static void
put_list(const char *const *texts, size_t count, const char *none, struct buf *out)
{
	for (size_t i = 0; i < count && i < SHOWN_MAX; i++) {
		buf_put_text(out, i == 0 ? "" : " or ");
		buf_put_text(out, texts[i]);
	}
	buf_put_text(out, count == 0 ? none : count > SHOWN_MAX ? " or ..." : "");
}

static void
put_issuer(const struct advice *a, struct buf *out)
{
	buf_put_text(out, a->issuer == NULL ? "NAME" : a->issuer->name);
}

static void
put_audiences(const struct advice *a, struct buf *out)
{
	if (a->issuer == NULL)
		buf_put_text(out, "this API");
	else
		put_list(a->issuer->audience, a->issuer->audience_count, "any audience", out);
}

static void
put_audience(const struct advice *a, struct buf *out)
{
	buf_put_text(out, a->issuer == NULL || a->issuer->audience_count == 0
	                          ? "this API"
	                          : a->issuer->audience[0]);
}

static void
put_algorithms(const struct advice *a, struct buf *out)
{
	const char *before = "";

	for (unsigned bit = ALG_RS256; a->issuer != NULL && bit <= ALG_EDDSA; bit <<= 1) {
		if ((a->issuer->algorithms & bit) == 0)
			continue;
		buf_put_text(out, before);
		buf_put_text(out, jws_alg_name((enum jws_alg_bit)bit));
		before = " or ";
	}
}

static void
put_tenants(const struct advice *a, struct buf *out)
{
	const char *last = NULL;

	if (a->issuer == NULL)
		return;
	/* Each tenant has two names, one behind the other or not: a repeated one is no harm. */
	for (size_t i = 0; i < a->issuer->name_count; i++) {
		const char *tenant = a->issuer->names[i].tenant;

		if (tenant == NULL || (last != NULL && strcmp(last, tenant) == 0))
			continue;
		buf_put_text(out, last == NULL ? "" : " or ");
		buf_put_text(out, tenant);
		last = tenant;
	}
	if (last == NULL)
		buf_put_text(out, a->issuer->tenant == NULL ? "none" : a->issuer->tenant);
}

static void
put_tenant(const struct advice *a, struct buf *out)
{
	advice_put_text(advice_entra_tenant(json_member_text(a->claims, "iss")), out);
}

static void
put_slash(const struct advice *a, struct buf *out)
{
	const struct issuer_settings *of = NULL;
	const char *name = advice_same_but_slash(a, &of);

	buf_put_text(out, name == NULL ? "" : name);
}

static void
put_slash_of(const struct advice *a, struct buf *out)
{
	const struct issuer_settings *of = NULL;

	if (advice_same_but_slash(a, &of) != NULL)
		buf_put_text(out, of->name);
}

static void
put_version(const struct advice *a, struct buf *out)
{
	const struct issuer_settings *of = NULL;
	const char *name = advice_other_version(a, &of);

	buf_put_text(out, name == NULL ? "" : name);
}

static void
put_version_of(const struct advice *a, struct buf *out)
{
	const struct issuer_settings *of = NULL;

	if (advice_other_version(a, &of) != NULL)
		buf_put_text(out, of->name);
}

static void
put_near(const struct advice *a, struct buf *out)
{
	const struct issuer_settings *of = NULL;
	const char *name = advice_nearest(a, &of);

	buf_put_text(out, name == NULL ? "" : name);
}

static void
put_near_of(const struct advice *a, struct buf *out)
{
	const struct issuer_settings *of = NULL;

	if (advice_nearest(a, &of) != NULL)
		buf_put_text(out, of->name);
}

static void
put_okta(const struct advice *a, struct buf *out)
{
	struct bytes iss = json_member_text(a->claims, "iss");

	for (size_t i = 0; i < a->settings->issuer_count; i++) {
		const struct issuer_settings *s = &a->settings->issuers[i];

		if (s->type != ISSUER_OKTA || s->issuer == NULL ||
		    !bytes_starts(bytes_text(s->issuer), iss))
			continue;
		buf_put_text(out, s->issuer);
		return;
	}
}

static void
put_issuers(const struct advice *a, struct buf *out)
{
	size_t shown = 0;

	for (size_t i = 0; i < a->settings->issuer_count && shown < SHOWN_MAX; i++) {
		if (a->settings->issuers[i].issuer == NULL)
			continue;
		buf_put_text(out, shown++ == 0 ? "" : ", ");
		buf_put_text(out, a->settings->issuers[i].issuer);
	}
	buf_put_text(out, shown == 0 ? "none" : "");
}

static void
put_key_file(const struct advice *a, struct buf *out)
{
	if (a->issuer != NULL && a->issuer->jwks_file != NULL)
		buf_put_text(out, a->issuer->jwks_file);
}

/* The two largest units: 3 d 4 h. */
static void
put_span(int64_t seconds, struct buf *out)
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	unsigned shown = 0;

	for (size_t i = 0; i < ARRAY_LEN(units) && shown < 2; i++) {
		if (seconds < units[i].seconds && !(shown == 0 && units[i].seconds == 1))
			continue;
		buf_printf(out, "%s%lld %s", shown++ == 0 ? "" : " ",
		           (long long)(seconds / units[i].seconds), units[i].unit);
		seconds %= units[i].seconds;
	}
}

static void
put_expired(const struct advice *a, struct buf *out)
{
	int64_t date = a->now_s;

	(void)jwt_date(a->claims, "exp", &date); /* else 0 s */
	put_span(a->now_s > date ? a->now_s - date : 0, out);
}

static void
put_ahead(const struct advice *a, struct buf *out)
{
	int64_t date, latest = a->now_s;

	if (jwt_date(a->claims, "nbf", &date) && date > latest)
		latest = date;
	if (jwt_date(a->claims, "iat", &date) && date > latest)
		latest = date;
	put_span(latest - a->now_s, out);
}

static void
put_now(const struct advice *a, struct buf *out)
{
	moment_put_seconds(out, a->now_s);
}

const struct json *
advice_client(const struct advice *a)
{
	struct bytes names = { 0 }, name;
	const struct json *claim = NULL;

	if (a->issuer != NULL && a->issuer->client_claim != NULL)
		names = bytes_text(a->issuer->client_claim);
	while (claim == NULL && claim_word(&names, &name))
		claim = claim_find(a->claims, name);
	return claim;
}

static void
put_client(const struct advice *a, struct buf *out)
{
	advice_put_claim(advice_client(a), out);
}

static void
put_clients(const struct advice *a, struct buf *out)
{
	if (a->issuer != NULL)
		put_list(a->issuer->clients, a->issuer->client_count, "any", out);
}

static void
put_clients_key(const struct advice *a, struct buf *out)
{
	buf_put_text(out, a->issuer != NULL && a->issuer->type == ISSUER_COGNITO ? "client_id"
	                                                                         : "clients");
}

static bool
is_met(const struct advice *a, const struct required_claim *r)
{
	const struct json *claim = claim_find(a->claims, bytes_text(r->path));

	for (size_t i = 0; i < r->count; i++)
		if (claim_holds(claim, bytes_text(r->values[i])))
			return true;
	return claim != NULL && r->count == 0;
}

const struct required_claim *
advice_lacking(const struct advice *a)
{
	for (size_t i = 0; a->issuer != NULL && i < a->issuer->required_count; i++)
		if (!is_met(a, &a->issuer->required[i]))
			return &a->issuer->required[i];
	return NULL;
}

static void
put_required(const struct advice *a, struct buf *out)
{
	const struct required_claim *r = advice_lacking(a);

	if (r == NULL)
		return;
	buf_printf(out, "%s = ", r->path);
	put_list(r->values, r->count, "anything", out);
}

static const struct word {
	const char *name;
	void (*put)(const struct advice *a, struct buf *out);
} words[] = {
	{ "issuer", put_issuer },     { "audiences", put_audiences },
	{ "audience", put_audience }, { "algorithms", put_algorithms },
	{ "tenants", put_tenants },   { "tenant", put_tenant },
	{ "slash", put_slash },       { "slash_of", put_slash_of },
	{ "version", put_version },   { "version_of", put_version_of },
	{ "near", put_near },         { "near_of", put_near_of },
	{ "okta", put_okta },         { "issuers", put_issuers },
	{ "key_file", put_key_file }, { "expired", put_expired },
	{ "ahead", put_ahead },       { "now", put_now },
	{ "client", put_client },     { "clients", put_clients },
	{ "required", put_required }, { "clients_key", put_clients_key },
};

static void
put_word(const struct advice *a, struct bytes name, struct buf *out)
{
	char key[KEY_ROOM];

	if (name.len > 0 && name.at[0] == '$') {
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (bytes_is(bytes_slice(name, 1, name.len), words[i].name))
				words[i].put(a, out);
		return;
	}

	bool is_header = name.len > 0 && name.at[0] == '@';
	struct bytes member = bytes_slice(name, is_header, name.len);

	if (member.len >= sizeof key)
		return;
	memcpy(key, member.at, member.len);
	key[member.len] = '\0';
	advice_put_claim(json_member(is_header ? a->header : a->claims, key), out);
}

void
advice_put_sentence(const struct advice *a, const char *sentence, struct buf *out)
{
	struct bytes rest = bytes_text(sentence);

	while (rest.len > 0) {
		size_t open = bytes_find(rest, '{'), close = bytes_find(rest, '}');

		buf_put(out, bytes_slice(rest, 0, open));
		if (open < rest.len)
			put_word(a, bytes_slice(rest, open + 1, close), out);
		rest = bytes_slice(rest, open < rest.len ? close + 1 : open, rest.len);
	}
}
