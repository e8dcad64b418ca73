/* test_verify.c - security.md 90: whatever is done to the log, verify names the first record that
 * is not as it was. */
#include "log.h"

#include <signal.h>

#include <openssl/evp.h>

#include "audit/checkpoint.h"
#include "audit/directory.h"

static char *
filled(unsigned records)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);

	CHECK(log_fill(&s, records));
	return path;
}

static char *
filled_segments(unsigned records)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);

	s.segment_bytes = 3000;
	CHECK(log_fill(&s, records));
	return path;
}

static void
test_an_untouched_log_verifies_and_tells_its_head(void)
{
	char *path = filled(5);
	struct verify_result r;

	CHECK(!failed(audit_verify(path, &r, NULL, NULL)));
	CHECK(r.records == 5 && r.checkpoints == 2 && r.recovered == 0 && r.bad_sequence == 0 &&
	      r.message.len == 0);
	struct buf hex = { 0 }, text = file_read(path, first_segment);
	buf_put_hex(&hex, (struct bytes){ r.head, 32 });
	CHECK(memcmp(text.at + text.len - 3 - 64, hex.at, 64) == 0);
	buf_done(&hex);
	buf_done(&text);
	verify_result_done(&r);
	log_remove(path);
}

static void
test_where_there_is_no_log_is_said(void)
{
	char *path = log_new(), none[PATH_ROOM];
	struct verify_result r;

	path_of(path, "none", none);
	CHECK(audit_verify(path, &r, NULL, NULL).kind == ERR_CONFIG);
	verify_result_done(&r);
	CHECK(audit_verify(none, &r, NULL, NULL).kind == ERR_CONFIG);
	verify_result_done(&r);
	log_remove(path);
}

/* One byte of `file` changed: `bad` or any record is named. */
static void
check_changed_byte(const char *path, const char *file, struct buf *text, size_t at, uint8_t to,
                   uint64_t bad)
{
	uint8_t was = text->at[at];
	struct verify_result r;

	if (was == to)
		return;
	text->at[at] = to;
	file_write(path, file, buf_bytes(text));
	struct err e = audit_verify(path, &r, NULL, NULL);
	if (e.kind != ERR_DENIED || r.bad_sequence == 0 || (bad != 0 && r.bad_sequence != bad) ||
	    r.message.len == 0) {
		printf("# byte %zu of %s, %02x to %02x: kind %d, record %llu for %llu: %.*s\n", at,
		       file, was, to, e.kind, (unsigned long long)r.bad_sequence,
		       (unsigned long long)bad, (int)r.message.len, (const char *)r.message.at);
		test_failed = true;
	}
	verify_result_done(&r);
	text->at[at] = was;
}

static void
test_case_90_a_changed_byte_anywhere_is_found_and_its_record_named(void)
{
	char *path = filled(3);
	struct buf text = file_read(path, first_segment);
	uint64_t record = 1;

	for (size_t at = 0; at < text.len; at++) {
		check_changed_byte(path, first_segment, &text, at, text.at[at] ^ 1, record);
		if (at % 8 == 0)
			check_changed_byte(path, first_segment, &text, at, '\n', record);
		record += text.at[at] == '\n';
	}
	file_write(path, first_segment, buf_bytes(&text));
	CHECK(log_holds(path, 3));
	buf_done(&text);
	log_remove(path);
}

static void
test_case_90_a_changed_byte_of_a_checkpoint_is_found(void)
{
	char *path = filled(2);
	struct buf text = file_read(path, "checkpoints");

	for (size_t at = 0; at < text.len; at++) {
		check_changed_byte(path, "checkpoints", &text, at, text.at[at] ^ 1, 0);
		check_changed_byte(path, "checkpoints", &text, at, text.at[at] ^ 0x20, 0);
	}
	file_write(path, "checkpoints", buf_bytes(&text));
	CHECK(log_holds(path, 2));
	buf_done(&text);
	log_remove(path);
}

/* The lines of a five-record log, put together anew: "12345" is the log itself. */
static void
rewrite(const char *path, struct bytes text, const char *order)
{
	struct buf b = { 0 };

	for (const char *n = order; *n != 0; n++)
		buf_put(&b, line_of(text, (unsigned)(*n - '0')));
	file_write(path, first_segment, buf_bytes(&b));
	buf_done(&b);
}

static void
test_case_90_missing_swapped_and_repeated_records_are_named(void)
{
	static const struct {
		const char *order;
		uint64_t bad;
		const char *text;
	} rows[] = {
		{ "2345", 1, "record 1 is missing: record 2 stands in its place" },
		{ "1245", 3,
		  "00000000000000000001.jsonl:3: record 3 is missing: record 4 stands in its "
		  "place" },
		{ "12435", 3, "00000000000000000001.jsonl:3: records 3 and 4 are swapped" },
		{ "21345", 1, "records 1 and 2 are swapped" },
		{ "15342", 2, "records 2 and 5 are swapped" },
		{ "12453", 3,
		  "out of order: record 4 stands at the place of record 3, which is whole, but in "
		  "line 5" },
		{ "23451", 1,
		  "out of order: record 2 stands at the place of record 1, which is whole, but in "
		  "line 5" },
		{ "1253", 3, "out of order: record 5" },
		{ "12234", 3, "expected record 3, but record 2 stands here again" },
		{ "123451", 6, "expected record 6, but record 1 stands here again" },
		{ "12344", 5, "expected record 5, but record 4" },
		{ "1234", 5,
		  "the last checkpoint signed record 5: 1 record was cut off up to there (5 to "
		  "5)" },
		{ "12", 3,
		  "the log ends with record 2, but the last checkpoint signed record 5: 3 records "
		  "were cut off up to there (3 to 5); whether there were later ones cannot be "
		  "told" },
		{ "", 1,
		  "5 records were cut off up to there (1 to 5); whether there were later ones "
		  "cannot be told" },
	};
	char *path = filled(5);
	struct buf text = file_read(path, first_segment);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		rewrite(path, buf_bytes(&text), rows[i].order);
		CHECK_ROW(log_is_bad(path, rows[i].bad, rows[i].text), rows[i].order);
	}
	rewrite(path, buf_bytes(&text), "12345");
	CHECK(log_holds(path, 5));
	buf_done(&text);
	log_remove(path);
}

/* The furthest checkpoint says how much is gone, not the next one; one that is broken proves
 * nothing. */
static void
test_case_90_a_cut_tail_is_counted_to_the_last_checkpoint(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);

	CHECK(log_fill(&s, 3) && log_fill(&s, 2) && log_fill(&s, 4));
	struct buf text = file_read(path, first_segment), notes = file_read(path, "checkpoints");
	rewrite(path, buf_bytes(&text), "12");
	CHECK(log_is_bad(path, 3,
	                 "the last checkpoint signed record 9: 7 records were cut off up to there "
	                 "(3 to 9)"));
	notes.at[notes.len - 10] ^= 1;
	file_write(path, "checkpoints", buf_bytes(&notes));
	CHECK(log_is_bad(path, 3,
	                 "the last checkpoint signed record 5: 3 records were cut off up to there "
	                 "(3 to 5)"));
	buf_done(&notes);
	buf_done(&text);
	log_remove(path);
}

/* A swapped record that was changed as well is not whole: it is not passed off as only moved. */
static void
test_case_90_a_moved_record_that_was_changed_is_not_called_swapped(void)
{
	char *path = filled(5);
	struct buf text = file_read(path, first_segment);

	struct bytes third = line_of(buf_bytes(&text), 3);
	text.at[third.at + third.len / 2 - text.at] ^= 1;
	rewrite(path, buf_bytes(&text), "12435");
	CHECK(log_is_bad(path, 3, "record 3 is missing: record 4 stands in its place"));
	buf_done(&text);
	log_remove(path);
}

static void
test_case_90_a_removed_segment_is_named(void)
{
	char *path = filled_segments(12), names[32][32];
	unsigned count = log_segments(path, names, 32);

	CHECK(count >= 4);
	for (unsigned i = 0; i < count; i++) {
		struct buf b = file_read(path, names[i]);
		uint64_t first = strtoull(names[i], NULL, 10);
		file_delete(path, names[i]);
		CHECK_ROW(log_is_bad(path, first,
		                     i + 1 < count ? "are missing: no segment holds them"
		                                   : "were cut off"),
		          names[i]);
		file_write(path, names[i], buf_bytes(&b));
		buf_done(&b);
	}
	CHECK(log_holds(path, 12));
	/* A copy of a segment under a later name, and one emptied. */
	struct buf b = file_read(path, names[1]);
	file_write(path, "00000000000000000013.jsonl", buf_bytes(&b));
	CHECK(log_is_bad(path, 13, "stands here again"));
	file_delete(path, "00000000000000000013.jsonl");
	file_write(path, names[1], BYTES(""));
	CHECK(log_is_bad(path, strtoull(names[1], NULL, 10), "are missing"));
	buf_done(&b);
	log_remove(path);
}

static void
test_case_90_logs_spliced_from_two_directories_are_found(void)
{
	char *path = filled_segments(12), *other = log_new(), names[32][32];
	unsigned count = log_segments(path, names, 32);

	/* The same records at the same times make the same chain; another principal makes another.
	 */
	struct audit_settings s = log_settings(other);
	struct audit_record r = log_record();
	struct chain *c;
	s.segment_bytes = 3000;
	r.subject = BYTES("eve");
	CHECK(!failed(chain_open(&s, start_us, &c)));
	for (unsigned i = 0; i < 12; i++)
		CHECK(!failed(chain_append(c, &r, start_us, 1)) &&
		      !failed(chain_commit(c, start_us)));
	chain_close(c);

	CHECK(count >= 3);
	file_copy(other, path, names[1]);
	CHECK(log_is_bad(path, strtoull(names[1], NULL, 10),
	                 "does not continue the record before it"));
	/* The whole log of another directory: right in itself, but not what was signed. */
	for (unsigned i = 0; i < count; i++)
		file_copy(other, path, names[i]);
	CHECK(log_is_bad(path, 12, "is not what its checkpoint signed"));
	file_copy(other, path, "checkpoints");
	CHECK(log_is_bad(path, 1, "signed by another key"));
	log_remove(path);
	log_remove(other);
}

static void
test_case_90_a_checkpoint_forged_with_another_key_is_found(void)
{
	char *path = filled(4);
	struct checkpoint_key real = { 0 }, forger;
	struct checkpoint c = { .sequence = 4, .time_us = start_us };
	struct buf text = file_read(path, first_segment), note = file_read(path, "checkpoints");
	int directory = -1;

	/* Record 4 replaced by a re-sealed copy, with a checkpoint that says so. */
	struct digest d;
	struct line l;
	struct bytes third = line_of(buf_bytes(&text), 3);
	CHECK(!failed(digest_init(&d)) &&
	      !failed(line_parse(bytes_slice(third, 0, third.len - 1), &l)));
	struct audit_record r = log_record();
	r.subject = BYTES("eve");
	text.len -= line_of(buf_bytes(&text), 4).len;
	size_t start = text.len;
	audit_record_put_json(&text, &r, 4, start_us, 1);
	CHECK(!failed(line_seal(&text, start, &d, l.hash, c.head)));
	file_write(path, first_segment, buf_bytes(&text));
	CHECK(log_is_bad(path, 4, "is not what its checkpoint signed"));

	CHECK(!failed(directory_open(path, &directory)) &&
	      !failed(checkpoint_key_read(directory, &real)));
	forger = real;
	forger.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	note.len = 0;
	CHECK(!failed(checkpoint_put(&note, &forger, &c)));
	file_write(path, "checkpoints", buf_bytes(&note));
	CHECK(log_is_bad(path, 1, "signature is not that of checkpoint.pub"));
	checkpoint_key_done(&forger);
	checkpoint_key_done(&real);
	close(directory);
	digest_done(&d);
	buf_done(&note);
	buf_done(&text);
	log_remove(path);
}

static void
test_case_90_a_missing_checkpoint_file_or_key_is_found(void)
{
	char *path = filled(2);
	struct buf b = file_read(path, "checkpoints");

	file_delete(path, "checkpoints");
	CHECK(log_is_bad(path, 1, "checkpoints: the file is missing"));
	file_write(path, "checkpoints", bytes_slice(buf_bytes(&b), 0, b.len - 5));
	CHECK(log_is_bad(path, 1, "checkpoints:8: an unfinished checkpoint"));
	file_write(path, "checkpoints", buf_bytes(&b));
	file_delete(path, "checkpoint.pub");
	CHECK(log_is_bad(path, 1, "checkpoint.pub"));
	buf_done(&b);
	log_remove(path);
}

/* A pair of log and checkpoints rolled back is right in itself: only a checkpoint kept elsewhere
 * tells. */
static void
test_case_90_a_rolled_back_log_is_found_by_an_anchor(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	struct verify_result r;

	CHECK(log_fill(&s, 3));
	struct buf log = file_read(path, first_segment), notes = file_read(path, "checkpoints");
	CHECK(log_fill(&s, 3));
	struct buf anchor = file_read(path, "checkpoints");
	CHECK(!failed(audit_verify_anchored(path, buf_bytes(&anchor), &r, NULL, NULL)) &&
	      r.records == 6);
	verify_result_done(&r);
	CHECK(!failed(audit_verify_anchored(path, buf_bytes(&notes), &r, NULL, NULL)) &&
	      r.records == 6);
	verify_result_done(&r);

	file_write(path, first_segment, buf_bytes(&log));
	file_write(path, "checkpoints", buf_bytes(&notes));
	CHECK(log_holds(path, 3));
	CHECK(audit_verify_anchored(path, buf_bytes(&anchor), &r, NULL, NULL).kind == ERR_DENIED);
	CHECK(r.bad_sequence == 4 &&
	      memmem(r.message.at, r.message.len, "the anchor signed record 6", 26) != NULL);
	verify_result_done(&r);
	anchor.at[3] ^= 1;
	CHECK(audit_verify_anchored(path, bytes_slice(buf_bytes(&anchor), 0, 40), &r, NULL, NULL)
	              .kind == ERR_DENIED);
	verify_result_done(&r);
	buf_done(&log);
	buf_done(&notes);
	buf_done(&anchor);
	log_remove(path);
}

/* A line whose hash is right and that is no JSON: only somebody who re-seals can make it. */
static void
test_case_90_a_sealed_line_that_is_no_json_is_found(void)
{
	static const char *const bodies[] = { "{\"seq\":1,\"a\":", "{\"seq\":1,\"a\":1,\"a\":2",
		                              "{\"seq\":1,\"a\":\"\xff\"" };
	char *path = filled(0);

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct buf b = { 0 };
		struct digest d;
		uint8_t prev[AUDIT_HASH_LEN] = { 0 }, hash[AUDIT_HASH_LEN];
		CHECK(!failed(digest_init(&d)));
		buf_put_text(&b, bodies[i]);
		CHECK(!failed(line_seal(&b, 0, &d, prev, hash)));
		file_write(path, first_segment, buf_bytes(&b));
		CHECK_ROW(log_is_bad(path, 1, "record 1: no JSON at byte"), bodies[i]);
		digest_done(&d);
		buf_done(&b);
	}
	log_remove(path);
}

static void
count_progress(void *of, uint64_t done, uint64_t total)
{
	unsigned *calls = of;

	CHECK(done <= total);
	(*calls)++;
}

static void
test_a_log_being_written_verifies_and_progress_is_told(void)
{
	char *path = log_new(), full[PATH_ROOM];
	struct audit_settings s = log_settings(path);
	struct verify_result r;
	struct chain *c;
	unsigned calls = 0;

	CHECK(!failed(chain_open(&s, start_us, &c)) && log_grow(c, 40, 100));
	CHECK(!failed(audit_verify(path, &r, count_progress, &calls)) && r.records == 4000 &&
	      calls >= 3);
	verify_result_done(&r);
	/* Half a line of a ledger at work is no finding; without a ledger it is. */
	char names[32][32];
	unsigned count = log_segments(path, names, 32);
	path_of(path, names[count - 1], full);
	int fd = open(full, O_WRONLY | O_APPEND);
	CHECK(fd >= 0 && write(fd, "{\"seq\":4001", 11) == 11);
	close(fd);
	CHECK(log_holds(path, 4000));
	chain_close(c);
	CHECK(log_is_bad(path, 4001, "the line is unfinished"));
	log_remove(path);
}

/* Records, segments and checkpoints come while the log is read: none of it may look like damage. */
static void
test_a_log_that_another_process_writes_always_verifies(void)
{
	char *path = log_new();
	struct audit_settings s = log_settings(path);
	uint64_t before = 0;
	int status;

	s.segment_bytes = 20000;
	s.checkpoint_records = 3;
	CHECK(log_fill(&s, 1));
	pid_t child = fork();
	if (child == 0) {
		struct chain *c;
		if (failed(chain_open(&s, start_us, &c)))
			_exit(1);
		/* It ends by itself, should nobody kill it. */
		for (int64_t round = 0; round < 2000; round++) {
			if (!log_grow(c, 1, 1 + (unsigned)(round % 5)) ||
			    failed(chain_tick(c, start_us + round * 300000)))
				_exit(1);
			usleep(300);
		}
		_exit(0);
	}
	for (unsigned i = 0; i < 15; i++) {
		struct verify_result r;
		struct err e = audit_verify(path, &r, NULL, NULL);
		buf_put_u8(&r.message, 0);
		CHECK_ROW(!failed(e) && r.records >= before, (const char *)r.message.at);
		before = r.records;
		verify_result_done(&r);
		usleep(1000);
	}
	CHECK(before > 1);
	(void)kill(child, SIGKILL); /* it may have ended */
	CHECK(waitpid(child, &status, 0) == child);
	log_remove(path);
}

TESTS(TEST(test_an_untouched_log_verifies_and_tells_its_head),
      TEST(test_where_there_is_no_log_is_said),
      TEST(test_case_90_a_changed_byte_anywhere_is_found_and_its_record_named),
      TEST(test_case_90_a_changed_byte_of_a_checkpoint_is_found),
      TEST(test_case_90_missing_swapped_and_repeated_records_are_named),
      TEST(test_case_90_a_cut_tail_is_counted_to_the_last_checkpoint),
      TEST(test_case_90_a_moved_record_that_was_changed_is_not_called_swapped),
      TEST(test_case_90_a_removed_segment_is_named),
      TEST(test_case_90_logs_spliced_from_two_directories_are_found),
      TEST(test_case_90_a_checkpoint_forged_with_another_key_is_found),
      TEST(test_case_90_a_missing_checkpoint_file_or_key_is_found),
      TEST(test_case_90_a_rolled_back_log_is_found_by_an_anchor),
      TEST(test_case_90_a_sealed_line_that_is_no_json_is_found),
      TEST(test_a_log_being_written_verifies_and_progress_is_told),
      TEST(test_a_log_that_another_process_writes_always_verifies))
