"""The `abuse` command: read arguments, call, print. One module per noun; `main` knows which module holds what."""
