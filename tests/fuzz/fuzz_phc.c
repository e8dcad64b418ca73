/* fuzz_phc.c - the parser of stored password hashes: within bounds or refused, and one spelling
 * only. */
#include <stdlib.h>

#include "issuer/phc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct phc p, again;
	struct buf text = { 0 };

	if (failed(phc_parse((struct bytes){ data, size }, &p)))
		return 0;
	if (p.memory_kib > PHC_MEMORY_MAX_KIB || p.passes > PHC_PASSES_MAX ||
	    p.lanes > PHC_LANES_MAX || p.salt_len > PHC_SALT_MAX || p.tag_len > PHC_TAG_MAX ||
	    p.memory_kib < 8 * p.lanes)
		abort();
	phc_put(&p, &text);
	if (failed(phc_parse(buf_bytes(&text), &again)) || memcmp(&p, &again, sizeof p) != 0)
		abort();
	/* What had a version is written exactly as it came. */
	if (text.len == size && memcmp(text.at, data, size) != 0)
		abort();
	buf_done(&text);
	return 0;
}
