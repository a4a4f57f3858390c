#!/bin/sh
# The paper's ablation: each row adds one loss. The scale is in every row's config.json.
#
#   recipes/adn-ablation.sh [--downsample N] SOURCE [BASE] [SAMPLES]
#
# BASE     adn-syn (GPU, default) or adn-syn-small (CPU), which learns at half the resolution:
#          evaluate that with --downsample 2, as it is trained
# SAMPLES  for each row; 20,000 by default
#
# Interrupted? Run it again: every row goes on where it last validated.
set -eu
downsample=1
if [ "$1" = --downsample ]; then
    downsample=$2
    shift 2
fi
source=$1
base=${2:-adn-syn}
samples=${3:-20000}
here=runs/ablation
python=${PYTHON:-python}
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
[ -f runs/data/syn/cohort.npz ] || "$python" recipes/syn_cohort.py "$source" runs/data/syn/cohort.npz
for row in adversarial reconstruction artifact self-reduction; do
    "$python" -m unmetal train "$base-$row" --data runs/data/syn --out "$here/$row" --samples "$samples"
done
"$python" -m unmetal evaluate "$here/adversarial" "$here/reconstruction" "$here/artifact" \
    "$here/self-reduction" --against self-reduction --downsample "$downsample" \
    --data "$source" --out "$here/table" --add
"$python" recipes/learning_curves.py "$here/adversarial" "$here/reconstruction" "$here/artifact" \
    "$here/self-reduction" "$here/learning_curves.png"
echo "Scale: $base, $samples samples per row (the paper: width 64, about 100,000)."
