/* test_faults.c - full disk, failed sync, failed cut. The system calls of src/audit are taken over
 * here by linking: each fails as often as a test says. */
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static int sync_failures, cut_failures;
static unsigned syncs;

int
fdatasync(int fd)
{
	syncs++;
	if (sync_failures > 0) {
		sync_failures--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int
ftruncate(int fd, off_t length)
{
	if (cut_failures > 0) {
		cut_failures--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_ftruncate, fd, length);
}

static void
limit_files(rlim_t bytes)
{
	struct rlimit limit;

	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || getrlimit(RLIMIT_FSIZE, &limit) != 0)
		abort();
	limit.rlim_cur = bytes;
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		abort();
}

static bool
append(struct chain *c, unsigned count)
{
	struct audit_record r = log_record();

	for (unsigned i = 0; i < count; i++)
		if (failed(chain_append(c, &r, start_us, 1)))
			return false;
	return true;
}

static size_t
segment_size(const char *path)
{
	struct buf b = file_read(path, first_segment);
	size_t len = b.len;

	buf_done(&b);
	return len;
}

static void
test_a_full_disk_refuses_the_whole_group_and_goes_on_later_without_a_gap(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c;

	CHECK(!failed(chain_open(&s, start_us, &c)) && log_grow(c, 3, 1));
	size_t good = segment_size(path);
	/* Room for one record and a half: the first of the group must not stay either. */
	limit_files(good + good / 2);
	for (unsigned i = 0; i < 5; i++) {
		CHECK(append(c, 4));
		struct err e = chain_commit(c, start_us);
		CHECK(e.kind == ERR_SYSTEM && e.sys == EFBIG && chain_sequence(c) == 3);
		CHECK(segment_size(path) == good && log_holds(path, 3));
	}
	limit_files(RLIM_INFINITY);
	CHECK(append(c, 4) && !failed(chain_commit(c, start_us)) && chain_sequence(c) == 7);
	chain_close(c);
	CHECK(log_holds(path, 7));
	log_remove(path);
}

static void
test_a_full_disk_while_a_segment_begins_is_got_over(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c;

	s.segment_bytes = 3000;
	CHECK(!failed(chain_open(&s, start_us, &c)) && log_grow(c, 2, 1));
	limit_files(500);
	for (unsigned i = 0; i < 3; i++)
		CHECK(append(c, 1) && failed(chain_commit(c, start_us)) && chain_sequence(c) == 2);
	limit_files(RLIM_INFINITY);
	CHECK(log_grow(c, 9, 1));
	chain_close(c);
	CHECK(log_holds(path, 11));
	log_remove(path);
}

static void
test_a_full_disk_at_the_first_start_is_an_error_and_the_next_start_works(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c = NULL;

	for (rlim_t room = 0; room < 300; room += 20) {
		limit_files(room);
		struct err e = chain_open(&s, start_us, &c);
		limit_files(RLIM_INFINITY);
		if (!failed(e))
			chain_close(c);
		else
			CHECK(e.kind == ERR_SYSTEM && e.sys == EFBIG);
	}
	CHECK(log_fill(&s, 2) && log_holds(path, 2));
	log_remove(path);
}

static void
test_what_could_not_be_cut_off_blocks_until_it_is(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c;

	CHECK(!failed(chain_open(&s, start_us, &c)) && log_grow(c, 2, 1));
	size_t good = segment_size(path);
	limit_files(good + good / 3);
	cut_failures = 2;
	CHECK(append(c, 2) && failed(chain_commit(c, start_us)));
	limit_files(RLIM_INFINITY);
	/* There is room again, but the half-written record still stands there. */
	CHECK(append(c, 1) && chain_commit(c, start_us).sys == EIO && chain_sequence(c) == 2);
	CHECK(append(c, 1) && !failed(chain_commit(c, start_us)) && chain_sequence(c) == 3);
	chain_close(c);
	CHECK(log_holds(path, 3));
	log_remove(path);
}

static void
test_a_failed_sync_refuses_the_group_and_begins_another_segment(void)
{
	char *path = log_new(), names[8][32];
	struct audit_settings s = log_settings(path);
	struct chain *c;

	s.durability = AUDIT_FSYNC;
	CHECK(!failed(chain_open(&s, start_us, &c)) && log_grow(c, 3, 1));
	size_t good = segment_size(path);
	sync_failures = 1;
	CHECK(append(c, 2));
	struct err e = chain_commit(c, start_us);
	CHECK(e.kind == ERR_SYSTEM && e.sys == EIO && chain_sequence(c) == 3);
	CHECK(segment_size(path) == good && log_segments(path, names, 8) == 1);
	CHECK(log_grow(c, 2, 1) && chain_sequence(c) == 5);
	CHECK(segment_size(path) == good && log_segments(path, names, 8) == 2);
	chain_close(c);
	CHECK(log_holds(path, 5));
	log_remove(path);
}

static void
test_a_failed_sync_of_an_empty_segment_is_got_over(void)
{
	char *path = log_new(), names[8][32];
	struct audit_settings s = log_settings(path);
	struct chain *c;

	s.durability = AUDIT_FSYNC;
	CHECK(!failed(chain_open(&s, start_us, &c)));
	for (unsigned i = 0; i < 3; i++) {
		sync_failures = 1;
		CHECK(append(c, 2) && failed(chain_commit(c, start_us)) && chain_sequence(c) == 0);
	}
	CHECK(log_grow(c, 2, 1) && log_segments(path, names, 8) == 1);
	chain_close(c);
	CHECK(log_holds(path, 2));
	log_remove(path);
}

static void
test_a_failed_sync_in_a_tick_is_told_once_and_never_tried_again(void)
{
	char *path = log_new(), names[8][32];
	struct audit_settings s = log_settings(path);
	struct chain *c;

	CHECK(!failed(chain_open(&s, start_us, &c)) && log_grow(c, 1, 1));
	sync_failures = 1;
	syncs = 0;
	CHECK(chain_tick(c, start_us + 1000000).sys == EIO && syncs == 1);
	CHECK(!failed(chain_tick(c, start_us + 2000000)) && syncs == 1);
	CHECK(log_grow(c, 1, 1) && log_segments(path, names, 8) == 2);
	CHECK(!failed(chain_tick(c, start_us + 3000000)) && syncs == 2);
	chain_close(c);
	CHECK(log_holds(path, 2));
	log_remove(path);
}

static void
test_written_records_are_synced_within_a_second(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c;

	CHECK(!failed(chain_open(&s, start_us, &c)));
	syncs = 0;
	CHECK(log_grow(c, 1, 1) && !failed(chain_tick(c, start_us + 100000)) && syncs == 0);
	CHECK(!failed(chain_tick(c, start_us + 500000)) && syncs == 1);
	CHECK(!failed(chain_tick(c, start_us + 5000000)) && syncs == 1);
	chain_close(c);
	s.durability = AUDIT_FSYNC;
	CHECK(!failed(chain_open(&s, start_us, &c)));
	syncs = 0;
	CHECK(log_grow(c, 5, 3) && syncs == 5);
	chain_close(c);
	log_remove(path);
}

static void
test_a_checkpoint_is_written_after_the_records_it_signs_are_synced(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct verify_result r;
	struct chain *c;

	s.checkpoint_records = 2;
	CHECK(!failed(chain_open(&s, start_us, &c)));
	syncs = 0;
	CHECK(log_grow(c, 1, 2) && append(c, 2) && !failed(chain_commit(c, start_us)));
	CHECK(!failed(audit_verify(path, &r, NULL, NULL)) && r.checkpoints == 1 && syncs == 0);
	verify_result_done(&r);
	CHECK(!failed(chain_tick(c, start_us + 500000)) && syncs == 1);
	CHECK(!failed(audit_verify(path, &r, NULL, NULL)) && r.checkpoints == 3);
	verify_result_done(&r);
	chain_close(c);
	log_remove(path);
}

static void
test_a_checkpoint_that_fails_refuses_no_record_and_is_told_by_the_tick(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct verify_result r;
	struct chain *c;

	s.checkpoint_records = 2;
	CHECK(!failed(chain_open(&s, start_us, &c)));
	CHECK(log_grow(c, 1, 2) && chain_sequence(c) == 2);
	struct buf notes = file_read(path, "checkpoints");
	limit_files(notes.len + 10);
	CHECK(chain_tick(c, start_us + 1000000).sys == EFBIG);
	limit_files(RLIM_INFINITY);
	CHECK(!failed(chain_tick(c, start_us + 2000000)));
	CHECK(!failed(audit_verify(path, &r, NULL, NULL)) && r.checkpoints == 2 && r.records == 2);
	verify_result_done(&r);
	chain_close(c);
	CHECK(log_holds(path, 2));
	buf_done(&notes);
	log_remove(path);
}

/* Checkpoints that cannot be written for long are given up in bounded memory; records go on. */
static void
test_checkpoints_that_cannot_be_written_do_not_pile_up(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c;

	s.checkpoint_records = 1;
	CHECK(!failed(chain_open(&s, start_us, &c)));
	sync_failures = 1;
	CHECK(log_grow(c, 1000, 1) && chain_sequence(c) == 1000);
	CHECK(chain_tick(c, start_us).sys == EIO);
	chain_close(c);
	CHECK(log_holds(path, 1000));
	log_remove(path);
}

TESTS(TEST(test_a_full_disk_refuses_the_whole_group_and_goes_on_later_without_a_gap),
      TEST(test_a_full_disk_while_a_segment_begins_is_got_over),
      TEST(test_a_full_disk_at_the_first_start_is_an_error_and_the_next_start_works),
      TEST(test_what_could_not_be_cut_off_blocks_until_it_is),
      TEST(test_a_failed_sync_refuses_the_group_and_begins_another_segment),
      TEST(test_a_failed_sync_of_an_empty_segment_is_got_over),
      TEST(test_a_failed_sync_in_a_tick_is_told_once_and_never_tried_again),
      TEST(test_written_records_are_synced_within_a_second),
      TEST(test_a_checkpoint_is_written_after_the_records_it_signs_are_synced),
      TEST(test_checkpoints_that_cannot_be_written_do_not_pile_up),
      TEST(test_a_checkpoint_that_fails_refuses_no_record_and_is_told_by_the_tick))
