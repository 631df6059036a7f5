// oneDNN's C interface, and the one function of the OpenMP runtime that Wade needs.
#ifndef WADE_CONEDNN_H
#define WADE_CONEDNN_H

#include <oneapi/dnnl/dnnl.h>

// Sets the number of OpenMP threads of the calling thread only (OpenMP 5.0, section 3.2.1);
// declared here because omp.h belongs to the C compiler, not to the library.
void omp_set_num_threads(int count);

#endif
