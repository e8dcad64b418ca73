/* input.h - a file that a command was given, whole. */
#ifndef MAIN_INPUT_H
#define MAIN_INPUT_H

#include "base/buf.h"

/* `-` is standard input. Appends, at most up to the limit of the buffer. ERR_CONFIG: it cannot be
 * read; ERR_LIMIT: it is longer. */
struct err input_file(const char *path, struct buf *ret);

#endif
