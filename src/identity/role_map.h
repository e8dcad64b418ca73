/* role_map.h - claim value -> roles, for one issuer. Used inside src/identity only. */
#ifndef IDENTITY_ROLE_MAP_H
#define IDENTITY_ROLE_MAP_H

#include "config/settings.h"
#include "format/json.h"

struct role_map; /* immutable; owned */

/* Borrows the texts of the settings. ERR_SYSTEM. */
struct err role_map_new(const struct settings *settings, unsigned issuer, struct role_map **ret);
void role_map_free(struct role_map *m);

/* The roles that a token's claims grant together. A claim must be an array of texts, or one text of
 * words where it is named `scp` or `scope` (RFC 8693 section 4.2). Any other shape grants nothing:
 * a claim that is half understood is not understood. */
uint64_t role_map_roles(const struct role_map *m, const struct json *claims);

#endif
