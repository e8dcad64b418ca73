/* asset.h - files that are part of the program: the page /docs and Swagger UI. Made from web/ by
 * tools/embed when the program is built.
 *
 * The answer to such a path: `gzip` with `Content-Encoding: gzip` where the client takes it, else
 * `plain`; an asset without `plain` is sent as gzip to everyone (RFC 9110 section 12.5.3 allows it:
 * a client that sends no Accept-Encoding takes any). `Vary: Accept-Encoding`, `ETag`,
 * `Cache-Control: no-cache`, and ASSET_CSP, under which the page was seen to work in Chromium. */
#ifndef FRONTEND_ASSET_H
#define FRONTEND_ASSET_H

#include "base/bytes.h"

/* No script but ours, no frame around us. Swagger UI has its icons in data URLs. */
#define ASSET_CSP                                                                                  \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "          \
	"connect-src "                                                                             \
	"'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

struct asset {
	const char *path;   /* whole request path */
	const char *type;   /* media type */
	struct bytes plain; /* empty when the file is large */
	struct bytes gzip;
	struct bytes etag; /* weak, the same for both codings; with its W/ and quotes */
};

/* By exact path; NULL when there is none. */
const struct asset *asset_find(struct bytes path);

/* Generated. */
extern const struct asset asset_table[];
extern const size_t asset_count;

#endif
