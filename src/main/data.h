/* data.h - what is configured, held against the data that is there: backends opened, tables read,
 * policy compiled. Asks the backends for their schemas, nothing else. */
#ifndef MAIN_DATA_H
#define MAIN_DATA_H

#include "backend/backend.h"

struct data {
	struct arena arena; /* owned */
	const struct settings *settings;
	struct backend **backends;   /* in the arena; NULL where not opened */
	const struct policy *policy; /* in the arena */
};

/* Goes on behind an error: all of them are added to `errors`. `settings` must outlive it. */
struct err data_open(struct data *d, const struct settings *settings, struct config_errors *errors);
/* Takes a zeroed one. */
void data_done(struct data *d);

#endif
