/* scene.h - a state directory of its own for each test, and an issuer's settings. */
#ifndef ISSUER_SCENE_H
#define ISSUER_SCENE_H

#include <unistd.h>

#include "issuer/issuer.h"
#include "issuer/refusal.h"
#include "test.h"

/* A hash of "secret" by another tool (argon2-cffi), so that most tests need not compute one. */
static const char scene_phc[] = "$argon2id$v=19$m=65536,t=3,p=4$wagCPXjifgvUFBzq4hqe3w$CYaIb8sB+"
				"wtD+Vu/P4uod1+Qof8h+1g7bbDlBID48Rc";

enum { SCENE_NOW_S = 1800000000 };

struct scene {
	char directory[64]; /* holds `state`, which the store makes */
	char state[80];
	char file[96];
	const char *audience[2];
	struct issuer_settings own;
	struct settings settings;
	struct issuer_store *store;
	struct arena arena;
};

static inline void
scene_open(struct scene *s)
{
	*s = (struct scene){ .directory = "/tmp/gatewarden-issuer-XXXXXX" };
	if (mkdtemp(s->directory) == NULL)
		abort();
	snprintf(s->state, sizeof s->state, "%s/state", s->directory);
	snprintf(s->file, sizeof s->file, "%s/state.db", s->state);
	s->audience[0] = "api://books";
	s->audience[1] = "api://more";
	s->own = (struct issuer_settings){
		.name = "local",
		.type = ISSUER_LOCAL,
		.issuer = "http://127.0.0.1:8080",
		.audience = s->audience,
		.audience_count = 1,
		.algorithms = ALG_ES256,
		.roles_claim = "roles",
		.leeway_s = 60,
		.access_token_ttl_s = 900,
		.refresh_token_ttl_s = 30 * 86400,
		.refresh_idle_ttl_s = 7 * 86400,
		.exchanged_token_ttl_s = 400,
		.signing_algorithm = ALG_ES256,
		.key_rotation_s = 30 * 86400,
	};
	s->settings = (struct settings){ .public_url = "http://127.0.0.1:8080",
		                         .issuers = &s->own,
		                         .issuer_count = 1 };
}

static inline void
scene_store(struct scene *s)
{
	scene_open(s);
	s->settings.state_path = s->state;
	CHECK(!failed(issuer_store_open(s->state, &s->store)));
}

static inline void
scene_done(struct scene *s)
{
	static const char *const files[] = { "/state.db", "/state.db-wal", "/state.db-shm",
		                             "/state.db-journal" };
	char path[128];

	issuer_store_close(s->store);
	arena_done(&s->arena);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s%s", s->state, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(s->state);
	(void)rmdir(s->directory);
}

static inline struct user
scene_user(struct scene *s, const char *name)
{
	struct user u = { 0 };

	if (failed(user_find(s->store, bytes_text(name), &s->arena, &u))) {
		CHECK(!failed(user_add(s->store, bytes_text(name), BYTES("reader editor"),
		                       bytes_text(scene_phc))));
		CHECK(!failed(user_find(s->store, bytes_text(name), &s->arena, &u)));
	}
	return u;
}

/* The two grants of a plain client; the reply is to be done away with also after a refusal. */
static inline struct err
scene_grant(struct issuer *i, const struct user *u, struct bytes client_id, int64_t now_s,
            struct reply *ret)
{
	const struct ask ask = { .kind = ASK_PASSWORD, .fields[ASK_CLIENT_ID] = client_id };
	struct err e = issuer_answer(i, &ask, now_s, ret);

	return failed(e) ? e : issuer_login(i, u, &ask, now_s, ret);
}

static inline struct err
scene_refresh(struct issuer *i, struct bytes token, struct bytes client_id, int64_t now_s,
              struct reply *ret)
{
	return issuer_answer(i,
	                     &(struct ask){ .kind = ASK_REFRESH,
	                                    .fields[ASK_REFRESH_TOKEN] = token,
	                                    .fields[ASK_CLIENT_ID] = client_id },
	                     now_s, ret);
}

#endif
