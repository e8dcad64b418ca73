/* http_message.c - see http_message.h. */
#include "http/http_message.h"

#include "http/http_head.h"

static struct err
refuse(const char *why)
{
	return (struct err){ .kind = ERR_PEER, .code = HTTP_BAD, .why = why };
}

struct err
http_find_end(struct bytes in, size_t *scanned, size_t *ret)
{
	size_t at = *scanned;

	*ret = 0;
	while (at < in.len) {
		at += bytes_find(bytes_slice(in, at, in.len), '\n');
		if (at == in.len)
			break;
		if (at == 0 || in.at[at - 1] != '\r')
			return refuse("a line ends with a bare LF");
		if (at >= 3 && in.at[at - 2] == '\n') {
			*ret = at + 1;
			return OK;
		}
		at++;
	}
	*scanned = at;
	return OK;
}

struct bytes
http_take_line(struct bytes *rest)
{
	size_t end = bytes_find(*rest, '\n');
	struct bytes line = bytes_slice(*rest, 0, end - 1);

	*rest = bytes_slice(*rest, end + 1, rest->len);
	return line;
}

struct err
http_content_length(struct bytes value, uint64_t *ret)
{
	uint64_t length;

	if (failed(bytes_to_u64(value, &length)) || length > INT64_MAX ||
	    (value.len > 1 && value.at[0] == '0'))
		return refuse("Content-Length is malformed");
	*ret = length;
	return OK;
}

struct err
http_options_add(struct http_options *o, struct bytes value)
{
	while (value.len > 0) {
		size_t comma = bytes_find(value, ',');
		struct bytes option = http_trim(bytes_slice(value, 0, comma));

		if (http_run(option, HTTP_BYTE_TOKEN) != option.len)
			return refuse("Connection is malformed");
		o->close |= bytes_equal_nocase(option, BYTES("close"));
		o->keep_alive |= bytes_equal_nocase(option, BYTES("keep-alive"));
		o->upgrade |= bytes_equal_nocase(option, BYTES("upgrade"));
		value = bytes_slice(value, comma + 1, value.len);
	}
	return OK;
}
