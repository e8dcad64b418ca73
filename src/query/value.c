/* value.c - see value.h. */
#include "query/value.h"

#include "base/macros.h"

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
			return fail(ERR_LIMIT,
			            "a value does not fit into the memory of the request");
	}
	*ret = from;
	return OK;
}
