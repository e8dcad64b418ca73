/* cmd_user.h - `gatewarden user add|passwd|disable|enable|list`: local users, right in the state
 * store. */
#ifndef MAIN_CMD_USER_H
#define MAIN_CMD_USER_H

/* argv[0] is "user". Returns the exit status: 0 done; 1 refused (the name is taken or unknown, an
 * unfit name or password); 2 wrong usage, or the configuration or the store does not work. */
int cmd_user(int argc, char **argv);

#endif
