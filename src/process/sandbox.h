/* sandbox.h - a process gives up what its role does not need, before its first untrusted byte.
 *
 *              worker               keeper            ledger            fetcher
 * files        the SQLite databases its state folder  its audit folder  secrets, certificates and
 *                                                                       resolver's, to be read
 * sockets      accepts; connects    none              none              makes and connects them
 *              with services only
 * exec, fork   never                never             never             never
 *
 * Which hosts fetcher connects to no layer here can limit: src/fetch/url_guard.h does, and a
 * fetcher that was taken over can connect to any. It has nothing to take there but what it is
 * asked, and our secrets at the providers. The same holds for a worker where there are services: it
 * connects to those alone, but one that was taken over can connect to any host.
 *
 * Four layers: no_new_privs, no capabilities, Landlock (which files), seccomp (which calls). A call
 * that the role has no reason for ends the process; any other that is not on the role's list fails
 * with EPERM. */
#ifndef PROCESS_SANDBOX_H
#define PROCESS_SANDBOX_H

#include "process/role.h"

enum { SANDBOX_PATHS_MAX = 256 };

struct sandbox {
	enum role role;
	const char
		*paths[SANDBOX_PATHS_MAX]; /* files, or folders with all below them: to be read and
	                                    * written; nothing else is. Absolute, and there */
	size_t path_count;
	const char *readable[SANDBOX_PATHS_MAX]; /* likewise, to be read only */
	size_t readable_count;
	bool connects;    /* makes connections */
	bool is_required; /* a layer that the kernel lacks is an error, not a warning */
};

/* In this order: sandbox_enter_files() while the process has one thread (Landlock is per thread and
 * inherited), then threads may be started, then sandbox_enter_calls(), which takes all threads
 * along. *missing is a literal naming a layer the kernel lacks, or NULL. */
struct err sandbox_enter_files(const struct sandbox *s, const char **missing);
struct err sandbox_enter_calls(const struct sandbox *s, const char **missing);

#endif
