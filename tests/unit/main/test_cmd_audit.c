/* `gatewarden audit review` and the filters of `audit query`, on a log that the ledger's own code
 * wrote. */
#include "main/cmd_audit.h"

#include <dirent.h>
#include <sys/stat.h>

#include "audit/chain.h"
#include "format/json.h"
#include "main/cmd_client.h"
#include "main/cmd_user.h"
#include "stage.h"

static void
put(struct chain *c, const char *subject, const char *agent, enum audit_class class)
{
	static const struct bytes roles[] = { { (const uint8_t *)"reader", 6 } };
	const struct audit_record r = { .decision = BYTES("01JD8Y3Q5R6S7T8V9W0X1Y2Z3A"),
		                        .class = class,
		                        .outcome = AUDIT_ALLOWED,
		                        .issuer = BYTES("lab"),
		                        .subject = bytes_text(subject),
		                        .agent = bytes_text(agent),
		                        .roles = roles,
		                        .role_count = 1,
		                        .resource = BYTES("books"),
		                        .action = BYTES("read"),
		                        .rule = BYTES("resources.books.allow.reader.read"),
		                        .status = 200,
		                        .rows = 1 };

	CHECK(!failed(chain_append(c, &r, clock_wall_us(), 0)));
}

static void
open_with_log(struct stage *s)
{
	char path[256];
	struct audit_settings settings = { .path = path,
		                           .durability = AUDIT_WRITE,
		                           .segment_bytes = 1 << 20,
		                           .checkpoint_records = 1000,
		                           .checkpoint_ms = 3600000 };
	struct chain *c = NULL;

	stage_open(s);
	snprintf(path, sizeof path, "%s/audit", s->directory);
	CHECK(mkdir(path, 0700) == 0);
	CHECK(!failed(chain_open(&settings, clock_wall_us(), &c)));
	put(c, "u-1", "", AUDIT_DATASTORE);
	put(c, "u-2", "report-bot", AUDIT_DATASTORE);
	put(c, "u-3", "uid 1000", AUDIT_ACCOUNT);
	CHECK(!failed(chain_commit(c, clock_wall_us())));
	chain_close(c);
}

static void
done(struct stage *s)
{
	char path[512];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof path, "%s/audit", s->directory);
	dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		snprintf(path, sizeof path, "%s/audit/%s", s->directory, e->d_name);
		if (e->d_name[0] != '.')
			(void)remove(path);
	}
	if (dir != NULL)
		closedir(dir);
	snprintf(path, sizeof path, "%s/audit", s->directory);
	(void)remove(path);
	stage_done(s);
}

static void
test_a_review_joins_configuration_accounts_and_log(void)
{
	struct arena arena = { 0 };
	const struct json *j = NULL;
	struct stage s;

	open_with_log(&s);
	RUN(&s, cmd_user, "correct horse battery\n", "user", "add", "alice", "--role", "guest");
	RUN(&s, cmd_user, "", "user", "disable", "alice");
	RUN(&s, cmd_client, "", "client", "add", "bot", "--grant", "client_credentials", "--role",
	    "admin");
	RUN(&s, cmd_audit, "", "audit", "review");
	CHECK(s.status == 0 && said(&s, "Who can reach what, by which role\n") &&
	      said(&s, "Roles nobody used for 90 days\n"));
	CHECK(said(&s, "lab:u-1   ") && said(&s, "lab:u-2   ") && strstr(s.out, "u-3") == NULL);
	CHECK(said(&s, "read*+") && said(&s, "local:bot") && said(&s, "books-admin"));
	RUN(&s, cmd_audit, "", "audit", "review", "--json", "--days", "30");
	CHECK(s.status == 0 && !failed(json_parse(bytes_text(s.out), &arena, &j, NULL)));
	CHECK(json_member(j, "disabled_with_roles")->count == 1 &&
	      json_member(j, "unused_accounts")->count == 0 &&
	      json_member(j, "unused_roles")->count == 1);
	arena_done(&arena);
	done(&s);
}

static void
test_a_damaged_log_is_told_and_status_1(void)
{
	struct stage s;
	char path[256];
	FILE *f;

	open_with_log(&s);
	RUN(&s, cmd_user, "correct horse battery\n", "user", "add", "alice", "--role", "guest");
	snprintf(path, sizeof path, "%s/audit/00000000000000000001.jsonl", s.directory);
	f = fopen(path, "r+");
	CHECK(f != NULL && fputs("!!", f) >= 0 && fclose(f) == 0);
	RUN(&s, cmd_audit, "", "audit", "review");
	CHECK(s.status == 1 && said(&s, "run `gatewarden audit verify`") && said(&s, "lab:u-2"));
	done(&s);
}

static void
test_what_cannot_be_read_is_status_2(void)
{
	struct stage s;

	stage_open(&s);
	RUN(&s, cmd_audit, "", "audit", "review");
	CHECK(s.status == 2 && said(&s, "state"));
	RUN(&s, cmd_user, "correct horse battery\n", "user", "add", "alice", "--role", "guest");
	RUN(&s, cmd_audit, "", "audit", "review");
	CHECK(s.status == 2 && said(&s, "audit"));
	for (size_t i = 0; i < 3; i++) {
		RUN(&s, cmd_audit, "", "audit", "review", "--days",
		    (char *)(uintptr_t)((const char *const[]){ "0", "x", "3661" })[i]);
		CHECK(s.status == 2 && said(&s, "--days takes a number"));
	}
	RUN(&s, cmd_audit, "", "audit", "review", "--dir", "audit");
	CHECK(s.status == 2 && said(&s, "unknown option"));
	stage_done(&s);
}

static void
test_a_query_asks_for_agents_and_shows_them(void)
{
	struct stage s;

	open_with_log(&s);
	RUN(&s, cmd_audit, "", "audit", "query", "--agent", "report-bot");
	CHECK(s.status == 0 && said(&s, "lab:u-2 by report-bot") && strstr(s.out, "u-1") == NULL);
	RUN(&s, cmd_audit, "", "audit", "query", "--principal", "lab:u-3");
	CHECK(s.status == 0 && said(&s, "lab:u-3 by uid 1000"));
	RUN(&s, cmd_audit, "", "audit", "query", "--agent", "report-bot", "--json");
	CHECK(s.status == 0 && said(&s, "\"agent\":\"report-bot\"") &&
	      said(&s, "\"app_uid\":\"report-bot\""));
	RUN(&s, cmd_audit, "", "audit", "export", "--agent", "report-bot");
	CHECK(s.status == 2);
	done(&s);
}

TESTS(TEST(test_a_review_joins_configuration_accounts_and_log),
      TEST(test_a_damaged_log_is_told_and_status_1), TEST(test_what_cannot_be_read_is_status_2),
      TEST(test_a_query_asks_for_agents_and_shows_them))
