#!/bin/sh
# The paper's ablation: each row adds one loss. The scale is in every row's config.json.
#
#   recipes/adn-ablation.sh SOURCE [BASE] [SAMPLES]
#
# BASE is adn-syn (GPU) or adn-syn-cpu; SAMPLES are per row.
set -eu
source=$1
base=${2:-adn-syn}
samples=${3:-20000}
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
[ -f runs/data/syn/cohort.npz ] || python recipes/syn_cohort.py "$source" runs/data/syn/cohort.npz
for row in adversarial reconstruction artifact self-reduction; do
    python -m unmetal train "$base-$row" --data runs/data/syn --out "runs/ablation/$row" --samples "$samples"
done
python -m unmetal evaluate runs/ablation/adversarial runs/ablation/reconstruction \
    runs/ablation/artifact runs/ablation/self-reduction \
    --data "$source" --out runs/ablation/table --force
cat runs/ablation/table/table.md
echo "Scale: $base, $samples samples per row (the paper: width 64, about 100,000)."
