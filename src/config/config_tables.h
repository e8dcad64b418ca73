/* config_tables.h - every setting as a row: name, type, bounds, default, help and where its value
 * goes. The loader, the JSON Schema and the manual read nothing else. Private to src/config. */
#ifndef CONFIG_TABLES_H
#define CONFIG_TABLES_H

#include "config/settings.h"

enum setting_kind {
	SETTING_TEXT,    /* const char *; min and max: bytes */
	SETTING_TEXTS,   /* const char *const *, and a count; one text stands for a list of one */
	SETTING_PATH,    /* const char *, absolute */
	SETTING_ISSUER,  /* const char *: https URL, exact bytes */
	SETTING_ORIGIN,  /* const char *: http(s)://host[:port] */
	SETTING_ADDRESS, /* struct address */
	SETTING_NUMBER,  /* unsigned; `choices` are words that may stand for one */
	SETTING_BOOL,
	SETTING_SECONDS,      /* unsigned */
	SETTING_MILLISECONDS, /* unsigned */
	SETTING_SIZE,         /* uint64_t: bytes */
	SETTING_RATE,         /* unsigned: bytes a second */
	SETTING_CHOICE,       /* enum */
	SETTING_CHOICES,      /* unsigned, the values or-ed */
	SETTING_BACKEND,      /* unsigned: index of the backend named */
	SETTING_GRANTS,       /* list of ISSUER:VALUE */
	SETTING_RULES,        /* map from roles to actions; `section` has the rows of one rule */
	SETTING_SECTION,      /* mapping with the rows of `section` */
	SETTING_MAP,          /* map from names to mappings with the rows of `section` */
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
	size_t count_offset;    /* TEXTS, GRANTS, RULES, MAP */
	size_t place_offset;    /* 0: the place is not kept */
	uint64_t min, max;      /* in the unit kept; TEXTS, MAP: entries */
	const char *fallback;   /* as it would be written; NULL: none */
	const struct choice *choices;
	size_t choice_count;
	const struct section *section;
	const char *help;
};

/* One value of `type` and the rows that come with it. */
struct variant {
	const char *name;
	unsigned value;
	const struct setting *settings;
	size_t count;
};

struct section {
	const char *title;              /* of one: "an issuer" */
	const struct setting *settings; /* rows of every variant */
	size_t count;
	const char *short_key;          /* a text stands for a mapping with this key alone */
	const struct variant *variants; /* chosen by the key `type`; NULL: none */
	size_t variant_count;
	size_t type_offset;
	/* As the entry of a map. */
	size_t size, name_offset, place_offset;
	bool lower_names; /* [a-z0-9_-], else also A-Z */
};

enum { NAME_BYTES_MAX = 64, SETTING_TEXT_MAX = 4096 };

extern const struct section config_root;
extern const struct choice config_actions[ACTION_COUNT];
/* What rules may say, by enum action: not every action has columns. */
static inline bool
action_has_fields(enum action action)
{
	return action == ACTION_READ || action == ACTION_CREATE || action == ACTION_UPDATE;
}

#endif
