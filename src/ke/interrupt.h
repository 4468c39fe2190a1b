/*
 * interrupt.h - interrupts that came while IRQL masked them.
 */
#ifndef NTMM_KE_INTERRUPT_H
#define NTMM_KE_INTERRUPT_H

#include "ke/thread.h"

/* On the way down to irql: run what is pending on this thread's processor and no longer masked, highest DIRQL first. */
void ke_interrupts_deliver(ke_thread_t *thread, KIRQL irql);
void ke_interrupts_forget(void);                                   /* every interrupt is disconnected */
bool ke_interrupt_is_connected_to(uintptr_t start, uintptr_t end); /* to a service routine that lies there */

#endif
