/* sqlite_value.c - between struct value and SQLite's storage classes (sqlite.org/datatype3.html).
 */
#include "backend/sqlite_value.h"

#include <math.h>
#include <stdlib.h>

#include "base/macros.h"
#include "format/json.h"
#include "format/moment.h"

static int
bind_one(sqlite3_stmt *st, int n, const struct value *v)
{
	/* A NULL pointer would bind NULL: an empty value needs an address. */
	const void *at = v->bytes.at != NULL ? (const void *)v->bytes.at : "";

	switch (v->type) {
	case VALUE_NULL:
		return sqlite3_bind_null(st, n);
	case VALUE_BOOL:
		return sqlite3_bind_int(st, n, v->boolean);
	case VALUE_INT64:
		return sqlite3_bind_int64(st, n, v->int64);
	case VALUE_DOUBLE:
		return sqlite3_bind_double(st, n, v->real);
	case VALUE_BYTES:
		return sqlite3_bind_blob64(st, n, at, v->bytes.len, SQLITE_STATIC);
	case VALUE_DECIMAL:
	case VALUE_TEXT:
	case VALUE_DATE:
	case VALUE_TIME:
	case VALUE_TIMESTAMP:
	case VALUE_UUID:
	case VALUE_JSON:
		break;
	}
	return sqlite3_bind_text64(st, n, at, v->bytes.len, SQLITE_STATIC, SQLITE_UTF8);
}

int
sqlite_value_bind(sqlite3_stmt *st, const struct value *values, size_t count)
{
	if (sqlite3_bind_parameter_count(st) != (int)count)
		return SQLITE_MISUSE;
	for (size_t i = 0; i < count; i++) {
		int result = bind_one(st, (int)i + 1, &values[i]);
		if (result != SQLITE_OK)
			return result;
	}
	return SQLITE_OK;
}

/* -?digits[.digits] */
static bool
is_decimal(struct bytes t)
{
	size_t i = t.len > 0 && t.at[0] == '-', digits = 0, dots = 0;

	for (; i < t.len; i++) {
		if (t.at[i] == '.' && digits > 0 && dots == 0)
			dots = 1, digits = 0;
		else if (t.at[i] >= '0' && t.at[i] <= '9')
			digits++;
		else
			return false;
	}
	return digits > 0;
}

static bool
is_uuid(struct bytes t)
{
	if (t.len != 36)
		return false;
	for (size_t i = 0; i < t.len; i++) {
		uint8_t c = t.at[i];
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (c != '-')
				return false;
		} else if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
			return false;
		}
	}
	return true;
}

static bool
is_json(struct bytes t, struct arena *scratch)
{
	const struct json *ignored;
	bool valid = !failed(json_parse(t, scratch, &ignored, NULL));

	arena_reset(scratch);
	return valid;
}

/* moment_parse_timestamp() takes a blank for the T, which not every reader of RFC 3339 does. */
static bool
is_timestamp(struct bytes t)
{
	int64_t ignored;

	return t.len > 10 && t.at[10] == 'T' && moment_parse_timestamp(t, &ignored);
}

static bool
text_fits(struct bytes t, enum value_type declared, struct arena *scratch)
{
	switch (declared) {
	case VALUE_DECIMAL:
		return is_decimal(t);
	case VALUE_DATE:
		return moment_is_date(t);
	case VALUE_TIME:
		return moment_is_time(t);
	case VALUE_TIMESTAMP:
		return is_timestamp(t);
	case VALUE_UUID:
		return is_uuid(t);
	case VALUE_JSON:
		return is_json(t, scratch);
	case VALUE_NULL:
	case VALUE_BOOL:
	case VALUE_INT64:
	case VALUE_DOUBLE:
	case VALUE_TEXT:
	case VALUE_BYTES:
		break;
	}
	return false;
}

static struct bytes
text_of(sqlite3_value *stored)
{
	const uint8_t *at = sqlite3_value_text(stored); /* before the length: it may convert */

	return (struct bytes){ at, at != NULL ? (size_t)sqlite3_value_bytes(stored) : 0 };
}

static struct value
text_value(sqlite3_value *stored, enum value_type declared, struct arena *scratch)
{
	struct value v = { .type = VALUE_TEXT, .bytes = text_of(stored) };

	if (!bytes_is_utf8(v.bytes))
		v.type = VALUE_BYTES;
	else if (declared != VALUE_TEXT && text_fits(v.bytes, declared, scratch))
		v.type = declared;
	return v;
}

/* n / 10^scale as text, at the end of `digits`. */
static struct bytes
put_digits(int64_t n, unsigned scale, char *digits)
{
	uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
	size_t at = DIGITS_ROOM;

	for (unsigned place = 0; left > 0 || place <= scale; place++) {
		if (place == scale && scale > 0)
			digits[--at] = '.';
		digits[--at] = (char)('0' + left % 10);
		left /= 10;
	}
	if (n < 0)
		digits[--at] = '-';
	return (struct bytes){ (const uint8_t *)digits + at, DIGITS_ROOM - at };
}

/* SQLite keeps a decimal with a fraction as the nearest double. A whole number below 2^53 and a
 * small power of ten are exact, so their quotient is the double nearest to that decimal: when it is
 * `real`, the decimal is what was meant. Ten times as fast as printing and reading back. */
static bool
put_short_decimal(double real, char *digits, struct bytes *ret)
{
	static const double powers[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6 };

	for (unsigned scale = 0; scale < ARRAY_LEN(powers); scale++) {
		double whole = real * powers[scale];
		if (!(fabs(whole) < 9007199254740992.0))
			return false;
		int64_t n = (int64_t)(whole < 0 ? whole - 0.5 : whole + 0.5);
		if ((double)n / powers[scale] == real) {
			*ret = put_digits(n, scale, digits);
			return true;
		}
	}
	return false;
}

static struct value
integer_value(sqlite3_value *stored, enum value_type declared, char *digits)
{
	int64_t n = sqlite3_value_int64(stored);

	if (declared == VALUE_BOOL && (n == 0 || n == 1))
		return (struct value){ .type = VALUE_BOOL, .boolean = n == 1 };
	if (declared == VALUE_DECIMAL)
		return (struct value){ .type = VALUE_DECIMAL, .bytes = put_digits(n, 0, digits) };
	return (struct value){ .type = VALUE_INT64, .int64 = n };
}

/* SQLite's own text of a double has 15 digits; where they do not give the same double again, or
 * need an exponent, the double itself is the exact answer. */
static struct value
real_value(sqlite3_value *stored, enum value_type declared, char *digits)
{
	double real = sqlite3_value_double(stored);
	struct value v = { .type = VALUE_DECIMAL };

	if (declared == VALUE_DECIMAL && put_short_decimal(real, digits, &v.bytes))
		return v;
	if (declared == VALUE_DECIMAL && isfinite(real)) {
		v.bytes = text_of(stored);
		if (is_decimal(v.bytes) && strtod((const char *)v.bytes.at, NULL) == real)
			return v;
	}
	return (struct value){ .type = VALUE_DOUBLE, .real = real };
}

struct value
sqlite_value_column(sqlite3_stmt *st, int column, enum value_type declared, struct arena *scratch,
                    char *digits)
{
	/* One call per value that locks: our connections have no mutex (SQLITE_OPEN_NOMUTEX), so
	 * the value may be asked directly, which costs a third of sqlite3_column_*(). */
	sqlite3_value *stored = sqlite3_column_value(st, column);

	switch (sqlite3_value_type(stored)) {
	case SQLITE_INTEGER:
		return integer_value(stored, declared, digits);
	case SQLITE_FLOAT:
		return real_value(stored, declared, digits);
	case SQLITE_TEXT:
		return text_value(stored, declared, scratch);
	case SQLITE_BLOB: {
		const uint8_t *at = sqlite3_value_blob(stored);
		return (struct value){ .type = VALUE_BYTES,
			               .bytes = { at, (size_t)sqlite3_value_bytes(stored) } };
	}
	}
	return (struct value){ .type = VALUE_NULL };
}

struct declaration {
	const char *part; /* upper case */
	bool is_start;    /* must stand at the start; else anywhere */
	enum value_type type;
};

/* In this order, first hit wins. Words SQLite itself does not know come first; the rest is its own
 * affinity rule (datatype3.html, section 3.1). */
static const struct declaration declarations[] = {
	{ "BOOL", true, VALUE_BOOL },           { "UUID", true, VALUE_UUID },
	{ "GUID", true, VALUE_UUID },           { "UNIQUEIDENTIFIER", true, VALUE_UUID },
	{ "JSON", true, VALUE_JSON },           { "DATETIME", true, VALUE_TIMESTAMP },
	{ "TIMESTAMP", true, VALUE_TIMESTAMP }, { "DATE", true, VALUE_DATE },
	{ "TIME", true, VALUE_TIME },           { "INT", false, VALUE_INT64 },
	{ "CHAR", false, VALUE_TEXT },          { "CLOB", false, VALUE_TEXT },
	{ "TEXT", false, VALUE_TEXT },          { "BLOB", false, VALUE_BYTES },
	{ "BINARY", false, VALUE_BYTES },       { "REAL", false, VALUE_DOUBLE },
	{ "FLOA", false, VALUE_DOUBLE },        { "DOUB", false, VALUE_DOUBLE },
	{ "DEC", true, VALUE_DECIMAL },         { "NUM", true, VALUE_DECIMAL },
	{ "MONEY", true, VALUE_DECIMAL },
};

enum value_type
sqlite_value_type(const char *declaration)
{
	for (size_t i = 0; i < ARRAY_LEN(declarations); i++) {
		const struct declaration *d = &declarations[i];
		size_t len = strlen(d->part), room = strlen(declaration);
		for (size_t at = 0; at + len <= room && (at == 0 || !d->is_start); at++)
			if (sqlite3_strnicmp(declaration + at, d->part, (int)len) == 0)
				return d->type;
	}
	return VALUE_TEXT;
}
