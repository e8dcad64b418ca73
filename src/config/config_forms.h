/* config_forms.h - forms that a text must have: URLs, addresses, names of other systems. Private to
 * src/config. */
#ifndef CONFIG_FORMS_H
#define CONFIG_FORMS_H

#include "base/bytes.h"

struct text_form {
	const char *expected; /* "an https URL" */
	const char *pattern;  /* for the schema: lets pass at least what `fault` lets pass */
	/* Why the text is not of this form, a literal; NULL: it is. */
	const char *(*fault)(struct bytes text);
};

extern const struct text_form form_issuer;      /* https URL without query */
extern const struct text_form form_okta_issuer; /* of a custom authorization server */
extern const struct text_form form_url;         /* https URL, perhaps with a query */
extern const struct text_form form_tenant_url;  /* the same, and {tenantid} may stand in its path */
extern const struct text_form form_origin;      /* http(s)://host[:port] */
extern const struct text_form form_guid;        /* lower case, as Entra writes it in `tid` */
extern const struct text_form form_ip;
extern const struct text_form form_host;      /* name or address, without port */
extern const struct text_form form_field;     /* of HTTP */
extern const struct text_form form_env;       /* name of an environment variable */
extern const struct text_form form_scope;     /* with openid */
extern const struct text_form form_region;    /* of AWS */
extern const struct text_form form_user_pool; /* of AWS: REGION_ID */
extern const struct text_form form_target;    /* a path, perhaps with a query, to be sent */
extern const struct text_form form_access_log;
extern const struct text_form form_route;       /* route_path.c */
extern const struct text_form form_route_strip; /* route_path.c */

#endif
