-- The Books example. Titles, authors and years are real (books.txt). Everything that a shop would
-- add - code, price, cost, stock, pages, dates, notes - is an example figure made by make-db.

CREATE TABLE authors (
	id      INTEGER PRIMARY KEY,
	name    TEXT NOT NULL UNIQUE CHECK (name <> ''),
	born    INTEGER,                -- year; negative: BC; NULL: not known well
	died    INTEGER,
	country TEXT NOT NULL,
	CHECK (died > born)
);

CREATE TABLE books (
	id        INTEGER PRIMARY KEY,
	code      TEXT NOT NULL UNIQUE CHECK (length(code) = 10), -- the shop's own number: BK-0000042
	title     TEXT NOT NULL CHECK (title <> ''),
	author_id INTEGER NOT NULL REFERENCES authors (id),
	year      INTEGER,               -- first published; NULL: older than print
	language  TEXT NOT NULL,         -- written in: ISO 639
	subject   TEXT NOT NULL,
	published BOOLEAN NOT NULL DEFAULT 0 CHECK (published IN (0, 1)), -- 0: the shop is still preparing it
	pages     INTEGER CHECK (pages > 0),
	price     DECIMAL(8,2) NOT NULL CHECK (price >= 0),
	cost      DECIMAL(8,2) NOT NULL CHECK (cost >= 0),          -- what the shop paid: not for readers
	stock     INTEGER NOT NULL DEFAULT 0 CHECK (stock >= 0),
	acquired  DATE,
	added     TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
	note      TEXT
);

CREATE INDEX books_by_author ON books (author_id);
CREATE INDEX books_by_year ON books (year);
