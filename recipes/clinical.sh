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
# (adn), on the other two, on the CatSim pairs and on real metal; what each method loses (drop_*.md)
# and leaves (left.md); the figures.
set -eu
source=$1
base=${2:-full}
[ $# -gt 2 ] && shift 2 || set -- adn-clinical cyclegan-clinical adn-cbct cyclegan-cbct evaluate figures
case $base in
    full) suffix="" downsample=1 ;;
    small) suffix=-small downsample=2 ;;
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
            --data "$source/index.csv" --downsample $downsample --out "$here/$protocol" --add
        rows="$rows $protocol=$here/$protocol/rows.csv"
    done
    # Over LI, for a truth that leaves more to gain; over what learned on SYN, for what learning on
    # another scanner is worth there.
    # shellcheck disable=SC2086
    for over in input li "cyclegan-syn$suffix" "adn-syn$suffix"; do
        "$python" recipes/clinical_drop.py $rows --over "$over" --out "$here/drop_over_$over.md"
    done
    # shellcheck disable=SC2086
    for metric in ssim rmse_hu; do
        "$python" recipes/clinical_drop.py $rows --metric $metric --out "$here/drop_$metric.md"
    done
    # shellcheck disable=SC2046
    "$python" recipes/artifact_left.py "$source" "$here/left.md" --downsample $downsample --draws 1 \
        $(trained "$syn/unet-syn" "$syn/cganmar-syn" "$syn/cyclegan-syn" "$syn/adn-syn" \
            "$here/adn-clinical" "$here/adn-cbct")
    # shellcheck disable=SC2046,SC2086
    "$python" -m unmetal evaluate li nmar $learned $(trained "$here/adn-clinical") --against li --clinical \
        --data "$source/catsim_dev_14.npz" --out "$here/catsim" --add
    "$python" -m unmetal evaluate li nmar unet adn --real --data "$source/index.csv" --out "$here/real" --add
}

# The paper's Figures 9, 3, 10 and 11, the last and its real slices on the samples that its code ships.
figures() {
    "$python" recipes/clinical_figures.py evaluation "$here/adn" "$here/figure9.png"
    "$python" recipes/clinical_figures.py evaluation "$here/clinical" "$here/figure3.png"
    "$python" recipes/clinical_figures.py evaluation "$here/cbct" "$here/figure10.png"
    a=$source/adn_reference/spineweb
    pairs="0156_4389889_070:0101_3109354_299 0191_4534880_207:0128_4536524_010 0281_4555169_042:0217_4631347_015"
    affected="" both="" reduced="" transferred=""
    for pair in $pairs; do
        from=patient${pair%:*} to=patient${pair#*:}
        affected="$affected ${a}__with_art__$from.npy"
        both="$both ${a}__with_art__$from.npy ${a}__without_art__$to.npy"
        reduced="$reduced ${a}__official_reduced__${from}_${to}__hu.npy"
        transferred="$transferred ${a}__official_transferred__${from}_${to}__hu.npy"
    done
    # shellcheck disable=SC2086
    "$python" recipes/clinical_figures.py real "$here/spineweb.png" --methods li nmar adn \
        --slices $affected --beside $reduced --spacing 0.9 --window 1000 200
    # shellcheck disable=SC2086
    "$python" recipes/clinical_figures.py transfer "$here/figure11.png" --methods adn \
        --slices $both --beside $transferred --spacing 0.9 --window 1000 200
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
