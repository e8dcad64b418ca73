/* yaml_json.h - a YAML document that is not our configuration, as JSON: for what others wrote. Read
 * as strictly as the configuration is (no anchors, no tags, bounded depth and size). */
#ifndef CONFIG_YAML_JSON_H
#define CONFIG_YAML_JSON_H

#include "config/config.h"

/* Every scalar becomes a string, but an unquoted null, true or false. `file` names the text in
 * messages. ERR_CONFIG: it cannot be read, and `errors` says why; ERR_LIMIT. */
struct err yaml_to_json(struct bytes text, const char *file, struct buf *out,
                        struct config_errors *errors);

#endif
