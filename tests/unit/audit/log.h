/* log.h - for the audit tests: logs in a folder of their own, and the damage that is done to them.
 */
#ifndef TEST_AUDIT_LOG_H
#define TEST_AUDIT_LOG_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/chain.h"
#include "audit/verify.h"
#include "test.h"

enum { PATH_ROOM = 512 };
static const int64_t start_us = INT64_C(1763780645123456); /* 2025-11-22T03:04:05.123456Z */

/* In memory where there is such a file system: these tests sync thousands of times. */
static inline char *
log_new(void)
{
	const char *root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char *path = malloc(PATH_ROOM);

	if (path == NULL)
		abort();
	snprintf(path, PATH_ROOM, "%s/gatewarden-audit-XXXXXX", root);
	if (mkdtemp(path) == NULL)
		abort();
	return path;
}

static inline int
log_remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

static inline void
log_remove(char *path)
{
	(void)nftw(path, log_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

static inline struct audit_settings
log_settings(const char *path)
{
	return (struct audit_settings){ .path = path,
		                        .durability = AUDIT_WRITE,
		                        .segment_bytes = 1 << 20,
		                        .checkpoint_records = 1000000,
		                        .checkpoint_ms = 3600000 };
}

static inline struct audit_record
log_record(void)
{
	static const struct bytes roles[] = { { (const uint8_t *)"reader", 6 },
		                              { (const uint8_t *)"writer", 6 } };

	return (struct audit_record){
		.decision = BYTES("01JD8Y3Q5R6S7T8V9W0X1Y2Z3A"),
		.trace = BYTES("4bf92f3577b34da6a3ce929d0e0e4736"),
		.class = AUDIT_DATASTORE,
		.outcome = AUDIT_ALLOWED,
		.issuer = BYTES("corp"),
		.subject = BYTES("ada"),
		.name = BYTES("Ada Lovelace"),
		.roles = roles,
		.role_count = 2,
		.client = BYTES("192.0.2.7"),
		.resource = BYTES("books"),
		.action = BYTES("read"),
		.rule = BYTES("resources.books.allow.reader.read"),
		.reason = BYTES("granted"),
		.backend = BYTES("main"),
		.credential = BYTES("app"),
		.status = 200,
		.rows = 12,
		.bytes = 3456,
		.duration_us = 789,
		.has_fingerprint = true,
		.fingerprint = { 0xAB, 0xCD, 1, 2, 3 },
	};
}

/* `groups` commits of `each` records, one second apart. */
static inline bool
log_grow(struct chain *c, unsigned groups, unsigned each)
{
	struct audit_record r = log_record();

	for (unsigned g = 0; g < groups; g++) {
		for (unsigned i = 0; i < each; i++)
			if (failed(chain_append(c, &r, start_us + g * INT64_C(1000000), 1)))
				return false;
		if (failed(chain_commit(c, start_us + g * INT64_C(1000000))))
			return false;
	}
	return true;
}

static inline bool
log_fill(const struct audit_settings *s, unsigned records)
{
	struct chain *c;

	if (failed(chain_open(s, start_us, &c)))
		return false;
	bool ok = log_grow(c, records, 1);
	chain_close(c);
	return ok;
}

/* As a process that is killed leaves it: nothing closed, no last checkpoint. */
static inline bool
log_fill_killed(const struct audit_settings *s, unsigned records)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct chain *c;
		bool ok = !failed(chain_open(s, start_us, &c)) && log_grow(c, records, 1);
		_exit(ok ? 0 : 1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* Files. */

static inline void
path_of(const char *directory, const char *name, char ret[PATH_ROOM])
{
	if (snprintf(ret, PATH_ROOM, "%s/%s", directory, name) >= PATH_ROOM)
		abort();
}

static inline struct buf
file_read(const char *directory, const char *name)
{
	char path[PATH_ROOM];
	struct buf b = { 0 };
	ssize_t got = 1;

	path_of(directory, name, path);
	int fd = open(path, O_RDONLY);
	while (fd >= 0 && got > 0) {
		uint8_t *to = buf_reserve(&b, 65536);
		got = to == NULL ? 0 : read(fd, to, 65536);
		buf_commit(&b, got > 0 ? (size_t)got : 0);
	}
	if (fd >= 0)
		close(fd);
	return b;
}

static inline void
file_write(const char *directory, const char *name, struct bytes content)
{
	char path[PATH_ROOM];

	path_of(directory, name, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, content.at, content.len) != (ssize_t)content.len)
		abort();
	close(fd);
}

static inline void
file_delete(const char *directory, const char *name)
{
	char path[PATH_ROOM];

	path_of(directory, name, path);
	if (unlink(path) != 0)
		abort();
}

static inline void
file_copy(const char *from, const char *to, const char *name)
{
	struct buf b = file_read(from, name);

	file_write(to, name, buf_bytes(&b));
	buf_done(&b);
}

/* Names of the segments, in order, in ret[]; how many there are. */
static inline unsigned
log_segments(const char *directory, char ret[][32], unsigned room)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, NULL, alphasort);
	unsigned found = 0;

	for (int i = 0; i < count; i++) {
		if (strstr(entries[i]->d_name, ".jsonl") != NULL && found < room)
			snprintf(ret[found++], 32, "%.31s", entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return found;
}

static inline unsigned
folder_count(const char *directory, const char *name)
{
	char path[PATH_ROOM];
	unsigned count = 0;

	path_of(directory, name, path);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
		count += e->d_name[0] != '.';
	if (dir != NULL)
		closedir(dir);
	return count;
}

static const char first_segment[] = "00000000000000000001.jsonl";

/* Line `n` (from 1) of a text, with its newline. */
static inline struct bytes
line_of(struct bytes text, unsigned n)
{
	size_t at = 0;

	while (--n > 0)
		at += bytes_find(bytes_slice(text, at, text.len), '\n') + 1;
	return bytes_slice(text, at, at + bytes_find(bytes_slice(text, at, text.len), '\n') + 1);
}

/* Verifying. */

/* The log is good and holds this many records. */
static inline bool
log_holds(const char *directory, uint64_t records)
{
	struct verify_result r;
	struct err e = audit_verify(directory, &r, NULL, NULL);
	bool ok = !failed(e) && r.records == records && r.bad_sequence == 0;

	if (!ok)
		printf("# %s: %llu records, %.*s\n", failed(e) ? e.why : "verifies",
		       (unsigned long long)r.records, (int)r.message.len,
		       (const char *)r.message.at);
	verify_result_done(&r);
	return ok;
}

/* The log is bad from record `sequence` on, and the finding says `text`. */
static inline bool
log_is_bad(const char *directory, uint64_t sequence, const char *text)
{
	struct verify_result r;
	struct err e = audit_verify(directory, &r, NULL, NULL);

	buf_put_u8(&r.message, 0);
	bool ok = e.kind == ERR_DENIED && r.bad_sequence == sequence &&
	          strstr((const char *)r.message.at, text) != NULL;
	if (!ok)
		printf("# kind %d, sequence %llu: %s\n", e.kind, (unsigned long long)r.bad_sequence,
		       (const char *)r.message.at);
	verify_result_done(&r);
	return ok;
}

#endif
