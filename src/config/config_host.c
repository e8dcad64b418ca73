/* config_host.c - see config_host.h. */
#include "config/config_host.h"

#include <arpa/inet.h>

#include "format/url.h"

static bool
is_host_name(struct bytes host)
{
	for (size_t i = 0; i < host.len; i++) {
		uint8_t c = host.at[i], lower = c | 0x20;
		bool inner = (c == '-' || c == '.') && i > 0 && i + 1 < host.len;
		if (!inner && (lower < 'a' || lower > 'z') && (c < '0' || c > '9'))
			return false;
	}
	return host.len > 0;
}

bool
host_split(struct bytes text, bool need_port, char host[HOST_BYTES_MAX + 1], uint16_t *port)
{
	bool bracket = text.len > 0 && text.at[0] == '[';
	size_t end = bytes_find(text, bracket ? ']' : ':');
	struct bytes name = bytes_slice(text, bracket, end),
		     rest = bytes_slice(text, end + bracket, text.len);
	struct in6_addr six;
	struct in_addr four;
	uint64_t number = 0;

	if (name.len > HOST_BYTES_MAX || (rest.len == 0 && need_port))
		return false;
	if (rest.len != 0 &&
	    (rest.at[0] != ':' || failed(bytes_to_u64(bytes_slice(rest, 1, rest.len), &number)) ||
	     number == 0 || number > UINT16_MAX))
		return false;
	memset(host, 0, HOST_BYTES_MAX + 1);
	if (name.len != 0)
		memcpy(host, name.at, name.len);
	if (bracket ? end == text.len || inet_pton(AF_INET6, host, &six) != 1 : !is_host_name(name))
		return false;
	if (!bracket && url_ends_in_number(name) && inet_pton(AF_INET, host, &four) != 1)
		return false;
	*port = (uint16_t)number;
	return true;
}

static bool
is_loopback(const char *host)
{
	struct in_addr four;

	return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
	       (inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

/* Behind the scheme; empty when it is another. */
static struct bytes
url_rest(struct bytes text, bool *secure)
{
	*secure = bytes_starts(text, BYTES("https://"));
	if (!*secure && !bytes_starts(text, BYTES("http://")))
		return (struct bytes){ 0 };
	return bytes_slice(text, *secure ? 8 : 7, text.len);
}

static bool
is_url_text(struct bytes text, unsigned bits)
{
	static const struct bytes tenant = BYTES("{tenantid}");

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i];
		if ((bits & URL_TENANT) != 0 &&
		    bytes_starts(bytes_slice(text, i, text.len), tenant))
			i += tenant.len - 1;
		else if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}@#", c) != NULL ||
		         (c == '?' && (bits & URL_QUERY) == 0))
			return false;
	}
	return true;
}

const char *
url_fault(struct bytes text, unsigned bits)
{
	char host[HOST_BYTES_MAX + 1];
	uint16_t port;
	bool secure;
	struct bytes rest = url_rest(text, &secure);

	if (rest.at == NULL)
		return "is no http(s) URL";
	if (!is_url_text(text, bits))
		return "has a byte that may not stand here";
	size_t end = bytes_find(rest, '/'), query = bytes_find(rest, '?');
	end = query < end ? query : end;
	if (!host_split(bytes_slice(rest, 0, end), false, host, &port))
		return "has no proper host and port";
	if ((bits & URL_ORIGIN) != 0)
		return end != rest.len ? "has a path" : NULL;
	return secure || is_loopback(host) ? NULL : "is not https";
}

bool
url_is_loopback(struct bytes url)
{
	char host[HOST_BYTES_MAX + 1];
	uint16_t port;
	bool secure;
	struct bytes rest = url_rest(url, &secure);

	return host_split(bytes_slice(rest, 0, bytes_find(rest, '/')), false, host, &port) &&
	       is_loopback(host);
}
