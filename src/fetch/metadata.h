/* metadata.h - the discovery document of an issuer (OpenID Connect Discovery section 4.2, RFC 8414
 * section 3.2). Pure. */
#ifndef FETCH_METADATA_H
#define FETCH_METADATA_H

#include "config/settings.h"

/* Borrowed from the text or the arena. The last three are empty where the document has none, or one
 * that may not be used.
 */
struct metadata {
	struct bytes jwks_uri;
	struct bytes token_endpoint, authorization_endpoint, end_session_endpoint;
};

struct metadata_rules {
	const char *const *issuers; /* each must be its `issuer`, byte for byte */
	size_t issuer_count;
	bool may_be_loopback; /* the document itself came from there: nobody else may send us there
	                       */
	const struct outbound_settings *outbound;
};

/* ERR_PEER with the reason. */
struct err metadata_parse(struct bytes text, const struct metadata_rules *rules,
                          struct arena *arena, struct metadata *ret);

#endif
