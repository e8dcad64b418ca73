/* message.h - what workers and the ledger say to each other: messages of src/io/channel.h. */
#ifndef AUDIT_MESSAGE_H
#define AUDIT_MESSAGE_H

enum ledger_message {
	LEDGER_RECORD = 1, /* worker -> ledger: id = 1, 2, 3 …; body: record.h */
	LEDGER_KEPT,    /* ledger -> worker: every record up to id is kept, or was refused before */
	LEDGER_REFUSED, /* ledger -> worker: the records after the last answer up to id are not kept
	                 */
};

#endif
