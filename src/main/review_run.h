/* review_run.h - `gatewarden audit review`: reads configuration, state store and log, and prints.
 */
#ifndef MAIN_REVIEW_RUN_H
#define MAIN_REVIEW_RUN_H

#include <stdbool.h>

/* `file` NULL: gatewarden.yaml. Returns the exit status: 1 when the log has lines that are no
 * records, or the review is not complete, which it says. */
int review_run(const char *file, unsigned days, bool as_json);

#endif
