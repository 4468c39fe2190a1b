/*
 * page_gate.h - pages of a mapping that are opened and closed one by one: an open page is ordinary memory, a closed one faults.
 * The mapping shows a part of a memory object. What a page holds does not depend on the gate: a closed page's bytes stay in the object, and
 * are reached through the alias, a second mapping of the same bytes that is always open.
 *
 *     closed --- open (bytes that are there), open_zero, open_copy ---> open, read only --- allow_writes ---> open, writable
 *        ^---------------------------- close ------------------------------'---------------------------------------'
 *
 *                     userfault                                         protect
 *     closed          no PTE of the host; userfaultfd makes it SIGBUS   PROT_NONE: SIGSEGV
 *     open, close     an ioctl, an madvise; mappings are never split    mprotect; each change of protection splits a mapping or joins two
 *     where           Linux 5.19 and later, where it is permitted       everywhere: macOS, Valgrind, sandboxes
 *
 * The host may close an open page by itself when its own memory is short (userfault only): who finds an open page closed opens it again.
 *
 * A gate may also stand over addresses into which several parts of objects are mapped, one by one, as they are needed (host_gate_create_over).
 *
 * Units   bytes from the start of the mapping; multiples of the host's page size.
 * Locks   none: the caller serialises changes of one gate.
 * All calls but the creating ones and destroy are async-signal-safe.
 */
#ifndef NTMM_HOST_PAGE_GATE_H
#define NTMM_HOST_PAGE_GATE_H

#include "host/host.h"

enum host_gate_kind { HOST_GATE_BEST, HOST_GATE_USERFAULT, HOST_GATE_PROTECT };

typedef struct host_gate {
    enum host_gate_kind kind; /* USERFAULT or PROTECT: what it became; BEST: there is none */
    char               *base; /* the mapping */
    char               *alias;
    size_t              bytes;
    int                 fd;       /* userfault: the descriptor */
    bool                borrowed; /* which is another gate's */
    bool                covered;  /* what is mapped here lies under the protection key */
    host_file_t         object;   /* the memory object's, and where in it the mapping begins */
    uint64_t            offset;
    uint8_t            *access;                        /* protect: enum host_access of each host page; NULL else */
    size_t              mappings, mapping_limit, most; /* protect: how many the gate makes, may make, and has made at once */
} host_gate_t;

/* Maps the bytes [offset, offset + bytes) of the object at `base`, all closed, and at `alias`; both lie in reservations of the caller.
 * -ENOTSUP: this host cannot have a gate of that kind. mapping_limit: how many host mappings a gate of kind PROTECT may be in pieces. */
int  host_gate_create(host_gate_t *gate, const host_object_t *object, uint64_t offset, void *base, void *alias, size_t bytes,
                      enum host_gate_kind kind, size_t mapping_limit);
void host_gate_destroy(host_gate_t *gate); /* the mappings stay as they are */
/* Over addresses that the caller has reserved, of the same kind as `like`, which must outlive it: a host has few descriptors. No alias, so no
 * host_gate_open_copy. Nothing is mapped yet: pages that are not stay inaccessible. */
int host_gate_create_over(host_gate_t *gate, const host_gate_t *like, void *base, size_t bytes, size_t mapping_limit);
int host_gate_map(host_gate_t *gate, size_t at, const host_object_t *object, uint64_t offset,
                  size_t bytes);                                 /* closed; replaces what was there */
int host_gate_unmap(host_gate_t *gate, size_t at, size_t bytes); /* a bare reservation again */

/* 0; 1: every page was open already, as the host sees it; -ENFILE: the gate may not have so many mappings, close something first;
 * or the host's error. */
int  host_gate_open(host_gate_t *gate, size_t at, size_t bytes, bool writable); /* the object holds bytes for these pages */
int  host_gate_open_zero(host_gate_t *gate, size_t at,
                         size_t bytes); /* it holds none, or zeros: zeros, writable. In one go for all of them */
int  host_gate_open_copy(host_gate_t *gate, size_t at, size_t bytes, const void *from, bool writable); /* it holds none: these bytes */
int  host_gate_allow_writes(host_gate_t *gate, size_t at, size_t bytes);                               /* of open pages */
void host_gate_close(host_gate_t *gate, size_t at, size_t bytes);

/* All pages come under the protection key (protection_key.h), or away from it; a gate over addresses: what is mapped from now on. Negative: the
 * host refuses, and a part of them may have come already. A single page does so for a while; the host may count two mappings more for it. */
int host_gate_cover(host_gate_t *gate, bool covered);
int host_gate_cover_page(const host_gate_t *gate, size_t at, size_t bytes, bool covered);

/* page_gate_userfault.c; -ENOTSUP where there is no such thing */
int  host_userfault_start(host_gate_t *gate);
int  host_userfault_watch(const host_gate_t *gate, size_t at, size_t bytes); /* a mapping that is new under the gate */
void host_userfault_stop(host_gate_t *gate);
int  host_userfault_open(host_gate_t *gate, size_t at, size_t bytes, bool writable);
int  host_userfault_open_zero(host_gate_t *gate, size_t at, size_t bytes);
int  host_userfault_open_copy(host_gate_t *gate, size_t at, size_t bytes, const void *from, bool writable);
int  host_userfault_allow_writes(host_gate_t *gate, size_t at, size_t bytes);

#endif
