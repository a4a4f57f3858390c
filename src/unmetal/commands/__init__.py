"""One command per file, each a dataclass whose fields are its arguments and whose `run()` does it.

`COMMANDS` is read without importing any of them. An argument of the command line is a field, its
help text the string below that field.
"""

COMMANDS = {
    "reduce": "a CT series in, the same series with the metal artifacts reduced out",
    "transfer": "put the metal artifact of one slice or volume onto another",
    "simulate": "put metal and its artifacts into a clean slice, with the physics of a scanner",
    "prepare": "make a cohort to train on from an archive, by the paper's rules",
    "train": "train a method, or go on with a run",
    "evaluate": "a table of methods on data with a known truth",
    "view": "series in the browser, before and after: compare, measure, edit the metal, export",
    "node": "receive series, reduce them and send them on, as a DICOM node",
    "export": "a learned method as an ONNX file",
    "methods": "the methods there are, with one line each",
    "weights": "the trained networks that came with the package",
    "info": "what a file or folder holds",
}
"""Name of the module and of its class, capitalised -> one line of help."""
