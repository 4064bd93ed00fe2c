/* Languages of the translation families, each list ends in NULL. */
#ifndef TEXT_SPM_FAMILY_H
#define TEXT_SPM_FAMILY_H

#include <stddef.h>

extern const char *const languages_m2m[], *const languages_wmt21[], *const languages_nllb[], *const languages_mbart[],
    *const languages_mbart50[];

#endif
