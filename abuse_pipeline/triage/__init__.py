"""What is to happen with an incident, and why. Pure: values in, values out.

The dispositions are DESIGN.md's table; each rule below names its row. The rules are tried in order, the first that
speaks decides, and a rule that does not apply says None.
"""

from abuse_pipeline.triage.decide import Circumstances, Feed, decide
from abuse_pipeline.triage.language import detect_language
from abuse_pipeline.triage.origins import establish_origin
from abuse_pipeline.triage.severity import severity_of

__all__ = ["Circumstances", "Feed", "decide", "detect_language", "establish_origin", "severity_of"]
