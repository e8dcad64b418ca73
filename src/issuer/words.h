/* words.h - lists of words with a space between them: roles, scopes, redirect URIs. */
#ifndef ISSUER_WORDS_H
#define ISSUER_WORDS_H

#include "base/buf.h"

/* Takes the next word off the list. False at its end. */
bool words_next(struct bytes *words, struct bytes *ret);
bool words_have(struct bytes words, struct bytes word);
size_t words_count(struct bytes words);
/* Appends a word to a list. */
void words_put(struct buf *out, struct bytes word);
/* Appends the words that are in both, once each, in the order of `a`. */
void words_put_common(struct buf *out, struct bytes a, struct bytes b);

#endif
