/* automatic.h - Driver Verifier's automatic checks. */
#ifndef NTMM_VF_AUTOMATIC_H
#define NTMM_VF_AUTOMATIC_H

#include "ke/bugcheck.h"

void vf_automatic_boot(uint32_t flags);  /* config.verifier: any flag brings the automatic checks with it */
void vf_automatic_stop(ke_stop_t *stop); /* a stop that always happens becomes the verifier's own for the same mistake */

#endif
