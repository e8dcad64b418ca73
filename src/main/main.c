/* main.c - the command line. One table gives each command its name, its function and its help. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "main/arguments.h"
#include "main/cmd_audit.h"
#include "main/cmd_client.h"
#include "main/cmd_config.h"
#include "main/cmd_explain.h"
#include "main/cmd_import.h"
#include "main/cmd_revoke.h"
#include "main/cmd_token.h"
#include "main/cmd_user.h"
#include "main/loaded.h"
#include "process/role.h"

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command; returns the exit status */
	const char *usage, *help;
	const char *more; /* lines for its own help, or NULL */
} commands[] = {
	{ "run", cmd_run, "[-c FILE]", "start the service, in the foreground", NULL },
	{ "check", cmd_check, "[-c FILE]", "every error of the configuration at once", NULL },
	{ "explain", cmd_explain,
	  "[-c FILE] [--token T | --role R... [--claims JSON]] [--host HOST] METHOD PATH",
	  "the decision on a request to a resource or a route, and the rule behind it; without a "
	  "token or role: of "
	  "nobody",
	  NULL },
	{ "token", cmd_token, "[-c FILE] [--jwks FILE] [--json] TOKEN|-",
	  "which check of a token passes or fails, what to change, and which roles it gives; asks "
	  "nobody: keys that "
	  "the service fetches come from --jwks",
	  NULL },
	{ "user", cmd_user,
	  "[-c FILE] add NAME --role R... [--hash] | passwd NAME [--hash] | roles NAME --role R... "
	  "| disable NAME | "
	  "enable NAME | list [--json]",
	  "local users; the password, or with --hash the argon2 PHC string another program made of "
	  "it, comes from the "
	  "terminal or standard input",
	  NULL },
	{ "client", cmd_client,
	  "[-c FILE] add|secret|disable|enable|remove ID [...] | list [--json]",
	  "programs that log users in or act for themselves; `client --help` lists the options",
	  cmd_client_usage },
	{ "revoke", cmd_revoke, "[-c FILE] --token T|- | --issuer NAME --subject S",
	  "a token, or all that somebody was given, is refused within a second", NULL },
	{ "audit", cmd_audit,
	  "verify | query | export | review | replay [-c FILE | --dir DIR] [...]",
	  "check, search or copy the audit log, review who can reach what, and say what another "
	  "policy "
	  "would have decided; `audit --help` "
	  "lists "
	  "the options",
	  cmd_audit_usage },
	{ "import", cmd_import, "openapi URL|FILE [--backend-url URL] [--prefix /PATH]",
	  "a configuration for a service that describes itself, with its scopes as roles, on "
	  "standard output",
	  cmd_import_usage },
	{ "schema", cmd_schema, "", "JSON Schema of the configuration, for editors", NULL },
	{ "manual", cmd_manual, "", "reference of the configuration, as Markdown", NULL },
	{ "version", cmd_version, "", "the version of this program", NULL },
	{ "help", cmd_help, "[COMMAND]", "this list, or what one command takes", NULL },
};

static void
print_end(FILE *out)
{
	fprintf(out, "\nFILE is gatewarden.yaml unless given. Exit status: 0 done, 1 the answer is "
	             "no, 2 wrong usage or cannot run.\n");
}

static void
print_help(FILE *out)
{
	fprintf(out, "usage: gatewarden COMMAND ...\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "  %s%s%s\n      %s\n", commands[i].name,
		        commands[i].usage[0] == '\0' ? "" : " ", commands[i].usage,
		        commands[i].help);
	print_end(out);
}

static int
print_command(const struct command *c)
{
	printf("usage: gatewarden %s%s%s\n\n  %s\n%s%s", c->name, c->usage[0] == '\0' ? "" : " ",
	       c->usage, c->help, c->more == NULL ? "" : "\n", c->more == NULL ? "" : c->more);
	print_end(stdout);
	return 0;
}

static bool
is_help(const char *text)
{
	return strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0;
}

/* Behind `--` stand names and tokens, whatever they look like. */
static bool
asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (is_help(argv[i]))
			return true;
	return false;
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

static int
cmd_help(int argc, char **argv)
{
	const struct command *about = argc > 1 ? find_command(argv[1]) : NULL;

	if (argc > 2)
		return usage_error("help", "unknown argument", argv[2]);
	if (argc > 1 && about == NULL)
		return usage_error("help", "there is no such command", argv[1]);
	if (about != NULL)
		return print_command(about);
	print_help(stdout);
	return 0;
}

static int
cmd_version(int argc, char **argv)
{
	if (argc > 1)
		return usage_error("version", "unknown argument", argv[1]);
	printf("gatewarden %s\n", VERSION);
	return 0;
}

/* A secret that is shown once, or a list, must not be taken for written where it was not. */
static int
run(const struct command *c, int argc, char **argv)
{
	int status = asks_for_help(argc, argv) ? print_command(c) : c->run(argc, argv);

	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return status;
	complain(c->name, NULL, fail(ERR_SYSTEM, "cannot write to standard output"));
	return 2;
}

/* In the place of standard descriptors that are closed a file of ours would be opened, and what is
 * printed would be written into it. What stands there instead fails when it is used. */
static bool
hold_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return false;
	return true;
}

int
main(int argc, char **argv)
{
	/* A child of the supervisor: see process/role.h. */
	if (argc > 1 && argv[1][0] == '@')
		return role_main(argc, argv, VERSION);

	const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;

	if (!hold_descriptors())
		return 2;
	if (command != NULL)
		return run(command, argc - 1, argv + 1);
	if (argc > 1 && is_help(argv[1]))
		return cmd_help(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "--version") == 0)
		return cmd_version(argc - 1, argv + 1);
	if (argc > 1)
		fprintf(stderr, "gatewarden: there is no command \"%.40s\"\n", argv[1]);
	print_help(stderr);
	return 2;
}
