/* `gatewarden user`, run as an operator would: through a pipe and at a terminal. */
#include "main/cmd_user.h"

#include <argon2.h>
#include <pty.h>
#include <stdarg.h>
#include <syslog.h>
#include <termios.h>

#include "base/macros.h"
#include "stage.h"

static const char good[] = "correct horse battery\n";

/* Stands in for the C library's, under both of its names; the command runs in a child, so it goes
 * to a file. */
static void __attribute__((format(printf, 2, 0)))
take_line(int priority, const char *format, va_list args)
{
	FILE *f = fopen("syslog", "a");

	if (f == NULL)
		return;
	fprintf(f, "%d ", priority);
	vfprintf(f, format, args);
	fputc('\n', f);
	fclose(f);
}

void __attribute__((format(printf, 2, 3))) (syslog)(
	int priority, const char *format,
	...) /* in brackets: a macro for clang with fortified calls */
{
	va_list args;

	va_start(args, format);
	take_line(priority, format, args);
	va_end(args);
}

void __attribute__((format(printf, 3, 4)))
__syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list args;

	(void)flag;
	va_start(args, format);
	take_line(priority, format, args);
	va_end(args);
}

static void
test_a_change_stands_in_the_system_log(void)
{
	static const char *const wanted[] = { "user add alice, by uid ", "user passwd alice, ",
		                              "user disable alice, ", "user enable alice, " };
	struct stage s;
	char path[128], line[512];
	size_t count = 0;

	stage_open(&s);
	RUN(&s, cmd_user, good, "user", "add", "alice", "--role", "reader");
	RUN(&s, cmd_user, good, "user", "add", "alice", "--role",
	    "reader"); /* refused: no change */
	RUN(&s, cmd_user, good, "user", "passwd", "alice");
	RUN(&s, cmd_user, "", "user", "disable", "alice");
	RUN(&s, cmd_user, "", "user", "enable", "alice");
	RUN(&s, cmd_user, "", "user", "list");
	snprintf(path, sizeof path, "%s/syslog", s.directory);
	FILE *f = fopen(path, "r");
	CHECK(f != NULL);
	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		CHECK(count < ARRAY_LEN(wanted) && strstr(line, wanted[count]) != NULL);
		CHECK(strstr(line, "correct horse") == NULL);
		count++;
	}
	CHECK(count == ARRAY_LEN(wanted));
	if (f != NULL)
		fclose(f);
	stage_done(&s);
}

static void
test_add_list_disable_enable(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_user, good, "user", "add", "alice", "--role", "reader", "--role=admin");
	CHECK(s.status == 0 && said(&s, "added alice with reader admin"));
	RUN(&s, cmd_user, "", "user", "list");
	CHECK(s.status == 0 &&
	      said(&s, "NAME   ROLES         STATE     SUBJECT                               "
	               "CREATED\n") &&
	      said(&s, "alice  reader admin  active    "));

	char subject[37] = "";
	const char *row = strstr(s.out, "active    ");

	snprintf(subject, sizeof subject, "%s", row == NULL ? "" : row + strlen("active    "));
	CHECK(strlen(subject) == 36 && subject[8] == '-');
	RUN(&s, cmd_user, "", "user", "disable", "alice");
	CHECK(s.status == 0 && said(&s, "alice is disabled"));
	RUN(&s, cmd_user, "", "user", "list", "--json");
	CHECK(s.status == 0 && said(&s, "{\"name\":\"alice\",\"subject\":\"") &&
	      said(&s, subject) &&
	      said(&s, "\"roles\":[\"reader\",\"admin\"],\"state\":\"disabled\",\"created\":\"20"));
	RUN(&s, cmd_user, "", "user", "enable", "alice");
	CHECK(s.status == 0 && said(&s, "alice is enabled"));
	stage_done(&s);
}

static void
test_added_password_is_the_one_that_verifies(void)
{
	struct stage s;
	struct issuer_store *store = NULL;
	struct arena arena = { 0 };
	struct user u = { 0 };
	char state[128];
	bool rehash;

	stage_open(&s);
	RUN(&s, cmd_user, "correct horse battery\r\nsecond line\n", "user", "add", "-c",
	    "gatewarden.yaml", "--role", "guest", "--", "-alice");
	CHECK(s.status == 0);
	snprintf(state, sizeof state, "%s/state", s.directory);
	CHECK(!failed(issuer_store_open(state, &store)));
	CHECK(!failed(user_find(store, BYTES("-alice"), &arena, &u)));
	CHECK(!failed(user_check_password(&u, BYTES("correct horse battery"), &rehash)));
	RUN(&s, cmd_user, "another good one, really", "user", "passwd", "--", "-alice");
	CHECK(s.status == 0 && said(&s, "new password"));
	CHECK(!failed(user_find(store, BYTES("-alice"), &arena, &u)));
	CHECK(failed(user_check_password(&u, BYTES("correct horse battery"), &rehash)));
	CHECK(!failed(user_check_password(&u, BYTES("another good one, really"), &rehash)));
	issuer_store_close(store);
	arena_done(&arena);
	stage_done(&s);
}

/* As the reference implementation of argon2 writes it, with costs that are not ours. */
static void
test_hash_of_another_program_moves_in(void)
{
	static const char first[] = "old but gold", second[] = "newer and better";
	struct stage s;
	struct issuer_store *store = NULL;
	struct arena arena = { 0 };
	struct user u = { 0 };
	char state[128], phc[256], input[300];
	bool rehash = false;

	stage_open(&s);
	CHECK(argon2i_hash_encoded(2, 4096, 1, first, strlen(first), "saltsaltsalt", 12, 24, phc,
	                           sizeof phc) == ARGON2_OK);
	snprintf(input, sizeof input, " %s \r\n", phc);
	RUN(&s, cmd_user, input, "user", "add", "alice", "--role", "reader", "--hash");
	CHECK(s.status == 0 && said(&s, "added alice") && strstr(s.out, "argon2") == NULL);
	snprintf(state, sizeof state, "%s/state", s.directory);
	CHECK(!failed(issuer_store_open(state, &store)));
	CHECK(!failed(user_find(store, BYTES("alice"), &arena, &u)) && bytes_is(u.hash, phc));
	CHECK(!failed(user_check_password(&u, bytes_text(first), &rehash)) && rehash);
	CHECK(argon2id_hash_encoded(1, 8192, 2, second, strlen(second), "tlastlas", 8, 32, phc,
	                            sizeof phc) == ARGON2_OK);
	RUN(&s, cmd_user, phc, "user", "passwd", "--hash", "alice");
	CHECK(s.status == 0 && said(&s, "new password"));
	CHECK(!failed(user_find(store, BYTES("alice"), &arena, &u)));
	CHECK(failed(user_check_password(&u, bytes_text(first), &rehash)));
	CHECK(!failed(user_check_password(&u, bytes_text(second), &rehash)));
	issuer_store_close(store);
	arena_done(&arena);
	stage_done(&s);
}

static void
test_unfit_hashes_are_refused_with_the_reason(void)
{
#define TAIL "$wagCPXjifgvUFBzq4hqe3w$CYaIb8sB+wtD+Vu/P4uod1+Qof8h+1g7\n"
	static const struct {
		const char *input, *says;
	} rows[] = {
		{ "", "nothing was given" },
		{ "  \n", "no argon2 PHC string" },
		{ good, "no argon2 PHC string" },
		{ "$2b$12$abcdefghijklmnopqrstuv\n", "no argon2 PHC string" },
		{ "$argon2id$v=19$m=524288,t=3,p=4" TAIL, "more than 256 MiB" },
		{ "$argon2id$v=19$m=65536,t=11,p=4" TAIL, "10 passes" },
		{ "$argon2id$v=19$m=65536,t=3,p=17" TAIL, "16 lanes" },
		{ "$argon2id$v=17$m=65536,t=3,p=4" TAIL, "unknown argon2 version" },
		{ "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$CYaIb8sB+wtD+Vu/P4uod1+Qof8h+1g7\n",
		  "unfit length" },
	};
#undef TAIL
	struct stage s;

	stage_open(&s);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		RUN(&s, cmd_user, rows[i].input, "user", "add", "alice", "--role", "reader",
		    "--hash");
		CHECK_ROW(s.status == 1 && said(&s, rows[i].says) &&
		                  said(&s, "expected such as $argon2id$"),
		          rows[i].says);
	}
	RUN(&s, cmd_user, "", "user", "list");
	CHECK(strstr(s.out, "alice") == NULL);
	RUN(&s, cmd_user, "", "user", "add", "alice", "--role", "reader", "--hash=x");
	CHECK(s.status == 2 && said(&s, "command line"));
	RUN(&s, cmd_user, "", "user", "disable", "alice", "--hash");
	CHECK(s.status == 2 && said(&s, "take --hash"));
	stage_done(&s);
}

static void
test_unfit_passwords_are_refused_with_the_reason(void)
{
	static const struct {
		const char *input, *says;
	} rows[] = {
		{ "", "nothing was given" },
		{ "\n", "nothing was given" },
		{ "short\n", "12 characters" },
		{ "aaaaaaaaaaaaaaaa\n", "over and over" },
	};
	struct stage s;
	char longest[1200];

	stage_open(&s);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		RUN(&s, cmd_user, rows[i].input, "user", "add", "alice", "--role", "reader");
		CHECK_ROW(s.status == 1 && said(&s, rows[i].says), rows[i].says);
	}
	for (size_t i = 0; i < sizeof longest; i++)
		longest[i] = (char)('a' + i % 7);
	longest[sizeof longest - 1] = '\0';
	RUN(&s, cmd_user, longest, "user", "add", "alice", "--role", "reader");
	CHECK(s.status == 1 && said(&s, "longer than 1024"));
	RUN(&s, cmd_user, "", "user", "list");
	CHECK(strstr(s.out, "alice") == NULL);
	stage_done(&s);
}

static void
test_unknown_role_lists_the_known_ones(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_user, good, "user", "add", "alice", "--role", "boss");
	CHECK(s.status == 2 && said(&s, "boss") &&
	      said(&s, "--role reader   gives the role reader") &&
	      said(&s, "--role admin   gives the role books-admin"));
	/* A value of another issuer does not make a local role. */
	RUN(&s, cmd_user, good, "user", "add", "alice", "--role", "r");
	CHECK(s.status == 2 && strstr(s.out, "--role r ") == NULL);
	RUN(&s, cmd_user, good, "user", "add", "alice");
	CHECK(s.status == 2 && said(&s, "--role"));
	stage_done(&s);
}

static void
test_taken_unknown_and_unfit_names_are_status_1(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_user, good, "user", "add", "alice", "--role", "reader");
	RUN(&s, cmd_user, good, "user", "add", "alice", "--role", "reader");
	CHECK(s.status == 1 && said(&s, "already"));
	RUN(&s, cmd_user, good, "user", "passwd", "bob");
	CHECK(s.status == 1 && said(&s, "no user"));
	RUN(&s, cmd_user, "", "user", "disable", "bob");
	CHECK(s.status == 1 && said(&s, "no user"));
	RUN(&s, cmd_user, good, "user", "add", "a\x1b[31mb", "--role", "reader");
	CHECK(s.status == 1 && said(&s, "control characters") && strchr(s.out, 0x1b) == NULL);
	stage_done(&s);
}

static void
test_wrong_usage_is_status_2(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_user, "", "user");
	CHECK(s.status == 2 && said(&s, "say what to do"));
	RUN(&s, cmd_user, "", "user", "remove", "alice");
	CHECK(s.status == 2 && said(&s, "no such verb"));
	RUN(&s, cmd_user, "", "user", "passwd");
	CHECK(s.status == 2 && said(&s, "name of the user is missing"));
	RUN(&s, cmd_user, "", "user", "list", "alice");
	CHECK(s.status == 2);
	RUN(&s, cmd_user, "", "user", "passwd", "alice", "--role", "reader");
	CHECK(s.status == 2);
	RUN(&s, cmd_user, "", "user", "add", "alice", "--password=x");
	CHECK(s.status == 2 && said(&s, "no such option"));
	RUN(&s, cmd_user, "", "user", "add", "alice", "--role");
	CHECK(s.status == 2 && said(&s, "needs a value"));
	RUN(&s, cmd_user, "", "user", "add", "alice", "bob");
	CHECK(s.status == 2);
	RUN(&s, cmd_user, "", "user", "list", "-c", "missing.yaml");
	CHECK(s.status == 2 && said(&s, "missing.yaml"));
	stage_done(&s);
}

static void
test_broken_configuration_says_where(void)
{
	struct stage s;

	stage_open(&s);
	stage_write(&s, "gatewarden.yaml", "listen: {http: 127.0.0.1:8080}\nnonsense: 1\n");
	RUN(&s, cmd_user, "", "user", "list");
	CHECK(s.status == 2 && said(&s, "gatewarden.yaml:2:"));
	stage_done(&s);
}

static void
test_unusable_state_directory_is_named(void)
{
	struct stage s;
	char state[128];

	stage_open(&s);
	stage_write(&s, "state", "a file in the way");
	RUN(&s, cmd_user, "", "user", "list");
	snprintf(state, sizeof state, "%s/state", s.directory);
	CHECK(s.status == 2 && said(&s, state) && said(&s, "no directory"));
	stage_done(&s);
}

/* At a terminal */

static pid_t
at_terminal(const struct stage *s, const char *option, int *ret_terminal)
{
	pid_t child = forkpty(ret_terminal, NULL, NULL, NULL);

	if (child == 0) {
		char *argv[] = { "user",   "add",    "alice",
			         "--role", "reader", (char *)(uintptr_t)option,
			         NULL };

		if (chdir(s->directory) < 0)
			_exit(99);
		exit(cmd_user(option == NULL ? 5 : 6, argv));
	}
	return child;
}

/* Reads from the terminal until `text` was shown or it closed; all of it stays in s->out. */
static bool
wait_for(struct stage *s, int terminal, const char *text)
{
	size_t len = strlen(s->out);
	ssize_t got;

	while (strstr(s->out, text) == NULL && len < sizeof s->out - 1 &&
	       (got = read(terminal, s->out + len, sizeof s->out - 1 - len)) > 0) {
		len += (size_t)got;
		s->out[len] = '\0';
	}
	return strstr(s->out, text) != NULL;
}

static void
type(int terminal, const char *text)
{
	CHECK(write(terminal, text, strlen(text)) == (ssize_t)strlen(text));
}

static bool
is_echoing(int terminal)
{
	struct termios t = { 0 };

	CHECK(tcgetattr(terminal, &t) == 0);
	return t.c_lflag & ECHO;
}

static void
test_terminal_asks_twice_and_shows_nothing(void)
{
	struct stage s;
	int terminal, status = 0;

	stage_open(&s);

	pid_t child = at_terminal(&s, NULL, &terminal);

	CHECK(wait_for(&s, terminal, "Password: "));
	CHECK(!is_echoing(terminal));
	type(terminal, good);
	CHECK(wait_for(&s, terminal, "Once more: "));
	type(terminal, good);
	CHECK(wait_for(&s, terminal, "added alice"));
	CHECK(is_echoing(terminal));
	CHECK(strstr(s.out, "correct") == NULL);
	waitpid(child, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(terminal);
	stage_done(&s);
}

static void
test_terminal_asks_for_a_hash_once(void)
{
	struct stage s;
	int terminal, status = 0;

	stage_open(&s);

	pid_t child = at_terminal(&s, "--hash", &terminal);

	CHECK(wait_for(&s, terminal, "Hash: "));
	CHECK(!is_echoing(terminal));
	type(terminal, "$argon2id$v=19$m=65536,t=3,p=4$wagCPXjifgvUFBzq4hqe3w$CYaIb8sB+wtD+Vu/"
	               "P4uod1+Qof8h+1g7\n");
	CHECK(wait_for(&s, terminal, "added alice"));
	CHECK(is_echoing(terminal) && strstr(s.out, "argon2") == NULL);
	waitpid(child, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(terminal);
	stage_done(&s);
}

static void
test_terminal_refuses_two_that_differ(void)
{
	struct stage s;
	int terminal, status = 0;

	stage_open(&s);

	pid_t child = at_terminal(&s, NULL, &terminal);

	CHECK(wait_for(&s, terminal, "Password: "));
	type(terminal, good);
	CHECK(wait_for(&s, terminal, "Once more: "));
	type(terminal, "correct horse bettery\n");
	CHECK(wait_for(&s, terminal, "differ"));
	waitpid(child, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	close(terminal);
	stage_done(&s);
}

static void
test_interrupt_at_the_prompt_ends_it_with_the_terminal_as_it_was(void)
{
	struct stage s;
	int terminal, status = 0;

	stage_open(&s);

	pid_t child = at_terminal(&s, NULL, &terminal);

	CHECK(wait_for(&s, terminal, "Password: "));
	CHECK(!is_echoing(terminal));
	type(terminal, "half a pass\x03");
	waitpid(child, &status, 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	CHECK(is_echoing(terminal));
	close(terminal);
	stage_done(&s);
}

static void
test_roles_can_be_changed_and_are_checked(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_user, good, "user", "add", "alice", "--role", "reader");
	RUN(&s, cmd_user, "", "user", "roles", "alice", "--role", "admin", "--role=guest");
	CHECK(s.status == 0 &&
	      said(&s, "alice has admin guest; tokens with the roles before are revoked\n"));
	RUN(&s, cmd_user, "", "user", "list", "--json");
	CHECK(said(&s, "\"roles\":[\"admin\",\"guest\"]"));
	RUN(&s, cmd_user, "", "user", "roles", "alice");
	CHECK(s.status == 2 && said(&s, "at least one --role"));
	RUN(&s, cmd_user, "", "user", "roles", "alice", "--role", "boss");
	CHECK(s.status == 2 && said(&s, "--role guest   gives the role reader"));
	RUN(&s, cmd_user, "", "user", "roles", "nobody", "--role", "reader");
	CHECK(s.status == 1);
	RUN(&s, cmd_user, "", "user", "list", "--json");
	CHECK(said(&s, "\"roles\":[\"admin\",\"guest\"]"));
	stage_done(&s);
}

TESTS(TEST(test_roles_can_be_changed_and_are_checked), TEST(test_a_change_stands_in_the_system_log),
      TEST(test_add_list_disable_enable), TEST(test_added_password_is_the_one_that_verifies),
      TEST(test_hash_of_another_program_moves_in),
      TEST(test_unfit_hashes_are_refused_with_the_reason),
      TEST(test_unfit_passwords_are_refused_with_the_reason),
      TEST(test_unknown_role_lists_the_known_ones),
      TEST(test_taken_unknown_and_unfit_names_are_status_1), TEST(test_wrong_usage_is_status_2),
      TEST(test_broken_configuration_says_where), TEST(test_unusable_state_directory_is_named),
      TEST(test_terminal_asks_twice_and_shows_nothing), TEST(test_terminal_asks_for_a_hash_once),
      TEST(test_terminal_refuses_two_that_differ),
      TEST(test_interrupt_at_the_prompt_ends_it_with_the_terminal_as_it_was))
