/* json_text.h - one string of a JSON text; for the reader only. */
#ifndef FORMAT_JSON_TEXT_H
#define FORMAT_JSON_TEXT_H

#include "base/arena.h"

/* `in` stands on the opening quote, and afterwards behind the closing one. *ret borrows the input,
 * or the arena where something was escaped. On failure *fault is the byte that is wrong. Errors:
 * ERR_PEER; ERR_LIMIT for memory. */
struct err json_text_read(struct reader *in, struct arena *arena, struct bytes *ret,
                          const uint8_t **fault);

#endif
