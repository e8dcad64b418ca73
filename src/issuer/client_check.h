/* client_check.h - may a client be registered like this? Apart from the store. */
#ifndef ISSUER_CLIENT_CHECK_H
#define ISSUER_CLIENT_CHECK_H

#include "issuer/client.h"

/* ERR_INVALID with what to change. */
struct err client_check(const struct settings *settings, const struct client *c);

#endif
