/* books.h - one small table with a column of every type, for the tests of filters and statements.
 */
#ifndef TEST_QUERY_BOOKS_H
#define TEST_QUERY_BOOKS_H

#include "base/macros.h"
#include "query/table.h"

enum { ID, TITLE, PAGES, PRICE, RATING, PUBLISHED, OWNER, BORN, SEEN, OPENS, CODE, BLOB, EXTRA };

static const struct column book_columns[] = {
	[ID] = { .name = { (const uint8_t *)"id", 2 }, .type = VALUE_INT64 },
	[TITLE] = { .name = { (const uint8_t *)"title", 5 }, .type = VALUE_TEXT, .nullable = true },
	[PAGES] = { .name = { (const uint8_t *)"pages", 5 },
	            .type = VALUE_INT64,
	            .nullable = true },
	[PRICE] = { .name = { (const uint8_t *)"price", 5 },
	            .type = VALUE_DECIMAL,
	            .nullable = true },
	[RATING] = { .name = { (const uint8_t *)"rating", 6 },
	             .type = VALUE_DOUBLE,
	             .nullable = true },
	[PUBLISHED] = { .name = { (const uint8_t *)"published", 9 },
	                .type = VALUE_BOOL,
	                .nullable = true },
	[OWNER] = { .name = { (const uint8_t *)"owner", 5 }, .type = VALUE_TEXT, .nullable = true },
	[BORN] = { .name = { (const uint8_t *)"born", 4 }, .type = VALUE_DATE, .nullable = true },
	[SEEN] = { .name = { (const uint8_t *)"seen", 4 },
	           .type = VALUE_TIMESTAMP,
	           .nullable = true },
	[OPENS] = { .name = { (const uint8_t *)"opens", 5 }, .type = VALUE_TIME, .nullable = true },
	[CODE] = { .name = { (const uint8_t *)"code", 4 }, .type = VALUE_UUID, .nullable = true },
	[BLOB] = { .name = { (const uint8_t *)"blob", 4 }, .type = VALUE_BYTES, .nullable = true },
	[EXTRA] = { .name = { (const uint8_t *)"extra", 5 }, .type = VALUE_JSON, .nullable = true },
};

static const struct table books = { .name = { (const uint8_t *)"books", 5 },
	                            .columns = book_columns,
	                            .column_count = ARRAY_LEN(book_columns),
	                            .key = { ID },
	                            .key_count = 1 };

/* Ten rows, each with its own trap: NULLs, quotes, wildcards, case, other spellings of one moment.
 */
static const char books_setup[] =
	"CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, pages INTEGER, price "
	"DECIMAL(10,2), rating REAL,"
	" published BOOLEAN, owner TEXT, born DATE, seen TIMESTAMP, opens TIME, code UUID, blob "
	"BLOB, extra JSON);"
	"INSERT INTO books VALUES"
	"(1,'Emma',100,9.5,4.5,1,'ann','1815-12-23','2026-01-01 00:00:00','09:00:00',"
	"  '00000000-0000-0000-0000-00000000000a',x'01','{}'),"
	"(2,'emma',200,10,3,0,'bob','1816-01-01','2026-01-01T00:00:00Z','10:30:00',NULL,NULL,NULL),"
	"(3,'100% "
	"Emma',NULL,10.25,NULL,1,'ann',NULL,'2026-01-01T02:00:00+02:00',NULL,NULL,x'',NULL),"
	"(4,'it''s',-5,-1.5,-0.5,NULL,NULL,'2000-02-29','2026-01-01T00:00:00.001Z',NULL,NULL,NULL,'"
	"1'),"
	"(5,NULL,0,0,0,1,'bob',NULL,NULL,NULL,NULL,NULL,NULL),"
	"(6,'',9223372036854775807,NULL,1e300,0,'','1999-12-31','never',NULL,NULL,NULL,NULL),"
	"(7,'a_b',2,99.99,2.5,1,'Ann','2026-11-22','2026-11-22T10:00:00Z',NULL,NULL,NULL,NULL),"
	"(8,'aXb',3,99.99,2.5,0,'ann','2026-11-22','2026-11-22T10:00:00.5Z',NULL,NULL,NULL,NULL),"
	"(9,'Ünïcode',300,5,5,1,'carl',NULL,NULL,NULL,NULL,NULL,NULL),"
	"(10,'tail Emma',100,9.5,4.5,0,'bob','1815-12-23',NULL,'09:00:00',NULL,NULL,NULL);";

#endif
