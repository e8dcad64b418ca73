/* route_path.h - the paths of routes as they are written: segments behind slashes, each a literal
 * or a star for any one; a star at the end stands for any number, also none. Pure. */
#ifndef CONFIG_ROUTE_PATH_H
#define CONFIG_ROUTE_PATH_H

#include "config/route_settings.h"

#include "base/bytes.h"

enum { ROUTE_SEGMENTS_MAX = 32 }; /* a path of a request has no more (format/url.h) */

/* The next segment, which is cut off *rest with its slash; false at the end. `rest` begins as the
 * path of a route or as its `strip`. */
bool route_path_next(struct bytes *rest, struct bytes *ret);
static inline bool
route_path_is_star(struct bytes segment)
{
	return segment.len == 1 && segment.at[0] == '*';
}

/* Does `a` fit every host and path that `b` fits? */
bool route_covers(const struct route_settings *a, const struct route_settings *b);

/* Is `prefix` the leading segments of the path, all of them literal? */
bool route_path_begins(struct bytes path, struct bytes prefix);

/* The endpoint of ours that the first segment names and no route may take, such as "/token"; NULL:
 * none. */
const char *route_path_endpoint(struct bytes path);

#endif
