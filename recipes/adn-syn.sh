#!/bin/sh
# ADN on SYN, from data to weights to the table: the very commands.
#
#   recipes/adn-syn.sh SOURCE [EXPERIMENT] [SAMPLES]
#
# SOURCE      slices, masks and test set; its layout is in recipes/syn_cohort.py
# EXPERIMENT  adn-syn       full width, about 25 minutes on one large GPU (default)
#             adn-syn-cpu   a quarter of the width, a night on one CPU core
# SAMPLES     how long; by default what the experiment says. First ask benchmarks/train_step.py
#             for the samples per second: the learning rate falls over the last 30 % of SAMPLES,
#             so choose as many as fit and let it finish.
#
# Interrupted? Run it again: the data are packed once, training goes on from its last validation.
set -eu
source=$1
experiment=${2:-adn-syn}
run=runs/$experiment
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"  # two threads fighting over a core are slower than one

# 1. The cohort: clean slices of training patients, halves by patient, shapes of metal.
[ -f runs/data/syn/cohort.npz ] || python recipes/syn_cohort.py "$source" runs/data/syn/cohort.npz

# 2. Train. On a CPU the first half is cheaper at half the resolution.
if [ "$experiment" = adn-syn-cpu ] && [ ! -f $run/state.pt ]; then
    python -m unmetal train adn-syn-cpu-coarse --data runs/data/syn --out $run --samples 5000
fi
python -m unmetal train "$experiment" --data runs/data/syn --out $run ${3:+--samples "$3"}

# 3. Into the package, where `unmetal reduce` finds them.
python recipes/release.py $run adn-syn

# 4. The paper's table: 100 DeepLesion slices x 10 masks, against input, LI and NMAR.
python -m unmetal evaluate adn li nmar --data "$source" --out $run/table --force
python recipes/release.py $run adn-syn --table $run/table/table.md
