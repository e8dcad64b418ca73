/* step.h - how anything that may have to wait answers when it is fed or resumed. */
#ifndef BASE_STEP_H
#define BASE_STEP_H

enum step {
	STEP_MORE, /* all input used, or an answer is awaited: feed or resume later */
	STEP_DONE, /* complete; unused input belongs to the next exchange */
};

#endif
