/* prepare.h - what the supervisor sets up once, before it starts the first process. */
#ifndef PROCESS_PREPARE_H
#define PROCESS_PREPARE_H

#include "config/settings.h"
#include "frontend/metrics.h"

/* Nothing we were started with reaches a child but standard output and error: any other open file
 * would be a hole in its sandbox. Our mask and what we ignore are our own, too. */
struct err prepare_inheritance(void);
/* As many descriptors as the system lets us have; says so when they are fewer than the settings ask
 * for. */
void prepare_descriptors(const struct settings *settings);
/* Made with mode 0700 unless it is there. */
struct err prepare_folder(const char *path);
/* The shared page, as a memfd and mapped. */
struct err prepare_metrics(int *ret_fd, struct metrics **ret);

#endif
