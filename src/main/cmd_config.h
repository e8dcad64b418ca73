/* cmd_config.h - `gatewarden run|check|schema|manual`. argv[0] is the command; each returns the
 * exit status. */
#ifndef MAIN_CMD_CONFIG_H
#define MAIN_CMD_CONFIG_H

int cmd_run(int argc, char **argv);
/* 1: there are errors, each printed with file:line:column; 2 also when the file cannot be read. */
int cmd_check(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_manual(int argc, char **argv);

#endif
