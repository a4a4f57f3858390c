#!/bin/sh
# ADN on SYN, from data to weights to the table: the very commands.
#
#   recipes/adn-syn.sh SOURCE [EXPERIMENT] [SAMPLES]
#
# SOURCE      slices, masks and test set; its layout is in recipes/syn_cohort.py
# EXPERIMENT  adn-syn          full width, about 25 minutes on one large GPU (default)
#             adn-syn-distill  a quarter of the width and its five stages, each from the one before:
#                              some five hours on one CPU core (docs/adn_experiments.md)
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

# 2. Train; a stage that is done stays as it is.
start=
if [ "$experiment" = adn-syn-distill ]; then
    for stage in copy carry coarse fine; do
        python -m unmetal train adn-syn-$stage --data runs/data/syn --out runs/adn-syn-$stage $start
        start="--from runs/adn-syn-$stage/weights"
    done
fi
python -m unmetal train "$experiment" --data runs/data/syn --out $run $start ${3:+--samples "$3"}

# 3. Into the package, where `unmetal reduce` finds them.
python recipes/release.py $run adn-syn

# 4. The paper's table: 100 DeepLesion slices x 10 masks, against input, LI and NMAR.
python -m unmetal evaluate adn li nmar --data "$source" --out $run/table --force
python recipes/release.py $run adn-syn --table $run/table/table.md
