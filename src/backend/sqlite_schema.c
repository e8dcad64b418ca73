/* sqlite_schema.c - what PRAGMA table_list, table_xinfo and foreign_key_list say, asked as
 * table-valued functions so that the name is a bound value. */
#include "backend/sqlite_schema.h"

#include "backend/sqlite_error.h"
#include "backend/sqlite_value.h"
#include "base/macros.h"

enum { FOREIGN_MAX = 32 }; /* keys beyond are not told apart in errors */

/* As table_xinfo numbers them. */
enum hidden { HIDDEN_NOT, HIDDEN_VIRTUAL_TABLE, HIDDEN_GENERATED_VIRTUAL, HIDDEN_GENERATED_STORED };

struct schema_reader {
	struct table *table;
	struct column *columns;
	struct arena *arena;
	bool has_rowid;
	int rowid_alias; /* a column that may be the rowid's other name, or -1 */
};

static void
finalize(sqlite3_stmt **statement)
{
	(void)sqlite3_finalize(*statement); /* repeats an error that was handled */
}

static struct err
prepare(sqlite3 *db, const char *sql, const char *name, sqlite3_stmt **ret)
{
	int result = sqlite3_prepare_v2(db, sql, -1, ret, NULL);

	if (result == SQLITE_OK)
		result = sqlite3_bind_text(*ret, 1, name, -1, SQLITE_STATIC);
	return result == SQLITE_OK ? OK : sqlite_error(db, result);
}

static struct err
copy_text(sqlite3_stmt *st, int column, struct arena *arena, struct bytes *ret)
{
	const uint8_t *at = sqlite3_column_text(st, column);
	struct bytes text = { at, at != NULL ? (size_t)sqlite3_column_bytes(st, column) : 0 };

	*ret = arena_copy(arena, text);
	return ret->len == text.len ? OK
	                            : fail(ERR_LIMIT, "no memory for the schema of the database");
}

static struct err
read_table(struct schema_reader *s, sqlite3 *db, const char *name)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;

	TRY(prepare(db, "SELECT name, type, wr FROM pragma_table_list(?1) WHERE schema = 'main'",
	            name, &st));
	int result = sqlite3_step(st);
	if (result == SQLITE_DONE)
		return fail(ERR_CONFIG, "the database has no such table or view");
	if (result != SQLITE_ROW)
		return sqlite_error(db, result);
	TRY(copy_text(st, 0, s->arena, &s->table->name));
	s->table->is_view = strcmp((const char *)sqlite3_column_text(st, 1), "view") == 0;
	s->has_rowid = strcmp((const char *)sqlite3_column_text(st, 1), "table") == 0 &&
	               sqlite3_column_int(st, 2) == 0;
	return OK;
}

/* Only a key of one column declared exactly INTEGER is the rowid (lang_createtable.html, 5). */
static bool
may_alias_rowid(const struct schema_reader *s, const char *declaration, int key_place)
{
	return s->has_rowid && key_place == 1 && sqlite3_stricmp(declaration, "INTEGER") == 0;
}

/* Row of table_xinfo: name, type, notnull, dflt_value, pk, hidden. */
static struct err
read_column(struct schema_reader *s, sqlite3_stmt *st)
{
	struct table *t = s->table;
	const char *declaration = (const char *)sqlite3_column_text(st, 1);
	int key_place = sqlite3_column_int(st, 4), hidden = sqlite3_column_int(st, 5);

	if (hidden == HIDDEN_VIRTUAL_TABLE)
		return OK;
	if (t->column_count == TABLE_COLUMNS_MAX)
		return fail(ERR_CONFIG, "the table has more than 256 columns");
	if (key_place > TABLE_KEY_MAX)
		return fail(ERR_CONFIG, "the key of the table has more than 8 columns");

	struct column *c = &s->columns[t->column_count];
	TRY(copy_text(st, 0, s->arena, &c->name));
	c->type = sqlite_value_type(declaration != NULL ? declaration : "");
	c->nullable = sqlite3_column_int(st, 2) == 0;
	c->has_default = sqlite3_column_type(st, 3) != SQLITE_NULL;
	c->is_generated = hidden == HIDDEN_GENERATED_VIRTUAL || hidden == HIDDEN_GENERATED_STORED;
	if (key_place > 0) {
		t->key[key_place - 1] = (uint16_t)t->column_count;
		t->key_count = t->key_count > (size_t)key_place ? t->key_count : (size_t)key_place;
	}
	if (declaration != NULL && may_alias_rowid(s, declaration, key_place))
		s->rowid_alias = (int)t->column_count;
	t->column_count++;
	return OK;
}

static struct err
read_columns(struct schema_reader *s, sqlite3 *db, const char *name)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	int result;

	TRY(prepare(db,
	            "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM "
	            "pragma_table_xinfo(?1, 'main')"
	            " ORDER BY cid",
	            name, &st));
	while ((result = sqlite3_step(st)) == SQLITE_ROW)
		TRY(read_column(s, st));
	if (result != SQLITE_DONE)
		return sqlite_error(db, result);
	if (s->table->column_count == 0)
		return fail(ERR_CONFIG, "the view refers to something that does not exist");
	return OK;
}

/* Row of foreign_key_list: is_first, table, is_self, from, to. A key that explains nothing (it is
 * wider than a struct foreign_key, or its parent has no such column) keeps count 0 from there on.
 */
static struct err
read_foreign_column(struct schema_reader *s, sqlite3_stmt *st, struct foreign_key *key)
{
	struct bytes from;
	bool is_first = sqlite3_column_int(st, 0) == 0;

	TRY(copy_text(st, 3, s->arena, &from));
	int column = table_column(s->table, from);
	if (is_first) {
		TRY(copy_text(st, 1, s->arena, &key->parent));
		key->is_self = sqlite3_column_int(st, 2) != 0;
	}
	if ((!is_first && key->count == 0) || key->count == TABLE_KEY_MAX || column < 0 ||
	    sqlite3_column_type(st, 4) == SQLITE_NULL) {
		key->count = 0;
		return OK;
	}
	key->columns[key->count] = (uint16_t)column;
	return copy_text(st, 4, s->arena, &key->to[key->count++]);
}

/* Where the declaration names no columns of the parent, its key is meant. */
static struct err
read_foreign_keys(struct schema_reader *s, sqlite3 *db, const char *name)
{
	CLEANUP(finalize) sqlite3_stmt *st = NULL;
	struct foreign_key *keys = arena_array(s->arena, FOREIGN_MAX, sizeof *keys);
	size_t count = 0;
	int result;

	if (keys == NULL)
		return fail(ERR_LIMIT, "no memory for the schema of the database");
	TRY(prepare(db,
	            "SELECT f.seq, f.\"table\", f.\"table\" = ?1 COLLATE NOCASE, f.\"from\", "
	            "coalesce(f.\"to\","
	            " (SELECT p.name FROM pragma_table_xinfo(f.\"table\", 'main') AS p WHERE p.pk "
	            "= f.seq + 1))"
	            " FROM pragma_foreign_key_list(?1, 'main') AS f ORDER BY f.id, f.seq",
	            name, &st));
	while ((result = sqlite3_step(st)) == SQLITE_ROW) {
		count += sqlite3_column_int(st, 0) == 0;
		if (count > FOREIGN_MAX)
			break;
		TRY(read_foreign_column(s, st, &keys[count - 1]));
	}
	if (result != SQLITE_DONE && result != SQLITE_ROW)
		return sqlite_error(db, result);
	s->table->foreign = keys;
	s->table->foreign_count = count > FOREIGN_MAX ? FOREIGN_MAX : count;
	return OK;
}

struct err
sqlite_schema_read(sqlite3 *db, const char *name, struct arena *arena, const struct table **ret)
{
	struct schema_reader s = { .table = arena_alloc(arena, sizeof *s.table),
		                   .columns =
		                           arena_array(arena, TABLE_COLUMNS_MAX, sizeof *s.columns),
		                   .arena = arena,
		                   .rowid_alias = -1 };

	if (s.table == NULL || s.columns == NULL)
		return fail(ERR_LIMIT, "no memory for the schema of the database");
	s.table->columns = s.columns;
	TRY(read_table(&s, db, name));
	TRY(read_columns(&s, db, name));
	TRY(read_foreign_keys(&s, db, name));
	if (s.rowid_alias >= 0 && s.table->key_count == 1) {
		s.columns[s.rowid_alias].has_default = true;
		s.columns[s.rowid_alias].nullable = false;
	}
	*ret = s.table;
	return OK;
}
