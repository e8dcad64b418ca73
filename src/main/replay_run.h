/* replay_run.h - `gatewarden audit replay`. */
#ifndef MAIN_REPLAY_RUN_H
#define MAIN_REPLAY_RUN_H

#include <stdbool.h>

#include "audit/verify.h"

/* Decides what `directory` records again under the configuration `policy` (a path). Returns the
 * exit status: 0 nothing would change, 1 something would, or some lines were no records, 2 it could
 * not be done. */
int replay_run(const char *policy, const char *directory, const struct query_filter *filter,
               bool as_json);

#endif
