/* alone.h - one process of ours without the others: the test is its supervisor, and its workers
 * too. */
#ifndef TEST_ALONE_H
#define TEST_ALONE_H

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "process/child.h"
#include "test.h"

enum { WAIT_MS = 20000, GIFTS_MAX = 4 };

struct process {
	char folder[64];
	pid_t pid;
	int control;
};

/* In the child: what child.c does, without a second program. */
static inline void
become(enum role role, const char *folder, const char *config, int control)
{
	char name[32], file[96];
	char *argv[] = { (char[]){ "gatewarden" }, name, (char[]){ "0" }, (char[]){ "1" }, file };
	int text = -1, metrics = memfd_create("metrics", 0);

	(void)snprintf(name, sizeof name, "@%s", role_name(role));
	(void)snprintf(file, sizeof file, "%s/gatewarden.yaml", folder);
	if (failed(child_memfd("configuration", bytes_text(config), &text)) || metrics < 0 ||
	    ftruncate(metrics, sizeof(struct metrics)) != 0)
		_exit(9);
	const int fds[] = { fcntl(control, F_DUPFD, 32), fcntl(text, F_DUPFD, 32),
		            fcntl(metrics, F_DUPFD, 32) };
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], FD_CONTROL + i) < 0)
			_exit(9);
	(void)close_range(FD_HTTP, ~0U, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	_exit(role_main(5, argv, "test"));
}

/* The next message. 0: the peer closed; -1: none came in time. */
static inline ssize_t
next(int fd, uint8_t *at, size_t room)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	if (poll(&wait, 1, WAIT_MS) != 1)
		return -1;
	ssize_t len = recv(fd, at, room, 0);
	return len < 0 && errno == ECONNRESET ? 0 : len;
}

static inline bool
is_closed(int fd)
{
	static uint8_t packet[CHANNEL_PACKET_MAX];
	ssize_t len;

	while ((len = next(fd, packet, sizeof packet)) > 0)
		;
	return len == 0;
}

/* Waits for a message of that type, past others. */
static inline bool
has_answer(int fd, uint16_t type, uint64_t id)
{
	static uint8_t packet[CHANNEL_PACKET_MAX];
	ssize_t len;

	while ((len = next(fd, packet, sizeof packet)) > 0) {
		struct reader r = { packet, packet + len };
		struct message m;
		bool found = true;

		while (!failed(channel_frame(&r, &m, &found)) && found)
			if (m.type == type && m.id == id)
				return true;
	}
	return false;
}

static inline bool
start(struct process *p, enum role role, const char *config)
{
	char log[96];
	int pair[2];

	(void)snprintf(p->folder, sizeof p->folder, "/tmp/hostile-XXXXXX");
	CHECK(mkdtemp(p->folder) != NULL && !failed(channel_pair(pair)));
	(void)snprintf(log, sizeof log, "%s/audit", p->folder);
	CHECK(mkdir(log, 0700) == 0);
	fflush(stdout);
	p->pid = fork();
	if (p->pid == 0)
		become(role, p->folder, config, pair[1]);
	close(pair[1]);
	p->control = pair[0];
	bool is_ready = has_answer(p->control, CONTROL_READY, 0);
	CHECK(is_ready);
	return is_ready;
}

static inline void
stop(struct process *p)
{
	char command[96];
	int status = -1;

	close(p->control);
	CHECK(waitpid(p->pid, &status, 0) == p->pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	(void)snprintf(command, sizeof command, "/bin/rm -r %s", p->folder);
	pid_t pid = fork();
	if (pid == 0)
		execl("/bin/sh", "sh", "-c", command, NULL);
	(void)waitpid(pid, &status, 0);
}

static inline bool
send_fds(int to, struct bytes packet, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char at[CMSG_SPACE(GIFTS_MAX * sizeof(int))];
	} space = { 0 };
	struct iovec part = { (uint8_t *)(uintptr_t)packet.at, packet.len };
	struct msghdr m = { .msg_iov = &part,
		            .msg_iovlen = 1,
		            .msg_control = space.at,
		            .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&m);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	return sendmsg(to, &m, MSG_NOSIGNAL) == (ssize_t)packet.len;
}

static inline struct buf
frame(uint16_t type, uint64_t id, struct bytes body)
{
	struct buf out = { 0 };

	channel_put_frame(&out, type, id, body);
	return out;
}

/* A new worker of the process: its end of the channel. */
static inline int
join(struct process *p)
{
	static const uint8_t about[5] = { 0 }; /* the first issuer is local, and no services */
	CLEANUP(buf_done)
	struct buf packet = frame(CONTROL_WORKER, 1, (struct bytes){ about, sizeof about });
	int pair[2];

	CHECK(!failed(channel_pair(pair)));
	CHECK(send_fds(p->control, buf_bytes(&packet), &pair[1], 1));
	close(pair[1]);
	return pair[0];
}

static inline void
send_frame(int to, struct buf out)
{
	struct pollfd wait = { .fd = to, .events = POLLOUT };
	ssize_t sent;

	while ((sent = send(to, out.at, out.len, MSG_NOSIGNAL)) < 0 && errno == EAGAIN)
		CHECK(poll(&wait, 1, WAIT_MS) == 1);
	CHECK(sent == (ssize_t)out.len);
	buf_done(&out);
}

static inline size_t
count_fds(pid_t pid)
{
	char path[32];
	size_t count = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count;
}

#endif
