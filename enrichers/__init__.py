"""Enrichers, one module per source of facts. They import abuse_pipeline.api and nothing else of ours."""
