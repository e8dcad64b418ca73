/* tls_names.c - see tls_names.h. */
#include "io/tls_names.h"

#include <arpa/inet.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/macros.h"

enum { NAMES_MAX = 1000, NAME_MAX_LEN = 253, ADDRESS_TEXT_MAX = INET6_ADDRSTRLEN };

struct tls_names {
	GENERAL_NAMES *all; /* owned */
};

static struct bytes
bytes_of(const ASN1_STRING *s)
{
	return (struct bytes){ ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s) };
}

static bool
is_dns_name(struct bytes name)
{
	if (name.len == 0 || name.len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.at[i], letter = (uint8_t)(c | 0x20);
		bool is_star = c == '*' && i == 0 && name.len > 2 && name.at[1] == '.';

		if (!is_star && !(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '.' && c != '_')
			return false;
	}
	return true;
}

static void
names_done(struct tls_names **n)
{
	tls_names_free(*n);
}

struct err
tls_names_read(const X509 *certificate, struct tls_names **ret)
{
	CLEANUP(names_done) struct tls_names *n = calloc(1, sizeof *n);
	int critical = -1;

	if (n == NULL)
		return fail(ERR_SYSTEM, "out of memory");
	n->all = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
	if (n->all == NULL && critical != -1)
		return fail(ERR_CONFIG, "its names are malformed");
	if (sk_GENERAL_NAME_num(n->all) > NAMES_MAX)
		return fail(ERR_CONFIG, "it has more than 1000 names");
	for (int i = 0; i < sk_GENERAL_NAME_num(n->all); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(n->all, i);

		if (name->type == GEN_DNS && !is_dns_name(bytes_of(name->d.dNSName)))
			return fail(ERR_CONFIG, "one of its names is none: it has a NUL, or "
			                        "characters no name has");
	}
	*ret = n;
	n = NULL;
	return OK;
}

void
tls_names_free(struct tls_names *n)
{
	if (n == NULL)
		return;
	GENERAL_NAMES_free(n->all);
	free(n);
}

/* RFC 6125 section 6.4.3: the star stands for one whole label. */
static bool
dns_covers(struct bytes pattern, struct bytes name)
{
	if (pattern.at[0] != '*')
		return bytes_equal_nocase(pattern, name);

	size_t dot = bytes_find(name, '.');
	return dot > 0 && dot < name.len &&
	       bytes_equal_nocase(bytes_slice(pattern, 1, pattern.len),
	                          bytes_slice(name, dot, name.len));
}

/* As bytes of an address, the length saying which family; 0: it is none. */
static size_t
read_address(struct bytes text, uint8_t ret[16])
{
	char copy[ADDRESS_TEXT_MAX];

	if (text.len >= sizeof copy)
		return 0;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, ret) == 1)
		return 4;
	return inet_pton(AF_INET6, copy, ret) == 1 ? 16 : 0;
}

bool
tls_names_cover(const struct tls_names *n, struct bytes name)
{
	uint8_t address[16];

	if (n == NULL || name.len == 0)
		return false;
	size_t address_len = read_address(name, address);
	for (int i = 0; i < sk_GENERAL_NAME_num(n->all); i++) {
		const GENERAL_NAME *own = sk_GENERAL_NAME_value(n->all, i);

		if (own->type == GEN_DNS && address_len == 0 &&
		    dns_covers(bytes_of(own->d.dNSName), name))
			return true;
		if (own->type == GEN_IPADD && address_len > 0 &&
		    bytes_equal(bytes_of(own->d.iPAddress), (struct bytes){ address, address_len }))
			return true;
	}
	return false;
}

bool
tls_names_serve(const struct tls_names *n, struct bytes asked, struct bytes authority)
{
	struct bytes host = bytes_slice(authority, 0, bytes_find(authority, ':'));
	uint8_t address[16];

	if (asked.len == 0 || host.len == 0 || host.at[0] == '[' || read_address(host, address) > 0)
		return true;
	return bytes_equal_nocase(asked, host) || tls_names_cover(n, host);
}
