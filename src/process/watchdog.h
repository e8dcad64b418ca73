/* watchdog.h - a process that lives but does not answer is as good as dead, and is made so: it is
 * killed and started again like any other that ended, and whoever waited for it gets a 503. */
#ifndef PROCESS_WATCHDOG_H
#define PROCESS_WATCHDOG_H

#include "base/err.h"

struct child;
struct supervisor;

/* Seconds of silence that are too many. Longer than a slow disk makes the ledger wait. */
enum { WATCHDOG_SILENCE_S = 10 };

struct err watchdog_start(struct supervisor *s);
/* It answered. */
void watchdog_heard(struct child *c);

#endif
