/* url_guard.c - see url_guard.h. */
#include "fetch/url_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/macros.h"
#include "format/url.h"

/* Addresses */

struct range {
	uint32_t net;
	unsigned bits;
};

/* IANA's registry of special purposes (RFC 6890), and multicast (RFC 5771). */
static const struct range not_public[] = {
	{ 0x00000000, 8 },  /* this network */
	{ 0x0a000000, 8 },  /* private, RFC 1918 */
	{ 0x64400000, 10 }, /* shared by a provider's customers, RFC 6598 */
	{ 0x7f000000, 8 },  /* loopback */
	{ 0xa9fe0000, 16 }, /* link-local, with every cloud's metadata service */
	{ 0xac100000, 12 }, /* private */
	{ 0xc0000000, 24 }, /* protocol assignments */
	{ 0xc0000200, 24 }, /* documentation */
	{ 0xc0586300, 24 }, /* 6to4 relays */
	{ 0xc0a80000, 16 }, /* private */
	{ 0xc6120000, 15 }, /* benchmarks */
	{ 0xc6336400, 24 }, /* documentation */
	{ 0xcb007100, 24 }, /* documentation */
	{ 0xe0000000, 3 },  /* multicast, reserved, broadcast */
};

static bool
is_in(uint32_t address, const struct range *r)
{
	return (address ^ r->net) >> (32 - r->bits) == 0;
}

static bool
is_public_v4(uint32_t address)
{
	for (size_t i = 0; i < ARRAY_LEN(not_public); i++)
		if (is_in(address, &not_public[i]))
			return false;
	return true;
}

static bool
is_loopback_v4(uint32_t address)
{
	return address >> 24 == 127;
}

static bool
is_unicast_v4(uint32_t address)
{
	return address >> 24 != 0 && address < 0xe0000000;
}

static uint32_t
read_v4(const uint8_t at[4])
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool
has_prefix(const struct in6_addr *a, struct bytes prefix)
{
	return memcmp(a->s6_addr, prefix.at, prefix.len) == 0;
}

/* An IPv4 address inside an IPv6 one is judged as what it is. */
static bool
is_v4_inside(const struct in6_addr *a, uint32_t *ret)
{
	static const struct {
		struct bytes prefix;
		size_t at;
	} forms[] = {
		{ BYTES("\0\0\0\0\0\0\0\0\0\0\xff\xff"), 12 },   /* mapped, RFC 4291 2.5.5.2 */
		{ BYTES("\0\0\0\0\0\0\0\0\xff\xff\0\0"), 12 },   /* translated, RFC 2765 */
		{ BYTES("\0\x64\xff\x9b\0\0\0\0\0\0\0\0"), 12 }, /* NAT64, RFC 6052 */
		{ BYTES("\x20\x02"), 2 },                        /* 6to4, RFC 3056 */
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (!has_prefix(a, forms[i].prefix))
			continue;
		*ret = read_v4(a->s6_addr + forms[i].at);
		return true;
	}
	return false;
}

/* 2000::/3 is all that is handed out, less what of it is special. */
static bool
is_public_v6(const struct in6_addr *a)
{
	return (a->s6_addr[0] & 0xe0) == 0x20 && !has_prefix(a, BYTES("\x20\x01\0")) &&
	       !has_prefix(a, BYTES("\x20\x01\x01")) && !has_prefix(a, BYTES("\x20\x01\x0d\xb8")) &&
	       !has_prefix(a, BYTES("\x3f\xff"));
}

static bool
allows_v4(const struct guarded_url *url, uint32_t address)
{
	if (url->is_loopback)
		return is_loopback_v4(address);
	return url->may_be_private ? is_unicast_v4(address) : is_public_v4(address);
}

static bool
allows_v6(const struct guarded_url *url, const struct in6_addr *a)
{
	uint32_t inside;

	if (is_v4_inside(a, &inside))
		return allows_v4(url, inside);
	if (url->is_loopback)
		return IN6_IS_ADDR_LOOPBACK(a);
	if (url->may_be_private)
		return !IN6_IS_ADDR_MULTICAST(a) && !IN6_IS_ADDR_UNSPECIFIED(a);
	return is_public_v6(a);
}

bool
url_guard_allows(const struct guarded_url *url, const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return allows_v4(url, ntohl(((const struct sockaddr_in *)(const void *)address)
		                                    ->sin_addr.s_addr));
	if (address->sa_family == AF_INET6)
		return allows_v6(url,
		                 &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
	return false;
}

/* URLs. Only forms that every parser reads alike are taken: libcurl reads them again. */

static bool
is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_';
}

static struct err
take_host(struct bytes host, struct guarded_url *u)
{
	struct in_addr v4;
	struct in6_addr v6;
	bool is_bracketed = host.len > 2 && host.at[0] == '[';

	if (host.len == 0 || host.len > GUARD_HOST_MAX)
		return fail(ERR_PEER, "a URL has no host that can be used");
	memcpy(u->host, host.at, host.len); /* zeroed behind it */
	if (is_bracketed) {
		u->host[host.len - 1] = '\0';
		u->is_address = inet_pton(AF_INET6, u->host + 1, &v6) == 1;
		u->host[host.len - 1] = ']';
		u->is_loopback = u->is_address && IN6_IS_ADDR_LOOPBACK(&v6);
		return u->is_address ? OK : fail(ERR_PEER, "a URL's address is malformed");
	}
	for (size_t i = 0; i < host.len; i++)
		if (!is_name_byte(host.at[i]))
			return fail(ERR_PEER, "a URL's host is malformed");
	u->is_address = inet_pton(AF_INET, u->host, &v4) == 1;
	if (!u->is_address && url_ends_in_number(host))
		return fail(ERR_PEER, "a URL's address is malformed");
	u->is_loopback = u->is_address ? is_loopback_v4(ntohl(v4.s_addr))
	                               : bytes_equal_nocase(host, BYTES("localhost"));
	return OK;
}

/* "host", "host:port", "[address]:port" */
static struct err
take_authority(struct bytes text, struct guarded_url *u)
{
	size_t bracket = bytes_find(text, ']');
	size_t from = bracket < text.len ? bracket : 0;
	size_t colon = from + bytes_find(bytes_slice(text, from, text.len), ':');
	uint64_t port = u->is_https ? 443 : 80;

	if (colon < text.len &&
	    (failed(bytes_to_u64(bytes_slice(text, colon + 1, text.len), &port)) || port == 0 ||
	     port > UINT16_MAX))
		return fail(ERR_PEER, "a URL's port is malformed");
	u->port = (uint16_t)port;
	return take_host(bytes_slice(text, 0, colon), u);
}

static bool
is_clean(struct bytes url)
{
	for (size_t i = 0; i < url.len; i++)
		if (url.at[i] <= 0x20 || url.at[i] >= 0x7f || url.at[i] == '#' ||
		    url.at[i] == '\\' || url.at[i] == '@')
			return false;
	return true;
}

static bool
is_listed(const char *host, const struct outbound_settings *outbound)
{
	struct bytes name = bytes_text(host);

	if (host[0] == '[')
		name = bytes_slice(name, 1, name.len - 1);
	for (size_t i = 0; i < outbound->private_host_count; i++)
		if (bytes_equal_nocase(name, bytes_text(outbound->private_hosts[i])))
			return true;
	return false;
}

struct err
url_guard_parse(struct bytes url, const struct outbound_settings *outbound, struct guarded_url *ret)
{
	static const struct bytes schemes[] = { BYTES("http://"), BYTES("https://") };
	struct guarded_url u = { .is_https = bytes_starts(url, schemes[1]) };
	size_t start = schemes[u.is_https].len, end = start;

	if (!bytes_starts(url, schemes[u.is_https]))
		return fail(ERR_PEER, "a URL is neither https nor http");
	if (!is_clean(url) || url.len > GUARD_URL_MAX)
		return fail(ERR_PEER, "a URL holds what it must not, or is too long");
	while (end < url.len && url.at[end] != '/' && url.at[end] != '?')
		end++;
	TRY(take_authority(bytes_slice(url, start, end), &u));
	if (!u.is_https && !u.is_loopback)
		return fail(ERR_PEER, "a URL is not https");
	u.may_be_private = is_listed(u.host, outbound);
	*ret = u;
	return OK;
}

bool
url_guard_follows(const struct guarded_url *from, const struct guarded_url *to)
{
	if (!bytes_equal_nocase(bytes_text(from->host), bytes_text(to->host)))
		return false;
	if (from->is_https == to->is_https)
		return from->port == to->port;
	return to->is_https && from->port == 80 && to->port == 443;
}
