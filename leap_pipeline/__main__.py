"""`python -m leap_pipeline` is `leap`."""

from leap_pipeline.cli import main

main()
