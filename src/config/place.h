/* place.h - where something stands in a configuration file. */
#ifndef CONFIG_PLACE_H
#define CONFIG_PLACE_H

/* Where a value stood, for errors found later (unknown column, unknown role). */
struct place {
	unsigned line, column; /* from 1 */
};

#endif
