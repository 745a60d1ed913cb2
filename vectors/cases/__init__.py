"""What is tested, one module a file of vectors; each has one function, `cases`."""
