/* fingerprint.c - see fingerprint.h. */
