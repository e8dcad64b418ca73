/* Any text as SQL of any dialect: the normal form is bounded, holds no literal and no control byte.
 */
#include <stdlib.h>

#include "query/fingerprint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Outside of quoted names no string, digit-led number or comment is left. */
static void
check_normal(struct bytes text)
{
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i];

		if (c == '"')
			quoted = !quoted;
		if (!quoted && (c < ' ' || c == '\'' || (c >= 'A' && c <= 'Z')))
			abort();
		if (!quoted && c >= '0' && c <= '9' && (i == 0 || text.at[i - 1] == ' '))
			abort();
	}
	if (quoted)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum dialect dialect = size == 0 ? DIALECT_SQLITE : (enum dialect)(data[0] % 3);
	struct bytes text = { data + (size != 0), size == 0 ? 0 : size - 1 };
	struct bytes key = { (const uint8_t *)"key", 3 };
	uint8_t once[FINGERPRINT_LEN], again[FINGERPRINT_LEN];
	struct buf out = { 0 };

	if (sql_normalise(text, dialect, &out)) {
		if (out.len > 3 * size)
			abort();
		check_normal((struct bytes){ out.at, out.len });
	}
	buf_done(&out);
	sql_fingerprint(text, dialect, key, once);
	sql_fingerprint(text, dialect, key, again);
	if (memcmp(once, again, sizeof once) != 0)
		abort();
	return 0;
}
