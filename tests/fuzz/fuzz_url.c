/* fuzz_url.c - accepted paths hold no segment that means another path, and encode back to
 * themselves; forms and the other readers of text neither crash nor disagree with their writers. */
#include <stdlib.h>

#include "base/macros.h"
#include "format/base64.h"
#include "format/moment.h"
#include "format/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(bool truth)
{
	if (!truth)
		abort();
}

static void
check_path(struct bytes input)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf again = { 0 };
	struct bytes segments[URL_SEGMENTS_MAX], twice[URL_SEGMENTS_MAX];
	size_t count, count_twice;

	if (failed(url_path_split(input, &arena, segments, &count)))
		return;
	demand(count <= URL_SEGMENTS_MAX);
	buf_put_u8(&again, '/');
	for (size_t i = 0; i < count; i++) {
		demand(segments[i].len > 0 && bytes_is_utf8(segments[i]));
		demand(!bytes_is(segments[i], ".") && !bytes_is(segments[i], ".."));
		for (size_t k = 0; k < segments[i].len; k++) {
			uint8_t c = segments[i].at[k];

			demand(c >= 0x20 && c != 0x7f && c != '/' && c != '\\' && c != '%');
		}
		url_put_encoded(&again, segments[i]);
		buf_put_u8(&again, '/');
	}
	demand(!failed(url_path_split(buf_bytes(&again), &arena, twice, &count_twice)) &&
	       count == count_twice);
	for (size_t i = 0; i < count; i++)
		demand(bytes_equal(segments[i], twice[i]));
}

static void
check_form(struct bytes input)
{
	CLEANUP(arena_done) struct arena arena = { 0 };
	CLEANUP(buf_done) struct buf again = { 0 };
	struct url_parameter params[URL_PARAMETERS_MAX], twice[URL_PARAMETERS_MAX];
	size_t count, count_twice;

	if (failed(url_form_split(input, &arena, params, &count)))
		return;
	for (size_t i = 0; i < count; i++) {
		demand(bytes_is_utf8(params[i].name) && bytes_is_utf8(params[i].value));
		url_put_encoded(&again, params[i].name);
		buf_put_u8(&again, '=');
		url_put_encoded(&again, params[i].value);
		buf_put_u8(&again, '&');
	}
	demand(!failed(url_form_split(buf_bytes(&again), &arena, twice, &count_twice)) &&
	       count == count_twice);
	for (size_t i = 0; i < count; i++)
		demand(bytes_equal(params[i].name, twice[i].name) &&
		       bytes_equal(params[i].value, twice[i].value));
}

/* Canonical: what decodes, encodes to the same text. */
static void
check_base64(struct bytes input)
{
	CLEANUP(buf_done) struct buf url = { 0 }, padded = { 0 };
	uint8_t *out = malloc(input.len * 3 / 4 + 1);
	size_t room = input.len * 3 / 4, len;

	demand(out != NULL);
	if (!failed(base64url_decode(input, out, room, &len))) {
		base64url_put(&url, (struct bytes){ out, len });
		demand(bytes_equal(buf_bytes(&url), input));
	}
	if (!failed(base64_decode(input, true, out, room, &len))) {
		base64_put(&padded, (struct bytes){ out, len }, true);
		demand(bytes_equal(buf_bytes(&padded), input));
	}
	free(out);
}

static void
check_moment(struct bytes input)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	int64_t us, back;

	(void)moment_is_date(input); /* only must not read past the end */
	(void)moment_is_time(input);
	if (!moment_parse_timestamp(input, &us))
		return;
	moment_put_timestamp(&text, us);
	demand(moment_parse_timestamp(buf_bytes(&text), &back));
	/* An offset may lead out of the four-digit years, where writing clamps. */
	demand(back == us || us < -62135596800000000 || us > 253402300799999999);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = { data, size };

	check_path(input);
	check_form(input);
	check_base64(input);
	check_moment(input);
	return 0;
}
