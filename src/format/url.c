/* url.c - see url.h. The one place where percent-encoding is undone: what is matched against policy
 * and what is used behind it are the same decoded segments. RFC 3986 sections 2.1 and 3.3; WHATWG
 * URL, application/x-www-form-urlencoded. */
#include "format/url.h"

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at text.at[i], a '%', stands for. */
static struct err
decode_escape(struct bytes text, size_t i, uint8_t *ret)
{
	int high = i + 2 < text.len ? hex_digit(text.at[i + 1]) : -1;
	int low = i + 2 < text.len ? hex_digit(text.at[i + 2]) : -1;

	if (high < 0 || low < 0)
		return fail(ERR_PEER, "URL: % is not followed by two hex digits");
	*ret = (uint8_t)(high << 4 | low);
	return OK;
}

static struct err
check_raw(uint8_t c)
{
	if (c <= 0x20 || c > 0x7e)
		return fail(ERR_PEER, "URL: the path holds a byte that must be percent-encoded");
	if (c == ';' || c == '\\' || c == '#' || c == '?')
		return fail(ERR_PEER, "URL: the path holds a character that readers disagree on");
	return OK;
}

static struct err
check_decoded(uint8_t c)
{
	/* An encoded percent sign would let the next reader decode once more. */
	if (c == '/' || c == '\\' || c == '%')
		return fail(ERR_PEER,
		            "URL: the path holds an encoded slash, backslash or percent sign");
	if (c < 0x20 || c == 0x7f)
		return fail(ERR_PEER, "URL: the path holds an encoded control byte");
	return OK;
}

static struct err
decode_segment(struct bytes raw, struct arena *arena, struct bytes *ret)
{
	uint8_t *out = arena_alloc(arena, raw.len);
	size_t len = 0;

	if (out == NULL)
		return fail(ERR_LIMIT, "out of memory for a URL");
	for (size_t i = 0; i < raw.len; i++, len++) {
		out[len] = raw.at[i];
		if (raw.at[i] != '%')
			continue;
		TRY(decode_escape(raw, i, &out[len]));
		TRY(check_decoded(out[len]));
		i += 2;
	}
	*ret = (struct bytes){ out, len };
	return bytes_is_utf8(*ret) ? OK : fail(ERR_PEER, "URL: the path is not UTF-8");
}

static struct err
take_segment(struct bytes raw, struct arena *arena, struct bytes *ret)
{
	bool has_escape = false;
	struct bytes segment = raw;

	if (raw.len == 0)
		return fail(ERR_PEER, "URL: the path holds an empty segment");
	for (size_t i = 0; i < raw.len; i++) {
		TRY(check_raw(raw.at[i]));
		has_escape |= raw.at[i] == '%';
	}
	if (has_escape)
		TRY(decode_segment(raw, arena, &segment));
	if (bytes_is(segment, ".") || bytes_is(segment, ".."))
		return fail(ERR_PEER, "URL: the path holds a dot segment");
	*ret = segment;
	return OK;
}

struct err
url_path_split(struct bytes path, struct arena *arena, struct bytes segments[URL_SEGMENTS_MAX],
               size_t *ret_count)
{
	size_t count = 0;

	if (path.len == 0 || path.at[0] != '/')
		return fail(ERR_PEER, "URL: the path does not start with a slash");
	path = bytes_slice(path, 1, path.len);
	while (path.len > 0) {
		size_t end = bytes_find(path, '/');

		if (count == URL_SEGMENTS_MAX)
			return fail(ERR_PEER, "URL: the path has too many segments");
		TRY(take_segment(bytes_slice(path, 0, end), arena, &segments[count++]));
		path = bytes_slice(path, end + 1, path.len);
	}
	*ret_count = count;
	return OK;
}

/* A name or value of a form; borrowed where nothing had to be decoded. */
static struct err
decode_part(struct bytes raw, struct arena *arena, struct bytes *ret)
{
	bool is_coded = bytes_find(raw, '%') < raw.len || bytes_find(raw, '+') < raw.len;
	uint8_t *out = is_coded ? arena_alloc(arena, raw.len) : NULL;
	size_t len = 0;

	if (is_coded && out == NULL)
		return fail(ERR_LIMIT, "out of memory for a form");
	for (size_t i = 0; is_coded && i < raw.len; i++, len++) {
		out[len] = raw.at[i] == '+' ? ' ' : raw.at[i];
		if (raw.at[i] != '%')
			continue;
		TRY(decode_escape(raw, i, &out[len]));
		i += 2;
	}

	struct bytes text = is_coded ? (struct bytes){ out, len } : raw;
	if (bytes_find(text, 0) < text.len)
		return fail(ERR_PEER, "URL: a parameter holds a NUL");
	if (!bytes_is_utf8(text))
		return fail(ERR_PEER, "URL: a parameter is not UTF-8");
	*ret = text;
	return OK;
}

struct err
url_form_split(struct bytes form, struct arena *arena,
               struct url_parameter params[URL_PARAMETERS_MAX], size_t *ret_count)
{
	size_t count = 0;

	while (form.len > 0) {
		struct bytes pair = bytes_slice(form, 0, bytes_find(form, '&'));
		size_t sign = bytes_find(pair, '=');

		form = bytes_slice(form, pair.len + 1, form.len);
		if (pair.len == 0)
			continue;
		if (count == URL_PARAMETERS_MAX)
			return fail(ERR_PEER, "URL: too many parameters");
		TRY(decode_part(bytes_slice(pair, 0, sign), arena, &params[count].name));
		TRY(decode_part(bytes_slice(pair, sign + 1, pair.len), arena,
		                &params[count].value));
		count++;
	}
	*ret_count = count;
	return OK;
}

static bool
is_unreserved(uint8_t c)
{
	uint8_t folded = c | 0x20;

	return (folded >= 'a' && folded <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

void
url_put_encoded(struct buf *out, struct bytes text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len && !out->overflow; i++) {
		uint8_t c = text.at[i];
		const uint8_t escape[] = { '%', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15] };

		if (is_unreserved(c))
			buf_put_u8(out, c);
		else
			buf_put(out, (struct bytes){ escape, sizeof escape });
	}
}

bool
url_ends_in_number(struct bytes host)
{
	size_t last = host.len, digits = 0;

	while (last > 0 && host.at[last - 1] != '.')
		last--;

	struct bytes label = bytes_slice(host, last, host.len);

	while (digits < label.len && label.at[digits] >= '0' && label.at[digits] <= '9')
		digits++;
	return digits == label.len || bytes_equal_nocase(bytes_slice(label, 0, 2), BYTES("0x"));
}
