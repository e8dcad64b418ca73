/* test_recovery.c - security.md 91: a ledger that was killed at any moment starts again, loses
 * nothing it acknowledged, and says what it cut off. */
#include "log.h"

#include <signal.h>

#include "base/random.h"

static uint64_t
recovered_records(const char *path)
{
	struct verify_result r;
	uint64_t count = failed(audit_verify(path, &r, NULL, NULL)) ? UINT64_MAX : r.recovered;

	verify_result_done(&r);
	return count;
}

static void
test_case_91_a_record_torn_at_any_byte_is_cut_off_and_told(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c;

	CHECK(log_fill_killed(&s, 3));
	struct buf log = file_read(path, first_segment), notes = file_read(path, "checkpoints");
	size_t last = log.len - line_of(buf_bytes(&log), 3).len;

	for (size_t len = last + 1; len < log.len; len++) {
		file_write(path, first_segment, bytes_slice(buf_bytes(&log), 0, len));
		file_write(path, "checkpoints", buf_bytes(&notes));
		struct err e = chain_open(&s, start_us + (int64_t)len, &c);
		if (failed(e)) {
			printf("# cut at %zu: %s\n", len, e.why);
			test_failed = true;
			break;
		}
		/* Two whole records and the one that tells. */
		CHECK(chain_sequence(c) == 3);
		CHECK(log_grow(c, 1, 1));
		chain_close(c);
		CHECK(recovered_records(path) == 1);
	}
	CHECK(log_holds(path, 4));
	CHECK(folder_count(path, "torn") == log.len - last - 1);
	buf_done(&log);
	buf_done(&notes);
	log_remove(path);
}

static void
test_case_91_the_torn_bytes_are_kept_aside(void)
{
	char *path = log_new(), name[64], torn[PATH_ROOM];
	struct audit_settings s = log_settings(path);
	struct chain *c;

	CHECK(log_fill_killed(&s, 2));
	struct buf log = file_read(path, first_segment);
	size_t last = line_of(buf_bytes(&log), 1).len;
	file_write(path, first_segment, bytes_slice(buf_bytes(&log), 0, last + 100));
	CHECK(!failed(chain_open(&s, start_us, &c)));
	chain_close(c);
	snprintf(name, sizeof name, "%020d-%lld", 2, (long long)start_us);
	path_of(path, "torn", torn);
	struct buf kept = file_read(torn, name);
	CHECK(bytes_equal(buf_bytes(&kept), bytes_slice(buf_bytes(&log), last, last + 100)));
	buf_done(&kept);

	struct buf after = file_read(path, first_segment);
	struct bytes told = line_of(buf_bytes(&after), 2);
	CHECK(memmem(told.at, told.len, "\"action\":\"recover\",\"outcome\":\"allowed\"", 38) !=
	      NULL);
	CHECK(memmem(told.at, told.len, "\"class_uid\":6003", 16) != NULL);
	buf_done(&after);
	buf_done(&log);
	log_remove(path);
}

/* Killed again between the cut and the record that tells of it. */
static void
test_case_91_a_crash_during_the_recovery_hides_nothing(void)
{
	char *path = log_new(), torn[PATH_ROOM];
	struct audit_settings s = log_settings(path);

	CHECK(log_fill_killed(&s, 2));
	path_of(path, "torn", torn);
	CHECK(mkdir(torn, 0700) == 0);
	file_write(torn, "00000000000000000003-1763780645123456.new", BYTES("{\"seq\":3,"));
	CHECK(log_fill(&s, 1) && log_holds(path, 4) && recovered_records(path) == 1);
	CHECK(log_fill(&s, 1) && log_holds(path, 5) && recovered_records(path) == 1);
	struct buf kept = file_read(torn, "00000000000000000003-1763780645123456");
	CHECK(bytes_is(buf_bytes(&kept), "{\"seq\":3,") && folder_count(path, "torn") == 1);
	buf_done(&kept);
	log_remove(path);
}

static void
test_a_clean_end_tells_of_no_recovery(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);

	CHECK(log_fill_killed(&s, 3) && log_fill(&s, 2) && log_fill(&s, 0));
	CHECK(log_holds(path, 5) && recovered_records(path) == 0 &&
	      folder_count(path, "torn") == 0);
	log_remove(path);
}

static void
test_a_torn_checkpoint_is_cut_off(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);

	CHECK(log_fill(&s, 3));
	struct buf notes = file_read(path, "checkpoints");
	for (size_t len = notes.len - 1; len > notes.len / 2; len--) {
		struct chain *c;
		file_write(path, "checkpoints", bytes_slice(buf_bytes(&notes), 0, len));
		CHECK(!failed(chain_open(&s, start_us + (int64_t)len, &c)));
		chain_close(c);
	}
	CHECK(log_holds(path, 3) && recovered_records(path) == 0 &&
	      folder_count(path, "torn") > 10);
	buf_done(&notes);
	log_remove(path);
}

static void
test_a_segment_begun_and_not_written_is_used(void)
{
	char *path = log_new(), names[8][32];
	struct audit_settings s = log_settings(path);

	CHECK(log_fill_killed(&s, 3));
	file_write(path, "00000000000000000004.jsonl", BYTES(""));
	CHECK(log_fill(&s, 2) && log_holds(path, 5) && log_segments(path, names, 8) == 2);
	/* The first line of a segment torn. */
	file_delete(path, "00000000000000000004.jsonl");
	file_delete(path, "checkpoints");
	file_write(path, "00000000000000000004.jsonl", BYTES("{\"seq\":4,"));
	CHECK(log_fill(&s, 1) && log_holds(path, 5) && recovered_records(path) == 1);
	log_remove(path);
}

static void
test_a_key_half_made_is_made_again(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);

	file_write(path, "checkpoint.key.new", BYTES("-----BEGIN"));
	CHECK(log_fill(&s, 1) && log_holds(path, 1));
	file_delete(path, "checkpoint.pub");
	CHECK(log_fill(&s, 1) && log_holds(path, 2));
	log_remove(path);
}

/* The drill. */

static void
work_until_killed(const struct audit_settings *s, int report)
{
	struct chain *c;
	struct audit_record r = log_record();

	if (failed(chain_open(s, start_us, &c)))
		_exit(1);
	for (unsigned round = 0;; round++) {
		for (unsigned i = 0; i <= round % 7; i++)
			if (failed(chain_append(c, &r, start_us, 1)))
				_exit(1);
		if (failed(chain_commit(c, start_us)) ||
		    failed(chain_tick(c, start_us + round * 100000)))
			_exit(1);
		uint64_t sequence = chain_sequence(c);
		if (write(report, &sequence, sizeof sequence) != sizeof sequence)
			_exit(1);
	}
}

/* The last sequence the child said it had committed, read until it is dead. */
static uint64_t
drain(int report)
{
	uint64_t sequence, last = 0;

	while (read(report, &sequence, sizeof sequence) == sizeof sequence)
		last = sequence;
	return last;
}

/* Kills the child so long after it was started or, if `at_work`, after its first commit. */
static uint64_t
kill_once(const struct audit_settings *s, bool at_work, unsigned after_us)
{
	int ends[2], status;
	uint64_t first = 0;

	if (pipe(ends) != 0)
		abort();
	fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
	pid_t child = fork();
	if (child == 0) {
		close(ends[0]);
		work_until_killed(s, ends[1]);
	}
	close(ends[1]);
	if (at_work)
		CHECK(read(ends[0], &first, sizeof first) == sizeof first);
	usleep(after_us);
	kill(child, SIGKILL);
	uint64_t last = drain(ends[0]);
	close(ends[0]);
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	return last > first ? last : first;
}

static uint64_t
random_number(void)
{
	uint64_t value;

	random_fill(&value, sizeof value);
	return value;
}

static void
test_case_91_kill_9_at_any_moment_loses_nothing_acknowledged(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	uint64_t acknowledged = 0;
	unsigned worked = 0;

	s.segment_bytes = 50000;
	s.checkpoint_records = 40;
	for (unsigned i = 0; i < 30; i++) {
		s.durability = i % 2 == 0 ? AUDIT_WRITE : AUDIT_FSYNC;
		uint64_t last = kill_once(&s, i % 3 != 0, (unsigned)(random_number() % 15000));
		worked += last > acknowledged;
		acknowledged = last > acknowledged ? last : acknowledged;

		struct chain *c;
		struct err e = chain_open(&s, start_us + i, &c);
		CHECK_ROW(!failed(e), failed(e) ? e.why : "");
		if (failed(e))
			break;
		CHECK(chain_sequence(c) >= acknowledged);
		acknowledged = chain_sequence(c);
		chain_close(c);
		CHECK(log_holds(path, acknowledged));
	}
	CHECK(worked >= 20 && acknowledged > 100);
	log_remove(path);
}

TESTS(TEST(test_case_91_a_record_torn_at_any_byte_is_cut_off_and_told),
      TEST(test_case_91_the_torn_bytes_are_kept_aside),
      TEST(test_case_91_a_crash_during_the_recovery_hides_nothing),
      TEST(test_a_clean_end_tells_of_no_recovery), TEST(test_a_torn_checkpoint_is_cut_off),
      TEST(test_a_segment_begun_and_not_written_is_used), TEST(test_a_key_half_made_is_made_again),
      TEST(test_case_91_kill_9_at_any_moment_loses_nothing_acknowledged))
