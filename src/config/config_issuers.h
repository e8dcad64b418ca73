/* config_issuers.h - an issuer as it is written, and what follows from it. Private to src/config.
 */
#ifndef CONFIG_ISSUERS_H
#define CONFIG_ISSUERS_H

#include "config/config_reader.h"

enum cloud { CLOUD_PUBLIC, CLOUD_USGOV, CLOUD_CHINA, CLOUD_COUNT };
enum guests { GUESTS_ALLOW, GUESTS_REFUSE };

/* While it is read. What the rows can set as it is stands in `issuer` already. */
struct issuer_draft {
	struct issuer_settings issuer; /* first: what remains */
	/* entra */
	const char *const *tenants;
	size_t tenant_count;
	enum cloud cloud;
	enum guests guests;
	/* cognito */
	const char *region, *user_pool;
	/* local */
	bool login;
};

/* The `finish` of issuer_section. Not yet: what follows from public_url (config_check.c). */
void issuer_resolve(struct config_reader *r, const struct node *n, void *draft);

#endif
