/* excpt.h - structured exception handling by itself: it comes with wdm.h. */
#ifndef NTMM_DDK_EXCPT_H
#define NTMM_DDK_EXCPT_H
#include "wdm.h"
#endif
