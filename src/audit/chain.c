/* chain.c - see chain.h. What is written is never taken back: `written` moves only after the whole
 * group is in the file (and on the disk, where the settings ask for it), and the group that failed
 * leaves no number unused. */
#include "audit/chain.h"

#include <stdlib.h>
#include <unistd.h>

#include "audit/directory.h"
#include "audit/recovery.h"
#include "audit/segment.h"
#include "base/clock.h"

enum { GROUP_MAX = 16 << 20, SYNC_AFTER_US = 500000, NOTES_MAX = 64 << 10 };
static const char checkpoints_name[] = "checkpoints";

struct position {
	uint64_t sequence;
	uint8_t head[AUDIT_HASH_LEN];
};

struct chain {
	struct audit_settings settings; /* its path is not used after opening */
	int directory;                  /* owned; holds the lock */
	struct segment segment;         /* owned */
	uint64_t segment_first;
	bool is_lost;               /* a sync of the segment failed: not to be written again */
	struct segment checkpoints; /* owned */
	struct checkpoint_key key;  /* owned */
	struct digest digest;       /* owned */
	struct position written, pending;
	struct buf group;             /* owned; lines between written and pending */
	bool is_dirty;                /* written, not synced */
	int64_t dirty_us;             /* since when */
	uint64_t checkpoint_sequence; /* of the last checkpoint */
	int64_t checkpoint_us;
	struct buf notes;  /* owned; signed, to be written once what they sign is on the disk */
	struct err missed; /* a failure nobody was told of yet: chain_tick() does */
};

/* Segments. */

static void
remember(struct chain *c, struct err e)
{
	if (failed(e) && !failed(c->missed))
		c->missed = e;
}

static struct err
sync_segment(struct chain *c)
{
	if (!c->is_dirty || c->segment.fd < 0)
		return OK;

	/* Clean either way: after a failure a second sync would lie (see segment.h). */
	c->is_dirty = false;
	struct err e = segment_sync(&c->segment);
	c->is_lost = c->is_lost || failed(e);
	return e;
}

/* The next segment begins with the next record. An empty one that was lost stands in its way by
 * name. */
static struct err
begin_segment(struct chain *c)
{
	char name[SEGMENT_NAME_ROOM];
	struct segment next;
	uint64_t first = c->written.sequence + 1;

	segment_name(first, name);
	if (c->segment.fd >= 0 && c->segment_first == first &&
	    unlinkat(c->directory, name, 0) != 0 && errno != ENOENT)
		return fail_errno("cannot remove a lost segment of the audit log");
	remember(c, sync_segment(c));
	TRY(segment_create(c->directory, name, &next));
	segment_close(&c->segment);
	c->segment = next;
	c->segment_first = first;
	c->is_lost = false;
	return OK;
}

static struct err
prepare_segment(struct chain *c)
{
	uint64_t length = c->segment.length;

	/* What could not be cut off belongs to a refused group: no other segment may begin behind
	 * it. */
	if (c->segment.is_ragged)
		TRY(segment_cut(&c->segment, length));
	if (c->segment.fd < 0 || c->is_lost ||
	    (length > 0 && length + c->group.len > c->settings.segment_bytes))
		return begin_segment(c);
	return OK;
}

/* Checkpoints. */

static struct err
sign_checkpoint(struct chain *c, int64_t wall_us)
{
	struct checkpoint now = { .sequence = c->written.sequence, .time_us = wall_us };
	size_t start = c->notes.len;

	memcpy(now.head, c->written.head, sizeof now.head);
	struct err e = checkpoint_put(&c->notes, &c->key, &now);
	if (failed(e)) {
		c->notes.len = start;
		c->notes.overflow = false;
		return e;
	}
	c->checkpoint_sequence = now.sequence;
	c->checkpoint_us = wall_us;
	return OK;
}

/* First the records, then what vouches for them: a power cut must not look like a cut tail. */
static struct err
write_notes(struct chain *c)
{
	TRY(sync_segment(c));
	if (c->notes.len == 0)
		return OK;
	TRY(segment_append(&c->checkpoints, buf_bytes(&c->notes)));
	buf_clear(&c->notes);
	return OK;
}

/* By number of records. Not worth a sync of its own, which would make every record wait: the note
 * is written with the next one. */
static struct err
note_records(struct chain *c, int64_t wall_us)
{
	if (c->written.sequence - c->checkpoint_sequence >= c->settings.checkpoint_records)
		TRY(sign_checkpoint(c, wall_us));
	if (c->is_dirty && c->notes.len < NOTES_MAX)
		return OK;

	struct err e = write_notes(c);
	if (c->notes.len >= NOTES_MAX)
		buf_clear(&c->notes); /* cannot be written: fewer checkpoints, and the error says so
		                       */
	return e;
}

static bool
is_past(int64_t since_us, int64_t span_us, int64_t wall_us)
{
	/* A clock that went back makes it due, rather than never. */
	return wall_us < since_us || wall_us - since_us >= span_us;
}

static bool
is_checkpoint_due(const struct chain *c, int64_t wall_us)
{
	uint64_t records = c->written.sequence - c->checkpoint_sequence;

	return records > 0 &&
	       is_past(c->checkpoint_us, (int64_t)c->settings.checkpoint_ms * 1000, wall_us);
}

/* Opening. */

static struct err
open_checkpoints(struct chain *c)
{
	struct err e = segment_open(c->directory, checkpoints_name, &c->checkpoints);

	return e.kind == ERR_NOT_FOUND
	               ? segment_create(c->directory, checkpoints_name, &c->checkpoints)
	               : e;
}

static struct err
write_recovered(struct chain *c, int64_t wall_us)
{
	static const struct audit_record recovered = {
		.class = AUDIT_API,
		.outcome = AUDIT_ALLOWED,
		.subject = { (const uint8_t *)"gatewarden", 10 },
		.resource = { (const uint8_t *)"audit", 5 },
		.action = { (const uint8_t *)"recover", 7 },
		.rule = { (const uint8_t *)"audit.recovery", 14 },
		.reason = { (const uint8_t *)"an unfinished last record was cut off", 37 },
		.rows = -1,
	};

	TRY(chain_append(c, &recovered, wall_us, 0));
	TRY(chain_commit(c, wall_us));
	return recovery_told(c->directory);
}

static struct err
resume(struct chain *c, const struct log_end *end, int64_t wall_us)
{
	char name[SEGMENT_NAME_ROOM];

	TRY(recovery_cut(c->directory, end, wall_us));
	c->written.sequence = end->sequence;
	memcpy(c->written.head, end->head, sizeof c->written.head);
	c->pending = c->written;
	c->checkpoint_sequence = end->checkpoint;
	if (end->has_segment) {
		segment_name(end->segment, name);
		c->segment_first = end->segment;
		TRY(segment_open(c->directory, name, &c->segment));
		/* A process that was killed may have left it so. */
		c->is_dirty = true;
	}
	TRY(open_checkpoints(c));
	if (end->torn > 0 || end->is_untold)
		TRY(write_recovered(c, wall_us));
	TRY(sign_checkpoint(c, wall_us));
	return write_notes(c);
}

static struct err
open_all(struct chain *c, const char *path, int64_t wall_us)
{
	struct segment_list list = { 0 };
	struct log_end end;

	TRY(directory_take(path, &c->directory));
	TRY(digest_init(&c->digest));
	TRY(segment_list_read(c->directory, &list));
	bool is_new = list.count == 0;
	segment_list_done(&list);
	TRY(checkpoint_key_take(c->directory, is_new, &c->key));
	TRY(recovery_find_end(c->directory, &c->digest, &c->key, &end));
	return resume(c, &end, wall_us);
}

static void
chain_free(struct chain *c)
{
	segment_close(&c->segment);
	segment_close(&c->checkpoints);
	checkpoint_key_done(&c->key);
	digest_done(&c->digest);
	buf_done(&c->group);
	buf_done(&c->notes);
	fd_close(&c->directory);
	free(c);
}

struct err
chain_open(const struct audit_settings *settings, int64_t wall_us, struct chain **ret)
{
	struct chain *c = calloc(1, sizeof *c);

	if (c == NULL)
		return fail(ERR_LIMIT, "out of memory");
	c->settings = *settings;
	c->directory = c->segment.fd = c->checkpoints.fd = -1;
	c->group.limit = GROUP_MAX;
	c->notes.limit = NOTES_MAX + CHECKPOINT_MAX;

	struct err e = open_all(c, settings->path, wall_us);
	if (failed(e)) {
		chain_free(c);
		return e;
	}
	*ret = c;
	return OK;
}

void
chain_close(struct chain *c)
{
	if (c == NULL)
		return;
	/* Records handed over but not committed were never acknowledged. A failure here leaves what
	 * a crash would leave, and the next start and `audit verify` know that. */
	if (c->written.sequence > c->checkpoint_sequence)
		(void)sign_checkpoint(c, clock_wall_us());
	(void)write_notes(c);
	if (c->checkpoints.fd >= 0)
		(void)segment_sync(&c->checkpoints);
	chain_free(c);
}

/* Writing. */

static void
drop_group(struct chain *c)
{
	buf_clear(&c->group);
	c->pending = c->written;
}

struct err
chain_append(struct chain *c, const struct audit_record *r, int64_t wall_us, unsigned worker)
{
	struct position next = { .sequence = c->pending.sequence + 1 };
	size_t start = c->group.len;

	audit_record_put_json(&c->group, r, next.sequence, wall_us, worker);
	struct err e = line_seal(&c->group, start, &c->digest, c->pending.head, next.head);
	if (failed(e)) {
		c->group.len = start;
		c->group.overflow = false;
		return e;
	}
	c->pending = next;
	return OK;
}

static struct err
write_group(struct chain *c)
{
	TRY(prepare_segment(c));

	uint64_t good = c->segment.length;
	TRY(segment_append(&c->segment, buf_bytes(&c->group)));
	if (c->settings.durability != AUDIT_FSYNC) {
		segment_write_back(&c->segment);
		return OK;
	}

	struct err e = segment_sync(&c->segment);
	if (failed(e)) {
		c->is_lost = true;
		(void)segment_cut(&c->segment, good); /* a failure is remembered in is_ragged */
	}
	return e;
}

struct err
chain_commit(struct chain *c, int64_t wall_us)
{
	if (c->group.len == 0)
		return OK;

	struct err e = write_group(c);
	if (failed(e)) {
		drop_group(c);
		return e;
	}
	buf_clear(&c->group);
	c->written = c->pending;
	if (c->settings.durability != AUDIT_FSYNC && !c->is_dirty) {
		c->is_dirty = true;
		c->dirty_us = wall_us;
	}
	/* The records are safe: a checkpoint that fails refuses none, and the next tick tells of
	 * it. */
	remember(c, note_records(c, wall_us));
	return OK;
}

struct err
chain_tick(struct chain *c, int64_t wall_us)
{
	if (is_checkpoint_due(c, wall_us))
		remember(c, sign_checkpoint(c, wall_us));
	if (!c->is_dirty || is_past(c->dirty_us, SYNC_AFTER_US, wall_us))
		remember(c, write_notes(c));

	struct err missed = c->missed;
	c->missed = OK;
	return missed;
}

uint64_t
chain_sequence(const struct chain *c)
{
	return c->written.sequence;
}
