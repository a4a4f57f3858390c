"""Line integrals and back: geometries, projectors, filtered backprojection."""
