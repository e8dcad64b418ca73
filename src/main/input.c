/* input.c - see input.h. */
#include "main/input.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { CHUNK = 4096 };

static struct err
unreadable(void)
{
	return (struct err){ .kind = ERR_CONFIG, .sys = errno, .why = "the file cannot be read" };
}

static struct err
read_all(int fd, struct buf *ret)
{
	for (;;) {
		uint8_t chunk[CHUNK];
		ssize_t got = read(fd, chunk, sizeof chunk);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return unreadable();
		buf_put(ret, (struct bytes){ chunk, (size_t)got });
		explicit_bzero(chunk, sizeof chunk); /* it may be a token or a key */
		if (got == 0 || ret->overflow)
			return ret->overflow ? fail(ERR_LIMIT, "the input is too long") : OK;
	}
}

struct err
input_file(const char *path, struct buf *ret)
{
	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, ret);

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return unreadable();

	struct err e = read_all(fd, ret);

	(void)close(fd); /* read only */
	return e;
}
