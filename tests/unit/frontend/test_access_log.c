/* Lines of the access log reach their file whole, or are dropped and counted. */
#include "frontend/access_log.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "test.h"

static char path[64];

static struct telemetry_settings
to_file(void)
{
	(void)snprintf(path, sizeof path, "/tmp/gatewarden-access-%d.log", (int)getpid());
	unlink(path);
	return (struct telemetry_settings){ .access_log = ACCESS_LOG_FILE,
		                            .access_log_path = path };
}

static size_t
read_file(char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, room);

	close(fd);
	return n > 0 ? (size_t)n : 0;
}

static void
test_lines_are_written_in_their_order(void)
{
	const struct telemetry_settings s = to_file();
	struct access_lines log;
	uint64_t dropped = 0;
	struct stat st;
	char text[64];

	umask(077);
	CHECK(!failed(access_log_open(&s, &log)));
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
	CHECK(!access_log_put(&log, BYTES("{\"a\":1}\n"), &dropped));
	CHECK(read_file(text, sizeof text) == 0); /* gathered */
	CHECK(!access_log_put(&log, BYTES("{\"a\":2}\n"), &dropped));
	CHECK(!access_log_write(&log, &dropped));
	CHECK(read_file(text, sizeof text) == 16 &&
	      memcmp(text, "{\"a\":1}\n{\"a\":2}\n", 16) == 0);
	access_log_close(&log);

	/* Another one goes on behind it, and leaves its mode alone. */
	CHECK(chmod(path, 0600) == 0 && !failed(access_log_open(&s, &log)));
	(void)access_log_put(&log, BYTES("3\n"), &dropped);
	CHECK(!access_log_write(&log, &dropped));
	CHECK(read_file(text, sizeof text) == 18 && dropped == 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	access_log_close(&log);
	unlink(path);
}

static void
test_what_cannot_be_opened_is_an_error(void)
{
	static const struct telemetry_settings bad[] = {
		{ .access_log = ACCESS_LOG_FILE, .access_log_path = "/nonexistent/access.log" },
		{ .access_log = ACCESS_LOG_FILE, .access_log_path = "/tmp" },
	};
	struct access_lines log;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(access_log_open(&bad[i], &log).kind == ERR_CONFIG);
}

static void
test_a_log_that_is_off_takes_nothing(void)
{
	const struct telemetry_settings off = { .access_log = ACCESS_LOG_OFF };
	struct access_lines log;
	uint64_t dropped = 0;

	CHECK(!failed(access_log_open(&off, &log)));
	CHECK(!access_log_put(&log, BYTES("1\n"), &dropped) && log.lines.len == 0);
	CHECK(!access_log_write(&log, &dropped) && dropped == 0);
	access_log_close(&log);
}

static void
put_many(struct access_lines *log, unsigned count, uint64_t *dropped)
{
	CLEANUP(buf_done) struct buf line = { 0 };

	buf_printf(&line, "%099d\n", 1);
	for (unsigned i = 0; i < count; i++)
		(void)access_log_put(log, buf_bytes(&line), dropped);
}

/* A disk without room: what was cut off is ended before the next line. */
static void
test_a_full_disk_drops_lines_and_counts_them(void)
{
	const struct telemetry_settings s = to_file();
	const struct rlimit small = { 1050, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };
	struct access_lines log;
	uint64_t dropped = 0;
	char text[4096];

	(void)signal(SIGXFSZ, SIG_IGN);
	CHECK(!failed(access_log_open(&s, &log)) && setrlimit(RLIMIT_FSIZE, &small) == 0);
	put_many(&log, 20, &dropped);
	CHECK(!access_log_write(&log, &dropped) && dropped == 10 && log.lines.len == 0);
	put_many(&log, 5, &dropped);
	CHECK(!access_log_write(&log, &dropped) && dropped == 15);
	CHECK(setrlimit(RLIMIT_FSIZE, &all) == 0);
	put_many(&log, 2, &dropped);
	CHECK(!access_log_write(&log, &dropped) && dropped == 15);
	CHECK(read_file(text, sizeof text) == 1051 + 200);
	CHECK(text[1049] == '0' && text[1050] == '\n' && text[1051] == '0' && text[1250] == '\n');
	access_log_close(&log);
	unlink(path);
}

static size_t
drain_pipe(int fd, char *text, size_t room)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, room - len)) > 0)
		len += (size_t)n;
	return len;
}

/* A reader that stands still holds up nobody: lines wait for a while, then are lost, always whole
 * ones. */
static void
check_stream(int reader, int writer)
{
	static char text[2 << 20];
	struct access_lines log = { .fd = writer, .is_stream = true };
	struct stat st;
	uint64_t dropped = 0;
	bool is_full = false;

	CHECK(fstat(writer, &st) == 0);
	log.is_socket = S_ISSOCK(st.st_mode);
	for (unsigned i = 0; i < 100; i++) {
		put_many(&log, 100, &dropped);
		is_full = access_log_write(&log, &dropped);
	}
	CHECK(is_full && dropped > 0 && log.lines.len <= 4 * 65536);
	size_t len = drain_pipe(reader, text, sizeof text);
	while (access_log_write(&log, &dropped))
		len += drain_pipe(reader, text + len, sizeof text - len);
	len += drain_pipe(reader, text + len, sizeof text - len);
	CHECK(len == (10000 - dropped) * 100);
	for (size_t i = 0; i < len; i++)
		if ((text[i] == '\n') != (i % 100 == 99)) {
			CHECK(false);
			break;
		}
	access_log_close(&log);
	close(reader);
}

static void
test_a_reader_that_stands_still_holds_up_nobody(void)
{
	int ends[2];

	CHECK(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
	check_stream(ends[0], ends[1]);
	/* systemd hands us a socket, and a blocking one. */
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
	check_stream(ends[0], ends[1]);
}

TESTS(TEST(test_lines_are_written_in_their_order), TEST(test_what_cannot_be_opened_is_an_error),
      TEST(test_a_log_that_is_off_takes_nothing),
      TEST(test_a_full_disk_drops_lines_and_counts_them),
      TEST(test_a_reader_that_stands_still_holds_up_nobody))
