/*
 * registry_answer.h - what a query answers: a structure with something behind it, and a driver's buffer that may be too small for it.
 */
#ifndef NTMM_IO_REGISTRY_ANSWER_H
#define NTMM_IO_REGISTRY_ANSWER_H

#include <stddef.h>

#include <ntddk.h>

typedef struct io_answer {
    char  *bytes; /* in the host's memory */
    size_t fixed, all;
} io_answer_t;

void *io_answer_make(io_answer_t *answer, size_t fixed, size_t behind); /* zero bytes; NULL: the host has no memory */
/* Frees it. With a status of success: STATUS_BUFFER_TOO_SMALL, not even the fixed part; STATUS_BUFFER_OVERFLOW, as much as there is room for. */
NTSTATUS io_answer_give(io_answer_t *answer, NTSTATUS status, void *out, ULONG length, PULONG result);

#endif
