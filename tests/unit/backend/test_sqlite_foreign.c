/* test_sqlite_foreign.c - a broken foreign key says which side is broken, and which column. */
#include "fixture.h"

static const char schema[] =
	"CREATE TABLE author (id INTEGER PRIMARY KEY, code TEXT UNIQUE);"
	"CREATE TABLE edition (book INT, number INT, PRIMARY KEY (book, number));"
	"CREATE TABLE t (id INTEGER PRIMARY KEY, author INT REFERENCES AUTHOR, code TEXT "
	"REFERENCES author(Code),"
	" above INT REFERENCES T(id), book INT, number INT DEFAULT 1,"
	" FOREIGN KEY (book, number) REFERENCES edition);"
	"CREATE TABLE tag (t INT REFERENCES t(id), word TEXT, PRIMARY KEY (t, word));"
	"INSERT INTO author VALUES (1, 'ms'), (2, 'jb');"
	"INSERT INTO edition VALUES (5, 1), (5, 2);"
	"INSERT INTO t VALUES (1, 1, 'ms', NULL, 5, 1), (2, NULL, NULL, 1, NULL, NULL);"
	"INSERT INTO tag VALUES (1, 'old');";

enum { ID, AUTHOR, CODE, ABOVE, BOOK, NUMBER, COLUMNS };

static const char missing[] = "a row this one refers to is missing";
static const char others[] = "other rows refer to this one";
static const char either[] = "is missing, or another refers to it";

/* NULL: not set. "-": NULL. */
static struct operation
write_of(enum operation_kind kind, const struct value *key, const char *const *texts,
         uint16_t *columns, struct value *values)
{
	struct operation op = {
		.kind = kind, .key = key, .set_columns = columns, .set_values = values
	};

	for (uint16_t i = 0; i < COLUMNS; i++) {
		if (texts[i] == NULL)
			continue;
		columns[op.set_count] = i;
		values[op.set_count++] = strcmp(texts[i], "-") == 0
		                                 ? (struct value){ .type = VALUE_NULL }
		                         : i == CODE ? text_value(texts[i])
		                                     : int_value(atoll(texts[i]));
	}
	return op;
}

static void
test_broken_foreign_key_tells_its_side_and_column(void)
{
	static const struct {
		enum operation_kind kind;
		const char *texts[COLUMNS];
		const char *why, *column;
	} rows[] = {
		{ OPERATION_INSERT, { "7", "9" }, missing, "author" },
		{ OPERATION_INSERT, { "7", "1", "zz" }, missing, "code" },
		{ OPERATION_INSERT, { "7", "1", "ms", "99" }, missing, "above" },
		{ OPERATION_INSERT,
		  { "7", "1", "zz", "7" },
		  missing,
		  "code" }, /* refers to itself, rightly */
		{ OPERATION_INSERT, { "7", "1", NULL, "-", "5", "3" }, missing, "book" },
		{ OPERATION_INSERT, { "7", "9", NULL, NULL, "-", "3" }, missing, "author" },
		{ OPERATION_INSERT,
		  { "7", "1", NULL, NULL, "6" },
		  either,
		  "" }, /* half of the key is a default */
		{ OPERATION_UPDATE, { NULL, "9" }, missing, "author" },
		{ OPERATION_UPDATE, { NULL, NULL, "zz" }, missing, "code" },
		{ OPERATION_UPDATE, { NULL, NULL, NULL, NULL, NULL, "3" }, either, "" },
		{ OPERATION_UPDATE, { "70", "2" }, others, "" },
		{ OPERATION_UPDATE, { "70", "-" }, others, "" },
		{ OPERATION_DELETE, { NULL }, others, "" },
	};
	struct fixture f;
	const struct value key = int_value(1);
	uint16_t columns[COLUMNS];
	struct value values[COLUMNS];

	fixture_start(&f, schema, "t");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char row[16];

		snprintf(row, sizeof row, "row %zu", i);
		CHECK_ROW(!run(&f, write_of(rows[i].kind, &key, rows[i].texts, columns, values)),
		          row);
		CHECK_ROW(error_is(&f, ERR_CONFLICT, rows[i].why), row);
		CHECK_ROW(strcmp(f.column, rows[i].column) == 0, row);
	}
	CHECK(sql_number(f.path, "SELECT count(*) FROM t WHERE id = 1 AND author = 1") == 1);
	CHECK(sql_number(f.path, "SELECT count(*) FROM t") == 2);
	fixture_done(&f);
}

/* PUT reads a conflict that names the key as "this key is taken", and hides it. */
static void
test_foreign_key_within_the_key_is_not_named(void)
{
	struct fixture f;
	static const uint16_t columns[] = { 0, 1 };
	const struct value values[] = { int_value(9), text_value("new") };

	fixture_start(&f, schema, "tag");
	CHECK(!run(&f, (struct operation){ .kind = OPERATION_INSERT,
	                                   .set_columns = columns,
	                                   .set_values = values,
	                                   .set_count = 2 }));
	CHECK(error_is(&f, ERR_CONFLICT, missing) && f.column[0] == 0);
	fixture_done(&f);
}

static void
test_deferred_delete_of_a_referenced_row_tells_so(void)
{
	struct fixture f;
	const struct value key = int_value(1);

	fixture_start(&f,
	              "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);"
	              "CREATE TABLE a (t INT REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED);"
	              "INSERT INTO a VALUES (1)",
	              "t");
	CHECK(!run(&f, (struct operation){ .kind = OPERATION_DELETE, .key = &key }));
	CHECK(error_is(&f, ERR_CONFLICT, others) && f.column[0] == 0);
	CHECK(sql_number(f.path, "SELECT count(*) FROM t") == 1);
	fixture_done(&f);
}

static void
test_schema_gives_foreign_keys(void)
{
	struct fixture f;

	fixture_start(&f, schema, "t");
	const struct table *t = f.table;
	CHECK(t->foreign_count == 4);
	for (size_t i = 0; i < t->foreign_count; i++) {
		const struct foreign_key *k = &t->foreign[i];

		CHECK(k->is_self == (k->columns[0] == ABOVE));
		if (k->columns[0] == BOOK)
			CHECK(k->count == 2 && k->columns[1] == NUMBER &&
			      bytes_is(k->to[0], "book") && bytes_is(k->to[1], "number") &&
			      bytes_is(k->parent, "edition"));
		else
			CHECK(k->count == 1);
		if (k->columns[0] == AUTHOR)
			CHECK(bytes_is(k->to[0], "id"));
	}
	CHECK(!failed(fixture_table(&f, "author")) && f.table->foreign_count == 0);
	fixture_done(&f);
}

TESTS(TEST(test_broken_foreign_key_tells_its_side_and_column),
      TEST(test_foreign_key_within_the_key_is_not_named),
      TEST(test_deferred_delete_of_a_referenced_row_tells_so), TEST(test_schema_gives_foreign_keys))
