#!/usr/bin/env bash
# The tables of docs/results.md: LI, BHC and NMAR on the ADN paper's test and on another scanner.
#
# usage: recipes/classical-tables.sh DATA OUT
#
# DATA holds deeplesion_test_256.npz, masks/cnnmar_test_10x512.npz and catsim_dev_14.npz. These are
# not part of the project: DeepLesion is NIH's, the masks are CNN-MAR's, the pairs were made with
# GE's CatSim. Nothing is trained or tuned on them. About five minutes on one core.
set -euo pipefail
data=$1 out=$2
unmetal=$(dirname "$0")/../.venv/bin/unmetal
export OMP_NUM_THREADS=1
"$unmetal" evaluate li bhc nmar --data "$data" --out "$out/syn" --seed 0
"$unmetal" evaluate li bhc nmar --data "$data/catsim_dev_14.npz" --out "$out/catsim"
