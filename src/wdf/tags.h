/*
 * tags.h - references that were taken under a name.
 */
#ifndef NTMM_WDF_TAGS_H
#define NTMM_WDF_TAGS_H

#include "wdf/object.h"

void wdf_tag_add(wdf_object_t *object, void *tag, LONG line, PCCH file);
void wdf_tag_remove(wdf_object_t *object, void *tag); /* the reference is still held */
void wdf_tags_destroy(wdf_object_t *object);

#endif
