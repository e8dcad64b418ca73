/* seccomp.c - the last layer of sandbox.h: which system calls a role may make.
 *
 * The filter is a straight list; the kernel remembers the calls that are always allowed in a
 * bitmap, so the usual ones cost nothing. seccomp(2),
 * linux/Documentation/userspace-api/seccomp_filter.rst */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macros.h"
#include "process/sandbox.h"

#if defined(__x86_64__)
static const uint32_t our_arch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
static const uint32_t our_arch = AUDIT_ARCH_AARCH64;
#else
#error "name this machine's AUDIT_ARCH here"
#endif

/* Calls only some machines have, as a number no call has. */
#ifndef SYS_open
#define SYS_open -1
#define SYS_stat -1
#define SYS_lstat -1
#define SYS_access -1
#define SYS_unlink -1
#define SYS_rename -1
#define SYS_mkdir -1
#define SYS_readlink -1
#define SYS_poll -1
#define SYS_epoll_wait -1
#define SYS_fork -1
#define SYS_vfork -1
#define SYS_getpgrp -1
#define SYS_time -1
#endif

enum {
	W = 1 << ROLE_WORKER,
	K = 1 << ROLE_KEEPER,
	L = 1 << ROLE_LEDGER,
	F = 1 << ROLE_FETCHER,
	C = 1 << ROLE_COUNT, /* whoever makes connections: fetcher, a worker with services */
	ALL = W | K | L | F,
	WRITERS = W | K | L, /* of files */
};

/* Tables, read by the line. */
/* clang-format off */
/* Ends the process: no role has an honest reason. */
static const int killed[] = {
	SYS_execve, SYS_execveat, SYS_fork, SYS_vfork, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_bpf,
	SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_userfaultfd, SYS_perf_event_open, SYS_keyctl,
	SYS_add_key, SYS_request_key, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns,
	SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon, SYS_setuid,
	SYS_setgid, SYS_setreuid, SYS_setresuid, SYS_memfd_create, SYS_pidfd_getfd, SYS_bind,
};

static const struct {
	int call, roles;
} allowed[] = {
	/* connections that are made here: socket() is below, with its families */
	{ SYS_connect, C }, { SYS_sendmmsg, C },
	/* the loop and its sockets */
	{ SYS_read, ALL }, { SYS_write, ALL }, { SYS_readv, ALL }, { SYS_writev, ALL }, { SYS_close, ALL },
	{ SYS_epoll_wait, ALL }, { SYS_epoll_pwait, ALL }, { SYS_epoll_ctl, ALL }, { SYS_poll, ALL }, { SYS_ppoll, ALL },
	{ SYS_recvmsg, ALL }, { SYS_sendmsg, ALL }, { SYS_sendto, ALL }, { SYS_recvfrom, ALL }, { SYS_eventfd2, ALL },
	{ SYS_accept4, W }, { SYS_shutdown, W }, { SYS_getpeername, W | F }, { SYS_getsockname, W | F },
	{ SYS_getsockopt, ALL }, { SYS_dup, ALL }, { SYS_pipe2, ALL },
	/* memory, threads, time */
	{ SYS_munmap, ALL }, { SYS_mremap, ALL }, { SYS_madvise, ALL }, { SYS_brk, ALL }, { SYS_mlock, K }, { SYS_mlock2, K },
	{ SYS_munlock, K }, { SYS_futex, ALL }, { SYS_sched_yield, ALL }, { SYS_sched_getaffinity, ALL },
	{ SYS_set_robust_list, ALL }, { SYS_rseq, ALL }, { SYS_membarrier, ALL }, { SYS_clock_gettime, ALL },
	{ SYS_clock_getres, ALL }, { SYS_clock_nanosleep, ALL }, { SYS_nanosleep, ALL }, { SYS_gettimeofday, ALL },
	{ SYS_time, ALL }, { SYS_getrandom, ALL }, { SYS_restart_syscall, ALL }, { SYS_exit, ALL }, { SYS_exit_group, ALL },
	{ SYS_rt_sigaction, ALL }, { SYS_rt_sigprocmask, ALL }, { SYS_rt_sigreturn, ALL }, { SYS_sigaltstack, ALL },
	{ SYS_getpid, ALL }, { SYS_gettid, ALL }, { SYS_getuid, ALL }, { SYS_geteuid, ALL },
	{ SYS_getgid, ALL }, { SYS_getegid, ALL }, { SYS_uname, ALL }, { SYS_sysinfo, ALL }, { SYS_getrusage, ALL },
	/* files: Landlock says which */
	{ SYS_openat, ALL }, { SYS_open, ALL }, { SYS_stat, ALL }, { SYS_lstat, ALL }, { SYS_fstat, ALL },
	{ SYS_newfstatat, ALL }, { SYS_statx, ALL }, { SYS_access, ALL }, { SYS_faccessat, ALL }, { SYS_lseek, ALL },
	{ SYS_pread64, ALL }, { SYS_pwrite64, WRITERS }, { SYS_ftruncate, WRITERS }, { SYS_fallocate, WRITERS }, { SYS_fsync, WRITERS },
	{ SYS_fdatasync, WRITERS }, { SYS_unlink, WRITERS }, { SYS_unlinkat, WRITERS }, { SYS_rename, K | L }, { SYS_renameat, K | L },
	{ SYS_renameat2, K | L }, { SYS_mkdir, K | L }, { SYS_mkdirat, K | L }, { SYS_getdents64, K | L }, { SYS_flock, L }, { SYS_sync_file_range, L },
	{ SYS_readlink, ALL }, { SYS_readlinkat, ALL }, { SYS_fchmod, WRITERS }, { SYS_fchown, WRITERS }, { SYS_getcwd, ALL },
	{ SYS_umask, ALL }, { SYS_statfs, ALL }, { SYS_fstatfs, ALL }, { SYS_fadvise64, ALL },
};

/* clang-format on */

enum { FILTER_MAX = 2 * ARRAY_LEN(killed) + 2 * ARRAY_LEN(allowed) + 64 };

struct filter {
	struct sock_filter at[FILTER_MAX];
	unsigned short len;
};

static void
put(struct filter *f, struct sock_filter instruction)
{
	f->at[f->len++] = instruction;
}

static void
put_load(struct filter *f, size_t offset)
{
	put(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void
put_return(struct filter *f, uint32_t action)
{
	put(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* The loaded word is `value`: this action. */
static void
put_if(struct filter *f, uint32_t value, uint32_t action)
{
	put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
	put_return(f, action);
}

/* mmap and mprotect: never executable memory. */
static void
put_no_exec(struct filter *f, int call)
{
	put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 4));
	put_load(f, offsetof(struct seccomp_data, args[2]));
	put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1));
	put_return(f, SECCOMP_RET_KILL_PROCESS);
	put_return(f, SECCOMP_RET_ALLOW);
}

/* A call that is allowed with some values of an argument only. */
static void
put_values(struct filter *f, int call, unsigned argument, const uint32_t *values, size_t count)
{
	put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0,
	                                    (uint8_t)(2 * count + 2)));
	put_load(f, offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
	for (size_t i = 0; i < count; i++)
		put_if(f, values[i], SECCOMP_RET_ALLOW);
	put_return(f, SECCOMP_RET_ERRNO | EPERM);
}

/* A call of which a role may use these values of one argument. */
struct values {
	int roles, call;
	unsigned argument;
	const uint32_t *at;
	size_t count;
};

static void
put_arguments(struct filter *f, int roles)
{
	/* What libuv asks of a socket; and the resolver, how much there is to read. */
	static const uint32_t requests[] = { FIONBIO, FIOCLEX, FIONREAD };
	/* Flags and SQLite's locks. Not F_SETOWN and F_SETSIG: they make the kernel send any signal
	 * to any process. */
	static const uint32_t commands[] = { F_GETFD,         F_SETFD, F_GETFL, F_SETFL,
		                             F_DUPFD_CLOEXEC, F_GETLK, F_SETLK, F_SETLKW };
	/* Not SOL_SOCKET: a filter attached to one listening socket decides for all that share its
	 * port, and a worker that was taken over would have every connection come to itself. */
	static const uint32_t levels[] = { IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6 };
	/* Not netlink, packets, or our own machine's AF_UNIX. */
	static const uint32_t families[] = { AF_INET, AF_INET6 };
	/* abort() and raise(); never another process. */
	const uint32_t self[] = { (uint32_t)getpid() };
	const struct values table[] = {
		{ C, SYS_ioctl, 1, requests, 3 }, /* the first row of a call counts */
		{ W | K | L, SYS_ioctl, 1, requests, 2 },
		{ ALL, SYS_fcntl, 1, commands, ARRAY_LEN(commands) },
		{ ALL, SYS_tgkill, 0, self, ARRAY_LEN(self) },
		{ C, SYS_setsockopt, 1, levels, 3 }, /* the resolver's, for errors by ICMP */
		{ W, SYS_setsockopt, 1, levels, 1 },
		{ C, SYS_socket, 0, families, ARRAY_LEN(families) },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if ((table[i].roles & roles) != 0)
			put_values(f, table[i].call, table[i].argument, table[i].at,
			           table[i].count);
}

static void
build(struct filter *f, int roles)
{
	put_load(f, offsetof(struct seccomp_data, arch));
	put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, our_arch, 1, 0));
	put_return(f, SECCOMP_RET_KILL_PROCESS);
	put_load(f, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if ((allowed[i].roles & roles) != 0)
			put_if(f, (uint32_t)allowed[i].call, SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < ARRAY_LEN(killed); i++)
		put_if(f, (uint32_t)killed[i], SECCOMP_RET_KILL_PROCESS);
	/* Where it was not allowed above. */
	put_if(f, SYS_connect, SECCOMP_RET_KILL_PROCESS);
	put_no_exec(f, SYS_mmap);
	put_no_exec(f, SYS_mprotect);
	put_arguments(f, roles);
	put_return(f, SECCOMP_RET_ERRNO | EPERM);
}

struct err
sandbox_enter_calls(const struct sandbox *s, const char **missing)
{
	struct filter f = { 0 };

	build(&f, 1 << s->role | (s->connects ? C : 0));
	*missing = NULL;
	const struct sock_fprog program = { f.len, f.at };
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0)
		return OK;
	if (errno != ENOSYS && errno != EINVAL)
		return (struct err){ .kind = ERR_SYSTEM,
			             .sys = errno,
			             .why = "the system call filter cannot be entered" };
	*missing = "seccomp";
	return s->is_required
	               ? fail(ERR_CONFIG, "the kernel has no seccomp, and sandbox.required is set")
	               : OK;
}
