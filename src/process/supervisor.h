/* supervisor.h - the parent: reads the configuration, binds ports, starts, restarts and reloads the
 * others. It never reads a byte of a client. */
#ifndef PROCESS_SUPERVISOR_H
#define PROCESS_SUPERVISOR_H

/* Runs until SIGTERM or SIGINT. Exit status: 0; 2 when it cannot run as configured (said on
 * standard error). */
int supervisor_run(const char *config_file);

#endif
