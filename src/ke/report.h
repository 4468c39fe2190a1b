/*
 * report.h - the text that a stop leaves behind: composed in a static buffer, printed, kept for ntmm_stop_report().
 */
#ifndef NTMM_KE_REPORT_H
#define NTMM_KE_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "ke/bugcheck.h"

void ke_report_configure(
    bool quiet); /* at boot: quiet reports are kept but not printed; forgets report and callbacks of the machine before */

/* One stop composes one report; the caller makes sure that nobody else does so at the same time. */
void  ke_report_compose(const ke_stop_t *stop);
void  ke_report_append(const char *format, ...) __attribute__((format(printf, 1, 2)));
void  ke_report_print(void);            /* what has been written since the last print */
void  ke_report_print_at_the_end(void); /* the process dies of the stop: a quiet report is printed after all */
char *ke_report_text(size_t *bytes);

/* What the parameters of a stop code mean, and what most likely went wrong (stop_text.c). */
typedef struct ke_stop_text {
    uint32_t    code;
    uint8_t     selector;     /* which parameter tells the variants apart, 1 to 4; 0: there is one variant */
    uintptr_t   variant;      /* value of that parameter */
    const char *parameter[4]; /* NULL: nothing to say. A first character that asks for more: '@' address, '#' pool tag, '^' IRQL */
    const char *advice;       /* what the driver probably did wrong; NULL: nothing known */
} ke_stop_text_t;
const ke_stop_text_t *ke_stop_text(const ntmm_bugcheck *check); /* NULL: a code without a text */
const ke_stop_text_t *ke_stop_text_of_verifier(uintptr_t rule); /* 0xC4 (stop_text_verifier.c); NULL: no such rule is known */

/* The drivers' bug-check callbacks (stop_callbacks.c), in the order in which they were registered, each guarded. */
void ke_stop_callbacks_run(const ntmm_bugcheck *check);
void ke_stop_callbacks_boot(void); /* a thread of the machine before, or of the process that forked, may have been stopped with the lock */

#endif
