/*
 * ex.h - what the executive layer offers the composition above it: pool boot, walks and checks.
 */
#ifndef NTMM_EX_EX_H
#define NTMM_EX_EX_H

#include <stdbool.h>

#include <ntmm/ntmm.h>

int  ex_pool_boot(const ntmm_config *config); /* after mm_boot and ke boot; sets ke_thread_hooks */
void ex_resource_boot(void);                  /* locks of resource.c free again, whatever the last machine left them in */
void ex_lookaside_boot(void);                 /* no list is registered, whatever the last machine left */
void ex_callbacks_boot(void);                 /* there are none */
void ex_pool_shutdown(void);                  /* before mm_shutdown: empties every thread's magazines, forgets descriptors and tags */
void ex_pool_forget(void);                    /* in a forked child: the fast paths know no pool */
void ex_pool_magazines(bool on);              /* off: all magazines are handed back and stay empty; other threads outside the library */
void ex_tag_text(uint32_t tag, char text[5]); /* as a person reads it */
void ex_describe_register(void);              /* stop reports then name the pool block an address lies in */
bool ex_pool_check(void);                     /* false with ke_error set */
bool ex_lookaside_check(void);                /* the same, for the lookaside lists of drivers */
/* Every live block, ascending by address region; the walk takes no lock and is bounded even when headers are damaged. */
void ex_pool_visit_leaks(void (*visit)(void *context, const ntmm_leak *leak), void *context);
void ex_query_pool(POOL_TYPE base_type, ntmm_pool_usage *out);
/* A resource that was not deleted, and lies there; NULL: there is none. */
const ERESOURCE *ex_resource_active_in(uintptr_t address, size_t bytes);
bool             ex_query_tag(uint32_t tag, POOL_TYPE base_type, ntmm_pool_usage *out);
typedef void (*ex_tag_visitor_t)(void *context, uint32_t tag, POOL_TYPE base_type, const ntmm_pool_usage *usage);
size_t ex_query_tags(const char *pattern, ex_tag_visitor_t visit, void *context);

#endif
