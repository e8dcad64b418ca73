/* Versions, and sessions that are resumed: a client that can be set to what ours never does. */
#include "io/tls.h"

#include "base/macros.h"
#include "io/tls_ticket.h"
#include "tls_pair.h"

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

int
main(void)
{
	static const struct test tests[] = {
		TEST(test_60_old_versions_and_ciphers_are_refused),
		TEST(test_a_ticket_is_good_at_any_worker_with_the_same_secret),
		TEST(test_ticket_keys_last_two_hours),
		TEST(test_what_was_checked_once_is_not_resumed_for_ever),
		TEST(test_a_session_is_resumed_again_and_again),
	};

	return test_with_certificates(tests, ARRAY_LEN(tests));
}
