/* stage.h - a folder with a configuration and a database, and a way to run a command in it as a
 * user would.
 */
#ifndef MAIN_STAGE_H
#define MAIN_STAGE_H

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "issuer/issuer.h"
#include "test.h"

static const char stage_config[] =
	"listen: {http: 127.0.0.1:8080}\n"
	"issuers:\n"
	"  local: {type: local, audience: \"api://books\"}\n"
	"  lab: {type: oidc, issuer: \"https://idp.test.invalid/\", audience: x, jwks: {file: "
	"jwks.json}}\n"
	"backends:\n"
	"  books: {type: sqlite, path: books.db}\n"
	"roles:\n"
	"  reader: {granted_by: [local:reader, local:guest, lab:r]}\n"
	"  books-admin: {granted_by: [local:admin]}\n"
	"resources:\n"
	"  books:\n"
	"    backend: books\n"
	"    table: books\n"
	"    allow:\n"
	"      reader: {read: {fields: {exclude: [cost]}, where: \"owner eq @claims.sub\"}}\n"
	"      books-admin: all\n"
	"audit: {path: audit/}\n"
	"state: {path: state/}\n";

/* The public key of RFC 7515 appendix A.3. */
static const char stage_jwks[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"lab\","
				 "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
				 "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

struct stage {
	char directory[64];
	int status;      /* exit status of the last command */
	char out[16384]; /* what it said on both outputs */
};

static inline void
stage_write(const struct stage *s, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", s->directory, name);

	FILE *f = fopen(path, "w");

	CHECK(f != NULL && fputs(text, f) >= 0);
	if (f != NULL)
		fclose(f);
}

static inline void
stage_open(struct stage *s)
{
	char path[256];
	sqlite3 *db;

	*s = (struct stage){ .directory = "/tmp/gatewarden-main-XXXXXX" };
	if (mkdtemp(s->directory) == NULL)
		abort();
	stage_write(s, "gatewarden.yaml", stage_config);
	stage_write(s, "jwks.json", stage_jwks);
	snprintf(path, sizeof path, "%s/books.db", s->directory);
	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	CHECK(sqlite3_exec(db,
	                   "CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, owner TEXT, "
	                   "cost REAL)",
	                   NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
}

static inline void
stage_done(struct stage *s)
{
	static const char *const names[] = { "gatewarden.yaml",
		                             "jwks.json",
		                             "books.db",
		                             "books.db-wal",
		                             "books.db-shm",
		                             "state/state.db",
		                             "state/state.db-wal",
		                             "state/state.db-shm",
		                             "state",
		                             "" };
	char path[256];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", s->directory, names[i]);
		(void)remove(path);
	}
}

/* Runs the command in a process of its own, in the folder, with `input` as its standard input. */
static inline void
stage_run(struct stage *s, int (*command)(int, char **), const char *input, char **argv)
{
	int in[2], out[2], argc = 0;
	size_t len = 0;

	while (argv[argc] != NULL)
		argc++;
	if (pipe(in) < 0 || pipe(out) < 0)
		abort();

	pid_t child = fork();

	if (child == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		close(in[1]);
		close(out[0]);
		if (chdir(s->directory) < 0)
			_exit(99);
		exit(command(argc, argv));
	}
	close(in[0]);
	close(out[1]);
	CHECK(write(in[1], input, strlen(input)) == (ssize_t)strlen(input));
	close(in[1]);
	for (ssize_t got; len < sizeof s->out - 1 &&
	                  (got = read(out[0], s->out + len, sizeof s->out - 1 - len)) > 0;)
		len += (size_t)got;
	s->out[len] = '\0';
	close(out[0]);
	waitpid(child, &s->status, 0);
	s->status = WIFEXITED(s->status) ? WEXITSTATUS(s->status) : -1;
}

#define RUN(stage, command, input, ...)                                                            \
	stage_run(stage, command, input, (char *[]){ __VA_ARGS__, NULL })

static inline bool
said(const struct stage *s, const char *text)
{
	bool found = strstr(s->out, text) != NULL;

	if (!found)
		printf("# said: %s\n", s->out);
	return found;
}

/* A token of the local issuer, as keeper would give it. Freed by the caller. */
static inline char *
stage_token(const struct stage *s, const char *user)
{
	char path[256], *token = NULL;
	struct arena arena = { 0 };
	struct config_errors errors = { 0 };
	const struct settings *settings = NULL;
	struct issuer_store *store = NULL;
	struct issuer *issuer = NULL;
	struct reply reply = { 0 };
	struct user u;
	int64_t now_s = clock_wall_us() / 1000000;

	snprintf(path, sizeof path, "%s/gatewarden.yaml", s->directory);
	CHECK(!failed(config_load(path, &arena, &settings, &errors)));
	CHECK(!failed(issuer_store_open(settings->state_path, &store)));
	CHECK(!failed(issuer_open(settings, 0, store, now_s, &issuer)));
	CHECK(!failed(user_find(store, bytes_text(user), &arena, &u)));
	CHECK(!failed(
		issuer_login(issuer, &u, &(struct ask){ .kind = ASK_PASSWORD }, now_s, &reply)));
	token = strndup((const char *)reply.fields[ANSWER_ACCESS_TOKEN].at,
	                reply.fields[ANSWER_ACCESS_TOKEN].len);
	reply_done(&reply);
	issuer_close(issuer);
	issuer_store_close(store);
	arena_done(&arena);
	config_errors_done(&errors);
	return token;
}

#endif
