/* config_reader.h - what the parts of the loader share. Private to src/config. */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "config/config_tables.h"
#include "config/config_yaml.h"

struct config_reader {
	struct problems problems;
	struct arena scratch;      /* the tree and the messages: ends with the load */
	struct arena *arena;       /* borrowed: the settings and all they point to */
	struct settings *settings; /* under construction */
};

/* Zeroed memory for settings; NULL (and noted) when there is none. */
void *reader_array(struct config_reader *r, size_t count, size_t size);
const char *reader_text(struct config_reader *r, struct bytes text);

/* `NAME what; expected ...` by the table. */
void value_refuse(struct config_reader *r, const struct setting *s, struct place at,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The text of a scalar with ${env:NAME} put in. False: it is none, which was said. */
bool value_text(struct config_reader *r, const struct setting *s, const struct node *n,
                struct bytes *ret);
/* Reads a value that is one scalar, or a list of them, into `field`; `count` for lists. */
void value_read(struct config_reader *r, const struct setting *s, const struct node *n, void *field,
                size_t *count);
void frequency_read(struct config_reader *r, const struct setting *s, const struct node *n,
                    unsigned *ret, unsigned *ret_s);

/* The path made absolute, in the arena of the settings. */
const char *reader_path(struct config_reader *r, struct bytes text);

/* Reads a mapping by the rows of `section` into the struct at `base`. `n` may be NULL: all is
 * default. */
void section_read(struct config_reader *r, const struct section *section, const struct node *n,
                  const struct setting *of, void *base);

/* References by name, and the rules of a resource. */
void entry_name_read(struct config_reader *r, const struct setting *s, const struct node *n,
                     unsigned *ret);
void grants_read(struct config_reader *r, const struct setting *s, const struct node *n,
                 void *field, size_t *count);
void rules_read(struct config_reader *r, const struct setting *s, const struct node *n, void *field,
                size_t *count);

void methods_read(struct config_reader *r, const struct setting *s, const struct node *n,
                  void *field, size_t *count);

/* struct required_claim: a value, or a list of them, for each claim. */
void claims_read(struct config_reader *r, const struct setting *s, const struct node *n,
                 void *field, size_t *count);

/* What no single row can say, and what follows from several: after everything was read. */
void settings_check(struct config_reader *r, const struct node *root);

#endif
