/* loaded.h - the configuration as a command needs it: loaded and checked, what is wrong already
 * printed. */
#ifndef MAIN_LOADED_H
#define MAIN_LOADED_H

#include "config/config.h"
#include "identity/issuers.h"

struct loaded {
	struct arena arena;              /* owned */
	const struct settings *settings; /* in it */
	const char *command;             /* borrowed: for messages */
	struct err
		error; /* why it could not be loaded; `sys` is set when the file cannot be read */
};

/* `file` NULL: gatewarden.yaml. false: every error was printed. */
bool loaded_open(struct loaded *l, const char *command, const char *file);
void loaded_done(struct loaded *l);

/* The issuers with the keys that are here: from the files of `jwks`, and the public keys of our own
 * out of the state store, which is only read; what it says is revoked is known too. A store that
 * cannot be read is a warning: the token may be another issuer's. false: could not be made, and why
 * was printed. */
bool loaded_issuers(const struct loaded *l, struct issuers **ret);

/* That somebody changed who may log in stands in the system's log too, with the uid: the audit log
 * gets it from keeper, which cannot know whose command it was. `name` is the account. */
void loaded_note(const struct loaded *l, const char *verb, const char *name);

/* `gatewarden COMMAND: [about: ]why`, with the system's word where there is one. `about` may be
 * NULL. */
void complain(const char *command, const char *about, struct err e);
/* Prints config errors, if any. */
void complain_config(const struct config_errors *errors);

#endif
