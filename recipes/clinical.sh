#!/bin/sh
# The ADN paper's claim put to numbers: what is left, on other scanners, of methods that learned from
# the simulated artifacts of one, and what of those that learned there, without pairs.
#
#   recipes/clinical.sh SOURCE [full|small [STEP...]]
#
# SOURCE  as for recipes/table1.sh, which trains the methods of SYN first
# full    published widths at 256 x 256, 60,000 samples each, one slot of 25 minutes a large GPU a run
#         (default)
# small   a quarter of the width at half the resolution, 2,000 samples each. For CPUs, hours
# STEP    a training (adn-clinical, cyclegan-clinical, adn-cbct, cyclegan-cbct), `evaluate` or
#         `figures`; all of them by default
#
# MINUTES=20 stops every training after that long. Interrupted? Run it again.
#
# Out come, in runs/clinical/BASE: rows and tables of the withheld patients on the scanner of SYN
# (adn), on the other two, and on the CatSim pairs; drop.md and drop_over_li.md; the figures.
set -eu
source=$1
base=${2:-full}
[ $# -gt 2 ] && shift 2 || set -- adn-clinical cyclegan-clinical adn-cbct cyclegan-cbct evaluate figures
case $base in
    full) suffix="" coarser=1 ;;
    small) suffix=-small coarser=2 ;;
    *) echo "$0: BASE is full or small, not $base" >&2; exit 2 ;;
esac
here=runs/clinical/$base
syn=runs/table1/$base
python=${PYTHON:-python}
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"  # two threads fighting over a core are slower than one

# The runs among those named that have weights.
trained() {
    for run in "$@"; do
        [ ! -d "$run$suffix/weights" ] || printf '%s ' "$run$suffix"
    done
}

evaluate() {
    learned=$(trained "$syn/cnnmar-syn" "$syn/unet-syn" "$syn/cganmar-syn" "$syn/cyclegan-syn" "$syn/adn-syn")
    rows=""
    # shellcheck disable=SC2086  (run folders without spaces)
    for protocol in adn clinical cbct; do
        there=$(trained "$here/cyclegan-$protocol" "$here/adn-$protocol")
        more="--draws 2 --clinical"
        [ $protocol != adn ] || more=""
        "$python" -m unmetal evaluate li nmar $learned $there --against li --protocol $protocol $more \
            --data "$source/index.csv" --coarser $coarser --out "$here/$protocol" --add
        rows="$rows $protocol=$here/$protocol/rows.csv"
    done
    # shellcheck disable=SC2086
    for over in input li; do
        name=drop; [ $over = input ] || name=drop_over_$over
        "$python" recipes/clinical_drop.py $rows --over $over --out "$here/$name.md"
    done
    # shellcheck disable=SC2046,SC2086
    "$python" -m unmetal evaluate li nmar $learned $(trained "$here/adn-clinical") --against li --clinical \
        --data "$source/catsim_dev_14.npz" --out "$here/catsim" --add
}

figures() {
    "$python" recipes/clinical_figures.py evaluation "$here/adn" "$here/figure9.png"
    "$python" recipes/clinical_figures.py evaluation "$here/clinical" "$here/figure3.png"
    "$python" recipes/clinical_figures.py evaluation "$here/cbct" "$here/figure10.png"
}

[ -f runs/data/syn/cohort.npz ] || "$python" recipes/syn_cohort.py "$source" runs/data/syn/cohort.npz
for step in "$@"; do
    case $step in
        evaluate | figures) $step ;;
        *)
            "$python" -m unmetal train "$step$suffix" --data runs/data/syn \
                --out "$here/$step$suffix" ${MINUTES:+--minutes "$MINUTES"}
            ;;
    esac
done
