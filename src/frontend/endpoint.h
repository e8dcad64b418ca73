/* endpoint.h - the two tables of paths: what the data listener answers, and the admin listener. */
#ifndef FRONTEND_ENDPOINT_H
#define FRONTEND_ENDPOINT_H

#include "frontend/request.h"

/* Each ends with a NULL path. */
extern const struct endpoint data_endpoints[];
extern const struct endpoint admin_endpoints[];

/* The row of `table` for the request's path and method. ERR_NOT_FOUND, or ERR_PEER: a malformed
 * path, or 405. */
struct err endpoint_match(const struct endpoint *table, struct request *r,
                          const struct endpoint **ret);

/* Sets r->route by the host and the segments of the path: the first that fits, or -1. */
struct err endpoint_route(struct request *r);

/* oauth.c */
void oauth_describe(struct request *r);
struct err oauth_token_decide(struct request *r);
struct err oauth_revoke_decide(struct request *r);
struct err oauth_introspect_decide(struct request *r);
struct err oauth_ask(struct request *r, enum step *step);
void oauth_done(struct request *r);
void oauth_put_error(struct request *r, struct buf *body);
/* oauth_authorize.c */
void authorize_describe(struct request *r);
struct err authorize_decide(struct request *r);
struct err authorize_show(struct request *r, enum step *step);
struct err authorize_login(struct request *r, enum step *step);
void authorize_done(struct request *r);
void authorize_put_error(struct request *r, struct buf *body);
/* oauth_metadata.c, oauth_userinfo.c */
struct err oauth_metadata(struct request *r, enum step *step);
struct err oauth_resource(struct request *r, enum step *step);
struct err oauth_jwks(struct request *r, enum step *step);
struct err oauth_userinfo(struct request *r, enum step *step);
/* docs.c, openapi.c */
struct err docs_asset(struct request *r, enum step *step);
struct err openapi_document(struct request *r, enum step *step);
/* me.c */
struct err me_execute(struct request *r, enum step *step);
/* admin.c */
struct err admin_health(struct request *r, enum step *step);
struct err admin_ready(struct request *r, enum step *step);
struct err admin_metrics(struct request *r, enum step *step);

#endif
