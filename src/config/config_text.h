/* config_text.h - how values are written: quantities with their units, and what each setting
 * expects in words. Pure; used by errors, schema and manual alike. Private to src/config. */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include "base/buf.h"
#include "config/config_tables.h"

struct unit {
	const char *name;
	uint64_t factor;
};

struct units {
	const char *what; /* "a duration" */
	const char *example;
	const char *base;        /* unit in which 0 is written */
	const struct unit *rows; /* ascending by factor */
	size_t count;
};

extern const struct units units_duration; /* in milliseconds */
extern const struct units units_size;     /* in bytes */

/* NULL for kinds that have no unit. *scale: one of the setting's own unit, in the units' smallest.
 */
const struct units *setting_units(const struct setting *s, uint64_t *scale);

enum quantity {
	QUANTITY_OK,
	QUANTITY_NO_UNIT,
	QUANTITY_NO_NUMBER,
	QUANTITY_UNKNOWN_UNIT,
	QUANTITY_OVERFLOW
};
/* "15m" -> 900000. Digits, then a unit, nothing else. */
enum quantity quantity_parse(struct bytes text, const struct units *units, uint64_t *ret);
/* "0.5%" -> 5000: parts in a million; at most four decimals. */
bool share_parse(struct bytes text, uint64_t *ret);
/* s, min, h; 0 for anything else. */
unsigned frequency_seconds(struct bytes unit);
/* In the largest unit that leaves no remainder: "15m". */
void quantity_put(struct buf *out, uint64_t value, const struct units *units);

/* "a duration from 1s to 15m, such as 30s". */
void setting_put_expected(struct buf *out, const struct setting *s);

#endif
