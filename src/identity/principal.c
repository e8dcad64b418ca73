/* principal.c - see principal.h. One allocation, counted references: the cache holds one, each
 * request another. The count is plain: a worker has one thread. */
#include "identity/principal_make.h"

#include <stdlib.h>

#include "base/macros.h"
#include "identity/claims.h"
#include "identity/issuers.h"

struct principal {
	unsigned references;
	size_t size;
	char *issuer; /* behind the claims, as are all texts */
	bool is_local;
	struct bytes subject;
	uint64_t roles;
	int64_t expires_s;
	struct jwt_binding binding; /* borrowed from the claims */
	struct revocable revocable;
	size_t claim_count;   /* values in claims; 0: none */
	struct json claims[]; /* the tree as json.h lays it out, its texts copied */
};

static struct bytes
copy(uint8_t **to, struct bytes from)
{
	struct bytes copied = { *to, from.len };

	if (from.len != 0)
		memcpy(*to, from.at, from.len);
	*to += from.len;
	return copied;
}

struct err
principal_new(const struct principal_parts *parts, const struct principal **ret)
{
	size_t count = parts->claims == NULL ? 0 : parts->claims->span,
	       issuer_len = strlen(parts->issuer) + 1;
	size_t size = sizeof(struct principal) + count * sizeof(struct json) + issuer_len +
	              parts->subject.len;

	for (size_t i = 0; i < count; i++)
		size += parts->claims[i].text.len;

	struct principal *p = malloc(size);
	if (p == NULL)
		return fail(ERR_LIMIT, "out of memory for a principal");
	*p = (struct principal){ .references = 1,
		                 .size = size,
		                 .is_local = parts->is_local,
		                 .revocable = parts->revocable,
		                 .roles = parts->roles,
		                 .expires_s = parts->expires_s,
		                 .claim_count = count };

	uint8_t *text = (uint8_t *)&p->claims[count];
	p->issuer = (char *)text;
	(void)copy(&text,
	           (struct bytes){ (const uint8_t *)parts->issuer, issuer_len }); /* NUL and all */
	p->subject = copy(&text, parts->subject);
	for (size_t i = 0; i < count; i++) {
		p->claims[i] = parts->claims[i];
		p->claims[i].text = copy(&text, parts->claims[i].text);
	}
	if (count != 0)
		p->binding = jwt_binding_of(p->claims);
	*ret = p;
	return OK;
}

/* The count is the one thing about a principal that changes. */
static struct principal *
counted(const struct principal *p)
{
	return (struct principal *)(uintptr_t)p;
}

const struct principal *
principal_hold(const struct principal *p)
{
	counted(p)->references++;
	return p;
}

void
principal_release(const struct principal *p)
{
	if (p != NULL && --counted(p)->references == 0)
		free(counted(p));
}

size_t
principal_size(const struct principal *p)
{
	return p->size;
}

const char *
principal_issuer(const struct principal *p)
{
	return p->issuer;
}

struct bytes
principal_subject(const struct principal *p)
{
	return p->subject;
}

struct bytes
principal_name(const struct principal *p)
{
	static const char *const claims[] = { "preferred_username", "upn" };
	struct bytes name = { 0 };

	for (size_t i = 0; p->claim_count != 0 && name.len == 0 && i < ARRAY_LEN(claims); i++)
		name = json_member_text(p->claims, claims[i]);
	return bytes_has_control(name) ? (struct bytes){ 0 } : name;
}

const struct json *
principal_claim(const struct principal *p, const char *path)
{
	return p->claim_count == 0 ? NULL : claim_find(p->claims, bytes_text(path));
}

static struct bytes
text_claim(const struct principal *p, const char *path)
{
	struct bytes text = { 0 };

	(void)json_string(principal_claim(p, path), &text); /* left empty */
	return text;
}

struct bytes
principal_agent(const struct principal *p)
{
	return text_claim(p, "act.sub");
}

struct bytes
principal_resource(const struct principal *p)
{
	return p->is_local ? text_claim(p, "resource") : (struct bytes){ 0 };
}

const struct jwt_binding *
principal_binding(const struct principal *p)
{
	return &p->binding;
}

const struct revocable *
principal_revocable(const struct principal *p)
{
	return &p->revocable;
}

uint64_t
principal_roles(const struct principal *p)
{
	return p->roles;
}

int64_t
principal_expires(const struct principal *p)
{
	return p->expires_s;
}

static size_t
values_of(const void *of, struct bytes path, struct value *ret, size_t max)
{
	const struct principal *p = of;

	return claim_values(claim_find(p->claim_count == 0 ? NULL : p->claims, path), ret, max);
}

struct claim_source
principal_claims(const struct principal *p)
{
	return (struct claim_source){ values_of, p };
}

static void
arena_drop(struct arena *a)
{
	arena_done(a);
}

struct err
principal_for_explain(uint64_t roles, struct bytes claims, const struct principal **ret)
{
	struct arena scratch CLEANUP(arena_drop) = { 0 };
	struct principal_parts parts = { .issuer = "explain",
		                         .subject = BYTES("explain"),
		                         .roles = roles,
		                         .expires_s = INT64_MAX };

	if (claims.at != NULL) {
		TRY(json_parse(claims, &scratch, &parts.claims, NULL));
		if (parts.claims->type != JSON_OBJECT)
			return fail(ERR_PEER, "claims must be a JSON object");
		(void)json_string(json_member(parts.claims, "sub"),
		                  &parts.subject); /* else "explain" */
	}
	return principal_new(&parts, ret);
}
