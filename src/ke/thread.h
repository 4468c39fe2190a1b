/*
 * thread.h - what the machine keeps for each thread and each processor, and how a thread comes to own one.
 *
 * One pointer in thread-local storage leads to the thread's record. It starts at ke_empty_thread, a shared record whose magazines are empty
 * and whose processor belongs to nobody, so no fast path needs a null check: its first real need goes down a slow path, which calls
 * ke_thread_enter() and gets a record of its own. Records are never unmapped: they hang on one list, a record left by an ended thread
 * serves the next one.
 *
 * A thread at DISPATCH_LEVEL or above owns a processor. Ownership is biased: it stays with the thread that had it last, which re-enters
 * with two plain stores and a load. Another thread takes an idle processor over by a handshake:
 *
 *     raise:  t->dispatching = 1 ; light fence ; processor->owner == t ? go on : ke_processor_claim()
 *     lower:  processor->pending ? ke_processor_drain() : go on ; t->dispatching = 0 (release) ; light fence ; pending again ? once more
 *     take:   lock ; owner = nobody ; heavy fence ; old owner's dispatching == 0 ? owner = me : put it back, try the next
 *
 * Either the old owner's store of `dispatching` is seen by the taker, or the taker's store of `owner` is seen by the old owner: the heavy
 * fence stands for both light ones. In the same way a DPC queued from elsewhere is seen by the owner's lower, or the owner is seen to have
 * lowered.
 *
 * Invariant   a thread is the owner of at most one processor, and that is thread->processor.
 * A halted, forked or shut-down machine has processors without owners and with KE_PENDING_STOPPED set: every fast path ends in a slow one.
 *
 * Lock key: (T) this thread only   (A) atomic   (C) the claim lock of processor.c   (D) dpc_lock   (W) the dispatcher lock   (B) set at boot
 */
#ifndef NTMM_KE_THREAD_H
#define NTMM_KE_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ntddk.h>

#include "host/host.h"
#include "ke/lock.h"

#define KE_PROCESSORS_MAX 64u        /* one group, as KAFFINITY has 64 bits */
#define KE_THREAD_UPPER_BYTES 32768u /* ex keeps its magazines and counters there */
#define KE_THREAD_MM_BYTES 320u      /* mm keeps a frame cache there: all zero in a new record; mm empties it itself */
#define KE_THREAD_MUTEXES 64u        /* KMUTEXes owned at once by one thread that are known by name */
#define KE_THREAD_RW_LOCKS 16u       /* EX_SPIN_LOCKs held at once by one thread that are known by name */

typedef struct ke_thread    ke_thread_t;
typedef struct ke_processor ke_processor_t;
typedef struct ke_process   ke_process_t; /* process.h */

/* Why a lower may not simply lower. */
enum ke_pending {
    KE_PENDING_DPC = 1,       /* ordinary DPCs are queued */
    KE_PENDING_WANTED = 2,    /* a thread has waited long for a processor: hand it over */
    KE_PENDING_INTERRUPT = 4, /* a device interrupt came while IRQL masked it */
    KE_PENDING_STOPPED = 8,   /* this machine runs no more */
    KE_PENDING_FORCED = 16    /* IRQL checking is forced: no raise may be a fast one (force_irql.h) */
};

typedef struct ke_dpc_queue {      /* of KDPC.DpcListEntry */
    PSINGLE_LIST_ENTRY head, tail; /* (D) NULL: empty */
} ke_dpc_queue_t;

struct ke_processor {
    _Atomic(ke_thread_t *) owner;           /* (A) written under the claim lock: who may be at DISPATCH_LEVEL here; NULL: nobody yet */
    _Atomic uint32_t       pending;         /* (A) KE_PENDING_*; looked at on every lower */
    uint32_t               number;          /* (B) 0 .. ke_processor_count - 1 */
    uint32_t               node;            /* (B) NUMA node */
    _Alignas(64) ke_lock_t dpc_lock;        /* KE_RANK_KE_DPC */
    ke_dpc_queue_t   dpc_queue;             /* (D) ordinary DPCs */
    ke_dpc_queue_t   threaded_queue;        /* (D) threaded DPCs, run by the processor's DPC thread at PASSIVE_LEVEL */
    _Atomic(PKDPC)   executing;             /* (A) the ordinary DPC that runs now, or NULL */
    _Atomic(PKDPC)   executing_threaded;    /* (A) and the threaded one */
    _Atomic uint64_t dpcs_queued, dpcs_run; /* (A) since boot */
    _Atomic uint32_t wake;                  /* (A) counts calls for the DPC thread, which sleeps on it */
    _Atomic uint32_t idle_at;               /* (A) the count at which it last found nothing to do */
    _Atomic uint32_t dpc_thread_state;      /* (A) enum in dpc.c */
    host_thread_t   *dpc_thread;            /* made when first needed; joined at shutdown */
} __attribute__((aligned(64)));

typedef struct ke_held_rw_lock { /* what a word of 32 bits has no room to say: who holds it */
    PEX_SPIN_LOCK lock;
    bool          exclusive;
} ke_held_rw_lock_t;

typedef struct ke_wait_block {         /* one object that a thread waits for */
    struct ke_wait_block *next, *prev; /* (W) in the line of its object, in order of arrival */
    PDISPATCHER_HEADER    object;      /* (W) */
    ke_thread_t          *thread;      /* (W) */
} ke_wait_block_t;

struct ke_thread {
    KIRQL           irql;                /* (T) */
    _Atomic uint8_t is_system;           /* (A) created by the machine: an unhandled exception is 0x7E, not 0x1E */
    _Atomic uint8_t dispatching;         /* (A) at DISPATCH_LEVEL or above, or about to be */
    _Atomic uint8_t in_library;          /* (A) inside a slow path; ntmm_check and ntmm_shutdown need every other thread out */
    _Atomic uint8_t reading;             /* (A) it follows pointers to what others may be about to free: ke_reading_begin */
    _Atomic uint8_t asleep;              /* (A) and there in a wait for dispatcher objects, with nothing in its hands */
    _Atomic uint8_t idle;                /* (A) a thread of the machine's that has nothing to do until it is called */
    uint32_t        generation;          /* (T) of the boot that this record was made ready for; 0: the empty record */
    ke_processor_t *processor;           /* (T) the last one owned; never NULL. (C) while the thread waits for one */
    int16_t         kernel_apc_disable;  /* (T) KeEnterCriticalRegion depth, and mutexes owned; (W) in a wait */
    int16_t         special_apc_disable; /* (T) KeEnterGuardedRegion depth */
    uint32_t        ranks_held;          /* (T) debug: one bit a lock rank */
    PKDPC           dpc;                 /* (T) the ordinary DPC whose routine this thread runs, or NULL */
    ke_processor_t *serves;              /* (T) the processor whose DPC thread this is, or NULL */
    uint64_t        host_id;             /* (T) as gdb shows it */
    ke_process_t   *process;             /* (T) the one whose address space it runs in, used; NULL: System */
    ke_process_t   *home;                /* (T) the one it belongs to, used; NULL: System */
    uint32_t        attached;            /* (T) attaches that have not been undone: KeStackAttachProcess, KeAttachProcess */
    void           *top_level_irp;       /* (T) IoSetTopLevelIrp */
    ke_thread_t    *next;                /* (A) list of all records; never changes once listed */
    bool            made_by_machine;     /* (T) by system_thread.c */
    _Atomic bool    alive;               /* (A) a host thread uses the record */
    _Atomic int64_t references;          /* (A) taken by drivers and handles: the record of a thread that has ended waits for them */
    host_fault_t    fault;               /* (T) the fault being turned into a bug check */
    uintptr_t       fault_code, fault_parameter[4];

    EXCEPTION_RECORD exception; /* (T) that nobody handled, in a system thread: the parameters of 0x7E point here */
    CONTEXT          exception_context;

    ke_thread_t      *wait_next;   /* (C) next in the line for a processor; or, under its bucket's lock, for a queued spin lock */
    uint32_t          wait_number; /* (C) the processor it wants, or KE_PROCESSOR_ANY */
    PKSPIN_LOCK       wait_lock;   /* the queued spin lock it waits for */
    _Atomic uint32_t  granted;     /* (A) it got what it waits for; the thread may sleep on it */
    ke_wait_block_t   wait_blocks[MAXIMUM_WAIT_OBJECTS];
    uint32_t          wait_count;                 /* (W) blocks in use; 0: it waits for no dispatcher object */
    uint32_t          wait_key;                   /* (W) until granted: which of them let it go on */
    bool              wait_all;                   /* (W) it wants all of them */
    _Atomic uint64_t  wake_at;                    /* (A) the interrupt time at which its wait ends, while it is asleep; KE_TIME_NEVER */
    uint32_t          mutex_count;                /* (W) in mutexes */
    PKMUTEX           mutexes[KE_THREAD_MUTEXES]; /* (W) that it owns */
    bool              stack_stays;                /* (T) KeSetKernelStackSwapEnable(FALSE) */
    uint8_t           callouts;                   /* (T) of KeExpandKernelStackAndCallout that it is in */
    bool              set_and_wait;               /* (T) KeSetEvent with Wait TRUE: the wait that follows lowers to set_irql */
    KIRQL             set_irql;                   /* (T) */
    uint32_t          rw_count;                   /* (T) EX_SPIN_LOCKs held, in rw_held */
    uint32_t          rw_unnamed;                 /* (T) and beyond that */
    ke_held_rw_lock_t rw_held[KE_THREAD_RW_LOCKS];
    KDPC              flush[2]; /* KeFlushQueuedDpcs' markers: ordinary, threaded */
    _Atomic uint32_t  flushed;  /* (A) markers that have run; the thread sleeps on it */

    uint32_t         thread_id;   /* (B) PsGetThreadId; of this boot */
    _Atomic int32_t  priority;    /* (A) KeSetPriorityThread: nothing depends on it */
    _Atomic int32_t  exit_status; /* (A) STATUS_PENDING while it runs */
    _Atomic uint32_t abandoned;   /* (A) the machine shuts down, and a wait of this thread would never end: leave it */
    unsigned char    kthread[64] __attribute__((aligned(16))); /* its address is the PKTHREAD that drivers see; a dispatcher header */
    _Alignas(64) unsigned char mm_area[KE_THREAD_MM_BYTES];    /* mm's: a frame cache with a handshake of its own */
    _Alignas(64) unsigned char upper[KE_THREAD_UPPER_BYTES];   /* ex's: magazines and tag counters */
};

extern ke_thread_t    ke_empty_thread;
extern ke_processor_t ke_processors[KE_PROCESSORS_MAX];
extern uint32_t       ke_processor_count; /* of the booted machine */
extern uint32_t       ke_node_count;
extern ke_processor_t ke_no_processor; /* owner NULL for ever: where a record starts */

extern HOST_THREAD_LOCAL ke_thread_t *ke_current;

static inline ke_thread_t *ke_self(void) { return ke_current; }

/* Slow paths call this first. The calling thread's own record, made ready for the current boot; NULL, with the reason in
 * ntmm_error() and one line on stderr naming `routine`, when no machine is up, when it is halted, or in a forked child. */
ke_thread_t *ke_thread_enter(const char *routine);
void         ke_thread_leave(ke_thread_t *thread); /* pairs with ke_thread_enter: in_library goes down */
ke_thread_t *ke_thread_ready(const char *routine); /* ke_thread_enter and leave at once, for a routine that waits for nothing */
ke_thread_t *ke_thread_first(void);                /* the list of records, for walkers; follow ->next; skip generation != current */
ke_thread_t *ke_thread_of(const void *kthread);    /* whose PKTHREAD that is; NULL: of nobody. Any number may be asked for */
bool         ke_threads_are_outside(void);         /* all others are below DISPATCH_LEVEL, in no slow path; DPCs get a moment to run */
bool         ke_threads_are_quiet(void);           /* the same, or asleep: they change nothing now */
/* Between these two, a thread follows pointers without a lock; they do not nest, and nobody waits in between for more than another such thread. Who
 * frees what the pointers lead to takes it out of reach first, and lets go of it when ke_readers_wait has returned: all that saw it are done. */
static inline void ke_reading_begin(void);
static inline void ke_reading_end(void);
void               ke_readers_wait(void);
/* thread_object.c: a thread's record is made ready for this boot, or the thread is over, and whoever waits for it goes on. */
void                             ke_thread_object_start(ke_thread_t *thread);
void                             ke_thread_object_end(ke_thread_t *thread, int32_t exit_status);
static inline PDISPATCHER_HEADER ke_thread_header(ke_thread_t *thread) { return (PDISPATCHER_HEADER)(void *)thread->kthread; }
/* For the object manager: how many references drivers and handles have now; -1: the thread is gone, or they have none to give back. */
int64_t ke_thread_object_reference(void *kthread);
int64_t ke_thread_object_dereference(void *kthread);
void    ke_threads_shutdown(void);    /* part of ke_processors_shutdown: every record is back at PASSIVE_LEVEL */
void    ke_thread_end_record(void);   /* the calling thread is about to end, and is none of the machine's any more */
void    ke_thread_fork_leave(void);   /* in a forked child, at once: the thread has no record, so no fast path knows it */
void    ke_threads_fork_forget(void); /* in a forked child: the other threads are not in this process */

/* Driver code is called from inside of the library: the thread is outside meanwhile. */
static inline uint8_t ke_thread_step_out(void) { return atomic_exchange_explicit(&ke_self()->in_library, 0, memory_order_acq_rel); }
static inline void    ke_thread_step_in(uint8_t depth) { atomic_store_explicit(&ke_self()->in_library, depth, memory_order_release); }

/* Work that must not be done under an upper layer's locks: the thread that leaves the library next does it, before it is outside. The layer
 * leaves a word that is not 0, and the hook takes it back. */
extern _Atomic uint32_t ke_leave_due;
extern void (*ke_leave_hook)(void);

/* Upper layers hang work on the life of a thread (called by ke with no lock held; each may be NULL). */
typedef struct ke_thread_hooks {
    void (*start)(ke_thread_t *thread); /* record made ready for this boot: upper[] is zero */
    void (*stop)(ke_thread_t *thread);  /* thread ends while the machine is up: hand cached things back */
    void (*disarm)(void);               /* after a bug check: make every thread's fast paths fail over to their slow paths */
} ke_thread_hooks_t;
extern ke_thread_hooks_t ke_thread_hooks;

/* ---- processors ---- */
#define KE_PROCESSOR_ANY UINT32_MAX

int  ke_processors_boot(uint32_t count, uint32_t numa_nodes); /* negative errno */
void ke_processors_shutdown(void);                            /* joins DPC threads, forgets queues, owners, IRQLs; upper layers still up */
/* The machine halts, or this is a forked child: no fast path of any thread leads to a processor from now on. Takes no lock.
 * ke_machine_state must have left KE_MACHINE_UP before. */
void ke_processors_disarm(void);
/* Slow path of raise: returns the thread's own record (which is not `thread` when that was the empty one) owning a processor, dispatching
 * set; NULL: refused, as ke_thread_enter says. */
ke_thread_t *ke_processor_claim(ke_thread_t *thread, uint32_t number, const char *routine);
void         ke_processor_release(ke_thread_t *thread); /* below DISPATCH_LEVEL: it need not stay mine */
void         ke_processor_drain(ke_thread_t *thread);   /* slow path of lower: runs DPCs at DISPATCH_LEVEL until none is left */
void         ke_processor_left(ke_thread_t *thread);    /* slow path of leave: it is wanted, or has DPCs; runs no driver code */

static inline void ke_reading_begin(void)
{
    atomic_store_explicit(&ke_self()->reading, 1, memory_order_relaxed);
    host_fence_light();
}
static inline void ke_reading_end(void) { atomic_store_explicit(&ke_self()->reading, 0, memory_order_release); }

/* The fast path of raise: true when the thread owns its processor still. false: ke_processor_claim. */
static inline bool ke_dispatch_reenter(ke_thread_t *thread)
{
    atomic_store_explicit(&thread->dispatching, 1, memory_order_relaxed);
    host_fence_light();
    return NTMM_LIKELY(atomic_load_explicit(&thread->processor->owner, memory_order_acquire) == thread);
}
static inline void ke_dispatch_leave(ke_thread_t *thread)
{
    if (thread->irql >= DISPATCH_LEVEL)
        return;
    atomic_store_explicit(&thread->dispatching, 0, memory_order_release);
    host_fence_light();
    if (NTMM_UNLIKELY(atomic_load_explicit(&thread->processor->pending, memory_order_relaxed) != 0))
        ke_processor_left(thread);
}

#endif
