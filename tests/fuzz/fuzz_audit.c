/* fuzz_audit.c - what the ledger reads of a worker, and what `audit verify` reads of a log: the
 * first byte says which. Whatever is taken must be written again as it came. */
#include <stdlib.h>

#include <openssl/evp.h>

#include "audit/checkpoint.h"
#include "audit/record.h"
#include "format/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
fuzz_message(struct bytes text)
{
	struct bytes roles[AUDIT_ROLES_MAX];
	struct audit_record r;
	struct buf again = { 0 }, line = { 0 };
	struct arena arena = { 0 };
	const struct json *json;

	if (failed(audit_record_read(text, &r, roles)))
		return;
	audit_record_put(&again, &r);
	must(bytes_equal(buf_bytes(&again), text));
	audit_record_put_json(&line, &r, 1, 0, 0);
	must(bytes_find(buf_bytes(&line), '\n') == line.len && line.len < AUDIT_LINE_MAX - 1024);
	buf_put_u8(&line, '}');
	must(!failed(json_parse(buf_bytes(&line), &arena, &json, NULL)));
	arena_done(&arena);
	buf_done(&line);
	buf_done(&again);
}

static void
fuzz_line(struct bytes text)
{
	struct digest d;
	struct line l;
	struct buf again = { 0 };
	uint8_t hash[AUDIT_HASH_LEN];

	if (failed(line_parse(text, &l)))
		return;
	must(l.body.at == text.at && l.body.len < text.len);
	must(!failed(digest_init(&d)));
	/* Sealing the same record again gives the line, if and only if its hash is right. */
	buf_put(&again, bytes_slice(l.body, 0, l.body.len - 74));
	must(!failed(line_seal(&again, 0, &d, l.prev, hash)));
	must(line_is_intact(&l, &d) ==
	     bytes_equal(bytes_slice(buf_bytes(&again), 0, again.len - 1), text));
	buf_done(&again);
	digest_done(&d);
}

/* The public key of RFC 8032, section 7.1, test 1; the key id below is what C2SP makes of it. */
static const uint8_t public[CHECKPOINT_KEY_LEN] = {
	0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
	0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
	0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
};

static void
fuzz_checkpoint(struct bytes text)
{
	struct checkpoint_key key = { .id = { 0x89, 0xed, 0x99, 0x70 },
		                      .origin = "gatewarden.audit/21fe31dfa154a261" };
	struct checkpoint c;

	key.key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, sizeof public);
	must(key.key != NULL);
	if (!failed(checkpoint_read(text, &key, &c)))
		must(bytes_starts(text, bytes_text(key.origin)));
	checkpoint_key_done(&key);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = { data + 1, size - 1 };

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'm':
		fuzz_message(text);
		break;
	case 'l':
		fuzz_line(text);
		break;
	case 'c':
		fuzz_checkpoint(text);
		break;
	}
	return 0;
}
