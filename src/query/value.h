/* value.h - the types every backend produces and every frontend understands. */
#ifndef QUERY_VALUE_H
#define QUERY_VALUE_H

#include "base/arena.h"
#include "base/bytes.h"

enum value_type {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT64,
	VALUE_DECIMAL, /* exact; as text: -?digits[.digits] */
	VALUE_DOUBLE,
	VALUE_TEXT,      /* UTF-8 */
	VALUE_BYTES,     /* base64 in JSON */
	VALUE_DATE,      /* text, RFC 3339 full-date */
	VALUE_TIME,      /* text */
	VALUE_TIMESTAMP, /* text, RFC 3339; UTC where the zone is missing */
	VALUE_UUID,      /* text, lower case with dashes */
	VALUE_JSON,      /* text that is one JSON value */
};

/* `bytes` borrows whoever produced the value: a row's values end with the next row. */
struct value {
	enum value_type type;
	union {
		bool boolean;
		int64_t int64;
		double real;
		struct bytes bytes; /* all other types */
	};
};

/* Does a value of this type use `bytes`? */
bool value_has_bytes(enum value_type type);
/* bytes copied into the arena where there are any. ERR_LIMIT when it is full. */
struct err value_copy(struct value from, struct arena *arena, struct value *ret);

#endif
