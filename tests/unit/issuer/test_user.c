/* Users in the store: names, subjects, what a change of password or state takes with it. */
#include "scene.h"

static void
test_user_is_found_as_added(void)
{
	struct scene s;

	scene_store(&s);

	struct user u = scene_user(&s, "alice");

	CHECK(bytes_is(u.name, "alice"));
	CHECK(bytes_is(u.roles, "reader editor"));
	CHECK(bytes_is(u.hash, scene_phc));
	CHECK(!u.is_disabled);
	CHECK(u.created_s > 1600000000);
	CHECK(u.generation == 1);
	/* A version 4, variant 1 uuid. */
	CHECK(u.subject.len == 36 && u.subject.at[14] == '4' &&
	      strchr("89ab", u.subject.at[19]) != NULL);
	CHECK(!bytes_equal(u.subject, scene_user(&s, "bob").subject));
	scene_done(&s);
}

static void
test_names_are_case_sensitive_and_unique(void)
{
	struct scene s;
	struct user u;

	scene_store(&s);
	(void)scene_user(&s, "alice");
	CHECK(user_find(s.store, BYTES("Alice"), &s.arena, &u).kind == ERR_NOT_FOUND);
	CHECK(user_find(s.store, BYTES("alice\0"), &s.arena, &u).kind == ERR_NOT_FOUND);
	CHECK(!failed(user_add(s.store, BYTES("Alice"), BYTES(""), bytes_text(scene_phc))));
	CHECK(user_add(s.store, BYTES("alice"), BYTES(""), bytes_text(scene_phc)).kind ==
	      ERR_CONFLICT);
	scene_done(&s);
}

static void
test_unfit_names_are_refused(void)
{
	static const struct {
		const char *what;
		struct bytes name;
	} rows[] = {
		{ "empty", { NULL, 0 } },
		{ "NUL", { (const uint8_t *)"a\0b", 3 } },
		{ "newline", { (const uint8_t *)"a\nb", 3 } },
		{ "escape", { (const uint8_t *)"a\x1b[2J", 5 } },
		{ "DEL", { (const uint8_t *)"a\x7f", 2 } },
		{ "C1", { (const uint8_t *)"a\xc2\x9b", 3 } },
		{ "not UTF-8", { (const uint8_t *)"a\xff", 2 } },
	};
	struct scene s;
	char longest[USER_NAME_MAX + 1];

	scene_store(&s);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_ROW(user_add(s.store, rows[i].name, BYTES(""), bytes_text(scene_phc)).kind ==
		                  ERR_INVALID,
		          rows[i].what);
	memset(longest, 'a', sizeof longest);
	CHECK(user_add(s.store, (struct bytes){ (uint8_t *)longest, sizeof longest }, BYTES(""),
	               bytes_text(scene_phc))
	              .kind == ERR_INVALID);
	CHECK(!failed(user_add(s.store, (struct bytes){ (uint8_t *)longest, USER_NAME_MAX },
	                       BYTES(""), bytes_text(scene_phc))));
	/* U+00A0 is no control character, nor are other scripts. */
	CHECK(!failed(user_add(s.store, BYTES("a\xc2\xa0"), BYTES(""), bytes_text(scene_phc))));
	CHECK(!failed(user_add(s.store, BYTES("Zoë 李"), BYTES(""), bytes_text(scene_phc))));
	scene_done(&s);
}

static void
test_name_that_is_sql_is_only_a_name(void)
{
	struct scene s;
	struct user u = { 0 };
	struct bytes name = BYTES("x'); DROP TABLE user; --");

	scene_store(&s);
	CHECK(!failed(user_add(s.store, name, BYTES("r"), bytes_text(scene_phc))));
	CHECK(!failed(user_find(s.store, name, &s.arena, &u)) && bytes_equal(u.name, name));
	scene_done(&s);
}

/* Case 29: a stored hash that asks for 4 GiB must never be there when someone logs in. */
static void
test_case_29_hash_out_of_bounds_is_never_stored(void)
{
	struct scene s;
	struct bytes greedy = BYTES("$argon2id$v=19$m=4194304,t=3,p=4$wagCPXjifgvUFBzq4hqe3w$"
	                            "CYaIb8sB+wtD+Vu/P4uod1+Qof8h+1g7");

	scene_store(&s);
	(void)scene_user(&s, "bob");
	CHECK(user_add(s.store, BYTES("alice"), BYTES(""), greedy).kind == ERR_CONFIG);
	CHECK(user_set_password(s.store, BYTES("bob"), greedy).kind == ERR_CONFIG);
	CHECK(user_add(s.store, BYTES("alice"), BYTES(""), BYTES("plain text")).kind == ERR_CONFIG);
	scene_done(&s);
}

static void
test_changes_to_an_unknown_user_are_not_found(void)
{
	struct scene s;

	scene_store(&s);
	CHECK(user_set_password(s.store, BYTES("nobody"), bytes_text(scene_phc)).kind ==
	      ERR_NOT_FOUND);
	CHECK(user_set_disabled(s.store, BYTES("nobody"), true).kind == ERR_NOT_FOUND);
	scene_done(&s);
}

static void
test_each_change_is_a_new_generation(void)
{
	struct scene s;

	scene_store(&s);
	(void)scene_user(&s, "alice");
	CHECK(!failed(user_set_disabled(s.store, BYTES("alice"), true)));
	CHECK(scene_user(&s, "alice").is_disabled);
	CHECK(!failed(user_set_disabled(s.store, BYTES("alice"), false)));
	CHECK(!scene_user(&s, "alice").is_disabled);
	CHECK(!failed(user_set_password(s.store, BYTES("alice"), bytes_text(scene_phc))));
	CHECK(scene_user(&s, "alice").generation == 4);
	scene_done(&s);
}

static void
test_rehash_replaces_only_the_hash_it_was_made_from(void)
{
	static const char weak[] =
		"$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ";
	struct scene s;

	scene_store(&s);
	CHECK(!failed(user_add(s.store, BYTES("alice"), BYTES(""), bytes_text(weak))));

	struct user seen = scene_user(&s, "alice");

	CHECK(!failed(user_rehash(s.store, &seen, bytes_text(scene_phc))));
	CHECK(bytes_is(scene_user(&s, "alice").hash, scene_phc));
	CHECK(scene_user(&s, "alice").generation == 1);
	/* Late: someone set another password meanwhile. */
	CHECK(!failed(user_rehash(s.store, &seen, bytes_text(weak))));
	CHECK(bytes_is(scene_user(&s, "alice").hash, scene_phc));
	scene_done(&s);
}

struct listing {
	char names[64];
	unsigned disabled;
};

static void
list_one(void *of, const struct user *u)
{
	struct listing *l = of;

	strncat(l->names, (const char *)u->name.at, u->name.len);
	l->disabled += u->is_disabled;
}

static void
test_list_is_ordered_and_complete(void)
{
	struct scene s;
	struct listing l = { 0 };

	scene_store(&s);
	(void)scene_user(&s, "c");
	(void)scene_user(&s, "a");
	(void)scene_user(&s, "b");
	CHECK(!failed(user_set_disabled(s.store, BYTES("b"), true)));
	CHECK(!failed(user_list(s.store, list_one, &l)));
	CHECK(strcmp(l.names, "abc") == 0);
	CHECK(l.disabled == 1);
	scene_done(&s);
}

TESTS(TEST(test_user_is_found_as_added), TEST(test_names_are_case_sensitive_and_unique),
      TEST(test_unfit_names_are_refused), TEST(test_name_that_is_sql_is_only_a_name),
      TEST(test_case_29_hash_out_of_bounds_is_never_stored),
      TEST(test_changes_to_an_unknown_user_are_not_found),
      TEST(test_each_change_is_a_new_generation),
      TEST(test_rehash_replaces_only_the_hash_it_was_made_from),
      TEST(test_list_is_ordered_and_complete))
