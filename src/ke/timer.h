/*
 * timer.h - timers inside the library: the queue of those that are set, who lets them expire, and what others need of that.
 *
 * By the host's clock a thread of its own, made when the first timer is set, sleeps until the first one is due (clock_thread.c). On a clock that
 * stands still, whoever moves it lets those expire that it passes (time_advance.c).
 */
#ifndef NTMM_KE_TIMER_H
#define NTMM_KE_TIMER_H

#include "ke/thread.h"

/* ---- the queue (timer_queue.c); the dispatcher lock is held ---- */

typedef struct ke_timer_entry {
    struct ke_timer_entry *next;   /* in its chain, or among the free ones */
    PKTIMER                timer;  /* the driver's; believed as far as it has been looked at */
    PKDPC                  dpc;    /* or NULL */
    uint64_t               due;    /* interrupt time */
    uint64_t               period; /* 100 ns; 0: once */
    uint64_t               order;  /* of those due at once the first set is the first to expire */
    size_t                 place;  /* in the heap */
    uint16_t               processor;
} ke_timer_entry_t;

void              ke_timer_queue_boot(void);
ke_timer_entry_t *ke_timer_entry_take(void); /* without the lock: one to fill in; NULL: the host has no memory */
void              ke_timer_entry_give_locked(ke_timer_entry_t *entry);
ke_timer_entry_t *ke_timer_queue_find(const KTIMER *timer);
ke_timer_entry_t *ke_timer_queue_first(void); /* the one that is due first; NULL: none is set */
void              ke_timer_queue_insert(ke_timer_entry_t *entry);
void              ke_timer_queue_remove(ke_timer_entry_t *entry); /* to be given back, or inserted again */
void              ke_timer_queue_visit(void (*visit)(void *context, const ke_timer_entry_t *entry), void *context);

/* ---- expiring (timer.c) ---- */

void ke_timers_boot(void); /* none is set */

/* The first timer due at `now` expires: it is signaled, and its DPC queued. run_here: on the current processor, so that it has run on return when
 * the caller is below DISPATCH_LEVEL; else where the timer was set, for whoever comes there. false: none is due. */
bool     ke_timer_expire(uint64_t now, bool run_here);
uint64_t ke_timer_next_due(void);                                                                   /* KE_TIME_NEVER: none is set */
bool     ke_timer_set(const char *routine, PKTIMER timer, int64_t due, uint64_t period, PKDPC dpc); /* true: it was set before */
bool     ke_timer_cancel(const char *routine, PKTIMER timer); /* true: it was set. Its DPC is queued or has been, or never will be */
bool ke_timer_cancel_entry(PKTIMER timer, uint64_t order); /* order: of one entry, or 0; true: it was in the queue, and is not any more */
bool ke_timer_is_set(PKTIMER timer);                       /* false: as after ke_timer_cancel */
void ke_timers_visit_set(void (*visit)(void *context, void *timer, size_t bytes), void *context);

/* ---- who lets them expire ---- */

void ke_clock_boot(void);
void ke_clock_look(void);      /* a timer is due earlier than all others: without any lock */
void ke_clock_hold(bool hold); /* held: none expires. Returns when the thread has noticed */
void ke_clock_shutdown(void);  /* the thread is gone */

/* ---- a clock that stands still (time_advance.c) ---- */

void ke_time_advance(uint64_t to); /* it goes there, letting expire what is due on the way, in order; any IRQL */
/* The calling thread is asleep in a wait: if nobody else is up, nothing can happen before the next thing is due, so the clock goes there.
 * false: somebody is, or nothing is due. */
bool ke_time_leap(ke_thread_t *self);

/* What tells that somebody is up. */
extern _Atomic uint32_t ke_work_waiting; /* work items queued that no thread has begun */
extern _Atomic uint32_t ke_activity;     /* counts whatever sets a thread going */

#endif
