/*
 * lock_rank.h - the order in which the simulator's own locks are taken; no other file restates it.
 * Take a lock only if its rank is above every rank you hold. Debug builds check this on every acquire (lock.h).
 * A driver's spin locks are not in this list: they are the driver's affair.
 */
#ifndef NTMM_KE_LOCK_RANK_H
#define NTMM_KE_LOCK_RANK_H

typedef enum ke_lock_rank {
    KE_RANK_NONE = 0,
    KE_RANK_MACHINE,       /* boot, shutdown, the list of threads */
    KE_RANK_KE_CALLBACKS,  /* bug-check callbacks being registered */
    KE_RANK_IO_KSR,        /* blobs that survive a soft reboot; calls nothing but the host */
    KE_RANK_IO_EVENT,      /* named events */
    KE_RANK_IO_SECTION,    /* named sections */
    KE_RANK_IO_FILE,       /* files, and what is kept of them for sections: asks mm for segments */
    KE_RANK_EX_HANDLE,     /* which handles are open */
    KE_RANK_EX_RESOURCE,   /* the inside of an ERESOURCE */
    KE_RANK_HAL_DEVICE,    /* one device's map registers and who waits for them; calls nothing but leaves */
    KE_RANK_EX_POOL,       /* free lists of a pool descriptor: may ask mm for pages */
    KE_RANK_MM_PRESSURE,   /* which memory conditions hold: sets events; taken by who leaves the library, with nothing else held */
    KE_RANK_MM_RAM_MAP,    /* memory added or removed while running */
    KE_RANK_MM_DRIVERS,    /* the images of the process are looked through: calls the dynamic linker */
    KE_RANK_MM_POOL_VA,    /* which pageable pool addresses are taken */
    KE_RANK_MM_SYSTEM_PTE, /* which system PTEs are taken */
    KE_RANK_MM_PFN,        /* the bottom of mm: page lists and run index; short, never calls out */
    KE_RANK_MM_IO_SPACE,   /* windows of I/O space, and what of them is mapped; short, never calls out */
    KE_RANK_KE_DPC,        /* one processor's DPC queue */
    KE_RANK_EX_TAGS,       /* leaf: the machine-wide tag table */
    KE_RANK_KE_DISPATCHER, /* leaf: states of dispatcher objects, and who waits for them */
    KE_RANK_LEAF           /* leaf: anything that calls nothing */
} ke_lock_rank_t;

#endif
