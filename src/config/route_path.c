/* route_path.c - see route_path.h. */
#include "config/route_path.h"

#include "base/macros.h"
#include "config/config_forms.h"

bool
route_path_next(struct bytes *rest, struct bytes *ret)
{
	if (rest->len <= 1)
		return false; /* "/" has no segment */
	*rest = bytes_slice(*rest, 1, rest->len);
	*ret = bytes_slice(*rest, 0, bytes_find(*rest, '/'));
	*rest = bytes_slice(*rest, ret->len, rest->len);
	return true;
}

/* Forms */

/* What no segment of a request can be, as url_path_split() gives them, and what is likely meant as
 * something else. */
static const char *
segment_fault(struct bytes segment)
{
	if (segment.len == 0)
		return "has an empty segment";
	if (bytes_is(segment, ".") || bytes_is(segment, ".."))
		return "has a dot segment";
	if (bytes_has_control(segment) || bytes_find(segment, '\\') < segment.len)
		return "has a byte that may not stand here";
	if (bytes_find(segment, '%') < segment.len)
		return "has an encoded segment, but paths are compared decoded";
	if (bytes_find(segment, '?') < segment.len || bytes_find(segment, '#') < segment.len ||
	    bytes_find(segment, ';') < segment.len)
		return "has a query, a fragment or a parameter";
	if (bytes_find(segment, '{') < segment.len || bytes_find(segment, '}') < segment.len)
		return "has a variable in braces";
	if (bytes_find(segment, '*') < segment.len && !route_path_is_star(segment))
		return "has a star that is not a whole segment";
	return NULL;
}

static const char *
path_fault(struct bytes text)
{
	struct bytes rest = text, segment;
	const char *why;
	size_t count = 0;

	if (text.len == 0 || text.at[0] != '/')
		return "does not begin with /";
	if (text.len > 1 && text.at[text.len - 1] == '/')
		return "ends in /";
	while (route_path_next(&rest, &segment)) {
		if ((why = segment_fault(segment)) != NULL)
			return why;
		if (++count > ROUTE_SEGMENTS_MAX)
			return "has too many segments";
	}
	return NULL;
}

static const char *
strip_fault(struct bytes text)
{
	const char *why = path_fault(text);

	if (why == NULL && text.len == 1)
		return "is empty";
	return why == NULL && bytes_find(text, '*') < text.len ? "has a star" : why;
}

const struct text_form form_route = {
	.expected =
		"a path such as /app/* or /items/*/notes: segments as they are when decoded, * for "
		"any one of them, at the end for any number",
	.pattern = "/[^?#%;{}]*",
	.fault = path_fault,
};
const struct text_form form_route_strip = {
	.expected = "the first segments of the path, such as /app",
	.pattern = "/[^?#%;*{}]+",
	.fault = strip_fault,
};

/* Several routes */

static bool
has_host(const struct route_settings *r, const char *host)
{
	for (size_t i = 0; i < r->host_count; i++)
		if (strcmp(r->hosts[i], host) == 0)
			return true;
	return false;
}

static bool
covers_hosts(const struct route_settings *a, const struct route_settings *b)
{
	if (a->host_count == 0)
		return true;
	for (size_t i = 0; i < b->host_count; i++)
		if (!has_host(a, b->hosts[i]))
			return false;
	return b->host_count > 0;
}

/* Is the star just read the one at the end, which stands for any number? */
static bool
is_tail(struct bytes segment, struct bytes rest)
{
	return route_path_is_star(segment) && rest.len == 0;
}

static bool
covers_path(struct bytes a, struct bytes b)
{
	struct bytes x = { 0 }, y = { 0 };

	while (route_path_next(&a, &x)) {
		if (is_tail(x, a))
			return true;
		if (!route_path_next(&b, &y) || is_tail(y, b))
			return false;
		if (!route_path_is_star(x) && !bytes_equal(x, y))
			return false;
	}
	return !route_path_next(&b, &y);
}

bool
route_covers(const struct route_settings *a, const struct route_settings *b)
{
	return covers_path(bytes_text(a->path), bytes_text(b->path)) && covers_hosts(a, b);
}

bool
route_path_begins(struct bytes path, struct bytes prefix)
{
	struct bytes x, y;

	while (route_path_next(&prefix, &x))
		if (!route_path_next(&path, &y) || route_path_is_star(x) || !bytes_equal(x, y))
			return false;
	return true;
}

const char *
route_path_endpoint(struct bytes path)
{
	static const char *const ours[] = { "/token",      "/authorize", "/revoke",
		                            "/introspect", "/userinfo",  "/.well-known",
		                            "/login",      "/logout",    "/auth" };
	struct bytes first;

	if (!route_path_next(&path, &first))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (bytes_is(first, ours[i] + 1))
			return ours[i];
	return NULL;
}
