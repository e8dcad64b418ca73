/* http_reply.c - see http_reply.h. RFC 9112 sections 4 and 7.1, RFC 9110 section 5.6.7. */
#include "http/http_reply.h"

#include "base/macros.h"
#include "format/moment.h"
#include "http/http_field.h"

const char *
http_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} rows[] = {
		{ 100, "Continue" },
		{ 101, "Switching Protocols" },
		{ 103, "Early Hints" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 206, "Partial Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 428, "Precondition Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].status == status)
			return rows[i].reason;
	return "";
}

void
http_reply_begin(struct buf *out, unsigned status, struct bytes date)
{
	if (status < 100 || status > 999) {
		out->overflow = true;
		return;
	}
	buf_put(out, BYTES("HTTP/1.1 "));
	buf_put_unsigned(out, status);
	buf_put_u8(out, ' ');
	buf_put_text(out, http_reason(status));
	buf_put(out, BYTES("\r\n"));
	if (date.len > 0)
		http_reply_field(out, "Date", date);
}

void
http_reply_field(struct buf *out, const char *name, struct bytes value)
{
	struct bytes label = bytes_text(name);

	if (label.len == 0 || http_run(label, HTTP_BYTE_TOKEN) != label.len ||
	    !http_value_is_clean(value)) {
		out->overflow = true;
		return;
	}
	buf_put(out, label);
	buf_put(out, BYTES(": "));
	buf_put(out, value);
	buf_put(out, BYTES("\r\n"));
}

void
http_reply_length(struct buf *out, uint64_t len)
{
	buf_put(out, BYTES("Content-Length: "));
	buf_put_unsigned(out, len);
	buf_put(out, BYTES("\r\n"));
}

void
http_reply_chunked(struct buf *out)
{
	buf_put(out, BYTES("Transfer-Encoding: chunked\r\n"));
}

void
http_reply_close(struct buf *out)
{
	buf_put(out, BYTES("Connection: close\r\n"));
}

void
http_reply_end(struct buf *out)
{
	buf_put(out, BYTES("\r\n"));
}

void
http_reply_chunk(struct buf *out, struct bytes data)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t digits[2 * sizeof data.len];
	size_t at = sizeof digits;

	if (data.len == 0)
		return;
	for (size_t len = data.len; len > 0; len >>= 4)
		digits[--at] = (uint8_t)hex[len & 15];
	buf_put(out, (struct bytes){ digits + at, sizeof digits - at });
	buf_put(out, BYTES("\r\n"));
	buf_put(out, data);
	buf_put(out, BYTES("\r\n"));
}

void
http_reply_last_chunk(struct buf *out, struct bytes trailers)
{
	buf_put(out, BYTES("0\r\n"));
	buf_put(out, trailers);
	buf_put(out, BYTES("\r\n"));
}

/* The calendar is moment.c's: its "2026-11-22T13:04:05..." holds every number needed. */
void
http_date_put(struct buf *out, int64_t unix_s)
{
	static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static const int64_t first_s = -62135596800, last_s = 253402300799;
	CLEANUP(buf_done) struct buf text = { 0 };

	unix_s = unix_s < first_s ? first_s : unix_s > last_s ? last_s : unix_s;
	moment_put_timestamp(&text, unix_s * 1000000);
	if (text.len < 19) {
		out->overflow = true;
		return;
	}

	const char *at = (const char *)text.at;
	/* first_s was a Monday, four days on; counting from it keeps the remainder from going below
	 * zero. */
	int64_t weekday = ((unix_s - first_s) / 86400 + 4) % 7;
	int month = (at[5] - '0') * 10 + at[6] - '0' - 1;
	buf_printf(out, "%.3s, %.2s %.3s %.4s %.8s GMT", days + 3 * weekday, at + 8,
	           months + 3 * month, at, at + 11);
}
