/* generation.h - one configuration with the sockets its workers listen on. A reload makes the next
 * one. */
#ifndef PROCESS_GENERATION_H
#define PROCESS_GENERATION_H

#include "process/role.h"

struct generation {
	unsigned number; /* from 1; never used twice */
	struct arena arena;
	const struct settings *settings;
	uint64_t certificates;         /* certificates_seen() before its workers read them */
	int config;                    /* memfd of its text */
	int admin;                     /* -1: none */
	int http[METRICS_WORKERS_MAX]; /* one for each worker */
};

/* Reads the file and binds. Sockets whose address `before` (or NULL) has are shared with it, so
 * connections that wait in their queues are not lost. Errors have been written to standard error,
 * each with its place. */
struct err generation_open(const char *file, unsigned number, const struct generation *before,
                           struct generation **ret);
/* Takes NULL. */
void generation_free(struct generation *g);

#endif
