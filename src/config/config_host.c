/* config_host.c - see config_host.h. */
#include "config/config_host.h"

#include <arpa/inet.h>

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
	/* "1.2.3" and "0x7f.1" are numbers to some resolvers, names to others. */
	if (!bracket && name.at[name.len - 1] >= '0' && name.at[name.len - 1] <= '9' &&
	    inet_pton(AF_INET, host, &four) != 1)
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

const char *
url_fault(struct bytes text, bool origin)
{
	bool secure = bytes_starts(text, BYTES("https://"));
	char host[HOST_BYTES_MAX + 1];
	uint16_t port;

	if (!secure && !bytes_starts(text, BYTES("http://")))
		return "is no http(s) URL";
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] >= 0x7f ||
		    strchr("\"<>\\^`{|}@?#", text.at[i]) != NULL)
			return "has a byte that may not stand here";

	struct bytes rest = bytes_slice(text, secure ? 8 : 7, text.len);
	size_t slash = bytes_find(rest, '/');
	if (!host_split(bytes_slice(rest, 0, slash), false, host, &port))
		return "has no proper host and port";
	if (origin && slash != rest.len)
		return "has a path";
	return secure || origin || is_loopback(host) ? NULL : "is not https";
}
