/* listen.c - listening sockets, made by the supervisor: it may have the right to low ports, and
 * they outlive the workers that accept from them. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/child.h"

enum { BACKLOG = 4096, USER_TIMEOUT_MS = 60000 };

/* Options an accepted connection inherits (Linux), so that accepting costs no further calls. */
static bool
set_options(int fd, bool shared)
{
	static const int on = 1, user_timeout = USER_TIMEOUT_MS;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	       (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
	       setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof user_timeout) ==
	               0;
}

static int
try_bind(const struct addrinfo *info, enum listen_use use)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && set_options(fd, use == LISTEN_SHARED) &&
	    bind(fd, info->ai_addr, info->ai_addrlen) == 0 &&
	    (use == LISTEN_CHECK || listen(fd, BACKLOG) == 0))
		return fd;
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

struct err
listen_open(const struct address *address, enum listen_use use, int *ret)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		                        .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *found;
	char port[8];
	int fd = -1;

	(void)snprintf(port, sizeof port, "%u", address->port); /* fits: five digits */
	if (getaddrinfo(address->host, port, &hints, &found) != 0)
		return fail(ERR_CONFIG, "a listen address cannot be resolved");
	for (const struct addrinfo *info = found; info != NULL && fd < 0; info = info->ai_next)
		fd = try_bind(info, use);
	int error = errno;
	freeaddrinfo(found);
	if (fd < 0)
		return (struct err){ .kind = ERR_CONFIG,
			             .sys = error,
			             .why = "an address cannot be listened on" };
	*ret = fd;
	return OK;
}
