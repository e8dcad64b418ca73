/* fetcher_files.c - the files that fetcher reads while it runs: secrets, certificates, and what
 * names are resolved by. */
#include "process/fetcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macros.h"
#include "io/resolve.h"

enum { SECRET_MAX = 4096 };

static struct err
add(struct files *f, const char *path)
{
	if (path == NULL)
		return OK;
	if (f->count == SANDBOX_PATHS_MAX)
		return fail(ERR_CONFIG, "too many files of secrets");
	f->at[f->count++] = path;
	return OK;
}

struct err
files_of(const struct settings *settings, struct files *ret)
{
	ret->count = 0;
	for (size_t i = 0; resolve_files[i] != NULL; i++)
		TRY(add(ret, resolve_files[i]));
	TRY(add(ret, http_client_ca_file(&settings->outbound)));
	TRY(add(ret, settings->telemetry.headers.file));
	for (size_t i = 0; i < settings->issuer_count; i++) {
		const struct issuer_settings *s = &settings->issuers[i];

		TRY(add(ret, s->graph_secret.file));
		TRY(add(ret, s->introspection_secret.file));
		TRY(add(ret, s->login_secret.file));
	}
	return OK;
}

bool
files_are_same(const struct files *a, const struct files *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->at[i], b->at[i]) != 0)
			return false;
	return true;
}

const char *
files_replaced(const struct files *f)
{
	for (size_t i = 0; i < f->count; i++) {
		int fd = open(f->at[i], O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			close(fd);
		else if (errno == EACCES && access(f->at[i], R_OK) == 0)
			return f->at[i];
	}
	return NULL;
}

static struct err
read_all(const char *path, uint8_t at[SECRET_MAX], size_t *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return (struct err){ .kind = ERR_CONFIG,
			             .sys = errno,
			             .why = "the file of our secret cannot be opened" };
	while (n > 0 && len < SECRET_MAX) {
		n = read(fd, at + len, SECRET_MAX - len);
		if (n > 0)
			len += (size_t)n;
	}
	close(fd);
	if (n != 0)
		return fail(ERR_CONFIG, "the file of our secret cannot be read, or is too long");
	*ret = len;
	return OK;
}

struct err
files_secret(const struct secret_ref *ref, struct secret *ret)
{
	uint8_t text[SECRET_MAX];
	size_t len;

	*ret = (struct secret){ 0 };
	if (ref->env != NULL) {
		const char *value = getenv(ref->env);
		return value != NULL ? secret_from(bytes_text(value), ret)
		                     : fail(ERR_CONFIG, "the variable of our secret is not set");
	}
	if (ref->file == NULL)
		return OK;
	TRY(read_all(ref->file, text, &len));
	if (len > 0 && text[len - 1] == '\n')
		len--;
	struct err e = len > 0 ? secret_from((struct bytes){ text, len }, ret)
	                       : fail(ERR_CONFIG, "the file of our secret is empty");
	explicit_bzero(text, sizeof text);
	return e;
}
