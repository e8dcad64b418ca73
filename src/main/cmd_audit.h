/* cmd_audit.h - `gatewarden audit verify|query|export`. */
#ifndef MAIN_CMD_AUDIT_H
#define MAIN_CMD_AUDIT_H

/* argv[0] is "audit". Returns the exit code: 0 done; 1 the log does not verify, or holds lines that
 * are no records; 2 wrong usage, or cannot run. Results go to standard output, all else to standard
 * error. */
int cmd_audit(int argc, char **argv);
/* Its verbs with all their options, for the help: indented lines. */
extern const char cmd_audit_usage[];

#endif
