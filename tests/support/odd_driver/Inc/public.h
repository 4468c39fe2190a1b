/* public.h - what the driver and its applications share. It is included by another name, and includes "Types.h" by another, too. */
/* clang-format off */
#pragma once
#include "TYPES.h"
#include <stddef.h>

#define ODD_TAG 'ddO1'
#define ODD_LIMIT 0x100000000i64 /* more than 32 bits */
#define ODD_MASK 0xFFui64
