/*
 * describe.c - what a block of pool is to the framework: for the report of what was leaked.
 *
 * Locks       none: nothing runs any more. Nothing is believed further than it can be read.
 */
#include <stdio.h>
#include <string.h>

#include "host/host.h"
#include "wdf/object.h"

static size_t describe_object(const wdf_object_t *object, char *text, size_t bytes)
{
    const wdf_object_t *parent = wdf_peek_handle(object->parent);
    int                 references = (int)atomic_load(&object->references);
    if (parent != NULL)
        return (size_t)snprintf(text, bytes, "%s, child of %s %p", object->type->name, parent->type->name, (const void *)parent);
    bool is_deleted = (object->flags & WDF_OBJECT_DELETED) != 0;
    return (size_t)snprintf(text, bytes, "%s, %s, %d reference%s", object->type->name, is_deleted ? "deleted" : "no parent", references,
                            references == 1 ? "" : "s");
}

static bool is_context(const wdf_context_t *context)
{
    host_peeked_t mark = host_peek_word(&context->mark);
    return mark.there != 0 && mark.value == (WDF_CONTEXT_MARK ^ (uintptr_t)context) && wdf_peek_handle(context->object) != NULL;
}

bool wdf_describe_block(const void *block, char *text, size_t bytes)
{
    const wdf_object_t  *object = wdf_peek_handle(block);
    const wdf_context_t *context = block;
    if (object != NULL)
        return describe_object(object, text, bytes) != 0;
    if ((uintptr_t)block % 16 != 0 || !is_context(context))
        return false;
    snprintf(text, bytes, "context %s of %s %p", context->type != NULL ? context->type->ContextName : "", context->object->type->name,
             (void *)context->object);
    return true;
}
