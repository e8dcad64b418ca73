/* reload.h - the next generation of workers beside the present one: started, taken into use or
 * given up. */
#ifndef PROCESS_RELOAD_H
#define PROCESS_RELOAD_H

#include "process/children.h"

/* Reads the configuration again and starts workers with it. */
void reload(struct supervisor *s);
/* All of the next generation stand ready: from here on it serves. */
void finish_reload(struct supervisor *s);
/* Gives the next generation up. Without one: no effect. */
void end_reload(struct supervisor *s, const char *why);

/* Starts fetcher, where this configuration has something to fetch and none is there. */
struct err need_fetcher(struct supervisor *s, const struct generation *g);
struct err start_workers(struct supervisor *s, const struct generation *g);
void drain_generation(struct supervisor *s, const struct generation *g);

#endif
