/* asset.c - looks a path up among the files that are part of the program. */
#include "frontend/asset.h"

const struct asset *
asset_find(struct bytes path)
{
	for (size_t i = 0; i < asset_count; i++)
		if (bytes_is(path, asset_table[i].path))
			return &asset_table[i];
	return NULL;
}
