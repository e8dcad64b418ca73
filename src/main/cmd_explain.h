/* cmd_explain.h - `gatewarden explain`: what policy would decide on a request, and by which rule.
 */
#ifndef MAIN_CMD_EXPLAIN_H
#define MAIN_CMD_EXPLAIN_H

/* argv[0] is "explain"; `(--token T | --role R…) [--claims JSON] METHOD PATH`. Opens the backends
 * for their schemas, asks them nothing else. Returns 0: allowed, 1: denied or the token is refused,
 * 2: wrong usage or it cannot be said. */
int cmd_explain(int argc, char **argv);

#endif
