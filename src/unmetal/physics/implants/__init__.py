"""Metal implants: shapes (`primitives`), kinds with sizes and places; what only looks like them."""
