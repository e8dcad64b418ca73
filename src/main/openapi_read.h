/* openapi_read.h - an OpenAPI document (3.0, 3.1) as routes and roles of ours. What it says of who
 * may call what; nothing else of it is looked at.
 *
 * Whoever wrote the document is a stranger: sizes are bounded, references are followed within the
 * document and not for long, and a text goes into the configuration only where it cannot change
 * what the configuration means. */
#ifndef MAIN_OPENAPI_READ_H
#define MAIN_OPENAPI_READ_H

#include "config/settings.h"
#include "format/json.h"

enum { OPENAPI_NOTES_MAX = 4096, OPENAPI_ROLE_NAME_MAX = 64 };

/* Scopes that are asked for at once: "items:read", or "items:read me"; "" stands for any good
 * token.
 */
struct openapi_role {
	struct bytes scopes;
	struct bytes description; /* of a single scope; may be empty */
	char name[OPENAPI_ROLE_NAME_MAX + 1];
};
struct openapi_route {
	struct bytes path;   /* as ours: variables are stars */
	struct bytes titles; /* operationIds, for a comment */
	unsigned public;
	unsigned allow[ROLES_MAX]; /* methods of each role */
};
struct openapi {
	struct arena arena; /* owned: all of it */
	const struct json *document;
	struct bytes title;
	struct bytes server;    /* the first server's URL, or empty */
	struct bytes base_path; /* of it, without a slash at the end */
	struct openapi_role roles[ROLES_MAX];
	size_t role_count;
	struct openapi_route *routes; /* what is narrower comes first */
	size_t route_count;
	struct bytes notes[OPENAPI_NOTES_MAX]; /* what cannot be said, a line each */
	size_t note_count;
};

/* `prefix` ("/app", or "") is put before every path. `text` is JSON, borrowed. ERR_CONFIG: it is no
 * OpenAPI document of version 3; ERR_LIMIT: more routes or roles than there may be. */
struct err openapi_read(struct bytes text, const char *prefix, struct openapi *ret);
void openapi_done(struct openapi *o);

#endif
