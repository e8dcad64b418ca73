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
	for (unsigned n = 0; n < 2000000; n++) {
		memcpy(id, &n, sizeof n);
		memset(id + sizeof n, 7, sizeof id - sizeof n);
		struct err e = proofs_add(p, (struct bytes){ id, sizeof id }, SECOND_US);

		added += !failed(e);
		refused += e.kind == ERR_LIMIT;
	}
	CHECK(added + refused == 2000000);
	CHECK(added > 900000 && added <= 1 << 20);
	CHECK(proofs_add(p, (struct bytes){ first, sizeof first }, SECOND_US).kind == ERR_IDENTITY);
	/* There is room again when they are old. */
	CHECK(!failed(proofs_add(p, (struct bytes){ id, sizeof id },
	                         (uint64_t)(PROOF_LIFE_S + 1) * SECOND_US)));
	proofs_free(p);
}

TESTS(TEST(test_proof_is_new_once_until_it_would_be_too_old),
      TEST(test_full_table_refuses_and_forgets_nothing))
