#!/bin/sh
# The field side by side: Table 1 of the ADN paper, with what every method cost, its figures, and
# the learning curves.
#
#   recipes/table1.sh SOURCE [full|small [STEP...]]
#
# SOURCE  slices, masks and test sets; its layout is in recipes/syn_cohort.py
# full    published widths at 256 x 256, 60,000 samples each: one large GPU, a slot of 25 minutes a
#         method (default)
# small   a quarter of the width at half the resolution, 2,000 samples each; networks that work on
#         sinograms stay as they are. For CPUs, hours
# STEP    a method to train, or `evaluate`; all of them by default, in the order below
#
# MINUTES=20 stops every training after that long. Interrupted? Run it again: trainings go on where
# they last validated or return at once, and only methods with new weights are evaluated. So a GPU
# that is lent for one slot at a time does `recipes/table1.sh SOURCE full adn`, next time
# `... full cyclegan`, and `... full evaluate` at any time shows what there is.
#
# DIP has nothing to train and fits a network to every case: it is evaluated on the first, the last
# and DIP_SLICES - 2 slices between, with all masks; the table compares it on those cases only.
set -eu
source=$1
base=${2:-full}
[ $# -gt 2 ] && shift 2 || set -- adn unet cganmar cyclegan munit drit cnnmar rl-arcnn destreaknet evaluate
case $base in
    full) suffix="" downsample=1 dip=dip dip_slices=${DIP_SLICES:-10} ;;
    small) suffix=-small downsample=2 dip=dip-small dip_slices=${DIP_SLICES:-1} ;;
    *) echo "$0: BASE is full or small, not $base" >&2; exit 2 ;;
esac
here=runs/table1/$base
python=${PYTHON:-python}
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"  # two threads fighting over a core are slower than one

# A run is shown once it has weights; ADN, with which all others are compared, and Table 1's order.
evaluate() {
    trained=""
    for method in cnnmar unet cganmar adn cyclegan munit drit rl-arcnn destreaknet; do
        run=$here/$method-syn$suffix
        [ -d "$run/weights" ] && trained="$trained $run"
    done
    against=li
    [ -d "$here/adn-syn$suffix/weights" ] && against=adn-syn$suffix
    for name in deeplesion patients; do
        data=$source
        [ $name = patients ] && data=$source/index.csv
        set -- --data "$data" --out "$here/$name" --downsample $downsample --add
        [ $name = patients ] || set -- "$@" --costs
        "$python" -m unmetal evaluate $dip --slices "$dip_slices" "$@" > /dev/null
        # shellcheck disable=SC2086  (run folders without spaces)
        "$python" -m unmetal evaluate li nmar $trained $dip --against $against "$@"
    done
    # shellcheck disable=SC2086
    [ -z "$trained" ] || "$python" recipes/learning_curves.py $trained "$here/learning_curves.png"
}

[ -f runs/data/syn/cohort.npz ] || "$python" recipes/syn_cohort.py "$source" runs/data/syn/cohort.npz
for step in "$@"; do
    if [ "$step" = evaluate ]; then
        evaluate
    else
        "$python" -m unmetal train "$step-syn$suffix" --data runs/data/syn \
            --out "$here/$step-syn$suffix" ${MINUTES:+--minutes "$MINUTES"}
    fi
done
