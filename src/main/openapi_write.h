/* openapi_write.h - routes and roles of an OpenAPI document, as a configuration. */
#ifndef MAIN_OPENAPI_WRITE_H
#define MAIN_OPENAPI_WRITE_H

#include "main/openapi_read.h"

/* `backend`: the URL of the service; `strip`: the prefix that it does not see, or "". */
void openapi_write(struct buf *out, const struct openapi *o, const char *source,
                   struct bytes backend, const char *strip);

#endif
