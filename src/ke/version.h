/*
 * version.h - which Windows the machine plays: for every rule that changed over time.
 */
#ifndef NTMM_KE_VERSION_H
#define NTMM_KE_VERSION_H

#include <ntmm/ntmm.h>

extern uint32_t ke_windows_version; /* an NTDDI value, never 0; set at boot */

void ke_version_boot(const ntmm_config *config);

#endif
