/* cmd_client.h - `gatewarden client`: programs that may ask for tokens. */
#ifndef MAIN_CMD_CLIENT_H
#define MAIN_CMD_CLIENT_H

int cmd_client(int argc, char **argv);
extern const char cmd_client_usage[];

#endif
