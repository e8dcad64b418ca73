/* Each role, in a process of its own, really tries what it must not do. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "process/sandbox.h"
#include "test.h"

static char folder[] = "/tmp/sandbox-XXXXXX";

/* What an attempt returned: 0 done, else errno. */
static int
result(long status)
{
	return status < 0 ? errno : 0;
}

static int
try_exec(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };
	return result(execv("/bin/true", argv));
}

static int
try_fork(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int
try_socket(void)
{
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int
try_connect(void)
{
	const struct sockaddr address = { .sa_family = AF_INET };
	return result(connect(0, &address, sizeof address));
}

static int
try_netlink(void)
{
	return result(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int
try_unix(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
try_socket_pair(void)
{
	int pair[2];
	return result(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

static int
try_bind(void)
{
	const struct sockaddr_in address = { .sin_family = AF_INET };
	return result(bind(0, (const struct sockaddr *)&address, sizeof address));
}

/* A thread would have to be made; glibc asks by clone3 and, where that is refused, gives up. */
static int
try_thread(void)
{
	return result(syscall(SYS_clone, 0x3d0f00, NULL, NULL, NULL, 0));
}

/* With its parent: the state folder lies beside what a fetcher reads. */
static int
try_list_parent(void)
{
	return result(open("/tmp", O_RDONLY | O_DIRECTORY));
}

static int
try_truncate_inside(void)
{
	char path[64];
	snprintf(path, sizeof path, "%s/secret", folder);
	return result(open(path, O_WRONLY | O_TRUNC));
}

static int
try_read_secret(void)
{
	char path[64];
	snprintf(path, sizeof path, "%s/secret", folder);
	return result(open(path, O_RDONLY));
}

static int
try_unlink(void)
{
	return result(unlink("/nowhere/a"));
}

static int
try_accept(void)
{
	return result(accept4(-1, NULL, NULL, 0));
}

static int
try_passwd(void)
{
	return result(open("/etc/passwd", O_RDONLY));
}

static int
try_write_outside(void)
{
	return result(open("/tmp/sandbox-outside", O_CREAT | O_WRONLY, 0600));
}

static int
try_write_inside(void)
{
	char path[64];
	snprintf(path, sizeof path, "%s/file", folder);
	return result(open(path, O_CREAT | O_RDWR, 0600));
}

static int
try_rename(void)
{
	return result(rename("/nowhere/a", "/nowhere/b"));
}

static int
try_exec_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	                       MAP_FAILED
	               ? errno
	               : 0;
}

static int
try_make_executable(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return at == MAP_FAILED ? 0 : result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static int
try_ptrace(void)
{
	return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int
try_kill(void)
{
	return result(kill(getppid(), 0));
}

static int
try_thread_kill(void)
{
	return result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int
try_kill_itself(void)
{
	return result(syscall(SYS_tgkill, getpid(), getpid(), 0));
}

/* The kernel would send the signal, once there is something to read. */
static int
try_signal_by_owner(void)
{
	return result(fcntl(STDIN_FILENO, F_SETOWN, getppid()));
}

static int
try_choose_signal(void)
{
	return result(fcntl(STDIN_FILENO, F_SETSIG, SIGKILL));
}

static int
try_flags(void)
{
	return result(fcntl(STDIN_FILENO, F_GETFL));
}

static int
try_listen(void)
{
	return result(listen(STDIN_FILENO, 1));
}

static int
try_steer_connections(void)
{
	return result(setsockopt(STDIN_FILENO, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, NULL, 0));
}

static int
try_no_delay(void)
{
	return result(setsockopt(STDIN_FILENO, IPPROTO_TCP, 1, NULL, 0));
}

static int
try_other_file_system(void)
{
	return result(open("/proc/1/environ", O_RDONLY));
}

static int
try_bpf(void)
{
	return result(syscall(SYS_bpf, 0, NULL, 0));
}

static int
try_uring(void)
{
	return result(syscall(SYS_io_uring_setup, 1, NULL));
}

static int
try_setuid(void)
{
	return result(setuid(0));
}

static int
try_unshare(void)
{
	return result(syscall(SYS_unshare, 0x10000000));
}

static int
try_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct held[2] = { 0 };

	if (prctl(PR_CAPBSET_READ, 0, 0, 0, 0) >= 0)
		errno = 0; /* prctl is not on the list: it must fail below */
	if (syscall(SYS_capget, &header, held) == 0 && (held[0].effective | held[0].permitted) != 0)
		return 0;
	return EPERM;
}

enum {
	KILLED = -1,
	WORKER = 1 << ROLE_WORKER,
	KEEPER = 1 << ROLE_KEEPER,
	LEDGER = 1 << ROLE_LEDGER,
	FETCHER = 1 << ROLE_FETCHER,
	SERVING = 1 << ROLE_COUNT, /* a worker with services */
	WRITERS = WORKER | KEEPER | LEDGER,
	EVERY = WRITERS | FETCHER
};

/* expected: KILLED, an errno, or 0 where it is allowed. */
static const struct {
	const char *what;
	int (*attempt)(void);
	int roles, expected;
} attempts[] = {
	{ "exec", try_exec, EVERY, KILLED },
	{ "fork", try_fork, EVERY, EPERM },
	{ "socket", try_socket, WRITERS, EPERM },
	{ "socket", try_socket, FETCHER | SERVING, 0 },
	{ "connect", try_connect, WRITERS, KILLED },
	{ "connect", try_connect, FETCHER | SERVING, ENOTSOCK },
	{ "netlink", try_netlink, EVERY | SERVING, EPERM },
	{ "a socket of this machine", try_unix, EVERY | SERVING, EPERM },
	{ "a socket pair", try_socket_pair, EVERY, EPERM },
	{ "bind", try_bind, EVERY | SERVING, KILLED },
	{ "start a thread", try_thread, EVERY, EPERM },
	{ "list a folder above", try_list_parent, EVERY, EACCES },
	{ "unlink", try_unlink, FETCHER, EPERM },
	{ "accept", try_accept, KEEPER | LEDGER | FETCHER, EPERM },
	{ "accept", try_accept, WORKER | SERVING, EBADF },
	{ "read a file outside", try_passwd, EVERY | SERVING, EACCES },
	{ "write a file outside", try_write_outside, EVERY, EACCES },
	{ "write a file inside", try_write_inside, WRITERS, 0 },
	{ "write a file inside", try_write_inside, FETCHER, EACCES },
	{ "rename", try_rename, WORKER | FETCHER, EPERM },
	{ "map executable memory", try_exec_memory, EVERY, KILLED },
	{ "make memory executable", try_make_executable, EVERY, KILLED },
	{ "trace the parent", try_ptrace, EVERY, KILLED },
	{ "signal the parent", try_kill, EVERY, EPERM },
	{ "signal a thread of the parent", try_thread_kill, EVERY, EPERM },
	{ "signal itself", try_kill_itself, EVERY, 0 },
	{ "have the kernel signal the parent", try_signal_by_owner, EVERY, EPERM },
	{ "choose the signal", try_choose_signal, EVERY, EPERM },
	{ "read the flags of a descriptor", try_flags, EVERY, 0 },
	{ "listen", try_listen, EVERY | SERVING, EPERM },
	{ "steer the connections of a shared port", try_steer_connections, EVERY | SERVING, EPERM },
	{ "send without delay", try_no_delay, WORKER | FETCHER | SERVING, ENOTSOCK },
	{ "read /proc", try_other_file_system, EVERY, EACCES },
	{ "bpf", try_bpf, EVERY, KILLED },
	{ "io_uring", try_uring, EVERY, KILLED },
	{ "setuid", try_setuid, EVERY, KILLED },
	{ "new namespaces", try_unshare, EVERY, KILLED },
	{ "hold a capability", try_capabilities, EVERY, EPERM },
};

enum { CANNOT_ENTER = 250, LACKS = 251 };

/* In the child. The exit status is the errno of the attempt. ROLE_COUNT is a worker with services.
 */
static void
attempt_in(enum role role, const char *path, int (*attempt)(void))
{
	struct sandbox sandbox = { .role = role == ROLE_COUNT ? ROLE_WORKER : role,
		                   .connects = role == ROLE_FETCHER || role == ROLE_COUNT };
	const char *missing_files, *missing_calls;

	if (role == ROLE_FETCHER)
		sandbox.readable[sandbox.readable_count++] = path;
	else
		sandbox.paths[sandbox.path_count++] = path;
	if (failed(sandbox_enter_files(&sandbox, &missing_files)) ||
	    failed(sandbox_enter_calls(&sandbox, &missing_calls)))
		_exit(CANNOT_ENTER);
	if (missing_files != NULL || missing_calls != NULL)
		_exit(LACKS);
	_exit(attempt());
}

static int
outcome_with(enum role role, const char *path, int (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		attempt_in(role, path, attempt);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return CANNOT_ENTER;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : CANNOT_ENTER;
	return WEXITSTATUS(status);
}

static void
check_role(enum role role)
{
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
		if ((attempts[i].roles >> role & 1) == 0)
			continue;
		int got = outcome_with(role, folder, attempts[i].attempt);
		if (got == LACKS)
			SKIP("the kernel lacks Landlock or seccomp");
		if (got != attempts[i].expected)
			printf("# role %u: %s: got %d, expected %d\n", (unsigned)role,
			       attempts[i].what, got, attempts[i].expected);
		CHECK_ROW(got == attempts[i].expected, attempts[i].what);
	}
}

static void
test_worker_is_refused_what_it_does_not_need(void)
{
	check_role(ROLE_WORKER);
}

static void
test_worker_with_services_connects_and_no_more(void)
{
	check_role(ROLE_COUNT);
}

/* What a worker is given of a database is its file: state and audit may lie beside it. */
static int
try_sibling(void)
{
	char path[64];
	snprintf(path, sizeof path, "%s/sibling", folder);
	return result(open(path, O_RDONLY));
}

static void
test_a_file_is_given_without_what_lies_beside_it(void)
{
	char file[64], sibling[64];
	snprintf(file, sizeof file, "%s/file", folder);
	snprintf(sibling, sizeof sibling, "%s/sibling", folder);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	close(open(sibling, O_CREAT | O_WRONLY, 0600));

	int inside = outcome_with(ROLE_WORKER, file, try_write_inside);
	int beside = outcome_with(ROLE_WORKER, file, try_sibling);
	unlink(sibling);
	if (inside == LACKS)
		SKIP("the kernel lacks Landlock or seccomp");
	CHECK(inside == 0);
	CHECK(beside == EACCES);
}

/* Exactly the file of the secret: neither what lies beside it nor writing to it. */
static void
test_fetcher_reads_its_files_and_no_other(void)
{
	char secret[64], sibling[64];
	snprintf(secret, sizeof secret, "%s/secret", folder);
	snprintf(sibling, sizeof sibling, "%s/sibling", folder);
	close(open(secret, O_CREAT | O_WRONLY, 0600));
	close(open(sibling, O_CREAT | O_WRONLY, 0600));

	int read_it = outcome_with(ROLE_FETCHER, secret, try_read_secret);
	int write_it = outcome_with(ROLE_FETCHER, secret, try_truncate_inside);
	int beside = outcome_with(ROLE_FETCHER, secret, try_sibling);
	unlink(secret);
	unlink(sibling);
	if (read_it == LACKS)
		SKIP("the kernel lacks Landlock or seccomp");
	CHECK(read_it == 0);
	CHECK(write_it == EACCES);
	CHECK(beside == EACCES);
}

static void
test_fetcher_is_refused_what_it_does_not_need(void)
{
	check_role(ROLE_FETCHER);
}

static void
test_keeper_is_refused_what_it_does_not_need(void)
{
	check_role(ROLE_KEEPER);
}

static void
test_ledger_is_refused_what_it_does_not_need(void)
{
	check_role(ROLE_LEDGER);
}

int
main(void)
{
	static const struct test tests[] = { TEST(test_worker_is_refused_what_it_does_not_need),
		                             TEST(test_worker_with_services_connects_and_no_more),
		                             TEST(test_a_file_is_given_without_what_lies_beside_it),
		                             TEST(test_keeper_is_refused_what_it_does_not_need),
		                             TEST(test_ledger_is_refused_what_it_does_not_need),
		                             TEST(test_fetcher_is_refused_what_it_does_not_need),
		                             TEST(test_fetcher_reads_its_files_and_no_other) };

	if (mkdtemp(folder) == NULL)
		return 1;
	int status = test_main(tests, ARRAY_LEN(tests));
	char path[64];
	snprintf(path, sizeof path, "%s/file", folder);
	unlink(path);
	rmdir(folder);
	return status;
}
