/* resolve.h - a host name to its addresses, on libuv's pool threads (getaddrinfo): they are there
 * before the sandbox closes, where libcurl would start a thread each time, and wait for it. */
#ifndef IO_RESOLVE_H
#define IO_RESOLVE_H

#include <netdb.h>

#include "io/loop.h"

struct resolving;

/* What a process that looks names up has to be able to read; NULL at the end. */
extern const char *const resolve_files[];

/* `addresses` is borrowed for the call; NULL when it failed. Never called from inside
 * resolve_start(). */
typedef void resolved_fn(void *of, struct err e, const struct addrinfo *addresses);

/* Once per process, before threads: names come from the hosts file and DNS alone, which are built
 * into the C library; another module of nsswitch.conf would be code to load. */
void resolve_init(void);
struct err resolve_start(struct loop *loop, const char *host, resolved_fn *resolved, void *of,
                         struct resolving **ret);
/* Takes NULL. `resolved` is not called any more. */
void resolve_cancel(struct resolving *r);

#endif
