"""Reports for staff: frames of the store's rows, computed with polars, shown as table, JSON, CSV or Parquet."""
