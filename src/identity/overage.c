/* overage.c - groups that do not fit in a token of Entra (more than 200): it names a place to ask
 * instead (OpenID Connect Core section 5.6.2). That place is never used: whoever can make us fetch
 * a URL of his choice has half won. Graph is asked, by tenant and object, where it is configured.
 */
#include "base/macros.h"
#include "identity/examine.h"

enum { GROUPS_LIFE_S = 300, GUID_LEN = 36 };

static bool
grants_by_groups(const struct issuer_settings *s)
{
	for (size_t i = 0; i < s->roles_claim_count; i++)
		if (strcmp(s->roles_claims[i], "groups") == 0)
			return true;
	return false;
}

bool
groups_are_elsewhere(const struct issuer_settings *s, const struct json *claims)
{
	bool has = false;

	if (!grants_by_groups(s) || json_member(claims, "groups") != NULL)
		return false;
	(void)json_bool(json_member(claims, "hasgroups"), &has); /* stays false */
	return has || json_member(json_member(claims, "_claim_names"), "groups") != NULL;
}

struct err
take_learned_groups(struct examination *x)
{
	struct buf text CLEANUP(buf_done) = { .limit = JWKS_BYTES_MAX };
	const struct json *learned, *groups;

	if (x->shown->learned.len == 0 ||
	    !groups_are_elsewhere(x->issuer->settings, x->jws.payload))
		return OK;
	if (failed(json_parse(x->shown->learned, x->arena, &learned, NULL)))
		return fail(ERR_UPSTREAM, "the groups of the token are not understood");
	groups = json_member(learned, "groups");
	if (groups == NULL || groups->type != JSON_ARRAY)
		return OK;
	json_put_value(&text, groups);
	x->ends_s = x->now_s + GROUPS_LIFE_S;
	return examine_add_claim(x, "groups", buf_bytes(&text));
}

static bool
is_guid(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i], lower = c | 0x20;
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? c != '-' : !(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'f'))
			return false;
	}
	return text.len == GUID_LEN;
}

static bool
guid_claim(const struct json *claims, const char *name, struct bytes *ret)
{
	return json_string(json_member(claims, name), ret) && is_guid(*ret);
}

static struct err
refuse(struct examination *x, const char *why, struct bytes expected)
{
	struct jwt_report *r = &x->ret->report;

	jwt_report_check(r, JWT_CLAIMS, false, why);
	jwt_report_text(r, JWT_CLAIMS, expected, BYTES("no groups, but where to ask for them"));
	return jwt_report_result(r);
}

struct err
check_groups(struct examination *x)
{
	const struct issuer_settings *s = x->issuer->settings;
	struct jwt_report *r = &x->ret->report;

	if (!groups_are_elsewhere(s, x->jws.payload))
		return jwt_report_result(r);
	if (s->graph_secret.file == NULL && s->graph_secret.env == NULL)
		return refuse(
			x, "the token has too many groups to list, and Graph is not configured",
			BYTES("groups in the token, or `graph` in the settings of the issuer"));
	if (!guid_claim(x->jws.payload, "tid", &x->ret->tenant) ||
	    !guid_claim(x->jws.payload, "oid", &x->ret->object))
		return refuse(x, "the token does not say clearly whose groups to ask for",
		              BYTES("tid and oid"));
	if (x->shown->learned.len != 0)
		return refuse(x, "the groups of the token could not be learned",
		              BYTES("groups from Graph"));
	if (x->full) /* for somebody who looks at a token, nobody is asked */
		jwt_report_text(r, JWT_CLAIMS, BYTES("groups in the token, or from Graph"),
		                BYTES("too many groups to list; Graph is not asked from here"));
	if (r->failed != JWT_CHECK_COUNT)
		return jwt_report_result(r);
	x->ret->is_app = jwt_is_app(x->jws.payload, &x->issuer->rules);
	return examine_later(x, MISSING_GROUPS, "the groups of the token must be asked for");
}
