/* docs.c - /docs: the page and Swagger UI, from inside the program. */
#include "frontend/asset.h"
#include "frontend/endpoint.h"

static bool
takes_gzip(const struct request *r)
{
	struct bytes value = { 0 };

	if (failed(http_field_single(&r->head, "accept-encoding", &value)))
		return false;
	for (size_t i = 0; i + 4 <= value.len; i++)
		if (bytes_equal_nocase(bytes_slice(value, i, i + 4), BYTES("gzip")))
			return true;
	return false;
}

static void
put_field(struct buf *fields, const char *name, struct bytes value)
{
	buf_put_text(fields, name);
	buf_put_text(fields, ": ");
	buf_put(fields, value);
	buf_put_text(fields, "\r\n");
}

struct err
docs_asset(struct request *r, enum step *step)
{
	const struct asset *asset = asset_find(r->head.path);
	struct bytes known = { 0 };

	(void)step;
	if (asset == NULL)
		return (struct err){ .kind = ERR_PEER,
			             .code = 404,
			             .why = "there is nothing at this path" };
	TRY(http_field_single(&r->head, "if-none-match", &known));
	r->is_cacheable = true;
	put_field(&r->reply.fields, "ETag", asset->etag);
	put_field(&r->reply.fields, "Cache-Control", BYTES("no-cache"));
	put_field(&r->reply.fields, "Vary", BYTES("Accept-Encoding"));
	put_field(&r->reply.fields, "Content-Security-Policy", BYTES(ASSET_CSP));
	put_field(&r->reply.fields, "Referrer-Policy", BYTES("no-referrer"));
	if (known.len != 0 && bytes_equal(known, asset->etag)) {
		r->reply.status = 304;
		return OK;
	}
	r->reply.type = asset->type;
	r->reply.asset = asset->plain;
	if (asset->plain.len == 0 || takes_gzip(r)) {
		put_field(&r->reply.fields, "Content-Encoding", BYTES("gzip"));
		r->reply.asset = asset->gzip;
	}
	return OK;
}
