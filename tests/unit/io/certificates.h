/* certificates.h - certificates made for a test, in a folder of its own. */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <time.h>
#include <unistd.h>

#include "io/tls.h"

enum { FILE_NAME_MAX = 128 };

struct made {
	char certificate[FILE_NAME_MAX], key[FILE_NAME_MAX];
	X509 *x; /* owned */
	EVP_PKEY *pkey;
};

struct made_options {
	const char *name;      /* of the file, and common name */
	const char *alt;       /* "DNS:a.example,IP:127.0.0.1"; NULL: none */
	struct bytes raw_alt;  /* one more DNS name, whatever is in it */
	const struct made *by; /* who signs; NULL: itself */
	bool is_authority, is_rsa;
	unsigned bits;          /* RSA */
	int days_from, days_to; /* of its validity; 0, 0: from yesterday to a year */
	const char *use;        /* extendedKeyUsage; NULL: none */
};

static char test_folder[64];

static inline void
made_open(void)
{
	strcpy(test_folder, "/tmp/gatewarden-tls-XXXXXX");
	if (mkdtemp(test_folder) == NULL)
		abort();
}

static inline void
made_remove_all(void)
{
	DIR *d = opendir(test_folder);
	struct dirent *entry;

	while (d != NULL && (entry = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
	(void)rmdir(test_folder);
}

static inline void
add_extension(X509 *x, X509 *by, int nid, const char *value)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, by, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	if (e == NULL || X509_add_ext(x, e, -1) != 1)
		abort();
	X509_EXTENSION_free(e);
}

static inline void
add_raw_name(X509 *x, struct bytes name)
{
	GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	ASN1_STRING_set(text, name.at, (int)name.len);
	GENERAL_NAME_set0_value(one, GEN_DNS, text);
	sk_GENERAL_NAME_push(all, one);
	if (X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) != 1)
		abort();
	GENERAL_NAMES_free(all);
}

static inline void
write_files(struct made *m)
{
	FILE *f = fopen(m->certificate, "w");
	PEM_write_X509(f, m->x);
	fclose(f);
	f = fopen(m->key, "w");
	PEM_write_PrivateKey(f, m->pkey, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

static inline struct made
make(struct made_options o)
{
	static int serial = 1;
	struct made m = { .x = X509_new() };
	X509 *by = o.by != NULL ? o.by->x : m.x;

	m.pkey = o.is_rsa ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
	                                      (size_t)(o.bits != 0 ? o.bits : 2048))
	                  : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509_set_version(m.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(m.x), ++serial);
	int to = o.days_to != 0 || o.days_from != 0 ? o.days_to : 365;
	X509_time_adj_ex(X509_getm_notBefore(m.x), o.days_from != 0 ? o.days_from : -1, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(m.x), to, 0, NULL);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(m.x), "CN", MBSTRING_ASC,
	                           (const unsigned char *)o.name, -1, -1, 0);
	X509_set_issuer_name(m.x, X509_get_subject_name(by));
	X509_set_pubkey(m.x, m.pkey);
	add_extension(m.x, by, NID_basic_constraints,
	              o.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (o.alt != NULL)
		add_extension(m.x, by, NID_subject_alt_name, o.alt);
	if (o.raw_alt.len > 0)
		add_raw_name(m.x, o.raw_alt);
	if (o.use != NULL)
		add_extension(m.x, by, NID_ext_key_usage, o.use);
	if (X509_sign(m.x, o.by != NULL ? o.by->pkey : m.pkey, EVP_sha256()) == 0)
		abort();
	snprintf(m.certificate, sizeof m.certificate, "%s/%s.pem", test_folder, o.name);
	snprintf(m.key, sizeof m.key, "%s/%s.key", test_folder, o.name);
	write_files(&m);
	return m;
}

static inline void
made_done(struct made *m)
{
	X509_free(m->x);
	EVP_PKEY_free(m->pkey);
}

#endif
