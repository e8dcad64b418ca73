/* sql.c - see sql.h. */
#include "query/sql.h"

/* How a dialect quotes a name and marks a parameter. A closing quote inside a name is doubled. */
struct dialect_marks {
	uint8_t open, close;
	const char *parameter;
};

static struct dialect_marks
dialect_marks(enum dialect dialect)
{
	switch (dialect) {
	case DIALECT_SQLITE:
		return (struct dialect_marks){ '`', '`', "?" };
	case DIALECT_TSQL:
		return (struct dialect_marks){ '[', ']', "@p" };
	case DIALECT_POSTGRES:
		break;
	}
	return (struct dialect_marks){ '"', '"', "$" };
}

void
sql_init(struct sql *s, enum dialect dialect, struct arena *arena)
{
	*s = (struct sql){ .dialect = dialect, .arena = arena };
}

void
sql_done(struct sql *s)
{
	buf_done(&s->text);
}

void
sql_fail(struct sql *s, struct err error)
{
	if (!failed(s->error))
		s->error = error;
}

void
sql_put(struct sql *s, const char *text)
{
	if (!failed(s->error))
		buf_put_text(&s->text, text);
}

void
sql_put_name(struct sql *s, struct bytes name)
{
	struct dialect_marks marks = dialect_marks(s->dialect);

	if (name.len == 0 || bytes_find(name, 0) != name.len)
		sql_fail(s, fail(ERR_INVALID, "a name in the database is empty or holds a NUL"));
	if (failed(s->error))
		return;
	buf_put_u8(&s->text, marks.open);
	for (size_t i = 0; i < name.len; i++) {
		if (name.at[i] == marks.close)
			buf_put_u8(&s->text, marks.close);
		buf_put_u8(&s->text, name.at[i]);
	}
	buf_put_u8(&s->text, marks.close);
}

/* Room for one more value. Doubling leaves the old array in the arena: a few hundred bytes of one
 * request. */
static struct err
sql_grow(struct sql *s)
{
	if (s->value_count == SQL_PARAMETERS_MAX)
		return fail(ERR_LIMIT, "the statement has too many values");
	if (s->value_count < s->value_room)
		return OK;

	size_t room = s->value_room == 0 ? 8 : s->value_room * 2;
	struct value *values = arena_array(s->arena, room, sizeof *values);
	if (values == NULL)
		return fail(
			ERR_LIMIT,
			"the values of the statement do not fit into the memory of the request");
	if (s->value_count != 0)
		memcpy(values, s->values, s->value_count * sizeof *values);
	s->values = values;
	s->value_room = room;
	return OK;
}

static struct err
sql_append(struct sql *s, struct value value)
{
	TRY(sql_grow(s));
	TRY(value_copy(value, s->arena, &s->values[s->value_count]));
	s->value_count++;
	return OK;
}

void
sql_bind(struct sql *s, struct value value)
{
	if (failed(s->error))
		return;
	s->error = sql_append(s, value);
	if (failed(s->error))
		return;
	buf_put_text(&s->text, dialect_marks(s->dialect).parameter);
	buf_put_unsigned(&s->text, s->value_count);
}

struct err
sql_check(const struct sql *s)
{
	TRY(s->error);
	return buf_check(&s->text);
}
