/* http_target.c - see http_target.h. */
#include "http/http_target.h"

#include <arpa/inet.h>

#include "http/http_field.h"

static struct err
refuse(enum http_refusal code, const char *why)
{
	return (struct err){ .kind = ERR_PEER, .code = code, .why = why };
}

static bool
port_is(struct bytes port)
{
	uint64_t number;

	return port.len <= 5 && !failed(bytes_to_u64(port, &number)) && number >= 1 && number <= 65535;
}

/* Zones and IPvFuture are refused with the rest that inet_pton() does not know. */
static bool
ipv6_is(struct bytes text)
{
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (text.len >= sizeof copy || bytes_find(text, 0) < text.len)
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	return inet_pton(AF_INET6, copy, &address) == 1;
}

bool
http_authority_is(struct bytes authority)
{
	size_t len = http_run(authority, HTTP_BYTE_HOST);

	if (authority.len > 0 && authority.at[0] == '[') {
		size_t close = bytes_find(authority, ']');

		if (close == authority.len || !ipv6_is(bytes_slice(authority, 1, close)))
			return false;
		len = close + 1;
	}
	if (len == 0 || len > 255)
		return false;
	return len == authority.len ||
	       (authority.at[len] == ':' && port_is(bytes_slice(authority, len + 1, authority.len)));
}

/* Length of "http://" or "https://" in any case, or 0. */
static size_t
scheme_len(struct bytes target)
{
	if (bytes_equal_nocase(bytes_slice(target, 0, 7), BYTES("http://")))
		return 7;
	return bytes_equal_nocase(bytes_slice(target, 0, 8), BYTES("https://")) ? 8 : 0;
}

/* Where the authority that starts at `from` ends. */
static size_t
authority_end(struct bytes target, size_t from)
{
	while (from < target.len && target.at[from] != '/' && target.at[from] != '?')
		from++;
	return from;
}

static void
split_query(struct http_head *h, struct bytes rest)
{
	size_t mark = bytes_find(rest, '?');

	h->path = mark == 0 ? BYTES("/") : bytes_slice(rest, 0, mark);
	h->has_query = mark < rest.len;
	h->query = bytes_slice(rest, mark + 1, rest.len);
}

struct err
http_target_split(struct http_head *h, struct bytes *ret_authority)
{
	struct bytes target = h->target;
	size_t from = scheme_len(target), end = from;

	if (target.len > HTTP_TARGET_MAX)
		return refuse(HTTP_TARGET_LONG, "the request target is too long");
	if (target.len == 0 || http_run(target, HTTP_BYTE_TARGET) != target.len)
		return refuse(HTTP_BAD, "the request target holds a byte it may not hold");
	if (from > 0) {
		end = authority_end(target, from);
		*ret_authority = bytes_slice(target, from, end);
		if (!http_authority_is(*ret_authority))
			return refuse(HTTP_BAD, "the request target has a malformed authority");
	} else if (target.at[0] != '/' && !(bytes_is(target, "*") && h->method == HTTP_OPTIONS)) {
		return refuse(HTTP_BAD, "the request target has a form that is not served");
	}
	split_query(h, bytes_slice(target, end, target.len));
	return OK;
}
