/* renewal.h - certificates that are renewed on the disk come into use by themselves: a file that
 * changes is a reload, as SIGHUP is one. */
#ifndef PROCESS_RENEWAL_H
#define PROCESS_RENEWAL_H

#include "process/children.h"

struct err renewal_start(struct supervisor *s);
/* A reload begins or has ended: what the files are now has been tried. */
void renewal_tried(struct supervisor *s, uint64_t seen);

#endif
