/* Both ends of TLS over memory: who is let in, who is not, and that no cut of the bytes matters. */
#include "io/tls.h"

#include "base/clock.h"
#include "base/macros.h"
#include "certificates.h"
#include "io/tls_names.h"
#include "io/tls_ticket.h"
#include "test.h"

static struct made authority, other_authority, server, rsa, wild, expired, small, client,
	client_of_other, nul, address, server_use;
static const char *const http_alpn[] = { "h2", "http/1.1", NULL };

struct pair {
	struct tls_context *server_context, *client_context;
	struct tls *server, *client;
	struct buf to_server, to_client;
	struct err server_error, client_error;
};

static struct tls_options
server_options(const struct tls_certificate *certificates, size_t count)
{
	return (struct tls_options){ .certificates = certificates,
		                     .certificate_count = count,
		                     .alpn = http_alpn };
}

static struct tls_certificate
files(const struct made *m)
{
	return (struct tls_certificate){ m->certificate, m->key };
}

static void
pair_done(struct pair *p)
{
	tls_free(p->server);
	tls_free(p->client);
	tls_context_free(p->server_context);
	tls_context_free(p->client_context);
	buf_done(&p->to_server);
	buf_done(&p->to_client);
}

/* Gives the bytes over in steps of `step`, until nothing moves. */
static void
move(struct buf *from, struct tls *to, struct buf *answers, size_t step, struct err *error)
{
	while (from->len > 0 && !failed(*error)) {
		size_t len = from->len < step ? from->len : step;

		*error = tls_feed(to, (struct bytes){ from->at, len }, answers);
		if (!failed(*error))
			*error = tls_hold(to);
		buf_consume(from, len);
	}
}

static void
shake(struct pair *p, size_t step)
{
	p->client_error = tls_begin(p->client, &p->to_server);
	for (int i = 0; i < 10; i++) {
		move(&p->to_server, p->server, &p->to_client, step, &p->server_error);
		move(&p->to_client, p->client, &p->to_server, step, &p->client_error);
	}
}

static bool
pair_make(struct pair *p, const struct tls_options *of_server, const struct tls_options *of_client,
          const char *name)
{
	*p = (struct pair){ 0 };
	return !failed(tls_server_context(of_server, &p->server_context, NULL)) &&
	       !failed(tls_client_context(of_client, &p->client_context, NULL)) &&
	       !failed(tls_new(p->server_context, NULL, &p->server)) &&
	       !failed(tls_new(p->client_context, name, &p->client));
}

/* A new connection with the same contexts, resuming nothing by itself. */
static bool
is_through(const struct pair *p)
{
	return tls_peer(p->server) != NULL && tls_peer(p->client) != NULL &&
	       !failed(p->server_error) && !failed(p->client_error);
}

static bool
reads(struct tls *t, const char *text, struct buf *wire)
{
	uint8_t at[256];
	size_t len = 0;

	return !failed(tls_read(t, at, sizeof at, wire, &len)) &&
	       bytes_is((struct bytes){ at, len }, text);
}

static void
test_the_two_ends_agree_however_the_bytes_are_cut(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1),
			   o = { .ca_file = authority.certificate, .alpn = http_alpn };

	for (int is_old = 0; is_old < 2; is_old++) {
		for (size_t step = 1; step < 1400; step += step < 70 ? 1 : 101) {
			struct pair p;

			CHECK(pair_make(&p, &s, &o, "a.example"));
			shake(&p, step);
			CHECK(is_through(&p));
			CHECK(!failed(tls_write(p.client, BYTES("hello"), &p.to_server)));
			move(&p.to_server, p.server, &p.to_client, step, &p.server_error);
			CHECK(reads(p.server, "hello", &p.to_client));
			CHECK(!failed(tls_write(p.server, BYTES("good day"), &p.to_client)));
			move(&p.to_client, p.client, &p.to_server, step, &p.client_error);
			CHECK(reads(p.client, "good day", &p.to_server));
			pair_done(&p);
		}
	}
}

static void
test_what_was_settled_is_told(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1),
			   o = { .ca_file = authority.certificate, .alpn = http_alpn };
	struct pair p;

	CHECK(pair_make(&p, &s, &o, "A.Example"));
	shake(&p, SIZE_MAX);
	CHECK(is_through(&p));
	const struct tls_peer *at = tls_peer(p.server);
	CHECK(at->version == 0x0304);
	CHECK(strcmp(at->alpn, "h2") == 0);
	CHECK(strcmp(at->name, "a.example") == 0);
	CHECK(tls_names_cover(at->own, BYTES("b.example")));
	CHECK(!tls_names_cover(at->own, BYTES("c.example")));
	CHECK(!at->has_certificate && !at->is_resumed && at->cipher != NULL);
	CHECK(tls_peer(p.client)->has_certificate);
	CHECK(tls_context_expires(p.server_context) > clock_wall_us() / 1000000 + 86400 * 300);
	pair_done(&p);
}

static void
test_what_is_written_before_the_handshake_waits_for_it(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1), o = { .ca_file = authority.certificate };
	struct pair p;

	CHECK(pair_make(&p, &s, &o, "a.example"));
	CHECK(!failed(tls_write(p.client, BYTES("early"), &p.to_server)));
	CHECK(p.to_server.len == 0);
	shake(&p, 100);
	CHECK(is_through(&p));
	CHECK(reads(p.server, "early", &p.to_client));
	pair_done(&p);
}

static void
test_the_end_is_told_and_a_cut_is_not_an_end(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1), o = { .ca_file = authority.certificate };
	struct pair p;
	uint8_t at[16];
	size_t len;

	CHECK(pair_make(&p, &s, &o, "a.example"));
	shake(&p, SIZE_MAX);
	CHECK(!tls_has_ended(p.server));
	CHECK(!failed(tls_write(p.client, BYTES("last"), &p.to_server)));
	tls_end(p.client, &p.to_server);
	move(&p.to_server, p.server, &p.to_client, 3, &p.server_error);
	CHECK(reads(p.server, "last", &p.to_client));
	CHECK(!failed(tls_read(p.server, at, sizeof at, &p.to_client, &len)) && len == 0);
	CHECK(tls_has_ended(p.server));
	/* The other half still goes on. */
	CHECK(!failed(tls_write(p.server, BYTES("answer"), &p.to_client)));
	move(&p.to_client, p.client, &p.to_server, 5, &p.client_error);
	CHECK(reads(p.client, "answer", &p.to_server));
	pair_done(&p);
}

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

/* Versions, tickets */

/* A client of OpenSSL itself, which can be set to what ours never does. */
struct bare {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
	SSL_SESSION *session; /* the newest ticket */
};

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct bare *b = SSL_get_app_data(ssl);

	SSL_SESSION_free(b->session);
	b->session = session;
	return 1;
}

static void
bare_open(struct bare *b, int version, SSL_SESSION *session)
{
	b->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(b->context, 0);
	SSL_CTX_set_min_proto_version(b->context, version);
	SSL_CTX_set_max_proto_version(b->context, version);
	SSL_CTX_set_cipher_list(b->context, "ALL:@SECLEVEL=0");
	SSL_CTX_set_session_cache_mode(b->context,
	                               SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(b->context, on_session);
	b->ssl = SSL_new(b->context);
	b->in = BIO_new(BIO_s_mem());
	b->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(b->in, -1);
	SSL_set_bio(b->ssl, b->in, b->out);
	SSL_set_app_data(b->ssl, b);
	SSL_set_tlsext_host_name(b->ssl, "a.example");
	SSL_set_connect_state(b->ssl);
	if (session != NULL)
		SSL_set_session(b->ssl, session);
}

static void
bare_close(struct bare *b)
{
	SSL_set_shutdown(b->ssl, SSL_SENT_SHUTDOWN); /* else its session counts as broken */
	SSL_free(b->ssl);
	SSL_CTX_free(b->context);
}

/* One connection of `b` with `t`. */
static struct err
bare_shake(struct bare *b, struct tls *t)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct err e = OK;
	uint8_t at[4096];

	for (int i = 0; i < 10 && !failed(e); i++) {
		if (!SSL_is_init_finished(b->ssl))
			(void)SSL_do_handshake(b->ssl);
		else
			(void)SSL_read(b->ssl, at, sizeof at); /* takes the tickets */
		int len;
		while (!failed(e) && (len = BIO_read(b->out, at, sizeof at)) > 0) {
			e = tls_feed(t, (struct bytes){ at, (size_t)len }, &out);
			if (!failed(e))
				e = tls_hold(t);
		}
		if (out.len > 0)
			BIO_write(b->in, out.at, (int)out.len);
		buf_clear(&out);
	}
	return e;
}

static void
test_60_old_versions_and_ciphers_are_refused(void)
{
	struct tls_certificate c = files(&rsa);
	struct tls_options o = server_options(&c, 1);
	const struct {
		int version;
		bool is_tls13_only;
		const char *ciphers;
		bool is_through;
	} rows[] = {
		{ TLS1_VERSION, false, NULL, false },
		{ TLS1_1_VERSION, false, NULL, false },
		{ TLS1_2_VERSION, false, NULL, true },
		{ TLS1_2_VERSION, true, NULL, false },
		{ TLS1_3_VERSION, true, NULL, true },
		{ TLS1_2_VERSION, false, "AES128-GCM-SHA256:@SECLEVEL=0", false },
		{ TLS1_2_VERSION, false, "ECDHE-RSA-AES128-SHA256:@SECLEVEL=0", false },
		{ TLS1_2_VERSION, false, "ECDHE-RSA-AES128-GCM-SHA256", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_context *context;
		struct bare b = { 0 };
		struct tls *t;

		o.is_tls13_only = rows[i].is_tls13_only;
		CHECK(!failed(tls_server_context(&o, &context, NULL)));
		CHECK(!failed(tls_new(context, NULL, &t)));
		bare_open(&b, rows[i].version, NULL);
		if (rows[i].ciphers != NULL)
			CHECK(SSL_set_cipher_list(b.ssl, rows[i].ciphers) == 1);
		struct err e = bare_shake(&b, t);
		CHECK(failed(e) == !rows[i].is_through);
		CHECK((tls_peer(t) != NULL) == rows[i].is_through);
		tls_free(t);
		tls_context_free(context);
		bare_close(&b);
	}
}

/* Connects with the ticket of `first`, if any. */
static bool
is_resumed(struct tls_context *context, int version, SSL_SESSION **session, bool *ret_certificate)
{
	struct bare b = { 0 };
	struct tls *t;

	CHECK(!failed(tls_new(context, NULL, &t)));
	bare_open(&b, version, *session);
	SSL_use_certificate_file(b.ssl, client.certificate, SSL_FILETYPE_PEM);
	SSL_use_PrivateKey_file(b.ssl, client.key, SSL_FILETYPE_PEM);
	CHECK(!failed(bare_shake(&b, t)));
	CHECK(tls_peer(t) != NULL);
	bool is = tls_peer(t) != NULL && tls_peer(t)->is_resumed;
	*ret_certificate = tls_peer(t) != NULL && tls_peer(t)->has_certificate;
	if (b.session != NULL) {
		SSL_SESSION_free(*session);
		*session = b.session;
	}
	tls_free(t);
	bare_close(&b);
	return is;
}

static struct tls_context *
context_with(const uint8_t *secret, enum tls_ask ask, const struct made *ca)
{
	struct tls_certificate c = files(&server);
	struct tls_options o = server_options(&c, 1);
	struct tls_context *context;

	o.ask = ask;
	o.ca_file = ca != NULL ? ca->certificate : NULL;
	CHECK(!failed(tls_server_context(&o, &context, NULL)));
	if (secret != NULL)
		tls_context_set_ticket_secret(context, secret);
	return context;
}

static void
test_a_ticket_is_good_at_any_worker_with_the_same_secret(void)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const uint8_t secret[TLS_TICKET_KEY_LEN] = { 1 }, another[TLS_TICKET_KEY_LEN] = { 2 };

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct tls_context *a = context_with(secret, TLS_ASK_CERTIFICATE, &authority),
				   *b = context_with(secret, TLS_ASK_CERTIFICATE, &authority),
				   *c = context_with(another, TLS_ASK_CERTIFICATE, &authority),
				   *none = context_with(NULL, TLS_ASK_CERTIFICATE, &authority),
				   *trust = context_with(secret, TLS_ASK_CERTIFICATE,
		                                         &other_authority);
		SSL_SESSION *session = NULL;
		bool has_certificate;

		CHECK(!is_resumed(none, versions[i], &session, &has_certificate));
		CHECK(session == NULL || !SSL_SESSION_is_resumable(session));
		CHECK(!is_resumed(a, versions[i], &session, &has_certificate));
		CHECK(session != NULL && has_certificate);
		CHECK(is_resumed(b, versions[i], &session, &has_certificate));
		CHECK(has_certificate);
		SSL_SESSION *kept = session;
		SSL_SESSION_up_ref(kept);
		CHECK(!is_resumed(c, versions[i], &session, &has_certificate));
		SSL_SESSION_free(session);
		/* Who was let in by one authority is not let in by its ticket where another
		 * counts: the handshake is made anew, and fails. */
		struct tls *t;
		struct bare bare = { 0 };
		CHECK(!failed(tls_new(trust, NULL, &t)));
		bare_open(&bare, versions[i], kept);
		SSL_use_certificate_file(bare.ssl, client.certificate, SSL_FILETYPE_PEM);
		SSL_use_PrivateKey_file(bare.ssl, client.key, SSL_FILETYPE_PEM);
		CHECK(failed(bare_shake(&bare, t)));
		tls_free(t);
		bare_close(&bare);
		SSL_SESSION_free(bare.session);
		SSL_SESSION_free(kept);
		tls_context_free(a);
		tls_context_free(b);
		tls_context_free(c);
		tls_context_free(none);
		tls_context_free(trust);
	}
}

static void
test_ticket_keys_last_two_hours(void)
{
	const uint8_t secret[32] = { 7 }, another[32] = { 8 };
	const int64_t now = 500000 * (int64_t)TICKET_HOUR_S + 10;
	struct tickets t = { 0 }, u = { 0 };
	uint8_t name[TICKET_NAME_LEN], cipher[TICKET_CIPHER_LEN];

	CHECK(tickets_now(&t, now) == NULL);
	tickets_set_secret(&t, secret);
	const struct ticket_key *k = tickets_now(&t, now);
	CHECK(k != NULL);
	memcpy(name, k->name, sizeof name);
	memcpy(cipher, k->cipher, sizeof cipher);
	CHECK(tickets_find(&t, now, name) == k);
	CHECK(tickets_now(&t, now + TICKET_HOUR_S) != NULL);
	k = tickets_find(&t, now + TICKET_HOUR_S, name);
	CHECK(k != NULL && memcmp(k->cipher, cipher, sizeof cipher) == 0);
	CHECK(k != tickets_now(&t, now + TICKET_HOUR_S));
	CHECK(tickets_find(&t, now + 2 * TICKET_HOUR_S, name) == NULL);
	/* Another worker with the same secret has the same. */
	tickets_set_secret(&u, secret);
	k = tickets_find(&u, now, name);
	CHECK(k != NULL && memcmp(k->cipher, cipher, sizeof cipher) == 0);
	tickets_set_secret(&u, another);
	CHECK(tickets_find(&u, now, name) == NULL);
}

static void
test_what_was_checked_once_is_not_resumed_for_ever(void)
{
	const int64_t now = 1800000000;
	uint8_t birth[TICKET_BIRTH_LEN];
	const struct bytes told = { birth, sizeof birth };

	ticket_birth_put(birth, now);
	CHECK(ticket_birth_is_recent(told, now));
	CHECK(ticket_birth_is_recent(told, now + TICKET_LIFE_S - 1));
	CHECK(!ticket_birth_is_recent(told, now + TICKET_LIFE_S));
	CHECK(!ticket_birth_is_recent(told, now - 1));
	CHECK(!ticket_birth_is_recent((struct bytes){ birth, 7 }, now));
	CHECK(!ticket_birth_is_recent((struct bytes){ 0 }, now));
}

static void
test_a_session_is_resumed_again_and_again(void)
{
	const uint8_t secret[TLS_TICKET_KEY_LEN] = { 1 };
	struct tls_context *a = context_with(secret, TLS_ASK_NOTHING, NULL);
	SSL_SESSION *session = NULL;
	bool has_certificate;

	CHECK(!is_resumed(a, TLS1_3_VERSION, &session, &has_certificate));
	for (int i = 0; i < 3; i++)
		CHECK(is_resumed(a, TLS1_3_VERSION, &session, &has_certificate));
	SSL_SESSION_free(session);
	tls_context_free(a);
}

/* Garbage */

static void
test_garbage_is_answered_with_an_alert(void)
{
	static const struct {
		struct bytes sent;
		bool has_alert;
		unsigned code;
	} rows[] = {
		{ { (const uint8_t *)"\x16\x03\x01\x00\x05hello", 10 }, true, 0 },
		{ { (const uint8_t *)"\x80\x09\x01\x00\x02\x00\x00\x00\x00\x00\x00", 11 },
		  false,
		  0 },
		{ { (const uint8_t *)"\x16\x03\x01\xff\xff\x01", 6 }, true, 0 },
		{ { (const uint8_t *)"\x17\x03\x03\x00\x05hello", 10 }, true, 0 },
		{ { (const uint8_t *)"\x14\x03\x03\x00\x01\x01", 6 }, true, 0 },
		{ { (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18 }, false, TLS_FAULT_PLAIN_HTTP },
		{ { (const uint8_t *)"POST / HTTP/1.1\r\n\r\n", 19 }, false, TLS_FAULT_PLAIN_HTTP },
		{ { (const uint8_t *)"SSH-2.0-x\r\n", 11 }, false, 0 },
	};
	struct tls_certificate c = files(&server);
	struct tls_options o = server_options(&c, 1);
	struct tls_context *context;

	CHECK(!failed(tls_server_context(&o, &context, NULL)));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_done) struct buf wire = { 0 };
		struct tls *t;
		size_t len;
		uint8_t at[16];

		CHECK(!failed(tls_new(context, NULL, &t)));
		struct err e = tls_feed(t, rows[i].sent, &wire);
		CHECK(e.kind == ERR_PEER && e.code == rows[i].code);
		CHECK(!rows[i].has_alert || (wire.len == 7 && wire.at[0] == 21));
		/* It stays so. */
		CHECK(failed(tls_feed(t, rows[i].sent, &wire)));
		CHECK(failed(tls_write(t, BYTES("x"), &wire)));
		CHECK(failed(tls_read(t, at, sizeof at, &wire, &len)) && len == 0);
		CHECK(tls_peer(t) == NULL);
		tls_free(t);
	}
	tls_context_free(context);
}

static void
test_a_forged_record_ends_the_connection(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1), o = { .ca_file = authority.certificate };
	struct pair p;
	uint8_t at[64];
	size_t len;

	CHECK(pair_make(&p, &s, &o, "a.example"));
	shake(&p, SIZE_MAX);
	CHECK(!failed(tls_write(p.client, BYTES("hello"), &p.to_server)));
	p.to_server.at[p.to_server.len - 1] ^= 1;
	CHECK(!failed(tls_feed(p.server, buf_bytes(&p.to_server), &p.to_client)));
	struct err e = tls_read(p.server, at, sizeof at, &p.to_client, &len);
	CHECK(e.kind == ERR_PEER && len == 0);
	CHECK(p.to_client.len > 0); /* the alert */
	CHECK(strcmp(e.why, "TLS: a record is forged") == 0);
	pair_done(&p);
}

/* Bytes in the clear behind a whole ClientHello are part of the handshake, and break it (case 61).
 */
static void
test_61_clear_bytes_in_the_handshake_break_it(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1), o = { .ca_file = authority.certificate };
	struct pair p;

	CHECK(pair_make(&p, &s, &o, "a.example"));
	p.client_error = tls_begin(p.client, &p.to_server);
	buf_put_text(&p.to_server, "GET /admin HTTP/1.1\r\n\r\n");
	for (int i = 0; i < 4; i++) {
		move(&p.to_server, p.server, &p.to_client, SIZE_MAX, &p.server_error);
		move(&p.to_client, p.client, &p.to_server, SIZE_MAX, &p.client_error);
	}
	CHECK(failed(p.server_error) && tls_peer(p.server) == NULL);
	pair_done(&p);
}

static void
test_no_protocol_in_common_is_no_connection(void)
{
	static const char *const other[] = { "imap", NULL };
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1),
			   o = { .ca_file = authority.certificate, .alpn = other };
	struct pair p;

	CHECK(pair_make(&p, &s, &o, "a.example"));
	shake(&p, SIZE_MAX);
	CHECK(failed(p.server_error) && !is_through(&p));
	CHECK(strcmp(p.server_error.why, "TLS: no protocol in common (ALPN)") == 0);
	pair_done(&p);
}

static void
test_what_is_kept_is_read_later(void)
{
	struct tls_certificate c = files(&server);
	struct tls_options s = server_options(&c, 1), o = { .ca_file = authority.certificate };
	static uint8_t large[100000];
	struct pair p;
	uint8_t at[777];
	size_t len = 1, total = 0;

	CHECK(pair_make(&p, &s, &o, "a.example"));
	shake(&p, SIZE_MAX);
	for (size_t i = 0; i < sizeof large; i++)
		large[i] = (uint8_t)(i * 7 % 251);
	CHECK(!failed(tls_write(p.client, (struct bytes){ large, sizeof large }, &p.to_server)));
	move(&p.to_server, p.server, &p.to_client, 4000, &p.server_error);
	CHECK(tls_has_more(p.server));
	while (len > 0) {
		CHECK(!failed(tls_read(p.server, at, sizeof at, &p.to_client, &len)));
		CHECK(memcmp(at, large + total, len) == 0);
		total += len;
	}
	CHECK(total == sizeof large && !tls_has_more(p.server));
	pair_done(&p);
}

static void
make_all(void)
{
	authority = make((struct made_options){ .name = "authority", .is_authority = true });
	other_authority = make((struct made_options){ .name = "other", .is_authority = true });
	server = make((struct made_options){
		.name = "server", .alt = "DNS:a.example,DNS:B.example", .by = &authority });
	rsa = make((struct made_options){ .name = "rsa",
	                                  .alt = "DNS:rsa.example,DNS:a.example",
	                                  .by = &authority,
	                                  .is_rsa = true });
	wild = make((struct made_options){
		.name = "wild", .alt = "DNS:*.wild.example", .by = &authority });
	expired = make((struct made_options){ .name = "expired",
	                                      .alt = "DNS:a.example",
	                                      .by = &authority,
	                                      .days_from = -10,
	                                      .days_to = -1 });
	small = make((struct made_options){ .name = "small",
	                                    .alt = "DNS:a.example",
	                                    .by = &authority,
	                                    .is_rsa = true,
	                                    .bits = 1024 });
	client = make((struct made_options){ .name = "client", .by = &authority });
	client_of_other = make((struct made_options){ .name = "stranger", .by = &other_authority });
	server_use = make((struct made_options){
		.name = "server-use", .by = &authority, .use = "serverAuth" });
	nul = make((struct made_options){
		.name = "nul",
		.raw_alt = { (const uint8_t *)"a.example\0.evil.example", 23 },
		.by = &authority });
	address = make((struct made_options){
		.name = "address", .alt = "IP:127.0.0.1,IP:::1", .by = &authority });
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(test_the_two_ends_agree_however_the_bytes_are_cut),
		TEST(test_what_was_settled_is_told),
		TEST(test_what_is_written_before_the_handshake_waits_for_it),
		TEST(test_the_end_is_told_and_a_cut_is_not_an_end),
		TEST(test_a_service_is_who_it_should_be_or_nobody),
		TEST(test_a_client_must_know_whom_it_expects),
		TEST(test_the_name_asked_for_chooses_the_certificate),
		TEST(test_60_a_request_is_served_under_the_names_of_the_certificate),
		TEST(test_60_a_nul_in_a_name_is_refused),
		TEST(test_60_a_name_with_a_nul_is_not_the_name_before_it),
		TEST(test_callers_show_certificates_where_they_are_asked),
		TEST(test_files_that_do_not_fit_are_named),
		TEST(test_60_old_versions_and_ciphers_are_refused),
		TEST(test_a_ticket_is_good_at_any_worker_with_the_same_secret),
		TEST(test_ticket_keys_last_two_hours),
		TEST(test_what_was_checked_once_is_not_resumed_for_ever),
		TEST(test_a_session_is_resumed_again_and_again),
		TEST(test_garbage_is_answered_with_an_alert),
		TEST(test_a_forged_record_ends_the_connection),
		TEST(test_61_clear_bytes_in_the_handshake_break_it),
		TEST(test_no_protocol_in_common_is_no_connection),
		TEST(test_what_is_kept_is_read_later),
	};
	struct made *const all[] = { &authority, &other_authority, &server,  &rsa,
		                     &wild,      &expired,         &small,   &client,
		                     &nul,       &client_of_other, &address, &server_use };

	made_open();
	make_all();
	int status = test_main(tests, ARRAY_LEN(tests));
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		made_done(all[i]);
	made_remove_all();
	return status;
}
