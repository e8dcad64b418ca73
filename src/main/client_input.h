/* client_input.h - the arguments of `gatewarden client`, and the files they name. */
#ifndef MAIN_CLIENT_INPUT_H
#define MAIN_CLIENT_INPUT_H

#include "issuer/client.h"

struct client_input {
	const char *verb, *id, *file; /* file: the configuration; NULL: the default */
	const char *name, *key_file, *certificate_file;
	const char *roles[ROLES_MAX], *redirect_uris[REDIRECT_URIS_MAX];
	size_t role_count, redirect_uri_count;
	unsigned grants;
	bool is_public, is_dpop_required, as_json;
	unsigned given; /* options that only `add` takes; for a message */
};

/* 0, or exit status 2 with what is wrong said. */
int client_input_take(int argc, char **argv, struct client_input *ret);

/* The base64url SHA-256 of the first certificate of a PEM file, as x5t#S256 (RFC 8705 section 3.1).
 * ERR_CONFIG: it cannot be read, or has none. */
struct err client_input_certificate(const char *file, struct buf *ret);

#endif
