/* cmd_revoke.h - `gatewarden revoke`: what was given is refused from now on. */
#ifndef MAIN_CMD_REVOKE_H
#define MAIN_CMD_REVOKE_H

int cmd_revoke(int argc, char **argv);

#endif
