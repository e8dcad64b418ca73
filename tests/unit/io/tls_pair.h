/* tls_pair.h - certificates of all kinds, and both ends of a connection over memory. */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include "certificates.h"
#include "io/tls.h"
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

static inline struct tls_options
server_options(const struct tls_certificate *certificates, size_t count)
{
	return (struct tls_options){ .certificates = certificates,
		                     .certificate_count = count,
		                     .alpn = http_alpn };
}

static inline struct tls_certificate
files(const struct made *m)
{
	return (struct tls_certificate){ m->certificate, m->key };
}

static inline void
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
static inline void
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

static inline void
shake(struct pair *p, size_t step)
{
	p->client_error = tls_begin(p->client, &p->to_server);
	for (int i = 0; i < 10; i++) {
		move(&p->to_server, p->server, &p->to_client, step, &p->server_error);
		move(&p->to_client, p->client, &p->to_server, step, &p->client_error);
	}
}

static inline bool
pair_make(struct pair *p, const struct tls_options *of_server, const struct tls_options *of_client,
          const char *name)
{
	*p = (struct pair){ 0 };
	return !failed(tls_server_context(of_server, &p->server_context, NULL)) &&
	       !failed(tls_client_context(of_client, &p->client_context, NULL)) &&
	       !failed(tls_new(p->server_context, NULL, &p->server)) &&
	       !failed(tls_new(p->client_context, name, &p->client));
}

static inline bool
is_through(const struct pair *p)
{
	return tls_peer(p->server) != NULL && tls_peer(p->client) != NULL &&
	       !failed(p->server_error) && !failed(p->client_error);
}

static inline bool
reads(struct tls *t, const char *text, struct buf *wire)
{
	uint8_t at[256];
	size_t len = 0;

	return !failed(tls_read(t, at, sizeof at, wire, &len)) &&
	       bytes_is((struct bytes){ at, len }, text);
}

static inline void
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

/* The main() of a test. */
static inline int
test_with_certificates(const struct test *tests, size_t count)
{
	struct made *const all[] = { &authority, &other_authority, &server,  &rsa,
		                     &wild,      &expired,         &small,   &client,
		                     &nul,       &client_of_other, &address, &server_use };

	made_open();
	make_all();
	int status = test_main(tests, count);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		made_done(all[i]);
	made_remove_all();
	return status;
}

#endif
