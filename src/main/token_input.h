/* token_input.h - a token from the command line or standard input. */
#ifndef MAIN_TOKEN_INPUT_H
#define MAIN_TOKEN_INPUT_H

#include "base/buf.h"

/* `-` reads standard input. White space around it is not part of it. `room` owns the text (wipe
 * it), *ret borrows. ERR_LIMIT: longer than any that could be looked at. */
struct err token_input(const char *argument, struct buf *room, struct bytes *ret);

#endif
