"""The script that Streamlit runs at every rerun."""

from dashboard.shell import main

main()
