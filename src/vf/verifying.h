/* verifying.h - which drivers are verified. */
#ifndef NTMM_VF_VERIFYING_H
#define NTMM_VF_VERIFYING_H

#include <stdint.h>

void vf_verifying_boot(uint32_t flags); /* config.verifier */

#endif
