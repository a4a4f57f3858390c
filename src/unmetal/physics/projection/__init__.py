"""Line integrals and back: geometries, projectors, filtered backprojection.

`geometry` states the conventions (axes, angles, lengths in cm) for all files here.
From outside: `projector.project` and `backproject` (its exact adjoint), `fbp.reconstruct`,
`geometry.Grid`, `Parallel`, `FanArc` and `FanFlat`; `rebin` goes between fan and parallel views.
"""
