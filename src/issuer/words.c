/* words.c - see words.h. */
#include "issuer/words.h"

bool
words_next(struct bytes *words, struct bytes *ret)
{
	while (words->len > 0) {
		size_t len = bytes_find(*words, ' ');

		*ret = bytes_slice(*words, 0, len);
		*words = bytes_slice(*words, len + 1, words->len);
		if (len > 0)
			return true;
	}
	return false;
}

bool
words_have(struct bytes words, struct bytes word)
{
	struct bytes one;

	while (words_next(&words, &one))
		if (bytes_equal(one, word))
			return true;
	return false;
}

size_t
words_count(struct bytes words)
{
	struct bytes one;
	size_t count = 0;

	while (words_next(&words, &one))
		count++;
	return count;
}

void
words_put(struct buf *out, struct bytes word)
{
	if (out->len > 0)
		buf_put_u8(out, ' ');
	buf_put(out, word);
}

void
words_put_common(struct buf *out, struct bytes a, struct bytes b)
{
	struct bytes one;

	while (words_next(&a, &one))
		if (words_have(b, one) && !words_have(buf_bytes(out), one))
			words_put(out, one);
}
