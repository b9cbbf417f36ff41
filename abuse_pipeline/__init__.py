"""An abuse desk for internet and hosting providers: reports in, anonymised notices out, staff see why."""

__version__ = "0.1.0"
