/*
 * peer.h - finding other allocators on this machine, and running children that live on them.
 */
#ifndef NTMM_TOOL_PEER_H
#define NTMM_TOOL_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "tool/allocator.h"

/**
 * Where the library of an allocator lies.
 *
 * @param path  room for a path; "" for an allocator that needs no library
 * @return false: it is not installed here, or this build carries a sanitizer and can take no other malloc
 */
bool peer_find(const allocator *a, char *path, size_t path_size);

typedef struct peer_child {
    const char  *program;   /* to execute */
    char *const *arguments; /* argv, NULL at the end */
    const char  *library;   /* to preload; "" for none: then nothing is preloaded at all */
    int          stream;    /* becomes descriptor 3; -1 for none */
} peer_child;

/**
 * Run a child to its end and collect what it writes on descriptor 4.
 *
 * @param output  at most `room` bytes; a child that writes more is stopped by its closed pipe
 * @param length  bytes that came
 * @param why     a clause ("was killed by signal 6, Aborted") when false is returned
 * @return true: it ended with exit code 0
 */
bool peer_run(const peer_child *child, void *output, size_t room, size_t *length, char *why, size_t why_size);

#endif
