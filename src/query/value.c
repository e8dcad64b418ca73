/* value.c - see value.h. */
#include "query/value.h"

#include "base/macros.h"

const char *
value_type_name(enum value_type type)
{
	static const char *const names[] = {
		[VALUE_NULL] = "null",
		[VALUE_BOOL] = "bool",
		[VALUE_INT64] = "int64",
		[VALUE_DECIMAL] = "decimal",
		[VALUE_DOUBLE] = "double",
		[VALUE_TEXT] = "text",
		[VALUE_BYTES] = "bytes",
		[VALUE_DATE] = "date",
		[VALUE_TIME] = "time",
		[VALUE_TIMESTAMP] = "timestamp",
		[VALUE_UUID] = "uuid",
		[VALUE_JSON] = "json",
	};

	return (size_t)type < ARRAY_LEN(names) ? names[type] : "unknown";
}

bool
value_has_bytes(enum value_type type)
{
	return type > VALUE_DOUBLE || type == VALUE_DECIMAL;
}

struct err
value_copy(struct value from, struct arena *arena, struct value *ret)
{
	if (value_has_bytes(from.type) && from.bytes.len != 0) {
		from.bytes = arena_copy(arena, from.bytes);
		if (from.bytes.at == NULL)
			return fail(ERR_LIMIT, "a value does not fit into the memory of the request");
	}
	*ret = from;
	return OK;
}
