"""`unmetal prepare`: a cohort from an archive, by the paper's rules, without names."""
