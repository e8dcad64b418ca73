/* event.c - see event.h. */
#include "issuer/event.h"

#include "base/clock.h"
#include "base/random.h"
#include "format/moment.h"
#include "issuer/store.h"

struct err
event_add(struct issuer_store *s, const struct event *e)
{
	CLEANUP(statement_done) struct statement q = { 0 };
	CLEANUP(buf_done) struct buf decision = { 0 };
	uint8_t random[10];

	random_fill(random, sizeof random);
	ulid_put(&decision, clock_wall_us(), random);
	TRY(buf_check(&decision));
	statement_start(&q, s,
	                "INSERT INTO event (decision, action, issuer, subject, name, reason) VALUES"
	                " (?1, ?2, coalesce(nullif(?3, ''), (SELECT min(issuer) FROM signing_key), "
	                "''), ?4, ?5, ?6)");
	statement_text(&q, 1, buf_bytes(&decision));
	statement_text(&q, 2, e->action);
	statement_text(&q, 3, e->issuer);
	statement_text(&q, 4, e->subject);
	statement_text(&q, 5, e->name);
	statement_text(&q, 6, e->reason);
	return statement_run(&q);
}

struct err
event_read_after(struct issuer_store *s, int64_t after, unsigned most, event_fn *each, void *of)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s,
	                "SELECT id, decision, action, issuer, subject, name, reason FROM event"
	                " WHERE id > ?1 ORDER BY id LIMIT ?2");
	statement_int(&q, 1, after);
	statement_int(&q, 2, most);
	for (bool row;;) {
		TRY(statement_row(&q, &row));
		if (!row)
			return OK;
		each(of, &(struct event){ .id = statement_column_int(&q, 0),
		                          .decision = statement_column(&q, 1),
		                          .action = statement_column(&q, 2),
		                          .issuer = statement_column(&q, 3),
		                          .subject = statement_column(&q, 4),
		                          .name = statement_column(&q, 5),
		                          .reason = statement_column(&q, 6) });
	}
}

struct err
event_delete_to(struct issuer_store *s, int64_t id)
{
	CLEANUP(statement_done) struct statement q;

	statement_start(&q, s, "DELETE FROM event WHERE id <= ?1");
	statement_int(&q, 1, id);
	return statement_run(&q);
}
