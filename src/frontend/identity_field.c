/* identity_field.c - the names of fields that a caller must not be able to write. See assertion.h.
 *
 * Names are compared as the most careless program behind us would: letters fold, and whatever is
 * neither letter nor digit counts as `-`, for CGI and WSGI make one `_` of them all. */
#include "base/macros.h"
#include "frontend/assertion.h"

enum { FOLDED_MAX = 40, NAME_MAX_LEN = 24, HEAD_LEN = 3 };

/* `is_prefix`: it stands for all that begin like it. The names are in the rows, and looked at by
 * their first HEAD_LEN bytes: 20 ns for a field that is none of them. */
struct row {
	char name[NAME_MAX_LEN];
	bool is_prefix;
};

/* Behind "x-". */
static const struct row x_rows[] = {
	/* Who it is */
	{ "gatewarden", true },
	{ "auth-request", true },  /* oauth2-proxy */
	{ "forwarded", true },     /* -User, -Email, -Groups; -For, -Host, -Client-Cert */
	{ "pomerium", true },      /* Pomerium */
	{ "ms-", true },           /* Azure App Service, Data API builder (X-MS-API-ROLE) */
	{ "authentik", true },     /* authentik */
	{ "authenticated", true }, /* -User, -Userid, -Groups: Kong and others */
	{ "consumer", true },      /* Kong */
	{ "credential", true },    /* Kong */
	{ "anonymous-consumer", false },
	{ "amzn-oidc", true }, /* Application Load Balancer */
	{ "amzn-mtls", true },
	{ "goog-iap", true }, /* Identity-Aware Proxy */
	{ "goog-authenticated", true },
	{ "apigateway", true }, /* Google API Gateway, Endpoints */
	{ "endpoint-api", true },
	{ "webauth", true },  /* Grafana */
	{ "vouch", true },    /* Vouch Proxy */
	{ "remote", true },   /* -User, -Group, -Extra: Kubernetes; -Addr */
	{ "userinfo", true }, /* APISIX */
	{ "id-token", false },
	{ "access-token", false },
	{ "ssl-client", true },
	{ "client-cert", true },
	{ "client-dn", false },
	{ "client-verify", false },
	/* Where it comes from */
	{ "real-", true },
	{ "client-ip", false },
	{ "cluster-client", true },
	{ "originating-ip", false },
	{ "envoy", true }, /* -External-Address, -Original-Path, -Internal */
	/* That it is another request than the one that was decided */
	{ "original", true }, /* -URL, -URI, -Method, -Host */
	{ "rewrite", true },
	{ "http-method", true }, /* -Override */
	{ "method-override", false },
	{ "http-host", true },
	{ "host", false },
	{ "script-name", false },
	{ "accel", true },
	{ "sendfile", true },
};

static const struct row rows[] = {
	/* Who it is */
	{ "remote-", true }, /* -User, -Groups, -Email, -Name: Authelia, and REMOTE_USER */
	{ "oidc-", true },   /* mod_auth_openidc: OIDC_CLAIM_ ... */
	{ "ssl-client", true },
	{ "client-cert", true }, /* RFC 9440 */
	{ "cf-access", true },   /* Cloudflare Access */
	{ "tailscale", true },   /* Tailscale Serve */
	{ "impersonate", true }, /* Kubernetes */
	{ "auth-user", false },
	/* Where it comes from */
	{ "forwarded", false },
	{ "true-client-ip", false },
	{ "cf-connecting", true },
	{ "fastly-client-ip", false },
	/* How a service behaves: HTTP_PROXY, for CGI and WSGI, is where its own requests go
	 * (CVE-2016-5385) */
	{ "proxy", false },
};

/* Of names longer than any row, the beginning. */
static size_t
fold(struct bytes name, char ret[FOLDED_MAX])
{
	size_t len = name.len < FOLDED_MAX ? name.len : FOLDED_MAX;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = name.at[i];

		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		ret[i] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? (char)c : '-';
	}
	return len;
}

/* `folded` is the name as far as FOLDED_MAX; all rows are shorter. */
static bool
is_in(const struct row *table, size_t count, const char *folded, size_t folded_len, size_t name_len)
{
	if (folded_len < HEAD_LEN)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t len;

		if (memcmp(folded, table[i].name, HEAD_LEN) != 0)
			continue;
		len = strlen(table[i].name);
		if (len <= folded_len && memcmp(folded, table[i].name, len) == 0 &&
		    (table[i].is_prefix || len == name_len))
			return true;
	}
	return false;
}

bool
identity_field_is(struct bytes name)
{
	char folded[FOLDED_MAX];
	size_t len = fold(name, folded);

	if (len > 2 && folded[0] == 'x' && folded[1] == '-')
		return is_in(x_rows, ARRAY_LEN(x_rows), folded + 2, len - 2, name.len - 2);
	return is_in(rows, ARRAY_LEN(rows), folded, len, name.len);
}
