/* test_chain.c - writing the log: numbers, segments, checkpoints, files and locks. */
#include "log.h"

#include "audit/checkpoint.h"
#include "audit/directory.h"

static void
test_sequence_counts_committed_records_only(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct audit_record r = log_record();
	struct chain *c;

	CHECK(!failed(chain_open(&s, start_us, &c)) && chain_sequence(c) == 0);
	CHECK(!failed(chain_commit(c, start_us)) && chain_sequence(c) == 0);
	CHECK(!failed(chain_append(c, &r, start_us, 1)) &&
	      !failed(chain_append(c, &r, start_us, 2)));
	CHECK(chain_sequence(c) == 0 && !failed(chain_commit(c, start_us)) &&
	      chain_sequence(c) == 2);
	chain_close(c);
	CHECK(log_holds(path, 2));
	log_remove(path);
}

static void
test_the_first_record_continues_zeros_and_the_next_its_hash(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	char zeros[80] =
		"\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\"";

	CHECK(log_fill(&s, 2));
	struct buf b = file_read(path, first_segment);
	struct bytes first = line_of(buf_bytes(&b), 1), second = line_of(buf_bytes(&b), 2);
	CHECK(memmem(first.at, first.len, zeros, strlen(zeros)) != NULL);
	CHECK(memcmp(first.at + first.len - 3 - 64,
	             strstr((const char *)second.at, "\"prev\":\"") + 8, 64) == 0);
	buf_done(&b);
	log_remove(path);
}

static void
test_the_chain_runs_through_many_segments_and_starts(void)
{
	char *path = log_new(), segments[64][32];
	struct audit_settings s = log_settings(path);

	s.segment_bytes = 3000;
	for (unsigned start = 0; start < 4; start++)
		CHECK(log_fill(&s, 10));
	unsigned count = log_segments(path, segments, 64);
	CHECK(count >= 10);
	CHECK(log_holds(path, 40));
	for (unsigned i = 0; i < count; i++) {
		struct buf b = file_read(path, segments[i]);
		CHECK(b.len <= 3000 && b.len > 0);
		buf_done(&b);
	}
	log_remove(path);
}

static void
test_a_group_larger_than_a_segment_is_written_whole(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c;

	s.segment_bytes = 100;
	CHECK(!failed(chain_open(&s, start_us, &c)) && log_grow(c, 3, 5));
	chain_close(c);
	CHECK(log_holds(path, 15));
	log_remove(path);
}

static unsigned
checkpoint_count(const char *path)
{
	struct verify_result r;
	unsigned count = failed(audit_verify(path, &r, NULL, NULL)) ? 0 : (unsigned)r.checkpoints;

	verify_result_done(&r);
	return count;
}

static void
test_a_checkpoint_is_signed_at_start_every_n_records_and_at_the_end(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);

	s.checkpoint_records = 10;
	CHECK(log_fill(&s, 35));
	CHECK(checkpoint_count(path) == 1 + 3 + 1);
	log_remove(path);
}

static void
test_a_checkpoint_is_signed_by_time_when_there_is_something_new(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c;

	s.checkpoint_ms = 1000;
	CHECK(!failed(chain_open(&s, start_us, &c)) && log_grow(c, 1, 1));
	CHECK(!failed(chain_tick(c, start_us + 999000)) && checkpoint_count(path) == 1);
	CHECK(!failed(chain_tick(c, start_us + 1000000)) && checkpoint_count(path) == 2);
	CHECK(!failed(chain_tick(c, start_us + 9000000)) && checkpoint_count(path) == 2);
	/* A clock that goes back does not stop them. */
	CHECK(log_grow(c, 1, 1) && !failed(chain_tick(c, start_us - 5000000)) &&
	      checkpoint_count(path) == 3);
	chain_close(c);
	log_remove(path);
}

/* C2SP signed-note: the form, and the key id computed another way. */
static void
test_a_checkpoint_is_a_c2sp_signed_note(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);

	CHECK(log_fill(&s, 3));
	struct buf b = file_read(path, "checkpoints");
	buf_put_u8(&b, 0);
	const char *text = (const char *)b.at;
	CHECK(strncmp(text, "gatewarden.audit/", 17) == 0);
	CHECK(strstr(text, "\n0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\ntime "
	                   "2025-11-22T03:04:05.123456Z\n\n"
	                   "\xE2\x80\x94 gatewarden.audit/") != NULL);
	CHECK(strstr(text, "\n3\n") != NULL);
	buf_done(&b);
	log_remove(path);
}

/* A start reads the end of the checkpoints only; verify reads all of them. */
static void
test_a_log_with_many_checkpoints_and_segments_starts_again(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);

	s.checkpoint_records = 1;
	s.segment_bytes = 5000;
	CHECK(log_fill(&s, 200) && log_fill(&s, 1) && log_fill(&s, 1));
	CHECK(log_holds(path, 202) && checkpoint_count(path) == 205);
	struct buf notes = file_read(path, "checkpoints");
	struct chain *c = NULL;
	notes.at[notes.len - 10] ^= 1;
	file_write(path, "checkpoints", buf_bytes(&notes));
	CHECK(chain_open(&s, start_us, &c).kind == ERR_CONFIG && c == NULL);
	memset(notes.at + notes.len - 3000, 'x', 3000);
	file_write(path, "checkpoints", buf_bytes(&notes));
	CHECK(chain_open(&s, start_us, &c).kind == ERR_CONFIG && c == NULL);
	buf_done(&notes);
	log_remove(path);
}

static mode_t
mode_of(const char *directory, const char *name)
{
	char path[PATH_ROOM];
	struct stat st;

	path_of(directory, name, path);
	return stat(path, &st) == 0 ? st.st_mode & 0777 : 0;
}

static void
test_files_are_for_the_owner_only(void)
{
	char *path = log_new();
	mode_t mask = umask(0);

	struct audit_settings s = log_settings(path);
	CHECK(log_fill(&s, 1));
	umask(mask);
	CHECK(mode_of(path, first_segment) == 0600 && mode_of(path, "checkpoints") == 0600);
	CHECK(mode_of(path, "checkpoint.key") == 0600 && mode_of(path, "checkpoint.pub") == 0600);
	log_remove(path);
}

static void
test_a_folder_that_is_gone_is_no_place_for_a_new_log(void)
{
	char *path = log_new(), inner[PATH_ROOM];
	struct chain *c = NULL;

	path_of(path, "log", inner);
	struct audit_settings s = log_settings(inner);
	CHECK(chain_open(&s, start_us, &c).kind == ERR_SYSTEM && c == NULL);
	CHECK(access(inner, F_OK) != 0);
	log_remove(path);
}

static void
test_a_second_ledger_on_the_same_directory_is_refused(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c, *second = NULL;

	CHECK(!failed(chain_open(&s, start_us, &c)));
	struct err e = chain_open(&s, start_us, &second);
	CHECK(e.kind == ERR_CONFIG && second == NULL && strstr(e.why, "another ledger") != NULL);
	CHECK(log_grow(c, 1, 1));
	chain_close(c);
	CHECK(!failed(chain_open(&s, start_us, &c)));
	chain_close(c);
	CHECK(log_holds(path, 1));
	log_remove(path);
}

static void
test_a_directory_that_cannot_be_is_refused(void)
{
	char *path = log_new(), file[PATH_ROOM], below[PATH_ROOM];
	struct chain *c = NULL;

	file_write(path, "file", BYTES("x"));
	path_of(path, "file", file);
	path_of(path, "file/log", below);
	struct audit_settings s = log_settings(file);
	struct err e = chain_open(&s, start_us, &c);
	CHECK(e.kind == ERR_SYSTEM && e.sys == ENOTDIR);
	s = log_settings(below);
	e = chain_open(&s, start_us, &c);
	CHECK(e.kind == ERR_SYSTEM && e.sys == ENOTDIR && c == NULL);
	log_remove(path);
}

static void
test_a_key_that_is_missing_changed_or_open_to_others_is_refused(void)
{
	char *path = log_new(), *other = log_new(), key[PATH_ROOM];
	struct audit_settings s = log_settings(path), so = log_settings(other);
	struct chain *c = NULL;

	CHECK(log_fill(&s, 1) && log_fill(&so, 1));
	path_of(path, "checkpoint.key", key);
	CHECK(chmod(key, 0640) == 0 && chain_open(&s, start_us, &c).kind == ERR_CONFIG);
	CHECK(chmod(key, 0600) == 0);
	struct buf good = file_read(path, "checkpoint.key");
	file_copy(other, path, "checkpoint.key");
	CHECK(chain_open(&s, start_us, &c).kind == ERR_CONFIG);
	file_write(path, "checkpoint.key", BYTES("no key\n"));
	CHECK(chain_open(&s, start_us, &c).kind == ERR_CONFIG);
	file_delete(path, "checkpoint.key");
	CHECK(chain_open(&s, start_us, &c).kind == ERR_CONFIG && c == NULL);
	file_write(path, "checkpoint.key", buf_bytes(&good));
	CHECK(!failed(chain_open(&s, start_us, &c)));
	chain_close(c);
	buf_done(&good);
	log_remove(path);
	log_remove(other);
}

static void
test_a_damaged_last_segment_stops_the_start_and_is_not_touched(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct chain *c = NULL;

	CHECK(log_fill(&s, 5));
	struct buf b = file_read(path, first_segment);
	b.at[line_of(buf_bytes(&b), 1).len + 30] ^= 1;
	file_write(path, first_segment, buf_bytes(&b));
	CHECK(chain_open(&s, start_us, &c).kind == ERR_CONFIG && c == NULL);
	struct buf after = file_read(path, first_segment);
	CHECK(bytes_equal(buf_bytes(&b), buf_bytes(&after)));
	buf_done(&after);
	/* Cut behind the last checkpoint: no crash leaves that. */
	b.at[line_of(buf_bytes(&b), 1).len + 30] ^= 1;
	file_write(path, first_segment, bytes_slice(buf_bytes(&b), 0, b.len - 1));
	CHECK(chain_open(&s, start_us, &c).kind == ERR_CONFIG && c == NULL);
	CHECK(folder_count(path, "torn") == 0);
	buf_done(&b);
	log_remove(path);
}

static void
test_a_group_past_its_limit_is_refused_record_by_record(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct audit_record r = log_record();
	struct chain *c;
	uint64_t taken = 0;
	struct err e = OK;

	s.segment_bytes = 64 << 20;
	CHECK(!failed(chain_open(&s, start_us, &c)));
	while (!failed(e = chain_append(c, &r, start_us, 1)))
		taken++;
	CHECK(e.kind == ERR_LIMIT && taken > 1000);
	CHECK(chain_append(c, &r, start_us, 1).kind == ERR_LIMIT);
	CHECK(!failed(chain_commit(c, start_us)) && chain_sequence(c) == taken);
	CHECK(log_grow(c, 1, 1));
	chain_close(c);
	CHECK(log_holds(path, taken + 1));
	log_remove(path);
}

TESTS(TEST(test_sequence_counts_committed_records_only),
      TEST(test_the_first_record_continues_zeros_and_the_next_its_hash),
      TEST(test_the_chain_runs_through_many_segments_and_starts),
      TEST(test_a_group_larger_than_a_segment_is_written_whole),
      TEST(test_a_checkpoint_is_signed_at_start_every_n_records_and_at_the_end),
      TEST(test_a_checkpoint_is_signed_by_time_when_there_is_something_new),
      TEST(test_a_log_with_many_checkpoints_and_segments_starts_again),
      TEST(test_a_checkpoint_is_a_c2sp_signed_note), TEST(test_files_are_for_the_owner_only),
      TEST(test_a_folder_that_is_gone_is_no_place_for_a_new_log),
      TEST(test_a_second_ledger_on_the_same_directory_is_refused),
      TEST(test_a_directory_that_cannot_be_is_refused),
      TEST(test_a_key_that_is_missing_changed_or_open_to_others_is_refused),
      TEST(test_a_damaged_last_segment_stops_the_start_and_is_not_touched),
      TEST(test_a_group_past_its_limit_is_refused_record_by_record))
