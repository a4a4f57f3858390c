"""Metal implants: shapes (`primitives`) and realistic kinds with sizes and places (`kinds`)."""
