/* sandbox.c - see sandbox.h: the checklist, and its first three layers. */
#include "process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macros.h"

/* Landlock by number: the kernel's header of our oldest system knows its first version only.
 * linux/Documentation/userspace-api/landlock.rst */
enum {
	LANDLOCK_CREATE_VERSION = 1,
	LANDLOCK_PATH_BENEATH = 1,
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_REG = 1 << 8,
	FS_V1 = (1 << 13) - 1,
	FS_REFER = 1 << 13,
	FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
	FILE_ACCESS = FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE,
	FOLDER_ACCESS = FILE_ACCESS | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_REG,
	READ_ACCESS = FS_READ_FILE | FS_READ_DIR,
	NET_BIND = 1,
	NET_BIND_CONNECT = 3,
	SCOPE_ABSTRACT_SIGNAL = 3,
};

struct ruleset {
	uint64_t fs, net, scoped;
};

struct __attribute__((packed)) path_rule {
	uint64_t access;
	int32_t path;
};

/* All that this version of Landlock can forbid is forbidden; but some connect. */
static struct ruleset
ruleset_for(long version, bool connects)
{
	struct ruleset r = { .fs = FS_V1 };

	if (version >= 2)
		r.fs |= FS_REFER;
	if (version >= 3)
		r.fs |= FS_TRUNCATE;
	if (version >= 4)
		r.net = connects ? NET_BIND : NET_BIND_CONNECT;
	if (version >= 5)
		r.fs |= FS_IOCTL_DEV;
	if (version >= 6)
		r.scoped = SCOPE_ABSTRACT_SIGNAL;
	return r;
}

static struct err
allow_path(int ruleset, uint64_t access, const char *path)
{
	struct path_rule rule = { .path = open(path, O_PATH | O_CLOEXEC) };
	struct stat st;

	if (rule.path < 0 || fstat(rule.path, &st) != 0)
		return (struct err){ .kind = ERR_SYSTEM,
			             .sys = errno,
			             .why = "a path of the sandbox cannot be opened" };
	rule.access = access & (S_ISDIR(st.st_mode) ? FOLDER_ACCESS : FILE_ACCESS);
	long status = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PATH_BENEATH, &rule, 0);
	int error = errno;
	close(rule.path);
	if (status != 0)
		return (struct err){ .kind = ERR_SYSTEM,
			             .sys = error,
			             .why = "Landlock refused a rule" };
	return OK;
}

static struct err
restrict_files(const struct sandbox *s, int ruleset, uint64_t handled)
{
	for (size_t i = 0; i < s->path_count; i++)
		TRY(allow_path(ruleset, handled, s->paths[i]));
	for (size_t i = 0; i < s->readable_count; i++)
		TRY(allow_path(ruleset, handled & READ_ACCESS, s->readable[i]));
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		return (struct err){ .kind = ERR_SYSTEM,
			             .sys = errno,
			             .why = "Landlock cannot be entered" };
	return OK;
}

static struct err
enter_landlock(const struct sandbox *s, const char **missing)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_VERSION);

	if (version < 1) {
		*missing = "Landlock";
		return s->is_required
		               ? fail(ERR_CONFIG,
		                      "the kernel has no Landlock, and sandbox.required is set")
		               : OK;
	}
	struct ruleset rules = ruleset_for(version, s->connects);
	size_t size = version >= 6 ? sizeof rules : version >= 4 ? 16 : 8;
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	if (ruleset < 0)
		return (struct err){ .kind = ERR_SYSTEM,
			             .sys = errno,
			             .why = "Landlock refused its rules" };
	struct err e = restrict_files(s, ruleset, rules.fs);
	close(ruleset);
	return e;
}

static struct err
drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { 0 };

	/* The bounding set needs CAP_SETPCAP: without it there is nothing to drop that exec could
	 * give back, because no_new_privs is set. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0,
	            0); /* none are ambient once none are held */
	if (syscall(SYS_capset, &header, none) != 0)
		return (struct err){ .kind = ERR_SYSTEM,
			             .sys = errno,
			             .why = "capabilities cannot be dropped" };
	return OK;
}

struct err
sandbox_enter_files(const struct sandbox *s, const char **missing)
{
	*missing = NULL;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return (struct err){ .kind = ERR_SYSTEM,
			             .sys = errno,
			             .why = "no_new_privs cannot be set" };
	TRY(enter_landlock(s, missing));
	return drop_capabilities();
}
