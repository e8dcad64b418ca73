/* http_target.c - see http_target.h. */
#include "http/http_target.h"

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

	return port.len <= 5 && !failed(bytes_to_u64(port, &number)) && number >= 1 &&
	       number <= 65535;
}

/* Four numbers to 255, without leading zeros, which some readers take for octal. */
static bool
ipv4_is(struct bytes text)
{
	for (size_t i = 0; i < 4; i++) {
		size_t dot = bytes_find(text, '.');
		struct bytes part = bytes_slice(text, 0, dot);
		uint64_t number;

		if (part.len > 3 || failed(bytes_to_u64(part, &number)) || number > 255 ||
		    (part.len > 1 && part.at[0] == '0') || (dot == text.len) != (i == 3))
			return false;
		text = bytes_slice(text, dot + 1, text.len);
	}
	return true;
}

/* RFC 3986 section 3.2.2: eight groups of hex digits, the last two perhaps as IPv4, and `::` once
 * for at least one group of zeros. Zones and IPvFuture are refused. */
static bool
ipv6_is(struct bytes text)
{
	bool gap = bytes_starts(text, BYTES("::"));
	size_t groups = 0;

	for (text = bytes_slice(text, gap ? 2 : 0, text.len); text.len > 0 || groups == 0;
	     groups++) {
		size_t len = http_run(text, HTTP_BYTE_HEX);

		if (text.len == 0)
			return gap;
		if (len < text.len && text.at[len] == '.')
			return ipv4_is(text) && (gap ? groups <= 5 : groups == 6);
		if (len == 0 || len > 4 || (len < text.len && text.at[len] != ':') ||
		    len + 1 == text.len)
			return false;
		text = bytes_slice(text, len + 1, text.len);
		if (text.len == 0 || text.at[0] != ':')
			continue;
		if (gap)
			return false;
		gap = true;
		text = bytes_slice(text, 1, text.len);
	}
	return gap ? groups <= 7 : groups == 8;
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
	return len == authority.len || (authority.at[len] == ':' &&
	                                port_is(bytes_slice(authority, len + 1, authority.len)));
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
