/* client_input.c - see client_input.h. */
#include "main/client_input.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/macros.h"
#include "format/base64.h"
#include "main/arguments.h"
#include "main/input.h"

enum { CERTIFICATE_MAX = 64 << 10 };
enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_LIST, OPTION_GRANT };

/* Where a value goes, and how many there may be. */
static const struct option {
	const char *name;
	enum option_kind kind;
	size_t to, count; /* of struct client_input */
	size_t max;
	bool of_any; /* else only of `add` */
} options[] = {
	{ "-c", OPTION_TEXT, offsetof(struct client_input, file), 0, 1, true },
	{ "--config", OPTION_TEXT, offsetof(struct client_input, file), 0, 1, true },
	{ "--json", OPTION_FLAG, offsetof(struct client_input, as_json), 0, 1, true },
	{ "--name", OPTION_TEXT, offsetof(struct client_input, name), 0, 1, false },
	{ "--jwks", OPTION_TEXT, offsetof(struct client_input, key_file), 0, 1, false },
	{ "--certificate", OPTION_TEXT, offsetof(struct client_input, certificate_file), 0, 1,
	  false },
	{ "--public", OPTION_FLAG, offsetof(struct client_input, is_public), 0, 1, false },
	{ "--dpop", OPTION_FLAG, offsetof(struct client_input, is_dpop_required), 0, 1, false },
	{ "--role", OPTION_LIST, offsetof(struct client_input, roles),
	  offsetof(struct client_input, role_count), ROLES_MAX, false },
	{ "--redirect-uri", OPTION_LIST, offsetof(struct client_input, redirect_uris),
	  offsetof(struct client_input, redirect_uri_count), REDIRECT_URIS_MAX, false },
	{ "--grant", OPTION_GRANT, offsetof(struct client_input, grants), 0, 1, false },
};

static const struct {
	const char *name;
	enum client_grant grant;
} grants[] = { { "code", CLIENT_CODE },
	       { "client_credentials", CLIENT_CREDENTIALS },
	       { "exchange", CLIENT_EXCHANGE } };

static int
take_grant(const char *value, struct client_input *in)
{
	for (size_t i = 0; i < ARRAY_LEN(grants); i++) {
		if (strcmp(grants[i].name, value) != 0)
			continue;
		in->grants |= (unsigned)grants[i].grant;
		return 0;
	}
	return usage_error("client", "there is no such grant (code, client_credentials, exchange)",
	                   value);
}

static int
take_value(const struct option *o, const char *value, struct client_input *in)
{
	char *to = (char *)in + o->to;

	if (o->kind == OPTION_GRANT)
		return take_grant(value, in);
	if (o->kind == OPTION_LIST) {
		size_t *count = (size_t *)(void *)((char *)in + o->count);

		if (*count == o->max)
			return usage_error("client", "too many of this option", o->name);
		to += (*count)++ * sizeof value;
	}
	memcpy(to, &value, sizeof value);
	return 0;
}

static int
take_option(struct arguments *a, struct client_input *in)
{
	const char *value = NULL;

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *o = &options[i];

		if (!arguments_is(a, o->name))
			continue;
		in->given += !o->of_any;
		if (o->kind == OPTION_FLAG) {
			*(bool *)(void *)((char *)in + o->to) = true;
			return 0;
		}
		if (!arguments_value(a, &value))
			return usage_error("client", "the option needs a value", a->option);
		return take_value(o, value, in);
	}
	return usage_error("client", "there is no such option", a->option);
}

int
client_input_take(int argc, char **argv, struct client_input *ret)
{
	struct arguments a;

	arguments_init(&a, argc, argv);
	while (arguments_next(&a)) {
		int status = a.option != NULL ? take_option(&a, ret) : 0;

		if (status != 0)
			return status;
		if (a.option != NULL)
			continue;
		if (ret->verb == NULL)
			ret->verb = a.plain;
		else if (ret->id == NULL)
			ret->id = a.plain;
		else
			return usage_error("client", "one client at a time", a.plain);
	}
	return 0;
}

static void
certificate_done(X509 **c)
{
	X509_free(*c);
}

static void
bio_done(BIO **b)
{
	BIO_free(*b);
}

struct err
client_input_certificate(const char *file, struct buf *ret)
{
	CLEANUP(buf_done) struct buf text = { .limit = CERTIFICATE_MAX };
	CLEANUP(certificate_done) X509 *certificate = NULL;
	CLEANUP(bio_done) BIO *bio = NULL;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	TRY(input_file(file, &text));
	bio = BIO_new_mem_buf(text.at, (int)text.len);
	certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (certificate == NULL || X509_digest(certificate, EVP_sha256(), digest, &len) != 1)
		return fail(ERR_CONFIG, "there is no PEM certificate in the file");
	base64url_put(ret, (struct bytes){ digest, len });
	return buf_check(ret);
}
