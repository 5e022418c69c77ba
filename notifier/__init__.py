"""notifier: patients on home infusion are told, heard, and always reach a human."""

import os

# A text is one core's work: threads that wait for one another make small sums of matrices many times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
