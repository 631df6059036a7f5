// OpenBLAS: the portable float32 matrix product.
#ifndef WADE_COPENBLAS_H
#define WADE_COPENBLAS_H

#include <cblas.h>

#endif
