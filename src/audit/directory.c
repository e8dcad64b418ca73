/* directory.c - see directory.h. All paths are names in the open directory: it may be moved, and a
 * sandboxed ledger needs no other. */
#include "audit/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"

enum { SEQUENCE_DIGITS = 20 };
static const char segment_suffix[] = ".jsonl";

void
fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* what mattered was synced before */
	*fd = -1;
}

struct err
directory_take(const char *path, int *ret)
{
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0)
		return fail_errno("cannot open the audit directory");
	if (flock(directory, LOCK_EX | LOCK_NB) != 0) {
		struct err e = fail_errno("cannot lock the audit directory");

		if (e.sys == EWOULDBLOCK)
			e = fail(ERR_CONFIG,
			         "another ledger is already writing to this audit directory");
		fd_close(&directory);
		return e;
	}
	*ret = directory;
	return OK;
}

struct err
directory_open(const char *path, int *ret)
{
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0) {
		struct err e = fail_errno("cannot open the audit directory");

		e.kind = ERR_CONFIG;
		return e;
	}
	*ret = directory;
	return OK;
}

bool
directory_is_taken(int directory)
{
	if (flock(directory, LOCK_SH | LOCK_NB) != 0)
		return true;
	(void)flock(directory, LOCK_UN); /* closing would do it too */
	return false;
}

struct err
directory_sync(int directory)
{
	return fsync(directory) == 0 ? OK : fail_errno("cannot sync the audit directory");
}

void
segment_name(uint64_t first, char ret[SEGMENT_NAME_ROOM])
{
	(void)snprintf(ret, SEGMENT_NAME_ROOM, "%020llu%s", (unsigned long long)first,
	               segment_suffix);
}

static bool
segment_first(const char *name, uint64_t *ret)
{
	struct bytes text = bytes_text(name);

	return text.len == SEQUENCE_DIGITS + sizeof segment_suffix - 1 &&
	       strcmp(name + SEQUENCE_DIGITS, segment_suffix) == 0 &&
	       !failed(bytes_to_u64(bytes_slice(text, 0, SEQUENCE_DIGITS), ret));
}

static struct err
segment_list_add(struct segment_list *l, uint64_t first)
{
	if (l->count == l->room) {
		size_t room = l->room == 0 ? 64 : 2 * l->room;
		uint64_t *grown = reallocarray(l->first, room, sizeof *grown);

		if (grown == NULL)
			return fail(ERR_LIMIT, "out of memory");
		l->first = grown;
		l->room = room;
	}
	l->first[l->count++] = first;
	return OK;
}

void
segment_list_done(struct segment_list *l)
{
	free(l->first);
	*l = (struct segment_list){ 0 };
}

static int
compare_first(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static void
stream_close(DIR **stream)
{
	if (*stream != NULL)
		(void)closedir(*stream); /* read only */
}

static struct err
list_entries(DIR *stream, struct segment_list *ret)
{
	struct dirent *entry;
	uint64_t first;

	for (errno = 0; (entry = readdir(stream)) != NULL; errno = 0)
		if (segment_first(entry->d_name, &first))
			TRY(segment_list_add(ret, first));
	return errno == 0 ? OK : fail_errno("cannot list the audit directory");
}

struct err
segment_list_read(int directory, struct segment_list *ret)
{
	struct segment_list list = { 0 };
	int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream CLEANUP(stream_close) = again < 0 ? NULL : fdopendir(again);

	if (stream == NULL) {
		struct err e = fail_errno("cannot list the audit directory");

		fd_close(&again);
		return e;
	}
	struct err e = list_entries(stream, &list);
	if (failed(e)) {
		segment_list_done(&list);
		return e;
	}
	if (list.count > 0)
		qsort(list.first, list.count, sizeof *list.first, compare_first);
	*ret = list;
	return OK;
}

int
directory_open_file(int directory, const char *name, int flags)
{
	return openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
}

struct err
directory_read(int directory, const char *name, size_t max, struct buf *ret)
{
	int file CLEANUP(fd_close) = directory_open_file(directory, name, O_RDONLY);

	if (file < 0)
		return errno == ENOENT
		               ? fail(ERR_NOT_FOUND, "a file of the audit directory is missing")
		               : fail_errno("cannot open a file of the audit directory");
	for (;;) {
		uint8_t *to = buf_reserve(ret, max + 1);
		TRY(buf_check(ret));

		ssize_t got = read(file, to, max + 1);
		if (got < 0)
			return fail_errno("cannot read a file of the audit directory");
		buf_commit(ret, (size_t)got);
		if (ret->len > max)
			return fail(ERR_CONFIG, "a file of the audit directory is too large");
		if (got == 0)
			return OK;
	}
}

static struct err
write_aside(int directory, const char *name, struct bytes content)
{
	int file CLEANUP(fd_close) =
		directory_open_file(directory, name, O_WRONLY | O_CREAT | O_TRUNC);

	if (file < 0)
		return fail_errno("cannot make a file in the audit directory");
	for (size_t done = 0; done < content.len;) {
		ssize_t put = write(file, content.at + done, content.len - done);

		if (put < 0)
			return fail_errno("cannot write a file in the audit directory");
		done += (size_t)put;
	}
	return fsync(file) == 0 ? OK : fail_errno("cannot sync a file in the audit directory");
}

struct err
directory_write(int directory, const char *name, struct bytes content)
{
	char aside[256];

	if (snprintf(aside, sizeof aside, "%s.new", name) >= (int)sizeof aside)
		return fail(ERR_CONFIG, "a file name is too long");
	TRY(write_aside(directory, aside, content));
	if (renameat(directory, aside, directory, name) != 0)
		return fail_errno("cannot rename a file in the audit directory");
	return directory_sync(directory);
}
