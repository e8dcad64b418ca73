/* cmd_token.h - `gatewarden token`: the token doctor. Which check passes or fails, expected and
 * got. */
#ifndef MAIN_CMD_TOKEN_H
#define MAIN_CMD_TOKEN_H

/* argv[0] is "token". Reads the configuration, the key files and, for local issuers, the public
 * keys in the state store; contacts nobody and never prints the token. Returns 0: accepted, 1:
 * refused, 2: wrong usage, or nothing can be said (no configuration, no keys). */
int cmd_token(int argc, char **argv);

#endif
