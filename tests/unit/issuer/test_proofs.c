/* DPoP proofs are seen once, and what cannot be remembered is not accepted. */
#include "base/random.h"
#include "issuer/proofs.h"
#include "test.h"

enum { SECOND_US = 1000000 };

static void
test_proof_is_new_once_until_it_would_be_too_old(void)
{
	struct proofs *p = NULL;
	uint8_t id[32] = { 1 };
	struct bytes name = { id, sizeof id };

	CHECK(!failed(proofs_new(&p)));
	CHECK(!failed(proofs_add(p, name, 0)));
	CHECK(proofs_add(p, name, 0).kind == ERR_IDENTITY);
	CHECK(proofs_add(p, name, (uint64_t)(PROOF_LIFE_S - 1) * SECOND_US).kind == ERR_IDENTITY);
	CHECK(!failed(proofs_add(p, name, (uint64_t)PROOF_LIFE_S * SECOND_US)));
	id[0] = 2;
	CHECK(!failed(proofs_add(p, name, 0)));
	CHECK(proofs_add(p, (struct bytes){ id, 31 }, 0).kind == ERR_PEER);
	proofs_free(p);
}

static void
test_full_table_refuses_and_forgets_nothing(void)
{
	struct proofs *p = NULL;
	uint8_t first[32], id[32];
	unsigned added = 0, refused = 0;

	random_fill(first, sizeof first);
	CHECK(!failed(proofs_new(&p)));
	CHECK(!failed(proofs_add(p, (struct bytes){ first, sizeof first }, SECOND_US)));
	for (unsigned n = 0; n < 5000000; n++) {
		memcpy(id, &n, sizeof n);
		memset(id + sizeof n, 7, sizeof id - sizeof n);
		struct err e = proofs_add(p, (struct bytes){ id, sizeof id }, SECOND_US);

		added += !failed(e);
		refused += e.kind == ERR_LIMIT;
	}
	CHECK(added + refused == 5000000);
	CHECK(added > 4000000 && added <= 1 << 22);
	CHECK(proofs_add(p, (struct bytes){ first, sizeof first }, SECOND_US).kind == ERR_IDENTITY);
	/* There is room again when they are old. */
	CHECK(!failed(proofs_add(p, (struct bytes){ id, sizeof id },
	                         (uint64_t)(PROOF_LIFE_S + 1) * SECOND_US)));
	proofs_free(p);
}

/* By number of seconds, as a service that only takes bound tokens sees them. */
static void
test_many_callers_find_room(void)
{
	enum { RATE = 2000 };
	struct proofs *p = NULL;
	unsigned refused = 0;

	CHECK(!failed(proofs_new(&p)));
	for (uint64_t n = 0; n < (uint64_t)RATE * PROOF_LIFE_S; n++) {
		uint8_t id[32];

		random_fill(id, sizeof id);
		refused += failed(
			proofs_add(p, (struct bytes){ id, sizeof id }, (1 + n / RATE) * SECOND_US));
	}
	CHECK(refused < RATE * PROOF_LIFE_S / 1000);
	proofs_free(p);
}

TESTS(TEST(test_proof_is_new_once_until_it_would_be_too_old),
      TEST(test_full_table_refuses_and_forgets_nothing), TEST(test_many_callers_find_room))
