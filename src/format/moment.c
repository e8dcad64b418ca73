/* moment.c - see moment.h. RFC 3339 section 5.6; the proleptic Gregorian calendar, by arithmetic:
 * no libc time zone or locale takes part. ULID as in its public specification. */
#include "format/moment.h"

#include "base/macros.h"

enum { DAY_S = 86400 };
static const int64_t SECOND_US = 1000000;

/* `width` digits at the start of *text, at most `max`; moves past them. */
static bool
take_number(struct bytes *text, size_t width, unsigned min, unsigned max, unsigned *ret)
{
	uint64_t value;

	if (text->len < width || failed(bytes_to_u64(bytes_slice(*text, 0, width), &value)) ||
	    value < min || value > max)
		return false;
	*ret = (unsigned)value;
	*text = bytes_slice(*text, width, text->len);
	return true;
}

static bool
take_byte(struct bytes *text, uint8_t c)
{
	if (text->len == 0 || text->at[0] != c)
		return false;
	*text = bytes_slice(*text, 1, text->len);
	return true;
}

static unsigned
days_of_month(unsigned year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

/* Days since 1970-01-01. Counting years from March puts the leap day last, so that the days before
 * a month are a linear formula: (153 m + 2) / 5. */
static int64_t
days_from_date(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2),
		m = month > 2 ? (int64_t)month - 3 : (int64_t)month + 9;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + (int64_t)day - 1 - 719468;
}

static bool
take_date(struct bytes *text, int64_t *ret_days)
{
	unsigned year, month, day;

	if (!take_number(text, 4, 1, 9999, &year) || !take_byte(text, '-') ||
	    !take_number(text, 2, 1, 12, &month) || !take_byte(text, '-') ||
	    !take_number(text, 2, 1, days_of_month(year, month), &day))
		return false;
	*ret_days = days_from_date(year, month, day);
	return true;
}

/* `.` and one to six digits, or nothing. */
static bool
take_fraction(struct bytes *text, int64_t *ret_us)
{
	int64_t us = 0;
	size_t digits = 0;

	*ret_us = 0;
	if (!take_byte(text, '.'))
		return true;
	for (; digits < text->len && text->at[digits] >= '0' && text->at[digits] <= '9'; digits++)
		if (digits < 6)
			us = us * 10 + (text->at[digits] - '0');
	if (digits == 0 || digits > 6)
		return false;
	for (size_t i = digits; i < 6; i++)
		us *= 10;
	*text = bytes_slice(*text, digits, text->len);
	*ret_us = us;
	return true;
}

static bool
take_time(struct bytes *text, int64_t *ret_us)
{
	unsigned hour, minute, second;
	int64_t fraction;

	if (!take_number(text, 2, 0, 23, &hour) || !take_byte(text, ':') ||
	    !take_number(text, 2, 0, 59, &minute) || !take_byte(text, ':') ||
	    !take_number(text, 2, 0, 59, &second) || !take_fraction(text, &fraction))
		return false;
	*ret_us = (int64_t)(hour * 3600 + minute * 60 + second) * SECOND_US + fraction;
	return true;
}

/* Z, an offset, or nothing. */
static bool
take_zone(struct bytes *text, int64_t *ret_us)
{
	unsigned hour, minute;

	*ret_us = 0;
	if (text->len == 0 || take_byte(text, 'Z'))
		return true;

	bool west = take_byte(text, '-');
	if ((!west && !take_byte(text, '+')) || !take_number(text, 2, 0, 23, &hour) ||
	    !take_byte(text, ':') || !take_number(text, 2, 0, 59, &minute))
		return false;
	*ret_us = (int64_t)(hour * 3600 + minute * 60) * SECOND_US * (west ? -1 : 1);
	return true;
}

bool
moment_is_date(struct bytes text)
{
	int64_t days;

	return take_date(&text, &days) && text.len == 0;
}

bool
moment_is_time(struct bytes text)
{
	int64_t us;

	return take_time(&text, &us) && text.len == 0;
}

bool
moment_parse_timestamp(struct bytes text, int64_t *ret_us)
{
	int64_t days, time_us, zone_us;

	if (!take_date(&text, &days) || (!take_byte(&text, 'T') && !take_byte(&text, ' ')) ||
	    !take_time(&text, &time_us) || !take_zone(&text, &zone_us) || text.len != 0)
		return false;
	*ret_us = days * DAY_S * SECOND_US + time_us - zone_us;
	return true;
}

static void
put_digits(uint8_t *to, unsigned value, size_t width)
{
	for (size_t i = width; i-- > 0; value /= 10)
		to[i] = (uint8_t)('0' + value % 10);
}

/* The inverse of days_from_date(), as year, month, day text. `days` counts from 0000-03-01. */
static void
put_date(uint8_t *to, int64_t days)
{
	int64_t era = days / 146097, of_era = days % 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;
	int64_t day = of_year - (153 * month + 2) / 5 + 1;

	year += era * 400 + (month >= 10);
	put_digits(to, (unsigned)year, 4);
	put_digits(to + 5, (unsigned)(month < 10 ? month + 3 : month - 9), 2);
	put_digits(to + 8, (unsigned)day, 2);
}

/* Four-digit years only: 0001-01-01 to 9999-12-31. */
static const int64_t FIRST_US = -62135596800000000, LAST_US = 253402300799999999;

void
moment_put_timestamp(struct buf *out, int64_t us)
{
	uint8_t *to = buf_reserve(out, 27);

	if (to == NULL)
		return;
	us = us < FIRST_US ? FIRST_US : us > LAST_US ? LAST_US : us;

	int64_t since = us + 719468 * (DAY_S * SECOND_US); /* from 0000-03-01, so never negative */
	int64_t second = since / SECOND_US % DAY_S;
	memcpy(to, "0000-00-00T00:00:00.000000Z", 27);
	put_date(to, since / SECOND_US / DAY_S);
	put_digits(to + 11, (unsigned)(second / 3600), 2);
	put_digits(to + 14, (unsigned)(second / 60 % 60), 2);
	put_digits(to + 17, (unsigned)(second % 60), 2);
	put_digits(to + 20, (unsigned)(since % SECOND_US), 6);
	buf_commit(out, 27);
}

void
moment_put_seconds(struct buf *out, int64_t s)
{
	const int64_t first = FIRST_US / SECOND_US, last = LAST_US / SECOND_US;
	CLEANUP(buf_done) struct buf text = { 0 };

	moment_put_timestamp(&text, (s < first ? first : s > last ? last : s) * SECOND_US);
	buf_put(out, bytes_slice(buf_bytes(&text), 0, 19));
	buf_put_u8(out, 'Z');
}

static const char CROCKFORD[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void
ulid_put(struct buf *out, int64_t wall_us, const uint8_t random[10])
{
	uint8_t *to = buf_reserve(out, ULID_LEN);
	uint64_t ms = wall_us < 0 ? 0 : (uint64_t)wall_us / 1000;

	if (to == NULL)
		return;
	for (size_t i = 10; i-- > 0; ms >>= 5)
		to[i] = (uint8_t)CROCKFORD[ms & 31];
	/* 80 bits in two runs of five bytes, eight characters each. */
	for (size_t half = 0; half < 2; half++) {
		uint64_t word = 0;

		for (size_t i = 0; i < 5; i++)
			word = word << 8 | random[half * 5 + i];
		for (size_t i = 8; i-- > 0; word >>= 5)
			to[10 + half * 8 + i] = (uint8_t)CROCKFORD[word & 31];
	}
	buf_commit(out, ULID_LEN);
}
