/* child.c - see child.h. */
#include "process/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macros.h"

extern char **environ;

enum { ABOVE_FIXED = 16, FIXED_COUNT = FD_ADMIN - FD_CONTROL + 1 };

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

struct err
child_memfd(const char *name, struct bytes text, int *ret)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return (struct err){ .kind = ERR_SYSTEM, .sys = errno, .why = "no memory file" };
	for (size_t done = 0; done < text.len;) {
		ssize_t n = write(fd, text.at + done, text.len - done);
		if (n <= 0) {
			close(fd);
			return (struct err){ .kind = ERR_SYSTEM,
				             .sys = errno,
				             .why = "no memory file" };
		}
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
		close(fd);
		return (struct err){ .kind = ERR_SYSTEM,
			             .sys = errno,
			             .why = "a memory file cannot be sealed" };
	}
	*ret = fd;
	return OK;
}

/* Copies above the fixed numbers first, so that no dup2 overwrites the source of a later one. */
static struct err
lift(const int from[FIXED_COUNT], int to[FIXED_COUNT])
{
	for (int i = 0; i < FIXED_COUNT; i++) {
		if (from[i] < 0)
			continue;
		to[i] = fcntl(from[i], F_DUPFD_CLOEXEC, ABOVE_FIXED);
		if (to[i] < 0)
			return (struct err){ .kind = ERR_SYSTEM,
				             .sys = errno,
				             .why = "no descriptors left for a process" };
	}
	return OK;
}

static int
spawn(struct child *c, const int fds[FIXED_COUNT], const char *config_file)
{
	char role[32], slot[16], generation[16];
	char *argv[] = { (char[]){ "gatewarden" },       role, slot, generation,
		         (char *)(uintptr_t)config_file, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int error;

	/* All fit: the role names are ours, the numbers have ten digits at most. */
	(void)snprintf(role, sizeof role, "@%s", role_name(c->role));
	(void)snprintf(slot, sizeof slot, "%u", c->slot);
	(void)snprintf(generation, sizeof generation, "%u", c->generation);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		(void)posix_spawn_file_actions_destroy(&actions); /* never fails */
		return ENOMEM;
	}
	error = 0;
	for (int i = 0; i < FIXED_COUNT && error == 0; i++)
		if (fds[i] >= 0)
			error = posix_spawn_file_actions_adddup2(&actions, fds[i], FD_CONTROL + i);
	sigemptyset(&none);
	if (error == 0)
		error = posix_spawnattr_setsigmask(&attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (error == 0)
		error = posix_spawn(&c->pid, "/proc/self/exe", &actions, &attributes, argv,
		                    environ);
	(void)posix_spawnattr_destroy(&attributes); /* never fail */
	(void)posix_spawn_file_actions_destroy(&actions);
	return error;
}

struct err
child_spawn(struct child *c, const struct child_descriptors *fds, const char *config_file,
            int *ret_control)
{
	int pair[2];

	TRY(channel_pair(pair));
	const int from[FIXED_COUNT] = { pair[1], fds->config, fds->metrics, fds->http, fds->admin };
	int lifted[FIXED_COUNT] = { -1, -1, -1, -1, -1 };
	struct err e = lift(from, lifted);
	int error = failed(e) ? 0 : spawn(c, lifted, config_file);

	for (int i = 0; i < FIXED_COUNT; i++)
		close_fd(&lifted[i]);
	close(pair[1]);
	if (error != 0)
		e = (struct err){ .kind = ERR_SYSTEM,
			          .sys = error,
			          .why = "a process cannot be started" };
	if (failed(e)) {
		close(pair[0]);
		return e;
	}
	*ret_control = pair[0];
	return OK;
}
