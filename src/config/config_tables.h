/* config_tables.h - every setting as a row: name, type, bounds, default, help and where its value
 * goes. The loader, the JSON Schema and the manual read nothing else. Private to src/config. */
#ifndef CONFIG_TABLES_H
#define CONFIG_TABLES_H

#include "config/config_forms.h"
#include "config/settings.h"

struct config_reader;
struct node;

enum setting_kind {
	SETTING_TEXT,    /* const char *; min and max: bytes; `form` */
	SETTING_TEXTS,   /* const char *const *, and a count; one text stands for a list of one;
	                  * `form` of each */
	SETTING_PATH,    /* const char *, absolute */
	SETTING_ADDRESS, /* struct address */
	SETTING_NUMBER,  /* unsigned; `choices` are words that may stand for one */
	SETTING_BOOL,
	SETTING_FLAG,         /* bool; `choices`: the word for false, then that for true */
	SETTING_SECONDS,      /* unsigned */
	SETTING_MILLISECONDS, /* unsigned */
	SETTING_SIZE,         /* uint64_t: bytes */
	SETTING_RATE,         /* unsigned: bytes a second */
	SETTING_SPEED,        /* uint64_t: bytes a second, written with "/s" */
	SETTING_SHARE,        /* unsigned: parts in a million, written in percent */
	SETTING_FREQUENCY,    /* unsigned, and at `count_offset` the seconds it is for, unsigned */
	SETTING_CHOICE,       /* enum */
	SETTING_CHOICES,      /* unsigned, the values or-ed */
	SETTING_ENTRY,        /* unsigned: index of the entry named, in the map `of` of the file */
	SETTING_CLAIMS,       /* struct required_claim: map from claims to a value or a list */
	SETTING_GRANTS,       /* list of ISSUER:VALUE */
	SETTING_RULES,        /* map from roles to actions; `section` has the rows of one rule */
	SETTING_METHODS,      /* map from roles to methods of HTTP: struct route_rule; `choices` */
	SETTING_SECTION,      /* mapping with the rows of `section` */
	SETTING_MAP,          /* map from names to mappings with the rows of `section` */
	SETTING_LIST,         /* list of such mappings, without names */
};

/* The offset of a setting that can have one value only: it is checked and kept nowhere. */
static const size_t SETTING_UNKEPT = SIZE_MAX;

struct choice {
	const char *name;
	unsigned value;
	const char *refused; /* why it is not allowed; NULL: it is */
};

struct section;

struct setting {
	const char *name;
	enum setting_kind kind;
	bool required;
	const char *instead_of; /* the required row this one may stand for */
	size_t offset;          /* in the struct of the section, or SETTING_UNKEPT */
	size_t count_offset;    /* TEXTS, CLAIMS, GRANTS, RULES, METHODS, MAP, LIST, FREQUENCY */
	size_t place_offset;    /* 0: the place is not kept */
	uint64_t min, max;      /* in the unit kept; TEXTS, CLAIMS, MAP, LIST: entries */
	const char *fallback;   /* as it would be written; NULL: none */
	const struct choice *choices;
	size_t choice_count;
	const struct text_form *form; /* NULL: any text */
	const struct section *section;
	const char *of; /* ENTRY */
	const char *help;
};

struct row_group {
	const struct setting *settings;
	size_t count;
};

/* One value of `type` and the rows that come with it. */
struct variant {
	const char *name;
	unsigned value;
	const struct row_group *groups;
	size_t group_count;
};

struct section {
	const char *title;              /* of one: "an issuer" */
	const struct setting *settings; /* rows of every variant */
	size_t count;
	const char *short_key;          /* a text stands for a mapping with this key alone */
	const struct variant *variants; /* chosen by the key `type`; NULL: none */
	size_t variant_count;
	size_t type_offset;
	const char *expected; /* NULL: "a mapping with" its keys */
	/* As the entry of a map, or of a list, where it has no name. */
	size_t size, name_offset, place_offset;
	/* The rows of an entry write into a draft that begins with the entry; when all were read,
	 * `finish` sets in the entry what follows from several. 0: there is no draft; `finish` may
	 * be set all the same, also for a section that is no entry. */
	size_t draft_size;
	void (*finish)(struct config_reader *r, const struct node *n, void *draft);
	bool lower_names; /* [a-z0-9_-], else also A-Z */
};

enum {
	KIB = 1 << 10,
	MIB = 1 << 20,
	GIB = 1 << 30,
};
enum { NAME_BYTES_MAX = 64, SETTING_TEXT_MAX = 4096, ROWS_MAX = 32 };
enum {
	SECOND_MS = 1000,
	MINUTE_MS = 60 * SECOND_MS,
	HOUR_MS = 60 * MINUTE_MS,
	MINUTE_S = 60,
	HOUR_S = 60 * MINUTE_S,
	DAY_S = 24 * HOUR_S,
};
enum { PPM_ALL = 1000000 }; /* 100% */

extern const struct section config_root;
/* config_listen.c */
extern const struct section listen_section;
extern const struct section certificate_section;
/* config_issuers.c */
extern const struct section issuer_section;
extern const struct section secret_section;
/* config_services.c */
extern const struct section backend_section;
/* config_routes.c */
extern const struct section route_section;
extern const struct section quota_section;
/* config_telemetry.c */
extern const struct section telemetry_section;

/* The rows that hold for one mapping: those of its type (NULL: none), then those of its section. */
struct rows {
	const struct setting *at[ROWS_MAX];
	size_t count;
};
struct rows section_rows(const struct section *section, const struct variant *v);

extern const struct choice config_actions[ACTION_COUNT];
/* What rules may say, by enum action: not every action has columns. */
static inline bool
action_has_fields(enum action action)
{
	return action == ACTION_READ || action == ACTION_CREATE || action == ACTION_UPDATE;
}

#endif
