/* phc.c - see phc.h. The fields stand in one order only, numbers have one spelling only. */
#include "issuer/phc.h"

#include "base/macros.h"
#include "format/base64.h"

static const char *const type_names[] = {
	[PHC_ARGON2D] = "argon2d",
	[PHC_ARGON2I] = "argon2i",
	[PHC_ARGON2ID] = "argon2id",
};

static struct err
malformed(void)
{
	return fail(ERR_CONFIG, "the password hash is no argon2 PHC string");
}

/* Up to the next `$`, which is consumed, or the end. */
static struct bytes
take_field(struct reader *r)
{
	struct bytes rest = { r->at, reader_left(r) }, field = { 0 };
	size_t len = bytes_find(rest, '$');
	uint8_t dollar;

	(void)read_bytes(r, len, &field); /* len is within the rest */
	(void)read_u8(r, &dollar);        /* fails at the end, where there is none */
	return field;
}

static struct err
take_type(struct reader *r, enum phc_type *ret)
{
	struct bytes name = take_field(r);

	for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
		if (!bytes_is(name, type_names[i]))
			continue;
		*ret = (enum phc_type)i;
		return OK;
	}
	return malformed();
}

/* "m=65536" with a value of 1 to max. */
static struct err
number(struct bytes text, const char *prefix, uint32_t max, uint32_t *ret)
{
	struct bytes name = bytes_text(prefix);
	struct bytes digits = bytes_slice(text, name.len, text.len);
	uint64_t value;

	if (!bytes_starts(text, name) || digits.len == 0 || digits.at[0] == '0' ||
	    failed(bytes_to_u64(digits, &value)))
		return malformed();
	if (value > max)
		return fail(ERR_CONFIG,
		            "the password hash asks for more than 256 MiB, 10 passes or 16 lanes");
	*ret = (uint32_t)value;
	return OK;
}

static struct err
take_version(struct reader *r, uint32_t *ret)
{
	struct bytes rest = { r->at, reader_left(r) };

	*ret = 16; /* the first argon2 wrote none */
	if (!bytes_starts(rest, BYTES("v=")))
		return OK;

	struct bytes field = take_field(r);

	if (bytes_is(field, "v=19"))
		*ret = 19;
	else if (!bytes_is(field, "v=16"))
		return fail(ERR_CONFIG, "the password hash is of an unknown argon2 version");
	return OK;
}

static struct err
take_costs(struct reader *r, struct phc *p)
{
	struct bytes field = take_field(r);
	size_t first = bytes_find(field, ',');
	struct bytes rest = bytes_slice(field, first + 1, field.len);
	size_t second = bytes_find(rest, ',');

	TRY(number(bytes_slice(field, 0, first), "m=", PHC_MEMORY_MAX_KIB, &p->memory_kib));
	TRY(number(bytes_slice(rest, 0, second), "t=", PHC_PASSES_MAX, &p->passes));
	TRY(number(bytes_slice(rest, second + 1, rest.len), "p=", PHC_LANES_MAX, &p->lanes));
	if (p->memory_kib < 8 * p->lanes) /* RFC 9106 section 3.1 */
		return fail(ERR_CONFIG, "the password hash has less than 8 KiB a lane");
	return OK;
}

static struct err
take_base64(struct reader *r, size_t min, size_t max, uint8_t *ret, size_t *ret_len)
{
	struct bytes field = take_field(r);
	size_t len = 0;

	if (field.len > (max * 4 + 2) / 3 || failed(base64_decode(field, false, ret, max, &len)))
		return malformed();
	if (len < min || len > max)
		return fail(ERR_CONFIG, "the password hash has a salt or tag of an unfit length");
	*ret_len = len;
	return OK;
}

struct err
phc_parse(struct bytes text, struct phc *ret)
{
	struct phc p = { 0 };

	if (text.len == 0 || text.len > PHC_TEXT_MAX || text.at[0] != '$' ||
	    text.at[text.len - 1] == '$')
		return malformed();

	struct reader r = reader_of(bytes_slice(text, 1, text.len));

	TRY(take_type(&r, &p.type));
	TRY(take_version(&r, &p.version));
	TRY(take_costs(&r, &p));
	TRY(take_base64(&r, PHC_SALT_MIN, PHC_SALT_MAX, p.salt, &p.salt_len));
	TRY(take_base64(&r, PHC_TAG_MIN, PHC_TAG_MAX, p.tag, &p.tag_len));
	if (reader_left(&r) > 0)
		return malformed();
	*ret = p;
	return OK;
}

void
phc_put(const struct phc *p, struct buf *out)
{
	buf_printf(out, "$%s$v=%u$m=%u,t=%u,p=%u$", type_names[p->type], p->version, p->memory_kib,
	           p->passes, p->lanes);
	base64_put(out, (struct bytes){ p->salt, p->salt_len }, false);
	buf_put_u8(out, '$');
	base64_put(out, (struct bytes){ p->tag, p->tag_len }, false);
}
