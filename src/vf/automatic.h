/* automatic.h - Driver Verifier's automatic checks. */
#ifndef NTMM_VF_AUTOMATIC_H
#define NTMM_VF_AUTOMATIC_H

#include "ke/probe.h"

void vf_automatic_boot(uint32_t flags);  /* config.verifier: any flag brings the automatic checks with it */
void vf_automatic_stop(ke_stop_t *stop); /* a stop that always happens becomes the verifier's own for the same mistake */
/* Pool is about to be freed; misc: also what "Miscellaneous Checks" looks for. */
void vf_contents_check(const char *routine, const ke_freed_t *freed, bool misc);

#endif
