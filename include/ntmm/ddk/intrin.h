/* intrin.h - what Visual C++ has built in: see ntmm_keywords.h, wdm/interlocked.h and wdm/rtl_bits.h. */
#include "wdm.h"
