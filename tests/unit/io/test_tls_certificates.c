/* Who shows which certificate, and who is believed. */
#include "io/tls.h"

#include "base/macros.h"
#include "io/tls_names.h"
#include "tls_pair.h"

/* Certificates of services */

struct row {
	const char *name;
	const struct made *server;
	const char *asked;
	const struct made *ca;
	const char *why; /* NULL: it is let in */
};

static void
test_a_service_is_who_it_should_be_or_nobody(void)
{
	const struct row rows[] = {
		{ "good", &server, "a.example", &authority, NULL },
		{ "second name", &server, "b.example", &authority, NULL },
		{ "RSA", &rsa, "rsa.example", &authority, NULL },
		{ "wildcard", &wild, "x.wild.example", &authority, NULL },
		{ "an address", &address, "127.0.0.1", &authority, NULL },
		{ "an IPv6 address", &address, "::1", &authority, NULL },
		{ "another authority", &server, "a.example", &other_authority,
		  "TLS: who signed the peer's certificate is not known" },
		{ "another name", &server, "c.example", &authority,
		  "TLS: the peer's certificate is of another name" },
		{ "common name only", &client, "client", &authority,
		  "TLS: the peer's certificate is of another name" },
		{ "wildcard for two labels", &wild, "x.y.wild.example", &authority,
		  "TLS: the peer's certificate is of another name" },
		{ "wildcard for none", &wild, "wild.example", &authority,
		  "TLS: the peer's certificate is of another name" },
		{ "another address", &address, "127.0.0.2", &authority,
		  "TLS: the peer's certificate is of another address" },
		{ "an address as a name", &server, "127.0.0.1", &authority,
		  "TLS: the peer's certificate is of another address" },
		{ "ended", &expired, "a.example", &authority,
		  "TLS: the peer's certificate has ended" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct tls_certificate c = files(r->server);
		struct tls_options s = server_options(&c, 1), o = { .ca_file = r->ca->certificate };
		struct pair p;

		CHECK_ROW(pair_make(&p, &s, &o, r->asked), r->name);
		shake(&p, 500);
		CHECK_ROW(is_through(&p) == (r->why == NULL), r->name);
		if (r->why != NULL) {
			CHECK_ROW(failed(p.client_error), r->name);
			CHECK_ROW(p.client_error.why != NULL &&
			                  strcmp(p.client_error.why, r->why) == 0,
			          r->name);
			/* The service is told, too. */
			CHECK_ROW(failed(p.server_error), r->name);
		}
		pair_done(&p);
	}
}

static void
test_a_client_must_know_whom_it_expects(void)
{
	struct tls_options o = { .ca_file = authority.certificate };
	struct tls_context *c;
	struct tls *t;

	CHECK(!failed(tls_client_context(&o, &c, NULL)));
	CHECK(failed(tls_new(c, NULL, &t)));
	CHECK(failed(tls_new(c, "", &t)));
	tls_context_free(c);
}

/* SNI */

static void
test_the_name_asked_for_chooses_the_certificate(void)
{
	static const struct {
		const char *asked, *covers;
	} rows[] = {
		{ "a.example", "a.example" },        { "rsa.example", "rsa.example" },
		{ "RSA.EXAMPLE", "rsa.example" },    { "q.wild.example", "x.wild.example" },
		{ "nobody.example", "a.example" },   { "wild.example", "a.example" },
		{ "q.q.wild.example", "a.example" },
	};
	struct tls_certificate c[] = { files(&server), files(&rsa), files(&wild) };
	struct tls_options s = server_options(c, 3), o = { .ca_file = authority.certificate };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair p;

		CHECK_ROW(pair_make(&p, &s, &o, rows[i].asked), rows[i].asked);
		shake(&p, SIZE_MAX);
		/* Where none fits the client refuses the first, and the server saw which it was. */
		bool fits =
			tls_names_cover(tls_peer(p.client) == NULL ? NULL : tls_peer(p.server)->own,
		                        bytes_text(rows[i].covers));
		CHECK_ROW(fits == (tls_peer(p.client) != NULL), rows[i].asked);
		CHECK_ROW((tls_peer(p.client) != NULL) == (i < 4), rows[i].asked);
		pair_done(&p);
	}
}

static void
test_60_a_request_is_served_under_the_names_of_the_certificate(void)
{
	static const struct {
		const char *asked, *authority;
		bool is_served;
	} rows[] = {
		{ "a.example", "a.example", true },      { "a.example", "A.Example:8443", true },
		{ "a.example", "b.example", true },      { "a.example", "c.example", false },
		{ "a.example", "c.example:443", false }, { "", "c.example", true },
		{ "a.example", "127.0.0.1", true },      { "a.example", "127.0.0.1:8443", true },
		{ "a.example", "[::1]:8443", true },     { "a.example", "", true },
		{ "c.example", "c.example", true },      { "c.example", "a.example", true },
		{ "a.example", "a.example.", false },    { "a.example", "xa.example", false },
	};
	struct tls_names *n = NULL;

	CHECK(!failed(tls_names_read(server.x, &n)));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ROW(tls_names_serve(n, bytes_text(rows[i].asked),
		                          bytes_text(rows[i].authority)) == rows[i].is_served,
		          rows[i].authority);
	CHECK(!tls_names_serve(NULL, BYTES("a.example"), BYTES("b.example")));
	tls_names_free(n);
}

static void
test_60_a_nul_in_a_name_is_refused(void)
{
	struct tls_certificate c = files(&nul);
	struct tls_options o = server_options(&c, 1);
	struct tls_context *context;
	const char *file;

	struct err e = tls_server_context(&o, &context, &file);
	CHECK(e.kind == ERR_CONFIG && file != NULL && strcmp(file, nul.certificate) == 0);
	CHECK(strstr(e.why, "NUL") != NULL);
}

/* What a service shows us: the bytes before the NUL are not its name. */
static void
test_60_a_name_with_a_nul_is_not_the_name_before_it(void)
{
	struct tls_names *n = NULL;
	CHECK(failed(tls_names_read(nul.x, &n)));
	CHECK(X509_check_host(nul.x, "a.example", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) !=
	      1);
}

/* Certificates of callers */

static void
test_callers_show_certificates_where_they_are_asked(void)
{
	static const struct {
		const char *name;
		enum tls_ask ask;
		const struct made *shown;
		bool is_through, is_seen;
	} rows[] = {
		{ "not asked", TLS_ASK_NOTHING, &client, true, false },
		{ "asked, shown", TLS_ASK_CERTIFICATE, &client, true, true },
		{ "asked, not shown", TLS_ASK_CERTIFICATE, NULL, true, false },
		{ "asked, another authority", TLS_ASK_CERTIFICATE, &client_of_other, false, false },
		{ "asked, ended", TLS_ASK_CERTIFICATE, &expired, false, false },
		{ "asked, one for servers", TLS_ASK_CERTIFICATE, &server_use, false, false },
		{ "required, shown", TLS_REQUIRE_CERTIFICATE, &client, true, true },
		{ "required, not shown", TLS_REQUIRE_CERTIFICATE, NULL, false, false },
		{ "required, another authority", TLS_REQUIRE_CERTIFICATE, &client_of_other, false,
		  false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_certificate c = files(&server), shown = { 0 };
		struct tls_options s = server_options(&c, 1),
				   o = { .ca_file = authority.certificate };
		struct pair p;

		s.ask = rows[i].ask;
		s.ca_file = authority.certificate;
		if (rows[i].shown != NULL) {
			shown = files(rows[i].shown);
			o.certificates = &shown;
			o.certificate_count = 1;
		}
		CHECK_ROW(pair_make(&p, &s, &o, "a.example"), rows[i].name);
		shake(&p, 1000);
		CHECK_ROW(is_through(&p) == rows[i].is_through, rows[i].name);
		CHECK_ROW((tls_peer(p.server) != NULL && tls_peer(p.server)->has_certificate) ==
		                  rows[i].is_seen,
		          rows[i].name);
		if (rows[i].is_seen && tls_peer(p.server) != NULL) {
			uint8_t digest[TLS_DIGEST_LEN];
			CHECK(X509_digest(client.x, EVP_sha256(), digest, NULL) == 1);
			CHECK(memcmp(digest, tls_peer(p.server)->certificate, sizeof digest) == 0);
		}
		pair_done(&p);
	}
}

/* Files */

static void
test_files_that_do_not_fit_are_named(void)
{
	char nothing[FILE_NAME_MAX], text[FILE_NAME_MAX], locked[FILE_NAME_MAX];

	snprintf(nothing, sizeof nothing, "%s/nothing.pem", test_folder);
	snprintf(text, sizeof text, "%s/text.pem", test_folder);
	snprintf(locked, sizeof locked, "%s/locked.key", test_folder);
	FILE *f = fopen(text, "w");
	fputs("not a PEM\n", f);
	fclose(f);
	f = fopen(locked, "w");
	PEM_write_PKCS8PrivateKey(f, server.pkey, EVP_aes_128_cbc(), "pw", 2, NULL, NULL);
	fclose(f);
	const struct {
		const char *certificate, *key, *ca, *at, *why;
	} rows[] = {
		{ nothing, server.key, NULL, nothing, "the file cannot be read" },
		{ server.certificate, nothing, NULL, nothing, "the file cannot be read" },
		{ server.certificate, server.key, nothing, nothing, "the file cannot be read" },
		{ text, server.key, NULL, text, "it is not in the form PEM, or not of this kind" },
		{ server.certificate, text, NULL, text, NULL },
		{ server.certificate, rsa.key, NULL, rsa.key,
		  "the key does not fit its certificate" },
		{ server.certificate, client.key, NULL, client.key,
		  "the key does not fit its certificate" },
		{ server.certificate, locked, NULL, locked,
		  "the key is encrypted; it must not be" },
		{ small.certificate, small.key, NULL, small.certificate,
		  "its key is too small: RSA needs 2048 bits" },
		{ server.certificate, server.key, text, text, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_certificate c = { rows[i].certificate, rows[i].key };
		struct tls_options o = server_options(&c, 1);
		struct tls_context *context = NULL;
		const char *file = NULL;

		o.ca_file = rows[i].ca;
		o.ask = rows[i].ca != NULL ? TLS_ASK_CERTIFICATE : TLS_ASK_NOTHING;
		struct err e = tls_server_context(&o, &context, &file);
		CHECK_ROW(e.kind == ERR_CONFIG, rows[i].at);
		CHECK_ROW(file != NULL && strcmp(file, rows[i].at) == 0, rows[i].at);
		CHECK_ROW(rows[i].why == NULL || strcmp(e.why, rows[i].why) == 0, e.why);
		if (!failed(e))
			tls_context_free(context);
	}
	struct tls_options none = { 0 };
	struct tls_context *context;
	CHECK(failed(tls_server_context(&none, &context, NULL)));
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(test_a_service_is_who_it_should_be_or_nobody),
		TEST(test_a_client_must_know_whom_it_expects),
		TEST(test_the_name_asked_for_chooses_the_certificate),
		TEST(test_60_a_request_is_served_under_the_names_of_the_certificate),
		TEST(test_60_a_nul_in_a_name_is_refused),
		TEST(test_60_a_name_with_a_nul_is_not_the_name_before_it),
		TEST(test_callers_show_certificates_where_they_are_asked),
		TEST(test_files_that_do_not_fit_are_named),
	};

	return test_with_certificates(tests, ARRAY_LEN(tests));
}
