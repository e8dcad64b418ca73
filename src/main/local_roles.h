/* local_roles.h - the role values that our own users and clients hold, against what the
 * configuration grants for them (`granted_by: local:VALUE`). */
#ifndef MAIN_LOCAL_ROLES_H
#define MAIN_LOCAL_ROLES_H

#include "config/settings.h"

#include "base/buf.h"

/* The roles (bit n = role n) that any issuer of type local grants for this value; 0: none names it.
 */
uint64_t local_roles_of(const struct settings *s, struct bytes value);
/* The same for values with a space between them. */
uint64_t local_roles_of_all(const struct settings *s, struct bytes values);
/* Of a command line: 0, or exit status 2 after saying which is unknown and which there are. */
int local_roles_check(const struct settings *s, const char *command, const char *const *values,
                      size_t count);
/* The values with a space between them. */
void local_roles_put(const char *const *values, size_t count, struct buf *out);

#endif
