/*
 * pool_special.h - special pool: a block that has a page of its own, beside pages that nobody may touch.
 */
#ifndef NTMM_EX_POOL_SPECIAL_H
#define NTMM_EX_POOL_SPECIAL_H

#include "ex/pool_find.h"
#include "ex/pool_request.h"

extern bool ex_special_on;

void ex_special_boot(const ntmm_config *config);
/* NULL: the request is not for special pool, or there is none left: ordinary pool serves it. */
void *ex_special_allocate(ke_thread_t *thread, const ex_request_t *request);
/* A block's address, from the owner entry of its page. */
void              *ex_special_body(void *page, const mm_owner_t *owner);
static inline bool ex_is_special(const mm_owner_t *owner) { return owner != NULL && (owner->flags & MM_OWNER_SPECIAL) != 0; }
/* The address lies in special pool, live or freed: *found is the block that begins there, or *stop is set. False: look elsewhere. */
bool ex_special_look(const void *address, ex_found_t *found, ex_stop_t *stop);
/* False with *stop set: something was written beside the block. */
bool ex_special_is_whole(const ex_found_t *found, const void *address, ex_stop_t *stop);
void ex_special_give(void *address);
bool ex_special_describe(uintptr_t address, char *line, size_t bytes);

#endif
