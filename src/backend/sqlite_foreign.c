/* sqlite_foreign.c - which side of a foreign key is broken. SQLite does not say: one code and one
 * message for both, without a name. So the parents of what was set are looked for, in the same
 * transaction; how many there are to ask is bounded by the table. */
#include "backend/sqlite_write.h"

#include "base/macros.h"
#include "query/sql.h"

enum parent {
	PARENT_NOT_SET, /* the statement did not touch the key */
	PARENT_THERE,
	PARENT_MISSING,
	PARENT_UNKNOWN,
};

static const struct value *
value_set(const struct write_job *j, size_t column)
{
	for (size_t i = 0; i < j->set_count; i++)
		if (j->set_columns[i] == column)
			return &j->change.values[i];
	return NULL;
}

static enum parent
look_for(struct write_job *j, const struct foreign_key *key)
{
	struct connection *c = &j->backend->writer.connection;
	CLEANUP(sql_done) struct sql sql = { 0 };
	struct prepared *p;

	sql_init(&sql, DIALECT_SQLITE, &j->memory);
	sql_put(&sql, "SELECT 1 FROM ");
	sql_put_name(&sql, key->parent);
	for (size_t i = 0; i < key->count; i++) {
		sql_put(&sql, i == 0 ? " WHERE " : " AND ");
		sql_put_name(&sql, key->to[i]);
		sql_put(&sql, " = ");
		sql_bind(&sql, *value_set(j, key->columns[i]));
	}
	const struct statement st = { buf_bytes(&sql.text), sql.values, sql.value_count };
	if (failed(sql_check(&sql)) || sqlite_statement_start(&st, c, &p) != SQLITE_OK)
		return PARENT_UNKNOWN;
	int result = sqlite3_step(p->statement);
	connection_give(c, p);
	if (result == SQLITE_ROW)
		return PARENT_THERE;
	return result == SQLITE_DONE ? PARENT_MISSING : PARENT_UNKNOWN;
}

static enum parent
parent_of(struct write_job *j, const struct foreign_key *key)
{
	size_t set_count = 0;
	bool is_generated = false;

	for (size_t i = 0; i < key->count; i++) {
		const struct value *v = value_set(j, key->columns[i]);

		if (v != NULL && v->type == VALUE_NULL)
			return PARENT_THERE; /* a NULL refers to nothing, which is always there */
		set_count += v != NULL;
		is_generated |= j->table->columns[key->columns[i]].is_generated;
	}
	if (key->count == 0 || is_generated)
		return PARENT_UNKNOWN;
	if (set_count == 0)
		return PARENT_NOT_SET;
	return set_count == key->count ? look_for(j, key) : PARENT_UNKNOWN;
}

/* A column of the table's key is not named: a frontend reads a conflict there as "this key is
 * taken". */
static int
column_to_blame(const struct table *table, const struct foreign_key *key)
{
	for (size_t i = 0; i < table->key_count; i++)
		for (size_t k = 0; k < key->count; k++)
			if (table->key[i] == key->columns[k])
				return -1;
	return key->columns[0];
}

/* The key whose parent is missing, or NULL. One into the table itself comes last: its parent may be
 * the very row of the statement, which was undone. */
static const struct foreign_key *
find_missing(struct write_job *j, bool *ret_unknown)
{
	const struct foreign_key *own = NULL;

	*ret_unknown = false;
	for (size_t i = 0; i < j->table->foreign_count; i++) {
		const struct foreign_key *key = &j->table->foreign[i];
		enum parent parent = parent_of(j, key);

		if (parent == PARENT_MISSING && !key->is_self)
			return key;
		if (parent == PARENT_MISSING)
			own = key;
		*ret_unknown |= parent == PARENT_UNKNOWN;
	}
	return own;
}

struct err
sqlite_foreign_explain(struct write_job *j, struct err e)
{
	bool is_unknown;

	if (e.code != SQLITE_CONSTRAINT_FOREIGNKEY)
		return e;
	const struct foreign_key *missing = find_missing(j, &is_unknown);
	if (missing != NULL) {
		e.why = "a row this one refers to is missing";
		j->fault_column = column_to_blame(j->table, missing);
	} else if (j->kind == OPERATION_DELETE || (j->kind == OPERATION_UPDATE && !is_unknown)) {
		e.why = "other rows refer to this one";
	}
	return e;
}
