/* `gatewarden client`: what it makes, what it shows once, and what it refuses. */
#include "main/cmd_client.h"

#include "base/macros.h"
#include "issuer/client.h"
#include "stage.h"

/* A self-signed certificate for the name `client`, on P-256. */
static const char certificate[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBejCCAR+gAwIBAgIUYX7BskMd6fgccXSzbgKk4fv+i3gwCgYIKoZIzj0EAwIw\n"
	"ETEPMA0GA1UEAwwGY2xpZW50MCAXDTI2MTEyMjA2MzM0NVoYDzIxMjYxMDI5MDYz\n"
	"MzQ1WjARMQ8wDQYDVQQDDAZjbGllbnQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n"
	"AAQ8JkGF0ZQWTc1MqtEGxm+xpB7ona36RT+CHRVGkP6jwZEJ4DHU1c4y3ETc4wox\n"
	"4kopPAaRLZ6WmZynnEJU0eaTo1MwUTAdBgNVHQ4EFgQU18jG1tdlgyJkvNEEXvu6\n"
	"goC0ysEwHwYDVR0jBBgwFoAU18jG1tdlgyJkvNEEXvu6goC0ysEwDwYDVR0TAQH/\n"
	"BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAt+s7rF5ONf22182d134TjRMyWm/E\n"
	"cquUzCwxx1s6IygCIQC47jwHApA9JaxAQ9tZcbtX7T5VTUJlpaXLsECbdSVOIA==\n"
	"-----END CERTIFICATE-----\n";
static const char thumbprint[] = "fzklRsoyQTArLj_2ibhp-J2BFiJMhgpvmG6mn4dKD_U";

/* As the store has it; text in `arena`. */
static struct err
find(const struct stage *s, const char *id, struct arena *arena, struct client *ret)
{
	char path[256];
	struct issuer_store *store = NULL;

	snprintf(path, sizeof path, "%s/state", s->directory);
	CHECK(!failed(issuer_store_open(path, &store)));

	struct err e = client_find(store, bytes_text(id), arena, ret);

	issuer_store_close(store);
	return e;
}

/* Standard output alone: errors go elsewhere. */
static void
run_quietly(struct stage *s, char **argv)
{
	int argc = 0, out[2];
	size_t len = 0;

	while (argv[argc] != NULL)
		argc++;
	if (pipe(out) < 0)
		abort();

	pid_t child = fork();

	if (child == 0) {
		dup2(out[1], 1);
		close(2);
		if (open("/dev/null", O_WRONLY) != 2 || chdir(s->directory) < 0)
			_exit(99);
		exit(cmd_client(argc, argv));
	}
	close(out[1]);
	for (ssize_t got; (got = read(out[0], s->out + len, sizeof s->out - 1 - len)) > 0;)
		len += (size_t)got;
	s->out[len] = '\0';
	close(out[0]);
	waitpid(child, &s->status, 0);
	s->status = WIFEXITED(s->status) ? WEXITSTATUS(s->status) : -1;
}

#define QUIETLY(stage, ...) run_quietly(stage, (char *[]){ __VA_ARGS__, NULL })

static void
test_the_secret_stands_alone_on_standard_output_and_is_shown_once(void)
{
	struct stage s;
	struct arena arena = { 0 };
	struct client c;
	char first[128];

	stage_open(&s);
	QUIETLY(&s, "client", "add", "reports", "--grant", "client_credentials", "--role",
	        "reader");
	CHECK(s.status == 0 && strlen(s.out) == 44 && strchr(s.out, '\n') == s.out + 43);
	snprintf(first, sizeof first, "%.43s", s.out);
	CHECK(!failed(find(&s, "reports", &arena, &c)) && c.has_secret && !c.is_public &&
	      c.grants == CLIENT_CREDENTIALS && bytes_is(c.roles, "reader"));
	QUIETLY(&s, "client", "list", "--json");
	CHECK(s.status == 0 && strstr(s.out, first) == NULL && said(&s, "\"shows\":\"secret\""));
	QUIETLY(&s, "client", "secret", "reports");
	CHECK(s.status == 0 && strlen(s.out) == 44 && strncmp(s.out, first, 43) != 0);
	RUN(&s, cmd_client, "", "client", "secret", "nobody");
	CHECK(s.status == 1 && said(&s, "no client"));
	arena_done(&arena);
	stage_done(&s);
}

static void
test_every_option_of_add_arrives(void)
{
	struct stage s;
	struct arena arena = { 0 };
	struct client c;

	stage_open(&s);
	RUN(&s, cmd_client, "", "client", "add", "--public", "--grant", "code", "--redirect-uri",
	    "https://a.test/cb", "--redirect-uri=http://127.0.0.1/cb", "--dpop", "--name",
	    "The Portal", "portal");
	CHECK(s.status == 0 && said(&s, "added portal\n"));
	CHECK(!failed(find(&s, "portal", &arena, &c)) && c.is_public && !c.has_secret &&
	      c.is_dpop_required && c.grants == CLIENT_CODE && bytes_is(c.name, "The Portal") &&
	      bytes_is(c.redirect_uris, "https://a.test/cb http://127.0.0.1/cb"));
	RUN(&s, cmd_client, "", "client", "add", "agent", "--grant", "exchange", "--jwks",
	    "jwks.json");
	CHECK(s.status == 0 && !failed(find(&s, "agent", &arena, &c)) && c.jwks.len > 0 &&
	      !c.has_secret);
	stage_write(&s, "client.pem", certificate);
	RUN(&s, cmd_client, "", "client", "add", "bot", "--grant", "client_credentials", "--grant",
	    "exchange", "--role", "admin", "--certificate", "client.pem");
	CHECK(s.status == 0 && !failed(find(&s, "bot", &arena, &c)) &&
	      bytes_is(c.certificate, thumbprint) &&
	      c.grants == (CLIENT_CREDENTIALS | CLIENT_EXCHANGE));
	RUN(&s, cmd_client, "", "client", "list");
	CHECK(s.status == 0 && said(&s, "ID  ") && said(&s, "assertion") &&
	      said(&s, "certificate") && said(&s, "nothing"));

	char path[256];

	snprintf(path, sizeof path, "%s/client.pem", s.directory);
	(void)remove(path);
	arena_done(&arena);
	stage_done(&s);
}

static void
test_a_client_can_be_disabled_enabled_and_removed(void)
{
	struct stage s;
	struct arena arena = { 0 };
	struct client c;

	stage_open(&s);
	RUN(&s, cmd_client, "", "client", "add", "bot", "--grant", "client_credentials", "--role",
	    "admin");
	RUN(&s, cmd_client, "", "client", "disable", "bot");
	CHECK(s.status == 0 && !failed(find(&s, "bot", &arena, &c)) && c.is_disabled);
	RUN(&s, cmd_client, "", "client", "list");
	CHECK(said(&s, "disabled"));
	RUN(&s, cmd_client, "", "client", "enable", "bot");
	CHECK(s.status == 0 && !failed(find(&s, "bot", &arena, &c)) && !c.is_disabled);
	RUN(&s, cmd_client, "", "client", "remove", "bot");
	CHECK(s.status == 0 && find(&s, "bot", &arena, &c).kind == ERR_NOT_FOUND);
	RUN(&s, cmd_client, "", "client", "remove", "bot");
	CHECK(s.status == 1);
	RUN(&s, cmd_client, "", "client", "list", "--json");
	CHECK(s.status == 0 && strcmp(s.out, "[]\n") == 0);
	arena_done(&arena);
	stage_done(&s);
}

static void
test_what_makes_no_sense_is_refused_and_leaves_nothing(void)
{
	static const struct {
		const char *says;
		int status;
		char *argv[12];
	} rows[] = {
		{ "say what to do", 2, { "client" } },
		{ "no such verb", 2, { "client", "ad", "x" } },
		{ "id of the client is missing", 2, { "client", "add" } },
		{ "takes no id", 2, { "client", "list", "x" } },
		{ "no such option", 2, { "client", "add", "x", "--secret", "s" } },
		{ "needs a value", 2, { "client", "add", "x", "--role" } },
		{ "one client at a time", 2, { "client", "add", "x", "y" } },
		{ "--grant", 2, { "client", "add", "x" } },
		{ "no such grant", 2, { "client", "add", "x", "--grant", "password" } },
		{ "for `client add` only", 2, { "client", "disable", "x", "--public" } },
		{ "only `client list`",
		  2,
		  { "client", "add", "x", "--json", "--grant", "exchange" } },
		{ "exclude each other",
		  2,
		  { "client", "add", "x", "--grant", "exchange", "--public", "--jwks",
		    "jwks.json" } },
		{ "--role guest   gives the role reader",
		  2,
		  { "client", "add", "x", "--grant", "client_credentials", "--role", "boss" } },
		{ "missing.json",
		  2,
		  { "client", "add", "x", "--grant", "exchange", "--jwks", "missing.json" } },
		{ "no PEM certificate",
		  2,
		  { "client", "add", "x", "--grant", "exchange", "--certificate", "jwks.json" } },
		{ "redirect", 1, { "client", "add", "p", "--grant", "code", "--public" } },
		{ "gatewarden client: ",
		  1,
		  { "client", "add", "api://books", "--grant", "client_credentials", "--role",
		    "reader" } },
	};
	struct stage s;

	stage_open(&s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		stage_run(&s, cmd_client, "", (char **)(uintptr_t)rows[i].argv);
		CHECK_ROW(s.status == rows[i].status && said(&s, rows[i].says), rows[i].says);
	}
	RUN(&s, cmd_client, "", "client", "list", "--json");
	CHECK(s.status == 0 && strcmp(s.out, "[]\n") == 0);
	stage_done(&s);
}

TESTS(TEST(test_the_secret_stands_alone_on_standard_output_and_is_shown_once),
      TEST(test_every_option_of_add_arrives),
      TEST(test_a_client_can_be_disabled_enabled_and_removed),
      TEST(test_what_makes_no_sense_is_refused_and_leaves_nothing))
