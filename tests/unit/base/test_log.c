/* test_log.c - one event is one line, whatever a peer put into it. */
#include "base/log.h"

#include <errno.h>
#include <unistd.h>

#include "base/macros.h"
#include "test.h"

static char captured[65536];

/* Runs `write_lines` with standard error in a file and reads that back. */
static void
capture(void (*write_lines)(void))
{
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);

	CHECK(f != NULL && saved >= 0 && dup2(fileno(f), STDERR_FILENO) >= 0);
	write_lines();
	CHECK(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(f);
	captured[fread(captured, 1, sizeof captured - 1, f)] = '\0';
	fclose(f);
}

static size_t
count_lines(void)
{
	size_t lines = 0;

	for (const char *at = captured; *at != '\0'; at++)
		lines += *at == '\n';
	return lines;
}

static void
write_hostile(void)
{
	log_init("worker/1", LOG_INFO);
	LOG(LOG_WARN, "refused",
	    { "agent", BYTES("a\nerror worker/1 forged=\"x\"\r\x1b[31m\0\\\xe2\x80\xa8") },
	    { "n", BYTES("2") });
}

static void
test_case_49_values_cannot_forge_a_line(void)
{
	capture(write_hostile);
	CHECK(count_lines() == 1);
	CHECK(strstr(captured, "Z warn worker/1 refused agent=\"a\\x0aerror worker/1 "
	                       "forged=\\x22x\\x22\\x0d\\x1b[31m\\x00"
	                       "\\x5c\\xe2\\x80\\xa8\" n=\"2\"\n") != NULL);
	CHECK(captured[4] == '-' && captured[10] == 'T' && captured[23] == 'Z');
}

static void
write_long(void)
{
	static uint8_t text[100000];

	memset(text, 'a', sizeof text);
	log_init("worker/1", LOG_INFO);
	LOG(LOG_INFO, "long", { "v", { text, sizeof text } }, { "w", { text, LOG_VALUE_MAX } });
}

static void
test_long_values_are_cut_and_say_so(void)
{
	capture(write_long);
	CHECK(count_lines() == 1 && strlen(captured) < 600);
	const char *v = strstr(captured, "v=\""), *w = strstr(captured, "w=\"");
	CHECK(v != NULL && w != NULL && strspn(v + 3, "a") == LOG_VALUE_MAX &&
	      strncmp(v + 3 + LOG_VALUE_MAX, "...\"", 4) == 0);
	CHECK(w != NULL && strspn(w + 3, "a") == LOG_VALUE_MAX && w[3 + LOG_VALUE_MAX] == '"');
}

static void
write_levels(void)
{
	log_init("keeper", LOG_WARN);
	LOG(LOG_DEBUG, "one");
	LOG(LOG_INFO, "two");
	LOG(LOG_WARN, "three");
	LOG(LOG_ERROR, "four");
	log_err(LOG_ERROR, "five",
	        (struct err){ .kind = ERR_SYSTEM, .sys = ENOENT, .why = "gone" });
	log_err(LOG_ERROR, "six", fail(ERR_PEER, "bad"));
}

static void
test_levels_and_errors(void)
{
	capture(write_levels);
	CHECK(count_lines() == 4 && strstr(captured, "keeper one") == NULL &&
	      strstr(captured, "two") == NULL);
	CHECK(strstr(captured, "error keeper four\n") != NULL);
	CHECK(strstr(captured, "five why=\"gone\" errno=\"No such file or directory\"\n") != NULL);
	CHECK(strstr(captured, "six why=\"bad\"\n") != NULL);
}

TESTS(TEST(test_case_49_values_cannot_forge_a_line), TEST(test_long_values_are_cut_and_say_so),
      TEST(test_levels_and_errors))
