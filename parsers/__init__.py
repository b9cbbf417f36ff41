"""Report parsers, one module per format. They import abuse_pipeline.api and nothing else of ours."""
