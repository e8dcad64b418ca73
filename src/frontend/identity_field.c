/* identity_field.c - the names of fields that a caller must not be able to write. See assertion.h.
 *
 * Names are compared as the most careless program behind us would: letters fold, and whatever is
 * neither letter nor digit counts as `-`, for CGI and WSGI make one `_` of them all. */
#include "base/macros.h"
#include "frontend/assertion.h"

enum { FOLDED_MAX = 40, HEAD_LEN = 4 };

/* Each begins with HEAD_LEN bytes that the search looks at first; with a `-` (or letter) at its end
 * and `is_prefix` it stands for all that begin like it. */
static const struct row {
	const char *name;
	bool is_prefix;
} rows[] = {
	/* Who it is */
	{ "x-gatewarden", true },
	{ "x-auth-request", true },  /* oauth2-proxy */
	{ "x-forwarded", true },     /* -User, -Email, -Groups; -For, -Host, -Client-Cert */
	{ "x-pomerium", true },      /* Pomerium */
	{ "x-ms-", true },           /* Azure App Service, Data API builder (X-MS-API-ROLE) */
	{ "x-authentik", true },     /* authentik */
	{ "x-authenticated", true }, /* -User, -Userid, -Groups: Kong and others */
	{ "x-consumer", true },      /* Kong */
	{ "x-credential", true },    /* Kong */
	{ "x-anonymous-consumer", false },
	{ "x-amzn-oidc", true }, /* Application Load Balancer */
	{ "x-amzn-mtls", true },
	{ "x-goog-iap", true }, /* Identity-Aware Proxy */
	{ "x-goog-authenticated", true },
	{ "x-apigateway", true }, /* Google API Gateway, Endpoints */
	{ "x-endpoint-api", true },
	{ "x-webauth", true },  /* Grafana */
	{ "x-vouch", true },    /* Vouch Proxy */
	{ "x-remote", true },   /* -User, -Group, -Extra: Kubernetes */
	{ "x-userinfo", true }, /* APISIX */
	{ "x-id-token", false },
	{ "x-access-token", false },
	{ "x-ssl-client", true },
	{ "x-client-cert", true },
	{ "x-client-dn", false },
	{ "x-client-verify", false },
	{ "ssl-client", true },
	{ "client-cert", true }, /* RFC 9440 */
	{ "cf-access", true },   /* Cloudflare Access */
	{ "tailscale", true },   /* Tailscale Serve */
	{ "oidc-", true },       /* mod_auth_openidc: OIDC_CLAIM_ ... */
	{ "remote-", true },     /* -User, -Groups, -Email, -Name: Authelia, and REMOTE_USER */
	{ "auth-user", false },
	{ "impersonate", true }, /* Kubernetes */
	/* Where it comes from */
	{ "forwarded", false },
	{ "x-real-", true },
	{ "x-client-ip", false },
	{ "x-cluster-client", true },
	{ "x-originating-ip", false },
	{ "x-remote-addr", false },
	{ "true-client-ip", false },
	{ "cf-connecting", true },
	{ "fastly-client-ip", false },
	{ "x-envoy", true }, /* -External-Address, -Original-Path, -Internal */
	/* That it is another request than the one that was decided */
	{ "x-original", true }, /* -URL, -URI, -Method, -Host */
	{ "x-rewrite", true },
	{ "x-http-method", true }, /* -Override */
	{ "x-method-override", false },
	{ "x-http-host", true },
	{ "x-host", false },
	{ "x-script-name", false },
	{ "x-accel", true },
	{ "x-sendfile", true },
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

static bool
fits(const struct row *row, const char *folded, size_t folded_len, size_t name_len)
{
	size_t len = strlen(row->name);

	return len <= folded_len && memcmp(folded, row->name, len) == 0 &&
	       (row->is_prefix || len == name_len);
}

bool
identity_field_is(struct bytes name)
{
	char folded[FOLDED_MAX];
	size_t len = fold(name, folded);

	if (len < HEAD_LEN)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (memcmp(folded, rows[i].name, HEAD_LEN) == 0 &&
		    fits(&rows[i], folded, len, name.len))
			return true;
	return false;
}
