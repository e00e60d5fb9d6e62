"""Sgemm of OpenBLAS, one thread: the peer of BenchmarkGemm in nn/blas. Needs the
library alone (Debian: libopenblas0-pthread).

    OPENBLAS_NUM_THREADS=1 python3 openblas.py [library]
"""

import ctypes
import os
import random
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
library = ctypes.CDLL(sys.argv[1] if len(sys.argv) > 1 else "libopenblas.so.0")
library.openblas_set_num_threads(1)
library.openblas_get_config.restype = ctypes.c_char_p
print(library.openblas_get_config().decode())
ROW_MAJOR, NONE, TRANSPOSED = 101, 111, 112
integer, real = ctypes.c_int, ctypes.c_float


def buffer(n):
    return (real * n)(*(random.uniform(-1, 1) for _ in range(n)))


def measure(m, k, n, form):
    a, b, c = buffer(m * k), buffer(k * n), buffer(m * n)
    ta, tb = (TRANSPOSED if f == "T" else NONE for f in form)
    lda, ldb = (m if form[0] == "T" else k), (k if form[1] == "T" else n)
    arguments = [integer(v) for v in (ROW_MAJOR, ta, tb, m, n, k)] + [real(1), a, integer(lda), b, integer(ldb), real(0), c, integer(n)]
    rounds = max(20, int(2e9 / (2 * m * n * k)))
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(rounds):
            library.cblas_sgemm(*arguments)
        best = max(best, rounds * 2 * m * n * k / (time.perf_counter() - start) / 1e9)
    print(f"{m}x{k}x{n}/{form} {best:8.1f} GFLOPS (best of 5)", flush=True)


for shape in ((100, 128, 256), (100, 256, 256), (100, 512, 512), (512, 512, 512)):
    for form in ("NN", "TN", "NT"):
        measure(*shape, form)
