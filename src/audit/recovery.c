/* recovery.c - see recovery.h. A killed process leaves a prefix of what it was writing, so only the
 * last line of the last segment (and of the checkpoints) may be unfinished. Anything else is no
 * accident of ours. */
#include "audit/recovery.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/directory.h"
#include "base/macros.h"

enum { KEPT_ROOM = 128 };
static const char torn_folder[] = "torn", checkpoints_name[] = "checkpoints";

static const struct err unverified = {
	.kind = ERR_CONFIG,
	.why = "the last audit segment does not verify: run `gatewarden audit verify`"
};

/* Follows the chain, which stands at ret->sequence and ret->head, through the last segment. */
static struct err
scan_segment(int file, const struct digest *d, struct log_end *ret)
{
	struct lines lines CLEANUP(lines_done) = { 0 };
	enum lines_kind kind;
	struct bytes text;
	struct line l;

	TRY(lines_init(file, AUDIT_LINE_MAX, &lines));
	for (ret->length = 0;; ret->length += text.len + 1) {
		TRY(lines_next(&lines, &kind, &text));
		if (kind == LINES_TOO_LONG)
			return unverified;
		if (kind != LINES_LINE)
			break;
		if (failed(line_parse(text, &l)) || !line_is_intact(&l, d) ||
		    l.sequence != ret->sequence + 1 ||
		    memcmp(l.prev, ret->head, sizeof l.prev) != 0)
			return unverified;
		ret->sequence = l.sequence;
		memcpy(ret->head, l.hash, sizeof ret->head);
	}
	ret->torn = kind == LINES_UNFINISHED ? text.len : 0;
	return OK;
}

static struct err
open_segment(int directory, uint64_t first, int *ret)
{
	char name[SEGMENT_NAME_ROOM];

	segment_name(first, name);
	*ret = directory_open_file(directory, name, O_RDONLY);
	return *ret < 0 ? fail_errno("cannot open a segment of the audit log") : OK;
}

/* The last line of the segment before gives the hash that the last segment continues. Only that
 * line is read: the start is not to take longer the more there is to keep. */
static struct err
read_last_line(int file, const struct digest *d, struct log_end *ret)
{
	struct lines lines CLEANUP(lines_done) = { 0 };
	enum lines_kind kind;
	struct bytes text;
	struct line l;
	bool has_line = false;
	struct stat st;

	if (fstat(file, &st) != 0)
		return fail_errno("cannot read a segment of the audit log");
	/* One more for the newline that ends it; the first line seen may be the end of a longer
	 * one. */
	uint64_t size = (uint64_t)st.st_size, tail = AUDIT_LINE_MAX + 1;
	TRY(lines_init_from(file, AUDIT_LINE_MAX, size > tail ? size - tail : 0, &lines));
	for (;;) {
		TRY(lines_next(&lines, &kind, &text));
		if (kind != LINES_LINE)
			break;
		has_line = !failed(line_parse(text, &l));
	}
	if (kind != LINES_END || !has_line || !line_is_intact(&l, d))
		return unverified;
	ret->sequence = l.sequence;
	memcpy(ret->head, l.hash, sizeof ret->head);
	return OK;
}

static struct err
scan_before(int directory, uint64_t first, const struct digest *d, struct log_end *ret)
{
	int file CLEANUP(fd_close) = -1;

	TRY(open_segment(directory, first, &file));
	return read_last_line(file, d, ret);
}

static struct err
scan_log(int directory, const struct digest *d, struct log_end *ret)
{
	struct segment_list list CLEANUP(segment_list_done) = { 0 };
	int file CLEANUP(fd_close) = -1;

	TRY(segment_list_read(directory, &list));
	if (list.count == 0)
		return OK;
	ret->has_segment = true;
	ret->segment = list.first[list.count - 1];
	if (list.count > 1)
		TRY(scan_before(directory, list.first[list.count - 2], d, ret));
	if (ret->segment != ret->sequence + 1)
		return unverified;
	TRY(open_segment(directory, ret->segment, &file));
	return scan_segment(file, d, ret);
}

static const struct err unsigned_end = {
	.kind = ERR_CONFIG,
	.why = "the last audit checkpoint does not verify: run `gatewarden audit verify`"
};

/* The last whole checkpoint, and where it ends. */
static struct err
last_checkpoint(int file, const struct checkpoint_key *k, struct checkpoint *ret,
                uint64_t *ret_length)
{
	struct checkpoint_stream s CLEANUP(checkpoint_stream_done) = { 0 };
	enum lines_kind kind;
	struct err e = checkpoint_stream_init_tail(file, k, &s);

	if (e.kind == ERR_SYSTEM)
		return e;
	if (failed(e))
		return unsigned_end;
	for (;;) {
		e = checkpoint_stream_next(&s, k, &kind, ret);
		if (e.kind == ERR_SYSTEM)
			return e;
		if (failed(e) || kind == LINES_TOO_LONG)
			return unsigned_end;
		if (kind != LINES_LINE)
			break;
	}
	*ret_length = s.good;
	return OK;
}

static struct err
scan_checkpoints(int directory, const struct checkpoint_key *k, struct log_end *ret)
{
	int file CLEANUP(fd_close) = directory_open_file(directory, checkpoints_name, O_RDONLY);
	struct checkpoint c = { 0 };
	struct stat st;

	if (file < 0)
		return errno == ENOENT ? OK : fail_errno("cannot open the audit checkpoints");
	if (fstat(file, &st) != 0)
		return fail_errno("cannot read the audit checkpoints");
	TRY(last_checkpoint(file, k, &c, &ret->checkpoints_length));
	ret->checkpoint = c.sequence;
	ret->checkpoints_torn = (uint64_t)st.st_size - ret->checkpoints_length;

	/* The log was synced before the checkpoint was written, so no crash explains this. */
	if (c.sequence > ret->sequence)
		return fail(ERR_CONFIG, "the audit log is shorter than its last checkpoint: run "
		                        "`gatewarden audit verify`");
	if (c.sequence == ret->sequence && c.sequence > 0 &&
	    memcmp(c.head, ret->head, sizeof c.head) != 0)
		return fail(ERR_CONFIG,
		            "the audit log is not the one its last checkpoint signed: run "
		            "`gatewarden audit verify`");
	return OK;
}

/* Torn lines. */

static bool
is_untold(const char *name)
{
	struct bytes text = bytes_text(name), suffix = BYTES(".new");

	return text.len > suffix.len && text.len < KEPT_ROOM &&
	       bytes_equal(bytes_slice(text, text.len - suffix.len, text.len), suffix);
}

static struct err
rename_told(int folder, const char *name)
{
	char told[KEPT_ROOM];

	(void)snprintf(told, sizeof told, "%.*s", (int)(strlen(name) - strlen(".new")), name);
	return renameat(folder, name, folder, told) == 0
	               ? OK
	               : fail_errno("cannot rename a torn audit record");
}

static void
stream_close(DIR **stream)
{
	if (*stream != NULL)
		(void)closedir(*stream); /* read only */
}

/* Is there an untold line? With `rename`, there is none afterwards. */
static struct err
walk_torn(int directory, bool rename, bool *ret)
{
	int folder =
		openat(directory, torn_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *stream CLEANUP(stream_close) = folder < 0 ? NULL : fdopendir(folder);
	struct dirent *entry;

	if (stream == NULL) {
		struct err e = errno == ENOENT
		                       ? OK
		                       : fail_errno("cannot read the folder of torn audit records");

		fd_close(&folder);
		return e;
	}
	for (errno = 0; (entry = readdir(stream)) != NULL; errno = 0) {
		if (!is_untold(entry->d_name))
			continue;
		*ret = true;
		if (rename)
			TRY(rename_told(folder, entry->d_name));
	}
	return errno == 0 ? OK : fail_errno("cannot read the folder of torn audit records");
}

struct err
recovery_told(int directory)
{
	bool found;

	return walk_torn(directory, true, &found);
}

struct err
recovery_find_end(int directory, const struct digest *d, const struct checkpoint_key *k,
                  struct log_end *ret)
{
	struct log_end end = { 0 };

	TRY(scan_log(directory, d, &end));
	TRY(scan_checkpoints(directory, k, &end));
	TRY(walk_torn(directory, false, &end.is_untold));
	*ret = end;
	return OK;
}

/* A line can be as long as AUDIT_LINE_MAX; what a disk left behind may be longer, and is kept all
 * the same. */
static struct err
copy_tail(int from, uint64_t start, int to)
{
	uint8_t chunk[16384];

	for (off_t at = (off_t)start;;) {
		ssize_t got = pread(from, chunk, sizeof chunk, at);

		if (got < 0)
			return fail_errno("cannot read the torn end of the audit log");
		if (got == 0)
			return fsync(to) == 0
			               ? OK
			               : fail_errno("cannot sync the torn end of the audit log");
		if (write(to, chunk, (size_t)got) != got)
			return fail_errno("cannot keep the torn end of the audit log");
		at += got;
	}
}

static struct err
cut_file(int directory, const char *name, uint64_t length, const char *kept)
{
	int from CLEANUP(fd_close) = directory_open_file(directory, name, O_RDWR);
	int to CLEANUP(fd_close) =
		directory_open_file(directory, kept, O_WRONLY | O_CREAT | O_TRUNC);

	if (from < 0 || to < 0)
		return fail_errno("cannot keep the torn end of the audit log");
	TRY(copy_tail(from, length, to));
	if (ftruncate(from, (off_t)length) != 0 || fsync(from) != 0)
		return fail_errno("cannot cut off the torn end of the audit log");
	return OK;
}

struct err
recovery_cut(int directory, const struct log_end *end, int64_t wall_us)
{
	char name[SEGMENT_NAME_ROOM], kept[KEPT_ROOM];

	if (end->torn == 0 && end->checkpoints_torn == 0)
		return OK;
	if (mkdirat(directory, torn_folder, 0700) != 0 && errno != EEXIST)
		return fail_errno("cannot make the folder for torn records");
	if (end->torn > 0) {
		segment_name(end->segment, name);
		(void)snprintf(kept, sizeof kept, "%s/%020llu-%lld.new", torn_folder,
		               (unsigned long long)end->sequence + 1, (long long)wall_us);
		TRY(cut_file(directory, name, end->length, kept));
	}
	if (end->checkpoints_torn > 0) {
		(void)snprintf(kept, sizeof kept, "%s/%s-%lld", torn_folder, checkpoints_name,
		               (long long)wall_us);
		TRY(cut_file(directory, checkpoints_name, end->checkpoints_length, kept));
	}
	return OK;
}
