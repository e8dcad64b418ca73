/* config_listen.c - the rows of listeners, and of TLS on them. */
#include "config/config_reader.h"

#include "base/macros.h"

static void tls_finish(struct config_reader *r, const struct node *n, void *tls);

/* Tables, read by the row. */
/* clang-format off */

static const struct setting certificate_rows[] = {
	{ .name = "certificate", .kind = SETTING_PATH, .required = true,
	  .offset = offsetof(struct certificate_settings, certificate),
	  .help = "The certificate in PEM form, with the chain behind it." },
	{ .name = "key", .kind = SETTING_PATH, .required = true, .offset = offsetof(struct certificate_settings, key),
	  .help = "Its key in PEM form, without a passphrase." },
};
const struct section certificate_section = {
	.title = "a certificate", .settings = certificate_rows, .count = ARRAY_LEN(certificate_rows),
	.size = sizeof(struct certificate_settings), .place_offset = offsetof(struct certificate_settings, place),
};
static const struct choice client_certificates[] = { { "ask", false, NULL }, { "require", true, NULL } };
static const struct choice tls_versions[] = { { "1.2", false, NULL }, { "1.3", true, NULL } };
static const struct setting tls_rows[] = {
	{ .name = "certificate", .kind = SETTING_PATH, .required = true, .offset = offsetof(struct tls_settings, own.certificate),
	  .help = "The certificate in PEM form, with the chain behind it. Callers that ask for no name get it. New content is "
	          "seen within seconds, without a restart." },
	{ .name = "key", .kind = SETTING_PATH, .required = true, .offset = offsetof(struct tls_settings, own.key),
	  .help = "Its key in PEM form, without a passphrase." },
	{ .name = "certificates", .kind = SETTING_LIST, .section = &certificate_section, .max = 256,
	  .offset = offsetof(struct tls_settings, more), .count_offset = offsetof(struct tls_settings, more_count),
	  .help = "Further ones, chosen by the name that a caller asks for (SNI)." },
	{ .name = "client_ca", .kind = SETTING_PATH, .offset = offsetof(struct tls_settings, client_ca),
	  .help = "The authorities, in PEM form, that sign certificates of callers. Without it callers are not asked for one." },
	{ .name = "client_certificate", .kind = SETTING_FLAG, .offset = offsetof(struct tls_settings, requires_certificate),
	  .choices = client_certificates, .choice_count = ARRAY_LEN(client_certificates), .fallback = "ask",
	  .help = "With `require`, a caller without a certificate of `client_ca` cannot connect." },
	{ .name = "minimum", .kind = SETTING_FLAG, .offset = offsetof(struct tls_settings, is_tls13_only),
	  .choices = tls_versions, .choice_count = ARRAY_LEN(tls_versions), .fallback = "\"1.2\"",
	  .help = "The oldest version of TLS that is spoken." },
};
static const struct section tls_section = {
	.title = "tls", .settings = tls_rows, .count = ARRAY_LEN(tls_rows), .finish = tls_finish,
};

static const struct setting http_rows[] = {
	{ .name = "address", .kind = SETTING_ADDRESS, .required = true, .offset = offsetof(struct settings, listen.http),
	  .help = "Where data is served." },
	{ .name = "proxies", .kind = SETTING_TEXTS, .form = &form_ip, .min = 1, .max = 64,
	  .offset = offsetof(struct settings, listen.proxies),
	  .count_offset = offsetof(struct settings, listen.proxy_count),
	  .help = "Addresses of the reverse proxies in front of us. `client_certificate` and `X-Forwarded-*` are believed from "
	          "these alone, only these may ask `/auth`, and failed logins are not counted by these addresses, which are "
	          "those of all callers." },
	{ .name = "client_certificate", .kind = SETTING_TEXT, .form = &form_field, .min = 1, .max = 64,
	  .offset = offsetof(struct settings, listen.certificate_field),
	  .help = "The request field in which such a proxy tells the certificate that the caller showed it: as in "
	          "`Client-Cert` (RFC 9440), or a PEM, URL-encoded. From anyone else the field is ignored. Needs "
	          "`proxies`, and a proxy that takes the field away from what callers send." },
	{ .name = "tls", .kind = SETTING_SECTION, .section = &tls_section, .offset = offsetof(struct settings, listen.http_tls),
	  .place_offset = offsetof(struct settings, listen.http_tls.place),
	  .help = "TLS is spoken here, with HTTP/2 and HTTP/1.1. Without it HTTP is plain." },
};
static const struct section http_section = {
	.title = "a listener", .settings = http_rows, .count = ARRAY_LEN(http_rows), .short_key = "address",
};
static const struct setting admin_rows[] = {
	{ .name = "address", .kind = SETTING_ADDRESS, .required = true, .offset = offsetof(struct settings, listen.admin),
	  .help = "Where operators and probes connect." },
	{ .name = "tls", .kind = SETTING_SECTION, .section = &tls_section, .offset = offsetof(struct settings, listen.admin_tls),
	  .place_offset = offsetof(struct settings, listen.admin_tls.place), .help = "TLS is spoken here." },
};
static const struct section admin_section = {
	.title = "a listener", .settings = admin_rows, .count = ARRAY_LEN(admin_rows), .short_key = "address",
};
static const struct setting listen_rows[] = {
	{ .name = "http", .kind = SETTING_SECTION, .section = &http_section,
	  .fallback = "127.0.0.1:8080",
	  .help = "The data listener: the API, routes, tokens, discovery documents. The address alone, or a mapping." },
	{ .name = "admin", .kind = SETTING_SECTION, .section = &admin_section,
	  .help = "`/healthz`, `/readyz` and `/metrics`; without it they are not served at all. Must differ from "
	          "`http`. Nobody is asked who they are here, so keep it on loopback, or on an address that only "
	          "operators and probes reach. The address alone, or a mapping." },
};
const struct section listen_section = {
	.title = "listen", .settings = listen_rows, .count = ARRAY_LEN(listen_rows),
};
/* clang-format on */

static void
tls_finish(struct config_reader *r, const struct node *n, void *tls)
{
	struct tls_settings *s = tls;
	const struct node *required = node_member(n, "client_certificate");

	if (n == NULL)
		return;
	s->is_on = true;
	s->own.place = s->place;
	if (required != NULL && s->client_ca == NULL)
		problem_add(&r->problems, required->key_place,
		            "client_certificate without client_ca; expected the authorities that "
		            "sign such certificates");
}
