/* key_files.c - the key sets that operators give as files (`jwks: {file}`); see issuers.h. */
#include <stdio.h>

#include "base/log.h"
#include "base/macros.h"
#include "identity/issuers.h"

static void
file_drop(FILE **f)
{
	if (*f != NULL)
		(void)fclose(*f); /* only read from */
}

static struct err
read_file(const char *path, struct buf *out)
{
	FILE *f CLEANUP(file_drop) = fopen(path, "rbe");
	uint8_t *at = buf_reserve(out, JWKS_BYTES_MAX + 1);

	if (f == NULL)
		return fail(ERR_CONFIG, "cannot be opened");
	if (at == NULL)
		return fail(ERR_SYSTEM, "out of memory for a key set");
	buf_commit(out, fread(at, 1, JWKS_BYTES_MAX + 1, f));
	return ferror(f) ? fail(ERR_CONFIG, "cannot be read") : OK;
}

/* One line a key that was left out: an operator wants to know, but the others are good. */
static void
log_refused(const char *issuer, struct bytes lines)
{
	while (lines.len != 0) {
		size_t end = bytes_find(lines, '\n');

		LOG(LOG_WARN, "a key of an issuer was left out", { "issuer", bytes_text(issuer) },
		    { "why", bytes_slice(lines, 0, end) });
		lines = bytes_slice(lines, end + 1, lines.len);
	}
}

static struct err
load(const struct issuer_settings *from, struct jwks **ret)
{
	struct buf text CLEANUP(buf_done) = { 0 };
	struct buf refused CLEANUP(buf_done) = { .limit = 1 << 16 };
	struct jwks *keys;

	TRY(read_file(from->jwks_file, &text));
	TRY(jwks_parse(buf_bytes(&text), &keys, &refused));
	log_refused(from->name, buf_bytes(&refused));
	if (jwks_count(keys) == 0) {
		jwks_free(keys);
		return fail(ERR_CONFIG, "holds no key that can be used");
	}
	*ret = keys;
	return OK;
}

struct err
issuers_load_files(struct issuers *s, struct config_errors *errors)
{
	const struct settings *settings = issuers_settings(s);
	struct err result = OK;

	for (unsigned i = 0; i < settings->issuer_count; i++) {
		const struct issuer_settings *from = &settings->issuers[i];
		struct jwks *keys;

		if (from->jwks_file == NULL)
			continue;

		struct err e = load(from, &keys);
		if (!failed(e)) {
			issuers_set_keys(s, i, keys);
			continue;
		}
		config_error_add(errors, settings->file, from->place,
		                 "the key set %s of issuer %s: %s", from->jwks_file, from->name,
		                 e.why);
		result = fail(ERR_CONFIG, "a key set cannot be used");
	}
	return result;
}
