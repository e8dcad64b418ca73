/* password_input.h - a password, or its hash, from whoever runs a command: from the terminal,
 * unseen and twice, or as one line of standard input when that is no terminal. */
#ifndef MAIN_PASSWORD_INPUT_H
#define MAIN_PASSWORD_INPUT_H

#include "issuer/issuer.h"

/* On the stack; wiped by CLEANUP. */
struct password {
	uint8_t at[PASSWORD_MAX + 2]; /* room to see that it is too long */
	size_t len;
};
void password_done(struct password *p);
/* ERR_INVALID: empty input, the two differ, or password_acceptable() refuses: why says it.
 * ERR_SYSTEM. */
struct err password_input(struct password *ret);
/* The same for a password's hash that another program made, asked for once. Blanks around it are
 * dropped. ERR_INVALID: no argon2 PHC string, or out of the bounds of issuer/phc.h. */
struct err password_hash_input(struct password *ret);

#endif
