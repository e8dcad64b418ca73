/* review.h - the facts of a review of access: who reaches what by which role, and what nobody used.
 * From the configuration, the state store and the audit log.
 *
 * Facts are rows of parts, and a part is a list of columns: the table for people and the JSON are
 * both made of these rows alone, so they cannot say different things. */
#ifndef MAIN_REVIEW_H
#define MAIN_REVIEW_H

#include <stdio.h>

#include "audit/usage.h"
#include "base/buf.h"
#include "policy/review.h"

enum account_kind { ACCOUNT_USER, ACCOUNT_CLIENT };

/* A user or client of ours. Text in the arena of the review. */
struct account {
	enum account_kind kind;
	struct bytes name, subject, roles; /* roles: values as `granted_by: local:VALUE` has them */
	bool is_disabled;
	int64_t created_s;
};

enum { REVIEW_ACCOUNTS_MAX = USAGE_PRINCIPALS_MAX, REVIEW_BYTES_MAX = 64 << 20 };

/* Filled by whoever reads store and log; see cmd_review.c. */
struct review {
	const struct settings *settings;
	struct arena arena;       /* owned */
	struct account *accounts; /* owned */
	size_t account_count, accounts_left_out;
	struct usage *usage; /* owned */
	unsigned days;
	int64_t now_s;
	bool is_log_damaged; /* some lines were no records */
};

void review_init(struct review *r, const struct settings *settings, unsigned days, int64_t now_s);
void review_done(struct review *r);
/* Text is copied. Once there are REVIEW_ACCOUNTS_MAX, or no memory, it is counted only. */
void review_add_account(struct review *r, const struct account *a);

enum cell_type {
	CELL_TEXT,
	CELL_WORDS,   /* text, space separated: a list */
	CELL_TIME,    /* milliseconds since 1970; 0: never */
	CELL_ACTIONS, /* a set with its limits */
	CELL_NUMBER,
};
struct review_cell {
	struct bytes text;
	int64_t number;
	const struct reach *reach;
};
struct review_column {
	const char *name, *heading; /* member of the JSON; of the table */
	enum cell_type type;
	size_t width; /* of the table */
};
enum { REVIEW_COLUMNS_MAX = 7 };

enum review_part {
	REVIEW_ABOUT, /* one row: what was looked at, and what was left out */
	REVIEW_ACCESS,
	REVIEW_UNUSED_ROLES,
	REVIEW_UNUSED_ACCOUNTS,
	REVIEW_UNUSED_GRANTS,
	REVIEW_DISABLED_WITH_ROLES,
	REVIEW_UNKNOWN_ROLES,
	REVIEW_UNPRESENTED,
	REVIEW_PART_COUNT,
};
struct review_layout {
	const char *name, *title; /* member of the JSON; of the table, with `%u` for the days */
	struct review_column columns[REVIEW_COLUMNS_MAX];
	size_t column_count;
};
const struct review_layout *review_layout(enum review_part part);

/* Every row of a part, in a fixed order. Cells are borrowed for the time of the call. */
typedef void review_row_fn(void *of, const struct review_cell *cells);
void review_each(const struct review *r, enum review_part part, review_row_fn *each, void *of);

/* Both as a whole, row by row: a review of many may be long. A failure shows in ferror(). */
void review_print_table(const struct review *r, FILE *out);
void review_print_json(const struct review *r, FILE *out);

#endif
