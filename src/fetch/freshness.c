/* freshness.c - see freshness.h. */
#include "fetch/freshness.h"

#include <time.h>

#include "base/macros.h"

static struct bytes
trim(struct bytes b)
{
	while (b.len > 0 && (b.at[0] == ' ' || b.at[0] == '\t'))
		b = bytes_slice(b, 1, b.len);
	while (b.len > 0 && (b.at[b.len - 1] == ' ' || b.at[b.len - 1] == '\t'))
		b.len--;
	return b;
}

/* Dates */

static bool
read_digits(struct bytes text, size_t at, size_t len, int *ret)
{
	uint64_t value;

	if (failed(bytes_to_u64(bytes_slice(text, at, at + len), &value)))
		return false;
	*ret = (int)value; /* four digits at most */
	return true;
}

/* Index of a name of three letters in a run of them. */
static bool
find_name(struct bytes names, struct bytes name, int *ret)
{
	for (size_t i = 0; i < names.len; i += 3)
		if (bytes_equal(bytes_slice(names, i, i + 3), name)) {
			*ret = (int)(i / 3);
			return true;
		}
	return false;
}

bool
http_date_parse(struct bytes text, int64_t *ret_s)
{
	static const char form[] = "aaa, 00 aaa 0000 00:00:00 GMT";
	struct tm tm = { 0 };
	int day, year;

	if (text.len != sizeof form - 1)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (form[i] != 'a' && form[i] != '0' && text.at[i] != (uint8_t)form[i])
			return false;
	if (!find_name(BYTES("SunMonTueWedThuFriSat"), bytes_slice(text, 0, 3), &day) ||
	    !find_name(BYTES("JanFebMarAprMayJunJulAugSepOctNovDec"), bytes_slice(text, 8, 11),
	               &tm.tm_mon) ||
	    !read_digits(text, 5, 2, &tm.tm_mday) || !read_digits(text, 12, 4, &year) ||
	    !read_digits(text, 17, 2, &tm.tm_hour) || !read_digits(text, 20, 2, &tm.tm_min) ||
	    !read_digits(text, 23, 2, &tm.tm_sec))
		return false;
	if (year < 1970 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
	    tm.tm_sec > 60)
		return false;
	tm.tm_year = year - 1900;
	*ret_s = timegm(&tm); /* a 31 April is 1 May: near enough for how long a document keeps */
	return true;
}

/* Cache-Control */

struct directives {
	bool forbids; /* no-store, no-cache */
	bool has_max_age;
	uint64_t max_age_s;
};

/* A number too large to hold is as good as the largest (RFC 9111 section 1.2.2). */
static bool
read_seconds(struct bytes text, uint64_t *ret)
{
	if (text.len >= 2 && text.at[0] == '"' && text.at[text.len - 1] == '"')
		text = bytes_slice(text, 1, text.len - 1);
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
	if (text.len == 0)
		return false;
	if (failed(bytes_to_u64(text, ret)))
		*ret = UINT64_MAX;
	return true;
}

static void
read_directive(struct bytes text, struct directives *d)
{
	size_t equals = bytes_find(text, '=');
	struct bytes name = trim(bytes_slice(text, 0, equals));
	uint64_t seconds;

	if (bytes_equal_nocase(name, BYTES("no-store")) ||
	    bytes_equal_nocase(name, BYTES("no-cache"))) {
		d->forbids = true;
		return;
	}
	if (!bytes_equal_nocase(name, BYTES("max-age")))
		return;
	if (!read_seconds(trim(bytes_slice(text, equals + 1, text.len)), &seconds))
		seconds = 0;
	/* Twice: the shorter one. */
	if (!d->has_max_age || seconds < d->max_age_s)
		d->max_age_s = seconds;
	d->has_max_age = true;
}

static struct directives
read_cache_control(struct bytes field)
{
	struct directives d = { 0 };

	while (field.len > 0) {
		size_t comma = bytes_find(field, ',');
		read_directive(trim(bytes_slice(field, 0, comma)), &d);
		field = bytes_slice(field, comma + 1, field.len);
	}
	return d;
}

static unsigned
bound(int64_t seconds)
{
	if (seconds < FRESH_MIN_S)
		return FRESH_MIN_S;
	return seconds > FRESH_MAX_S ? FRESH_MAX_S : (unsigned)seconds;
}

static int64_t
clamp(uint64_t seconds)
{
	return seconds > INT32_MAX ? INT32_MAX : (int64_t)seconds;
}

unsigned
freshness_seconds(const struct freshness *f, int64_t now_s)
{
	struct directives d = read_cache_control(f->cache_control);
	int64_t expires, date;
	uint64_t age;

	if (d.forbids)
		return FRESH_MIN_S;
	if (!read_seconds(trim(f->age), &age))
		age = 0;
	if (d.has_max_age)
		return bound(clamp(d.max_age_s) - clamp(age));
	if (trim(f->expires).len == 0)
		return FRESH_DEFAULT_S;
	if (!http_date_parse(trim(f->expires), &expires))
		return FRESH_MIN_S;
	/* By the clock of who wrote both, where it says its own. */
	if (!http_date_parse(trim(f->date), &date))
		date = now_s;
	return bound(expires - date - clamp(age));
}

unsigned
retry_after_seconds(struct bytes field, int64_t now_s)
{
	uint64_t seconds;
	int64_t date;

	field = trim(field);
	if (!read_seconds(field, &seconds)) {
		if (!http_date_parse(field, &date) || date <= now_s)
			return 0;
		seconds = (uint64_t)(date - now_s);
	}
	return seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (unsigned)seconds;
}
