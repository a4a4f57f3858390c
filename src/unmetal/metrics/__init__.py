"""How far an image is from the truth: single numbers, published protocols, intervals.

From outside: functions of arrays that return numbers (`image_quality`, `aapm`, `strata`, `lesion`,
`proton`, `no_reference`), `regions.choose_regions`, `intervals.t_interval` and `paired`.
"""
