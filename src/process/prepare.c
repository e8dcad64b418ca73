/* prepare.c - see prepare.h. */
#include "process/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

struct err
prepare_inheritance(void)
{
	int fd;

	/* Where a standard one is closed, a socket of ours would take its number, and log lines go
	 * into it. */
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) == 0);
	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 ||
	    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		return (struct err){ .kind = ERR_SYSTEM,
			             .sys = errno,
			             .why = "inherited descriptors cannot be kept back" };
	close(fd);
	(void)umask(S_IRWXG | S_IRWXO); /* cannot fail, nor can the next: */
	(void)signal(SIGPIPE, SIG_IGN); /* who reads the log may go away; the service stays */
	return OK;
}

void
prepare_descriptors(const struct settings *settings)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* up to the hard limit is always allowed */
	if (limit.rlim_cur < settings->limits.connections + 64)
		LOG(LOG_WARN,
		    "limits.connections is more than the system's limit of open files allows");
}

struct err
prepare_folder(const char *path)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		LOG(LOG_ERROR, "a folder cannot be made", { "path", bytes_text(path) },
		    { "errno", bytes_text(strerrordesc_np(errno)) });
		return (struct err){ .kind = ERR_CONFIG,
			             .sys = errno,
			             .why = "a folder cannot be made" };
	}
	return OK;
}

struct err
prepare_metrics(int *ret_fd, struct metrics **ret)
{
	int fd = memfd_create("metrics", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	/* Sealed: a page that one process cut off would end all others. */
	if (fd < 0 || ftruncate(fd, sizeof **ret) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
		return (struct err){ .kind = ERR_SYSTEM, .sys = errno, .why = "no shared page" };
	struct metrics *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		return (struct err){ .kind = ERR_SYSTEM, .sys = errno, .why = "no shared page" };
	counter_set(&m->started_us, (uint64_t)clock_wall_us());
	counter_set(&m->generation, 1);
	random_fill(m->quotas.key, sizeof m->quotas.key);
	*ret_fd = fd;
	*ret = m;
	return OK;
}
