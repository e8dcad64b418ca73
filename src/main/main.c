/* main.c - the command line. One table gives each command its name, its function and its help. */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "main/cmd_audit.h"
#include "main/cmd_config.h"
#include "main/cmd_explain.h"
#include "main/cmd_token.h"
#include "main/cmd_user.h"
#include "process/role.h"

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command; returns the exit status */
	const char *usage, *help;
} commands[] = {
	{ "run", cmd_run, "[-c FILE]", "start the service, in the foreground" },
	{ "check", cmd_check, "[-c FILE]", "every error of the configuration at once" },
	{ "explain", cmd_explain, "[-c FILE] (--token T | --role R... [--claims JSON]) METHOD PATH",
	  "the decision on a request, and the rule behind it" },
	{ "token", cmd_token, "[-c FILE] TOKEN|-", "which check of a token passes or fails, expected and got" },
	{ "user", cmd_user, "[-c FILE] add NAME --role R... [--hash] | passwd NAME [--hash] | disable NAME | enable NAME | list [--json]",
	  "local users; the password, or with --hash the argon2 PHC string another program made of it, comes from the "
	  "terminal or standard input" },
	{ "audit", cmd_audit, "verify | query | export [-c FILE | --dir DIR] [...]",
	  "check, search or copy the audit log; `audit` alone lists the options" },
	{ "schema", cmd_schema, "", "JSON Schema of the configuration, for editors" },
	{ "manual", cmd_manual, "", "reference of the configuration, as Markdown" },
	{ "version", cmd_version, "", "the version of this program" },
	{ "help", cmd_help, "", "this list" },
};

static void
print_help(FILE *out)
{
	fprintf(out, "usage: gatewarden COMMAND ...\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "  %s %s\n      %s\n", commands[i].name, commands[i].usage, commands[i].help);
	fprintf(out, "\nFILE is gatewarden.yaml unless given. Exit status: 0 done, 1 the answer is no, 2 wrong usage or cannot run.\n");
}

static int
cmd_help(int argc, char **argv)
{
	(void)argc, (void)argv;
	print_help(stdout);
	return 0;
}

static int
cmd_version(int argc, char **argv)
{
	(void)argc, (void)argv;
	printf("gatewarden %s\n", VERSION);
	return 0;
}

int
main(int argc, char **argv)
{
	/* A child of the supervisor: see process/role.h. */
	if (argc > 1 && argv[1][0] == '@')
		return role_main(argc, argv);
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return cmd_help(argc, argv);
	if (argc > 1)
		fprintf(stderr, "gatewarden: there is no command \"%.40s\"\n", argv[1]);
	print_help(stderr);
	return 2;
}
