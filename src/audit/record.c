/* record.c - the message form of a record: what a worker sends and the ledger reads.
 *
 * Fixed fields first, then texts in one order, each with its length. The reader takes nothing the
 * writer does not make, so that a worker that has been taken over can choose values but not shapes.
 */
#include "audit/record.h"

enum {
	MESSAGE_VERSION = 4,
	FLAG_FINGERPRINT = 1,
	FLAG_COMPLETION = 2,
	FLAG_OBSERVED = 4,
	TEXT_COUNT = 14,
	COUNTED_HEAD = 4
};
enum { FIXED_LEN = 1 + 1 + 1 + 1 + 2 + 2 + 8 + 8 + 8 + FINGERPRINT_LEN + 1 };

_Static_assert(FIXED_LEN + TEXT_COUNT * (COUNTED_HEAD + AUDIT_TEXT_MAX) +
                               AUDIT_ROLES_MAX * (COUNTED_HEAD + AUDIT_ROLE_MAX) <=
                       AUDIT_MESSAGE_MAX,
               "the largest record must fit in one message");

struct bytes
audit_text_cut(struct bytes text, size_t max)
{
	size_t len = max;

	if (text.len <= max)
		return text;
	/* Step back over at most three continuation bytes; what is no UTF-8 is cut anywhere. */
	while (len > 0 && max - len < 3 && (text.at[len] & 0xC0) == 0x80)
		len--;
	if ((text.at[len] & 0xC0) == 0x80)
		len = max;
	return bytes_slice(text, 0, len);
}

/* The one order of texts in a message, for both directions. */
static void
list_texts(struct audit_record *r, struct bytes *ret[TEXT_COUNT])
{
	struct bytes *texts[TEXT_COUNT] = {
		&r->decision, &r->trace,   &r->issuer,     &r->subject, &r->name,
		&r->agent,    &r->client,  &r->resource,   &r->action,  &r->rule,
		&r->reason,   &r->backend, &r->credential, &r->path,
	};

	memcpy(ret, texts, sizeof texts);
}

void
audit_record_put(struct buf *out, const struct audit_record *r)
{
	struct audit_record copy = *r;
	struct bytes *texts[TEXT_COUNT];
	size_t roles = r->role_count < AUDIT_ROLES_MAX ? r->role_count : AUDIT_ROLES_MAX;

	buf_put_u8(out, MESSAGE_VERSION);
	buf_put_u8(out, (uint8_t)((r->has_fingerprint ? FLAG_FINGERPRINT : 0) |
	                          (r->is_completion ? FLAG_COMPLETION : 0) |
	                          (r->is_observed ? FLAG_OBSERVED : 0)));
	buf_put_u16le(out, (uint16_t)r->class);
	buf_put_u8(out, (uint8_t)r->outcome);
	buf_put_u16le(out, r->status);
	buf_put_u64le(out, (uint64_t)r->rows);
	buf_put_u64le(out, r->bytes);
	buf_put_u64le(out, r->duration_us);
	if (r->has_fingerprint)
		buf_put(out, (struct bytes){ r->fingerprint, FINGERPRINT_LEN });

	list_texts(&copy, texts);
	for (size_t i = 0; i < TEXT_COUNT; i++)
		buf_put_counted(out, audit_text_cut(*texts[i], AUDIT_TEXT_MAX));
	buf_put_u8(out, (uint8_t)roles);
	for (size_t i = 0; i < roles; i++)
		buf_put_counted(out, audit_text_cut(r->roles[i], AUDIT_ROLE_MAX));
}

static struct err
read_class(struct reader *in, enum audit_class *ret)
{
	uint16_t class;

	TRY(read_u16le(in, &class));
	if (class != AUDIT_DATASTORE && class != AUDIT_API && class != AUDIT_AUTHENTICATION &&
	    class != AUDIT_ACCOUNT)
		return fail(ERR_PEER, "an audit message of no known class");
	*ret = (enum audit_class) class;
	return OK;
}

static struct err
read_outcome(struct reader *in, enum audit_outcome *ret)
{
	uint8_t outcome;

	TRY(read_u8(in, &outcome));
	if (outcome > AUDIT_FAILED)
		return fail(ERR_PEER, "an audit message of no known outcome");
	*ret = (enum audit_outcome)outcome;
	return OK;
}

static struct err
read_flags(struct reader *in, struct audit_record *ret)
{
	uint8_t version, flags;

	TRY(read_u8(in, &version));
	TRY(read_u8(in, &flags));
	if (version != MESSAGE_VERSION)
		return fail(ERR_PEER, "an audit message of another version");
	if ((flags & ~(FLAG_FINGERPRINT | FLAG_COMPLETION | FLAG_OBSERVED)) != 0)
		return fail(ERR_PEER, "an audit message with an unknown flag");
	ret->has_fingerprint = (flags & FLAG_FINGERPRINT) != 0;
	ret->is_completion = (flags & FLAG_COMPLETION) != 0;
	ret->is_observed = (flags & FLAG_OBSERVED) != 0;
	return OK;
}

static struct err
read_numbers(struct reader *in, struct audit_record *ret)
{
	uint64_t rows;
	struct bytes fingerprint;

	TRY(read_u16le(in, &ret->status));
	TRY(read_u64le(in, &rows));
	TRY(read_u64le(in, &ret->bytes));
	TRY(read_u64le(in, &ret->duration_us));
	if ((int64_t)rows < -1)
		return fail(ERR_PEER, "an audit message with fewer than no rows");
	ret->rows = (int64_t)rows;
	if (ret->has_fingerprint) {
		TRY(read_bytes(in, FINGERPRINT_LEN, &fingerprint));
		memcpy(ret->fingerprint, fingerprint.at, FINGERPRINT_LEN);
	}
	return OK;
}

static struct err
read_texts(struct reader *in, struct audit_record *ret, struct bytes *roles)
{
	struct bytes *texts[TEXT_COUNT];
	uint8_t count;

	list_texts(ret, texts);
	for (size_t i = 0; i < TEXT_COUNT; i++)
		TRY(read_counted(in, AUDIT_TEXT_MAX, texts[i]));
	TRY(read_u8(in, &count));
	if (count > AUDIT_ROLES_MAX)
		return fail(ERR_PEER, "an audit message with too many roles");
	for (size_t i = 0; i < count; i++)
		TRY(read_counted(in, AUDIT_ROLE_MAX, &roles[i]));
	ret->roles = roles;
	ret->role_count = count;
	return OK;
}

struct err
audit_record_read(struct bytes message, struct audit_record *ret, struct bytes *roles)
{
	struct reader in = reader_of(message);
	struct audit_record r = { 0 };

	if (message.len > AUDIT_MESSAGE_MAX)
		return fail(ERR_PEER, "an audit message is too long");
	TRY(read_flags(&in, &r));
	TRY(read_class(&in, &r.class));
	TRY(read_outcome(&in, &r.outcome));
	TRY(read_numbers(&in, &r));
	TRY(read_texts(&in, &r, roles));
	if (reader_left(&in) != 0)
		return fail(ERR_PEER, "bytes are left over behind an audit message");
	*ret = r;
	return OK;
}
