/* play.h - questions put to an issuer as a worker would, and the tokens it gives, looked into. */
#ifndef ISSUER_PLAY_H
#define ISSUER_PLAY_H

#include "issuer/client.h"
#include "issuer/revocation.h"
#include "jose/jwt.h"
#include "scene.h"

enum { NOW = SCENE_NOW_S };

/* An issuer with the user alice (reader editor), the resources books and films. */
struct play {
	struct scene scene;
	struct resource_settings resources[2];
	struct issuer *issuer;
	struct arena arena;
	struct reply reply; /* of the last question */
	struct err verdict;
};

static inline void
play_open(struct play *p)
{
	*p = (struct play){ 0 };
	scene_store(&p->scene);
	p->resources[0].name = "books";
	p->resources[1].name = "films";
	p->scene.settings.resources = p->resources;
	p->scene.settings.resource_count = 2;
	p->scene.settings.sessions.ttl_s = 3600;
	CHECK(!failed(issuer_open(&p->scene.settings, 0, p->scene.store, NOW, &p->issuer)));
	(void)scene_user(&p->scene, "alice");
}

static inline void
play_done(struct play *p)
{
	reply_done(&p->reply);
	issuer_close(p->issuer);
	arena_done(&p->arena);
	scene_done(&p->scene);
}

/* The secret, in the arena; empty when the client has none. */
static inline struct bytes
play_client(struct play *p, struct client c)
{
	struct buf secret = { 0 };
	struct bytes kept;

	CHECK(!failed(client_add(p->scene.store, &p->scene.settings, &c, &secret)));
	kept = arena_copy(&p->arena, buf_bytes(&secret));
	buf_wipe(&secret);
	return kept;
}

/* A client with all grants: "bot", of the roles "reader auditor". */
static inline struct bytes
play_bot(struct play *p)
{
	return play_client(
		p, (struct client){ .id = BYTES("bot"),
	                            .name = BYTES("The bot"),
	                            .roles = BYTES("reader auditor"),
	                            .redirect_uris = BYTES("https://bot.test.invalid/cb"),
	                            .grants = CLIENT_CODE | CLIENT_CREDENTIALS | CLIENT_EXCHANGE });
}

static inline struct err
play_ask(struct play *p, int64_t now_s, struct ask ask)
{
	reply_done(&p->reply);
	p->verdict = issuer_answer(p->issuer, &ask, now_s, &p->reply);
	return p->verdict;
}

/* The password was right. */
static inline struct err
play_login(struct play *p, int64_t now_s, struct ask ask)
{
	struct user u = scene_user(&p->scene, "alice");

	if (!failed(play_ask(p, now_s, ask)))
		p->verdict = issuer_login(p->issuer, &u, &ask, now_s, &p->reply);
	return p->verdict;
}

/* Refused as this, in this row of the table, and without a token. */
static inline bool
play_refused(const struct play *p, enum oauth_error error, enum refusal code)
{
	return p->verdict.kind == ERR_IDENTITY && p->verdict.code == code &&
	       p->reply.error == error && p->reply.fields[ANSWER_ACCESS_TOKEN].len == 0 &&
	       p->reply.fields[ANSWER_REFRESH_TOKEN].len == 0 &&
	       p->reply.fields[ANSWER_CODE].len == 0 && p->reply.fields[ANSWER_CLAIMS].len == 0 &&
	       p->reply.fields[ANSWER_REASON].len > 0 && p->reply.fields[ANSWER_DETAIL].len > 0;
}

/* A field of the last answer, in the arena. */
static inline struct bytes
play_field(struct play *p, enum answer_field field)
{
	return arena_copy(&p->arena, buf_bytes(&p->reply.fields[field]));
}

/* The claims of a token, whose signature is ours. */
static inline const struct json *
play_claims(struct play *p, struct bytes token)
{
	struct buf text = { 0 };
	struct jwks *keys = NULL;
	struct jws j = { 0 };
	const struct jwk *key;

	issuer_put_jwks(p->issuer, &text);
	CHECK(!failed(jwks_parse(buf_bytes(&text), &keys, NULL)));
	CHECK(!failed(jws_parse(token, &p->arena, &j)));
	key = jwks_find(keys, j.kid, j.alg);
	CHECK(key != NULL && !failed(jws_verify(&j, key)));
	jwks_free(keys);
	buf_done(&text);
	return j.payload;
}

static inline const struct json *
play_access(struct play *p)
{
	return play_claims(p, play_field(p, ANSWER_ACCESS_TOKEN));
}

static inline struct bytes
claim_text(const struct json *claims, const char *name)
{
	struct bytes text = { 0 };

	(void)json_string(json_member(claims, name), &text);
	return text;
}

static inline int64_t
claim_number(const struct json *claims, const char *name)
{
	int64_t number = -1;

	(void)json_int64(json_member(claims, name), &number);
	return number;
}

static inline struct err
play_stop_at(void *of, const struct revocation *r)
{
	const struct revocation *wanted = of;

	return r->kind == wanted->kind && bytes_equal(r->value, wanted->value)
	               ? fail(ERR_CONFLICT, "found")
	               : OK;
}

/* Is there a revocation of this kind and value? */
static inline bool
play_is_revoked(struct play *p, enum revocation_kind kind, struct bytes value)
{
	struct revocation wanted = { .kind = kind, .value = value };
	int64_t cursor = 0;

	return failed(revocation_read_after(p->scene.store, 0, &cursor, play_stop_at, &wanted));
}

#endif
