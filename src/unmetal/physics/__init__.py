"""CT physics on tensors, usable alone in a notebook: images `[B 1 H W]` in 1/cm (HU where it says
so), sinograms `[B 1 V D]` dimensionless, lengths in cm (pixel sizes of patients in mm).

From outside: `simulate.simulate`, `derive.complete`, `body_mask` and `metal_mask`,
`machines.protocol_for`, `scanner.CT`; and the rooms `projection`, `beam`, `completion`, `implants`.
"""
