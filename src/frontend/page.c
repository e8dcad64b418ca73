/* page.c - see page.h. */
#include "frontend/page.h"

#include <openssl/sha.h>

#include "base/macros.h"
#include "format/base64.h"

/* Sizes in rem and widths in ch, so that the page follows the reader's font size; colours with a
 * contrast of at least 7 to 1 for text and 3 to 1 for outlines, in both schemes. */
static const char style[] =
	":root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--text:#1c1f24;--dim:#495057;"
	"--line:#767d86;--strong:#0b4f9e;--on:#fff;--bad:#9b121b;--badbg:#fdecec}"
	"@media(prefers-color-scheme:dark){:root{--page:#14171b;--card:#1e2228;--text:#eef0f3;"
	"--dim:#bcc3cc;--line:#8b95a1;--strong:#9cc8ff;--on:#0b1a2c;--bad:#ffb3b3;--badbg:#3a1d20}}"
	"*{box-sizing:border-box}"
	"body{margin:0;padding:1rem;background:var(--page);color:var(--text);"
	"font:1rem/1.5 system-ui,sans-serif}"
	"main{max-width:26rem;margin:4vh auto;padding:1.5rem;background:var(--card);"
	"border:1px solid var(--line);border-radius:.5rem;overflow-wrap:anywhere}"
	"h1{margin:0 0 1rem;font-size:1.5rem;line-height:1.2}"
	"p{margin:0 0 1rem}"
	"label{display:block;margin:0 0 .25rem;font-weight:600}"
	"input{width:100%;padding:.625rem;font:inherit;color:inherit;background:var(--card);"
	"border:1px solid var(--line);border-radius:.25rem}"
	"button{margin:.5rem .5rem 0 0;padding:.625rem 1.25rem;font:inherit;font-weight:600;"
	"color:var(--on);background:var(--strong);border:1px solid var(--strong);"
	"border-radius:.25rem;cursor:pointer}"
	"button.other{color:var(--strong);background:none}"
	"a{color:var(--strong)}"
	":focus-visible{outline:3px solid var(--strong);outline-offset:2px}"
	".problem{padding:.75rem;color:var(--bad);background:var(--badbg);"
	"border-left:.25rem solid var(--bad)}"
	".dim{color:var(--dim)}"
	"dl{display:grid;grid-template-columns:auto 1fr;gap:.5rem 1rem;margin:0 0 1rem}"
	"dt{color:var(--dim)}dd{margin:0}";

static const char *
entity(uint8_t c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	}
	return c < 0x20 || c == 0x7f ? "\xef\xbf\xbd" : NULL;
}

void
html_put(struct buf *out, struct bytes text)
{
	/* Bytes that are no text could join with what follows them and swallow a quote. */
	bool is_text = bytes_is_utf8(text);

	for (size_t i = 0; i < text.len; i++) {
		const char *other =
			text.at[i] >= 0x80 && !is_text ? "\xef\xbf\xbd" : entity(text.at[i]);
		if (other != NULL)
			buf_put_text(out, other);
		else
			buf_put_u8(out, text.at[i]);
	}
}

void
page_begin(struct buf *out, const char *title, bool is_problem)
{
	buf_put_text(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	                  "<meta name=\"viewport\" content=\"width=device-width, "
	                  "initial-scale=1\">\n<title>");
	if (is_problem)
		buf_put_text(out, "Error: ");
	html_put(out, bytes_text(title));
	buf_put_text(out, "</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>");
	buf_put_text(out, style);
	buf_put_text(out, "</style>\n</head>\n<body>\n<main>\n<h1>");
	html_put(out, bytes_text(title));
	buf_put_text(out, "</h1>\n");
}

void
page_end(struct buf *out)
{
	buf_put_text(out, "</main>\n</body>\n</html>\n");
}

static bool
is_alphanumeric(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Only what CSP's grammar of a source takes; nothing of it can end the field or the directive. */
static bool
is_made_of(struct bytes text, const char *others)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_alphanumeric(text.at[i]) &&
		    bytes_find(bytes_text(others), text.at[i]) == strlen(others))
			return false;
	return text.len > 0;
}

/* The origin, or the scheme alone where an origin cannot be written: of programs on a device
 * (RFC 8252 section 7.1), and of IPv6 addresses, for which CSP has no form. */
static void
put_source(struct buf *out, struct bytes uri)
{
	struct bytes scheme = bytes_slice(uri, 0, bytes_find(uri, ':'));
	struct bytes rest = bytes_slice(uri, scheme.len, uri.len);

	if (!is_made_of(scheme, "+-.") || scheme.len == uri.len)
		return;
	buf_put_u8(out, ' ');
	buf_put(out, scheme);
	buf_put_u8(out, ':');
	if (!bytes_starts(rest, BYTES("://")) || !bytes_starts(scheme, BYTES("http")))
		return;
	rest = bytes_slice(rest, 3, rest.len);
	rest = bytes_slice(rest, 0, bytes_find(rest, '/'));
	rest = bytes_slice(rest, 0, bytes_find(rest, '?'));
	if (is_made_of(rest, ".-:")) {
		buf_put_text(out, "//");
		buf_put(out, rest);
	}
}

void
page_put_fields(struct buf *fields, struct bytes redirect_uri)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];

	SHA256((const uint8_t *)style, sizeof style - 1, hash);
	buf_put_text(fields, "Content-Security-Policy: default-src 'none'; style-src 'sha256-");
	base64_put(fields, (struct bytes){ hash, sizeof hash }, true);
	buf_put_text(fields, "'; img-src data:; form-action 'self'");
	put_source(fields, redirect_uri);
	buf_put_text(fields, "; frame-ancestors 'none'; base-uri 'none'\r\n"
	                     "X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n");
}
