/* cmd_import.h - `gatewarden import openapi`: the configuration before a service that describes
 * itself. */
#ifndef MAIN_CMD_IMPORT_H
#define MAIN_CMD_IMPORT_H

extern const char cmd_import_usage[];

int cmd_import(int argc, char **argv);

#endif
