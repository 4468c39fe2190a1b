/*
 * tags.c - references that were taken under a name, and are to be given back under the same one.
 *
 * KMDF looks at tags when its verifier is told to track an object's type; a tag that does not fit is a breakpoint then, which without a debugger
 * stops the machine. Here every tag that is not NULL is looked at, since a test is where one wants to know. References without a tag are not
 * counted.
 *
 * Locks       the object's.
 * Source      WDK reference: WdfObjectReferenceWithTag, WdfObjectDereferenceWithTag; KMDF 1.33 (what happens to a tag that does not fit).
 */
#include "wdf/tags.h"

#define TAG_OF_TAGS NTMM_TAG("FxTt")

typedef struct wdf_tag {
    struct wdf_tag *next; /* newest first */
    void           *tag;
    PCCH            file;
    LONG            line;
    ULONG           count;
} wdf_tag_t;

/* Ends the list of an object that has a reference whose tag found no memory: a tag that is not there says nothing then. */
static wdf_tag_t lost;

/* The link that leads to it; else the last one. */
static wdf_tag_t **find_locked(wdf_object_t *object, const void *tag)
{
    wdf_tag_t **link = &object->tags;
    while (*link != NULL && *link != &lost && (*link)->tag != tag)
        link = &(*link)->next;
    return link;
}

void wdf_tag_add(wdf_object_t *object, void *tag, LONG line, PCCH file)
{
    wdf_tag_t *fresh = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *fresh, TAG_OF_TAGS);
    wdf_lock(&object->lock);
    wdf_tag_t **link = find_locked(object, tag);
    if (*link != NULL && *link != &lost) {
        (*link)->count++;
    } else if (fresh != NULL) {
        *fresh = (wdf_tag_t){ .next = object->tags, .tag = tag, .file = file, .line = line, .count = 1 };
        object->tags = fresh;
        fresh = NULL;
    } else {
        *link = &lost;
    }
    wdf_unlock(&object->lock);
    if (fresh != NULL)
        ExFreePoolWithTag(fresh, TAG_OF_TAGS);
}

void wdf_tag_remove(wdf_object_t *object, void *tag)
{
    wdf_lock(&object->lock);
    wdf_tag_t **link = find_locked(object, tag), *known = *link;
    bool        is_last = known != NULL && known != &lost && --known->count == 0;
    if (is_last)
        *link = known->next;
    wdf_unlock(&object->lock);
    if (is_last)
        ExFreePoolWithTag(known, TAG_OF_TAGS);
    if (known == NULL) {
        DbgPrint("WDF: %s %p has no reference with tag %p\n", object->type->name, (void *)object, tag);
        DbgBreakPoint();
    }
}

void wdf_tags_destroy(wdf_object_t *object)
{
    wdf_tag_t *tag = object->tags, *next;
    bool       abandoned = tag != &lost;
    if (abandoned)
        DbgPrint("WDF: %s %p is destroyed, and its reference with tag %p of %s, line %d, was given back without it\n", object->type->name,
                 (void *)object, tag->tag, tag->file != NULL ? tag->file : "?", tag->line);
    for (object->tags = NULL; tag != NULL && tag != &lost; tag = next) {
        next = tag->next;
        ExFreePoolWithTag(tag, TAG_OF_TAGS);
    }
    if (abandoned)
        DbgBreakPoint();
}
