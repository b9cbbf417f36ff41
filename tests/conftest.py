"""This folder is on the path of every test: `contract_shapes` and `abuse_command` are shared by several areas."""
